-- Active accounts of a day: every account in any of the seven logs, on each server, with the highest level in any of
-- them. Each log is read once.
WITH seen AS (
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        min(upper(country)) AS country,
        count(*) AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_login
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        min(upper(country)) AS country,
        0 AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_logout
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        CAST(NULL AS SMALLINT) AS level,
        CAST(NULL AS VARCHAR) AS country,
        0 AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_recharge
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        CAST(NULL AS VARCHAR) AS country,
        0 AS logins,
        sum(item_count) AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_increase_item
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        CAST(NULL AS VARCHAR) AS country,
        0 AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_decrease_item
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        CAST(NULL AS VARCHAR) AS country,
        0 AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_increase_money
    GROUP BY ds, user_id, server_id
    UNION ALL
    SELECT
        ds,
        user_id,
        server_id,
        max(level) AS level,
        CAST(NULL AS VARCHAR) AS country,
        0 AS logins,
        0 AS items_gained,
        count(*) AS log_rows,
        min(time) AS first_at,
        max(time) AS last_at
    FROM l2m.etl_decrease_money
    GROUP BY ds, user_id, server_id
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(server_id AS VARCHAR) AS server_id,
    CAST(max(level) AS SMALLINT) AS level,
    CAST(min(country) AS VARCHAR) AS country,
    CAST(sum(logins) AS BIGINT) AS logins,
    CAST(sum(items_gained) AS BIGINT) AS items_gained,
    CAST(sum(log_rows) AS BIGINT) AS log_rows,
    CAST(min(first_at) AS TIMESTAMP WITH TIME ZONE) AS first_at,
    CAST(max(last_at) AS TIMESTAMP WITH TIME ZONE) AS last_at
FROM seen
GROUP BY ds, user_id, server_id
