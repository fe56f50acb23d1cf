-- Similarity of the hours of an account's day, for accounts whose rows span twelve hours or more: shorter activity is
-- no sign of never sleeping.
WITH long_days AS (
    SELECT ds, user_id
    FROM l2m.std_active
    GROUP BY ds, user_id
    HAVING max(last_at) >= min(first_at) + INTERVAL 12 HOUR
),

-- Joined log by log: most rows belong to accounts with shorter days, and are dropped where they are read.
logged AS (
    SELECT
        logged.ds,
        logged.user_id,
        date_trunc('hour', logged.time) AS begun_at,
        1 AS item_gain,
        0 AS item_spend,
        0 AS money_gain,
        0 AS money_spend
    FROM l2m.etl_increase_item AS logged
    INNER JOIN long_days ON long_days.ds = logged.ds AND long_days.user_id = logged.user_id
    UNION ALL
    SELECT
        logged.ds,
        logged.user_id,
        date_trunc('hour', logged.time) AS begun_at,
        0 AS item_gain,
        1 AS item_spend,
        0 AS money_gain,
        0 AS money_spend
    FROM l2m.etl_decrease_item AS logged
    INNER JOIN long_days ON long_days.ds = logged.ds AND long_days.user_id = logged.user_id
    UNION ALL
    SELECT
        logged.ds,
        logged.user_id,
        date_trunc('hour', logged.time) AS begun_at,
        0 AS item_gain,
        0 AS item_spend,
        1 AS money_gain,
        0 AS money_spend
    FROM l2m.etl_increase_money AS logged
    INNER JOIN long_days ON long_days.ds = logged.ds AND long_days.user_id = logged.user_id
    UNION ALL
    SELECT
        logged.ds,
        logged.user_id,
        date_trunc('hour', logged.time) AS begun_at,
        0 AS item_gain,
        0 AS item_spend,
        0 AS money_gain,
        1 AS money_spend
    FROM l2m.etl_decrease_money AS logged
    INNER JOIN long_days ON long_days.ds = logged.ds AND long_days.user_id = logged.user_id
),

hours AS (
    SELECT
        ds,
        user_id,
        begun_at,
        count(*) AS log_rows,
        CAST(sum(item_gain) AS DOUBLE) AS item_gain,
        CAST(sum(item_spend) AS DOUBLE) AS item_spend,
        CAST(sum(money_gain) AS DOUBLE) AS money_gain,
        CAST(sum(money_spend) AS DOUBLE) AS money_spend
    FROM logged
    WHERE begun_at IS NOT NULL
    GROUP BY ds, user_id, begun_at
),

-- Half the sum divided by the length: the cosine to (1, 1, 1, 1). In millionths, so that sums are exact.
alike AS (
    SELECT
        ds,
        user_id,
        log_rows,
        CAST(
            floor(
                0.5 + 1000000 * 0.5 * (item_gain + item_spend + money_gain + money_spend)
                / sqrt(
                    item_gain * item_gain + item_spend * item_spend + money_gain * money_gain + money_spend * money_spend
                )
            ) AS BIGINT
        ) AS cosine
    FROM hours
),

added AS (
    SELECT
        ds,
        user_id,
        count(*) AS active_hours,
        sum(log_rows) AS log_rows,
        CAST(sum(cosine) AS DOUBLE) / 1000000 AS cosines,
        CAST(sum(cosine * cosine) AS DOUBLE) / 1000000000000 AS squares
    FROM alike
    GROUP BY ds, user_id
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(active_hours AS BIGINT) AS active_hours,
    CAST(log_rows AS BIGINT) AS log_rows,
    CAST(
        1 - 0.5 * sqrt(greatest(squares / active_hours - (cosines / active_hours) * (cosines / active_hours), 0)) AS DOUBLE
    ) AS self_similarity
FROM added
