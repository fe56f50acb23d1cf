-- Diamonds gained, by account, kind and reason. Country and VIP tier are the account's in `active`.
WITH diamonds AS (
    SELECT DISTINCT logged.money_type
    FROM l2m.etl_increase_money AS logged
    INNER JOIN l2m.money_kinds AS kinds ON logged.money_type LIKE kinds.pattern ESCAPE '!' AND kinds.kind = 'diamonds'
),

moved AS (
    SELECT
        logged.ds,
        logged.user_id,
        logged.server_id,
        logged.money_type,
        logged.reason_id,
        sum(logged.amount) AS amount,
        count(*) AS log_rows
    FROM l2m.etl_increase_money AS logged
    INNER JOIN diamonds ON diamonds.money_type = logged.money_type
    GROUP BY logged.ds, logged.user_id, logged.server_id, logged.money_type, logged.reason_id
)

SELECT
    CAST(moved.ds AS DATE) AS ds,
    CAST(moved.user_id AS VARCHAR) AS user_id,
    CAST(moved.server_id AS VARCHAR) AS server_id,
    CAST(moved.money_type AS VARCHAR) AS money_type,
    CAST(moved.reason_id AS VARCHAR) AS reason_id,
    CAST(moved.amount AS BIGINT) AS amount,
    CAST(moved.log_rows AS BIGINT) AS log_rows,
    CAST(active.country AS VARCHAR) AS country,
    CAST(active.vip AS VARCHAR) AS vip
FROM moved
INNER JOIN l2m.active AS active
    ON active.ds = moved.ds AND active.user_id = moved.user_id AND active.server_id = moved.server_id
