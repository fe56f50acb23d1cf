-- Users of a first day who came back, for each of the 90 days after it; null after the last day with data.
WITH numbers AS (
    SELECT unnest(generate_series(0, 90)) AS day_number
),

visits AS (
    SELECT product, user_id, first_day, date_diff('day', first_day, day) AS day_number
    FROM demo_data.active_days
),

last_days AS (
    SELECT product, max(day) AS last_day
    FROM demo_data.active_days
    GROUP BY product
),

cohorts AS (
    SELECT product, first_day, count(DISTINCT user_id) AS users
    FROM visits
    GROUP BY product, first_day
),

strict AS (
    SELECT product, first_day, day_number, count(*) AS users
    FROM visits
    WHERE day_number <= 90
    GROUP BY product, first_day, day_number
),

latest AS (
    SELECT product, first_day, user_id, max(day_number) AS day_number
    FROM visits
    GROUP BY product, first_day, user_id
),

latest_counts AS (
    SELECT product, first_day, least(day_number, 90) AS day_number, count(*) AS users
    FROM latest
    GROUP BY product, first_day, least(day_number, 90)
),

grid AS (
    SELECT
        cohorts.product,
        cohorts.first_day,
        numbers.day_number,
        cohorts.users AS cohort_users,
        CASE
            WHEN date_diff('day', cohorts.first_day, last_days.last_day) >= numbers.day_number THEN 1 ELSE 0
        END AS is_told,
        coalesce(strict.users, 0) AS strict_users,
        -- Users whose last day is this one or a later one.
        sum(coalesce(latest_counts.users, 0)) OVER (
            PARTITION BY cohorts.product, cohorts.first_day ORDER BY numbers.day_number DESC
        ) AS rolling_users
    FROM cohorts
    INNER JOIN last_days ON last_days.product = cohorts.product
    CROSS JOIN numbers
    LEFT JOIN strict
        ON
            strict.product = cohorts.product
            AND strict.first_day = cohorts.first_day
            AND strict.day_number = numbers.day_number
    LEFT JOIN latest_counts
        ON
            latest_counts.product = cohorts.product
            AND latest_counts.first_day = cohorts.first_day
            AND latest_counts.day_number = numbers.day_number
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(first_day AS DATE) AS cohort_day,
    CAST(day_number AS SMALLINT) AS day_number,
    CAST(cohort_users AS BIGINT) AS cohort_users,
    CAST(CASE WHEN is_told = 1 THEN strict_users END AS BIGINT) AS strict_users,
    CAST(CASE WHEN is_told = 1 THEN rolling_users END AS BIGINT) AS rolling_users,
    CAST(CASE WHEN is_told = 1 THEN CAST(strict_users AS DOUBLE) / cohort_users END AS DOUBLE) AS strict_share,
    CAST(CASE WHEN is_told = 1 THEN CAST(rolling_users AS DOUBLE) / cohort_users END AS DOUBLE) AS rolling_share
FROM grid
