-- Key figures of the day $ds: in all, of each server, of each country. An account that plays on two servers counts once
-- in all and for its country. Figures of a week and a month look back from this day.
WITH members AS (
    SELECT ds, user_id, 'all' AS dimension, 'all' AS member, first_active_ds, first_login_ds, first_charge_ds, revenue_usd
    FROM l2m.active
    UNION ALL
    SELECT ds, user_id, 'server' AS dimension, server_id AS member, first_active_ds, first_login_ds, first_charge_ds, revenue_usd
    FROM l2m.active
    UNION ALL
    SELECT ds, user_id, 'country' AS dimension, country AS member, first_active_ds, first_login_ds, first_charge_ds, revenue_usd
    FROM l2m.active
),

-- Each account once for each of its days.
accounts AS (
    SELECT
        ds,
        dimension,
        member,
        user_id,
        min(first_active_ds) AS first_active_ds,
        min(first_login_ds) AS first_login_ds,
        min(first_charge_ds) AS first_charge_ds,
        sum(revenue_usd) AS revenue_usd
    FROM members
    WHERE ds = CAST($ds AS DATE)
    GROUP BY ds, dimension, member, user_id
),

counted AS (
    SELECT
        dimension,
        member,
        count(*) AS dau,
        sum(CASE WHEN first_active_ds = ds THEN 1 ELSE 0 END) AS nru,
        sum(CASE WHEN revenue_usd > 0 THEN 1 ELSE 0 END) AS pu,
        sum(CASE WHEN revenue_usd > 0 AND first_charge_ds = ds THEN 1 ELSE 0 END) AS npu,
        sum(CASE WHEN revenue_usd > 0 AND first_charge_ds = ds AND first_login_ds = ds THEN 1 ELSE 0 END) AS nnpu,
        sum(revenue_usd) AS revenue_usd,
        CAST(floor(sum(revenue_usd) * 1000000) AS BIGINT) AS millionths
    FROM accounts
    GROUP BY dimension, member
),

-- The last day of each account within the month also decides whether it counts for the week.
lately AS (
    SELECT dimension, member, user_id, max(ds) AS last_ds
    FROM members
    WHERE ds <= CAST($ds AS DATE) AND ds > CAST(CAST($ds AS DATE) - INTERVAL 30 DAY AS DATE)
    GROUP BY dimension, member, user_id
),

longer AS (
    SELECT
        dimension,
        member,
        sum(CASE WHEN last_ds > CAST(CAST($ds AS DATE) - INTERVAL 7 DAY AS DATE) THEN 1 ELSE 0 END) AS wau,
        count(*) AS mau
    FROM lately
    GROUP BY dimension, member
)

-- A server without players today has had players this month.
-- Averages are divided in millionths of a dollar: every engine rounds whole numbers alike.
SELECT
    CAST($ds AS DATE) AS ds,
    CAST(longer.dimension AS VARCHAR) AS dimension,
    CAST(longer.member AS VARCHAR) AS member,
    CAST(coalesce(counted.dau, 0) AS BIGINT) AS dau,
    CAST(coalesce(counted.nru, 0) AS BIGINT) AS nru,
    CAST(coalesce(counted.pu, 0) AS BIGINT) AS pu,
    CAST(coalesce(counted.npu, 0) AS BIGINT) AS npu,
    CAST(coalesce(counted.nnpu, 0) AS BIGINT) AS nnpu,
    CAST(coalesce(counted.revenue_usd, 0) AS DECIMAL(20, 6)) AS revenue_usd,
    CAST(
        CASE WHEN counted.dau > 0 THEN CAST((2 * counted.millionths + counted.dau) // (2 * counted.dau) AS DECIMAL(20, 0)) * 0.000001 END AS DECIMAL(20, 6)
    ) AS arpu_usd,
    CAST(
        CASE WHEN counted.pu > 0 THEN CAST((2 * counted.millionths + counted.pu) // (2 * counted.pu) AS DECIMAL(20, 0)) * 0.000001 END AS DECIMAL(20, 6)
    ) AS arppu_usd,
    CAST(CASE WHEN counted.dau > 0 THEN CAST(counted.pu AS DOUBLE) / counted.dau END AS DOUBLE) AS paying_rate,
    CAST(longer.wau AS BIGINT) AS wau,
    CAST(longer.mau AS BIGINT) AS mau,
    CAST(CAST(coalesce(counted.dau, 0) AS DOUBLE) / longer.mau AS DOUBLE) AS stickiness
FROM longer
LEFT JOIN counted ON counted.dimension = longer.dimension AND counted.member = longer.member
