-- Every account: first and last days, country, payments. The country is the first in any log, so that later days do not
-- change it.
WITH accounts AS (
    SELECT
        user_id,
        min(ds) AS first_active_ds,
        min(CASE WHEN logins > 0 THEN ds END) AS first_login_ds,
        min(CASE WHEN country IS NOT NULL THEN ds END) AS country_since_ds,
        -- The value on the first day: a day has ten characters.
        substr(min(CAST(ds AS VARCHAR) || country), 11) AS country,
        substr(min(CAST(ds AS VARCHAR) || server_id), 11) AS first_server_id,
        max(level) AS level,
        count(DISTINCT ds) AS active_days,
        max(ds) AS last_seen_ds
    FROM l2m.std_active
    GROUP BY user_id
),

paid AS (
    SELECT user_id, min(ds) AS first_charge_ds, sum(daily_rev_usd) AS total_rev_usd
    FROM l2m.recharge
    WHERE daily_rev_usd > 0
    GROUP BY user_id
),

tiers AS (
    SELECT vip, from_usd, lead(from_usd) OVER (ORDER BY from_usd) AS below_usd
    FROM l2m.vip_tiers
)

SELECT
    CAST(accounts.user_id AS VARCHAR) AS user_id,
    CAST(accounts.first_active_ds AS DATE) AS first_active_ds,
    CAST(accounts.first_login_ds AS DATE) AS first_login_ds,
    CAST(paid.first_charge_ds AS DATE) AS first_charge_ds,
    CAST(CASE WHEN countries.country IS NULL THEN 'Other' ELSE countries.country END AS VARCHAR) AS country,
    CAST(accounts.first_server_id AS VARCHAR) AS first_server_id,
    CAST(accounts.country_since_ds AS DATE) AS country_since_ds,
    CAST(coalesce(paid.total_rev_usd, 0) AS DECIMAL(20, 6)) AS total_rev_usd,
    CAST(tiers.vip AS VARCHAR) AS vip,
    CAST(accounts.level AS SMALLINT) AS level,
    CAST(accounts.active_days AS BIGINT) AS active_days,
    CAST(accounts.last_seen_ds AS DATE) AS last_seen_ds
FROM accounts
LEFT JOIN paid ON paid.user_id = accounts.user_id
LEFT JOIN l2m.countries AS countries ON countries.country = accounts.country
INNER JOIN tiers
    ON
        coalesce(paid.total_rev_usd, 0) >= tiers.from_usd
        AND (tiers.below_usd IS NULL OR coalesce(paid.total_rev_usd, 0) < tiers.below_usd)
