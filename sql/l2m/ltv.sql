-- Lifetime value until the end of the day $ds, by the accounts' first active day: in all, of each server of the first
-- day, of each country.
WITH accounts AS (
    SELECT
        profile.user_id,
        profile.first_active_ds AS cohort_ds,
        profile.first_server_id AS server_id,
        CASE WHEN profile.country_since_ds <= CAST($ds AS DATE) THEN profile.country ELSE 'Other' END AS country,
        coalesce(lifetime.total_rev_usd, 0) AS total_rev_usd
    FROM l2m.user_profile AS profile
    LEFT JOIN l2m.cumulative_revenue AS lifetime
        ON lifetime.user_id = profile.user_id AND lifetime.ds = CAST($ds AS DATE)
    WHERE profile.first_active_ds <= CAST($ds AS DATE)
),

members AS (
    SELECT cohort_ds, 'all' AS dimension, 'all' AS member, total_rev_usd FROM accounts
    UNION ALL
    SELECT cohort_ds, 'server' AS dimension, server_id AS member, total_rev_usd FROM accounts
    UNION ALL
    SELECT cohort_ds, 'country' AS dimension, country AS member, total_rev_usd FROM accounts
),

counted AS (
    SELECT
        cohort_ds,
        dimension,
        member,
        count(*) AS cohort_users,
        sum(CASE WHEN total_rev_usd > 0 THEN 1 ELSE 0 END) AS paying_users,
        sum(total_rev_usd) AS revenue_usd,
        CAST(floor(sum(total_rev_usd) * 1000000) AS BIGINT) AS millionths
    FROM members
    GROUP BY cohort_ds, dimension, member
)

-- Averages are divided in millionths of a dollar: every engine rounds whole numbers alike.
SELECT
    CAST($ds AS DATE) AS ds,
    CAST(dimension AS VARCHAR) AS dimension,
    CAST(member AS VARCHAR) AS member,
    CAST(cohort_ds AS DATE) AS cohort_ds,
    CAST(date_diff('day', cohort_ds, CAST($ds AS DATE)) AS INTEGER) AS day_number,
    CAST(cohort_users AS BIGINT) AS cohort_users,
    CAST(paying_users AS BIGINT) AS paying_users,
    CAST(revenue_usd AS DECIMAL(20, 6)) AS revenue_usd,
    CAST(CAST((2 * millionths + cohort_users) // (2 * cohort_users) AS DECIMAL(20, 0)) * 0.000001 AS DECIMAL(20, 6)) AS ltv_usd
FROM counted
