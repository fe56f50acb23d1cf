-- How many users there were on each day with data.
-- A user counts from an active day on for 7 days (30 days), or until the next active day takes over: so the
-- users of a week or a month are a running sum, and no user is looked at once for each day of it.
WITH visits AS (
    SELECT
        *,
        lead(day) OVER (PARTITION BY product, user_id ORDER BY day) AS next_day
    FROM demo_data.active_days
),

changes AS (
    SELECT product, day, 1 AS week, 1 AS month FROM visits
    UNION ALL
    SELECT
        product,
        least(CAST(day + INTERVAL 7 DAY AS DATE), coalesce(next_day, CAST(day + INTERVAL 7 DAY AS DATE))) AS day,
        -1 AS week,
        0 AS month
    FROM visits
    UNION ALL
    SELECT
        product,
        least(CAST(day + INTERVAL 30 DAY AS DATE), coalesce(next_day, CAST(day + INTERVAL 30 DAY AS DATE))) AS day,
        0 AS week,
        -1 AS month
    FROM visits
),

changed AS (
    SELECT product, day, sum(week) AS week, sum(month) AS month
    FROM changes
    GROUP BY product, day
),

running AS (
    SELECT
        product,
        day,
        sum(week) OVER (PARTITION BY product ORDER BY day) AS wau,
        sum(month) OVER (PARTITION BY product ORDER BY day) AS mau
    FROM changed
),

days AS (
    SELECT
        product,
        day,
        count(*) AS dau,
        sum(CASE WHEN day = first_day THEN 1 ELSE 0 END) AS new_users,
        sum(events) AS events,
        sum(sessions) AS sessions,
        -- To the millisecond: else the last digit would follow the order of the sum.
        round(sum(session_s), 3) AS session_s
    FROM visits
    GROUP BY product, day
)

SELECT
    CAST(days.product AS VARCHAR) AS product,
    CAST(days.day AS DATE) AS day,
    CAST(days.dau AS BIGINT) AS dau,
    CAST(running.wau AS BIGINT) AS wau,
    CAST(running.mau AS BIGINT) AS mau,
    CAST(CAST(days.dau AS DOUBLE) / running.mau AS DOUBLE) AS stickiness,
    CAST(days.new_users AS BIGINT) AS new_users,
    CAST(days.dau - days.new_users AS BIGINT) AS returning_users,
    CAST(days.events AS BIGINT) AS events,
    CAST(days.sessions AS BIGINT) AS sessions,
    CAST(CASE WHEN days.sessions > 0 THEN days.session_s / days.sessions / 60 END AS DOUBLE) AS mean_session_min
FROM days
INNER JOIN running ON running.product = days.product AND running.day = days.day
