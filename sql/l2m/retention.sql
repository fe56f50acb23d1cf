-- Strict retention on the day $ds: of the accounts whose first active day was 1, 3, 7, 14 or 30 days ago, those active
-- on this very day. Accounts are grouped by what they were on their first day.
WITH newcomers AS (
    SELECT user_id, ds AS cohort_ds, server_id, country, date_diff('day', ds, CAST($ds AS DATE)) AS day_number
    FROM l2m.active
    WHERE first_active_ds = ds AND date_diff('day', ds, CAST($ds AS DATE)) IN (1, 3, 7, 14, 30)
),

members AS (
    SELECT user_id, cohort_ds, day_number, 'all' AS dimension, 'all' AS member FROM newcomers
    UNION
    SELECT user_id, cohort_ds, day_number, 'server' AS dimension, server_id AS member FROM newcomers
    UNION
    SELECT user_id, cohort_ds, day_number, 'country' AS dimension, country AS member FROM newcomers
),

today AS (
    SELECT DISTINCT user_id
    FROM l2m.active
    WHERE ds = CAST($ds AS DATE)
),

counted AS (
    SELECT
        members.cohort_ds,
        members.day_number,
        members.dimension,
        members.member,
        count(*) AS cohort_users,
        count(today.user_id) AS retained_users
    FROM members
    LEFT JOIN today ON today.user_id = members.user_id
    GROUP BY members.cohort_ds, members.day_number, members.dimension, members.member
)

SELECT
    CAST($ds AS DATE) AS ds,
    CAST(dimension AS VARCHAR) AS dimension,
    CAST(member AS VARCHAR) AS member,
    CAST(day_number AS SMALLINT) AS day_number,
    CAST(cohort_ds AS DATE) AS cohort_ds,
    CAST(cohort_users AS BIGINT) AS cohort_users,
    CAST(retained_users AS BIGINT) AS retained_users,
    CAST(CAST(retained_users AS DOUBLE) / cohort_users AS DOUBLE) AS retention_rate
FROM counted
