-- Lifetime payments of every account that ever paid, until the end of the day $ds. They are summed from the payments of
-- all days and never from this table's day before, so that a day can be made again at any time.
WITH paid AS (
    SELECT
        user_id,
        min(ds) AS first_charge_ds,
        sum(CASE WHEN ds = CAST($ds AS DATE) THEN daily_rev_usd ELSE 0 END) AS daily_rev_usd,
        sum(daily_rev_usd) AS total_rev_usd
    FROM l2m.recharge
    WHERE ds <= CAST($ds AS DATE) AND daily_rev_usd > 0
    GROUP BY user_id
),

tiers AS (
    SELECT vip, from_usd, lead(from_usd) OVER (ORDER BY from_usd) AS below_usd
    FROM l2m.vip_tiers
)

SELECT
    CAST($ds AS DATE) AS ds,
    CAST(paid.user_id AS VARCHAR) AS user_id,
    CAST(paid.first_charge_ds AS DATE) AS first_charge_ds,
    CAST(paid.daily_rev_usd AS DECIMAL(20, 6)) AS daily_rev_usd,
    CAST(paid.total_rev_usd AS DECIMAL(20, 6)) AS total_rev_usd,
    CAST(tiers.vip AS VARCHAR) AS vip
FROM paid
INNER JOIN tiers
    ON paid.total_rev_usd >= tiers.from_usd AND (tiers.below_usd IS NULL OR paid.total_rev_usd < tiers.below_usd)
