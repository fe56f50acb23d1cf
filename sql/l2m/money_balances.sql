-- Each account's balance of each kind of money before and after the day. Among rows of the same moment gains come
-- before spendings, and within a log the rows keep their order.
WITH moved AS (
    SELECT ds, user_id, server_id, money_type, amount AS gained, 0 AS spent, balance_after, time, 0 AS is_spent, row_number
    FROM l2m.etl_increase_money
    UNION ALL
    SELECT ds, user_id, server_id, money_type, 0 AS gained, amount AS spent, balance_after, time, 1 AS is_spent, row_number
    FROM l2m.etl_decrease_money
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(server_id AS VARCHAR) AS server_id,
    CAST(money_type AS VARCHAR) AS money_type,
    CAST(sum(gained) AS BIGINT) AS gained,
    CAST(sum(spent) AS BIGINT) AS spent,
    CAST(
        arg_min(balance_after - gained + spent, {'time': time, 'is_spent': is_spent, 'row_number': row_number})
            FILTER (WHERE balance_after IS NOT NULL AND time IS NOT NULL) AS BIGINT
    ) AS opening_balance,
    CAST(
        arg_max(balance_after, {'time': time, 'is_spent': is_spent, 'row_number': row_number})
            FILTER (WHERE balance_after IS NOT NULL AND time IS NOT NULL) AS BIGINT
    ) AS closing_balance,
    CAST(sum(CASE WHEN balance_after IS NULL OR time IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS untold
FROM moved
GROUP BY ds, user_id, server_id, money_type
