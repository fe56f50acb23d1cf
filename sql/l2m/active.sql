-- Active accounts of the day $ds as they were on that day: later facts about an account are left out.
WITH farming AS (
    SELECT user_id
    FROM l2m.farmers_snapshot
    WHERE valid_from <= CAST($ds AS DATE) AND (valid_to IS NULL OR valid_to > CAST($ds AS DATE))
),

paid AS (
    SELECT ds, user_id, server_id, sum(daily_rev_usd) AS revenue_usd
    FROM l2m.recharge
    GROUP BY ds, user_id, server_id
),

free AS (
    SELECT vip
    FROM l2m.vip_tiers
    WHERE from_usd = 0
)

SELECT
    CAST(active.ds AS DATE) AS ds,
    CAST(active.user_id AS VARCHAR) AS user_id,
    CAST(active.server_id AS VARCHAR) AS server_id,
    CAST(active.level AS SMALLINT) AS level,
    CAST(CASE WHEN profile.country_since_ds <= active.ds THEN profile.country ELSE 'Other' END AS VARCHAR) AS country,
    CAST(profile.first_active_ds AS DATE) AS first_active_ds,
    CAST(CASE WHEN profile.first_login_ds <= active.ds THEN profile.first_login_ds END AS DATE) AS first_login_ds,
    CAST(lifetime.first_charge_ds AS DATE) AS first_charge_ds,
    CAST(coalesce(paid.revenue_usd, 0) AS DECIMAL(20, 6)) AS revenue_usd,
    CAST(coalesce(lifetime.total_rev_usd, 0) AS DECIMAL(20, 6)) AS total_rev_usd,
    CAST(coalesce(lifetime.vip, free.vip) AS VARCHAR) AS vip,
    CAST(
        CASE
            WHEN farming.user_id IS NULL THEN 'Normal'
            WHEN lifetime.user_id IS NULL THEN 'Non-PU farmer'
            ELSE 'PU farmer'
        END AS VARCHAR
    ) AS farmer_type
FROM l2m.std_active AS active
INNER JOIN l2m.user_profile AS profile ON profile.user_id = active.user_id
CROSS JOIN free
LEFT JOIN paid ON paid.ds = active.ds AND paid.user_id = active.user_id AND paid.server_id = active.server_id
LEFT JOIN l2m.cumulative_revenue AS lifetime ON lifetime.ds = active.ds AND lifetime.user_id = active.user_id
LEFT JOIN farming ON farming.user_id = active.user_id
WHERE active.ds = CAST($ds AS DATE)
