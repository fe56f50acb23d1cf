-- Users who reached each step of a funnel, on each day on which at least one began it.
-- Steps that no user reached have a row with 0.
WITH reached AS (
    SELECT
        product,
        day,
        funnel,
        step,
        count(DISTINCT user_id) AS users,
        count(*) AS attempts,
        -- As DECIMAL: else the last digit would follow the order of the sum.
        sum(CAST(after_s AS DECIMAL(18, 6))) / nullif(count(after_s), 0) AS mean_s
    FROM demo_data.funnel_progress
    GROUP BY product, day, funnel, step
),

begun AS (
    SELECT product, day, funnel, users, attempts
    FROM reached
    WHERE step = 1
),

grid AS (
    SELECT
        begun.product,
        begun.day,
        begun.funnel,
        steps.step,
        steps.event_name,
        begun.users AS all_users,
        begun.attempts AS all_attempts,
        coalesce(reached.users, 0) AS users,
        coalesce(reached.attempts, 0) AS attempts,
        reached.mean_s
    FROM begun
    INNER JOIN demo_data.funnel_steps AS steps ON steps.product = begun.product AND steps.funnel = begun.funnel
    LEFT JOIN reached
        ON
            reached.product = begun.product
            AND reached.day = begun.day
            AND reached.funnel = begun.funnel
            AND reached.step = steps.step
),

compared AS (
    SELECT
        *,
        lead(users) OVER (PARTITION BY product, day, funnel ORDER BY step) AS next_users,
        lead(attempts) OVER (PARTITION BY product, day, funnel ORDER BY step) AS next_attempts,
        lag(attempts) OVER (PARTITION BY product, day, funnel ORDER BY step) AS previous_attempts
    FROM grid
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(day AS DATE) AS day,
    CAST(funnel AS SMALLINT) AS funnel,
    CAST(step AS SMALLINT) AS step,
    CAST(event_name AS VARCHAR) AS event_name,
    CAST(users AS BIGINT) AS users,
    CAST(attempts AS BIGINT) AS attempts,
    CAST(next_users AS BIGINT) AS converted_users,
    CAST(next_attempts AS BIGINT) AS converted_attempts,
    CAST(
        CASE WHEN previous_attempts > 0 THEN CAST(attempts AS DOUBLE) / previous_attempts END AS DOUBLE
    ) AS step_conversion,
    CAST(CAST(attempts AS DOUBLE) / all_attempts AS DOUBLE) AS overall_conversion,
    CAST(CAST(users AS DOUBLE) / all_users AS DOUBLE) AS user_conversion,
    CAST(mean_s AS DOUBLE) AS mean_s
FROM compared
