-- Figures of each server on a day. An account that plays on two servers counts on both.
WITH counted AS (
    SELECT
        ds,
        server_id,
        count(*) AS dau,
        sum(CASE WHEN first_active_ds = ds THEN 1 ELSE 0 END) AS nru,
        sum(CASE WHEN revenue_usd > 0 THEN 1 ELSE 0 END) AS pu,
        sum(CASE WHEN revenue_usd > 0 AND first_charge_ds = ds THEN 1 ELSE 0 END) AS npu,
        sum(CASE WHEN revenue_usd > 0 AND first_charge_ds = ds AND first_login_ds = ds THEN 1 ELSE 0 END) AS nnpu,
        sum(revenue_usd) AS revenue_usd,
        CAST(floor(sum(revenue_usd) * 1000000) AS BIGINT) AS millionths
    FROM l2m.active
    GROUP BY ds, server_id
)

-- Averages are divided in millionths of a dollar: every engine rounds whole numbers alike.
SELECT
    CAST(ds AS DATE) AS ds,
    CAST(server_id AS VARCHAR) AS server_id,
    CAST(dau AS BIGINT) AS dau,
    CAST(nru AS BIGINT) AS nru,
    CAST(pu AS BIGINT) AS pu,
    CAST(npu AS BIGINT) AS npu,
    CAST(nnpu AS BIGINT) AS nnpu,
    CAST(revenue_usd AS DECIMAL(20, 6)) AS revenue_usd,
    CAST(CAST((2 * millionths + dau) // (2 * dau) AS DECIMAL(20, 0)) * 0.000001 AS DECIMAL(20, 6)) AS arpu_usd,
    CAST(CASE WHEN pu > 0 THEN CAST((2 * millionths + pu) // (2 * pu) AS DECIMAL(20, 0)) * 0.000001 END AS DECIMAL(20, 6)) AS arppu_usd,
    CAST(CAST(pu AS DOUBLE) / dau AS DOUBLE) AS paying_rate
FROM counted
