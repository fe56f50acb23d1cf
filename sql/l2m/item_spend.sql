-- Key items spent, by account, item and reason. The country is the account's in `active`.
WITH moved AS (
    SELECT
        logged.ds,
        logged.user_id,
        logged.server_id,
        logged.item_id,
        logged.reason_id,
        sum(logged.item_count) AS item_count,
        count(*) AS log_rows
    FROM l2m.etl_decrease_item AS logged
    INNER JOIN l2m.key_items AS key_items ON key_items.item_id = logged.item_id
    GROUP BY logged.ds, logged.user_id, logged.server_id, logged.item_id, logged.reason_id
)

SELECT
    CAST(moved.ds AS DATE) AS ds,
    CAST(moved.user_id AS VARCHAR) AS user_id,
    CAST(moved.server_id AS VARCHAR) AS server_id,
    CAST(moved.item_id AS VARCHAR) AS item_id,
    CAST(moved.reason_id AS VARCHAR) AS reason_id,
    CAST(moved.item_count AS BIGINT) AS item_count,
    CAST(moved.log_rows AS BIGINT) AS log_rows,
    CAST(active.country AS VARCHAR) AS country
FROM moved
INNER JOIN l2m.active AS active
    ON active.ds = moved.ds AND active.user_id = moved.user_id AND active.server_id = moved.server_id
