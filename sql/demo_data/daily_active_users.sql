-- Number of users on each day from the first with data to the last; 0 on days without data.
-- A user counts for 7 (30) days from an active day on, or until the next active day takes over. So weekly and
-- monthly users are running sums, and no user is read once per day.
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

lives AS (
    SELECT product, min(day) AS first_day, max(day) AS last_day
    FROM visits
    GROUP BY product
),

numbers AS (
    SELECT product, first_day, unnest(generate_series(0, date_diff('day', first_day, last_day))) AS day_number
    FROM lives
),

calendar AS (
    SELECT product, CAST(first_day + day_number * INTERVAL 1 DAY AS DATE) AS day
    FROM numbers
),

running AS (
    SELECT
        calendar.product,
        calendar.day,
        sum(coalesce(changed.week, 0)) OVER (PARTITION BY calendar.product ORDER BY calendar.day) AS wau,
        sum(coalesce(changed.month, 0)) OVER (PARTITION BY calendar.product ORDER BY calendar.day) AS mau
    FROM calendar
    LEFT JOIN changed ON changed.product = calendar.product AND changed.day = calendar.day
),

days AS (
    SELECT
        product,
        day,
        count(*) AS dau,
        sum(CASE WHEN day = first_day THEN 1 ELSE 0 END) AS new_users,
        sum(events) AS events,
        sum(sessions) AS sessions,
        -- As DECIMAL: else the last digit would follow the order of the sum.
        round(sum(CAST(session_s AS DECIMAL(18, 6))), 3) AS session_s
    FROM visits
    GROUP BY product, day
)

SELECT
    CAST(running.product AS VARCHAR) AS product,
    CAST(running.day AS DATE) AS day,
    CAST(coalesce(days.dau, 0) AS BIGINT) AS dau,
    CAST(running.wau AS BIGINT) AS wau,
    CAST(running.mau AS BIGINT) AS mau,
    CAST(
        CASE WHEN running.mau > 0 THEN CAST(coalesce(days.dau, 0) AS DOUBLE) / running.mau END AS DOUBLE
    ) AS stickiness,
    CAST(coalesce(days.new_users, 0) AS BIGINT) AS new_users,
    CAST(coalesce(days.dau - days.new_users, 0) AS BIGINT) AS returning_users,
    CAST(coalesce(days.events, 0) AS BIGINT) AS events,
    CAST(coalesce(days.sessions, 0) AS BIGINT) AS sessions,
    CAST(CASE WHEN days.sessions > 0 THEN days.session_s / days.sessions / 60 END AS DOUBLE) AS mean_session_min
FROM running
LEFT JOIN days ON days.product = running.product AND days.day = running.day
