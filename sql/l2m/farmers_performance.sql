-- Figures of farmers and others on each server on a day.
SELECT
    CAST(active.ds AS DATE) AS ds,
    CAST(active.server_id AS VARCHAR) AS server_id,
    CAST(active.farmer_type AS VARCHAR) AS farmer_type,
    CAST(count(*) AS BIGINT) AS dau,
    CAST(sum(CASE WHEN active.first_active_ds = active.ds THEN 1 ELSE 0 END) AS BIGINT) AS nru,
    CAST(sum(CASE WHEN active.revenue_usd > 0 THEN 1 ELSE 0 END) AS BIGINT) AS pu,
    CAST(sum(active.revenue_usd) AS DECIMAL(20, 6)) AS revenue_usd,
    CAST(sum(played.items_gained) AS BIGINT) AS items_gained
FROM l2m.active AS active
INNER JOIN l2m.std_active AS played
    ON played.ds = active.ds AND played.user_id = active.user_id AND played.server_id = active.server_id
GROUP BY active.ds, active.server_id, active.farmer_type
