-- The days on which each user was active. Days of an anonymous distinct_id count for the account that it was bound
-- to, even if that happened later.
WITH known AS (
    SELECT
        days.product,
        coalesce(identity.account_id, days.user_id) AS user_id,
        CASE WHEN identity.account_id IS NULL AND days.is_anonymous THEN 1 ELSE 0 END AS is_anonymous,
        days.day,
        days.events,
        days.sessions,
        days.session_s,
        days.first_at,
        days.last_at
    FROM demo_data.user_days AS days
    LEFT JOIN demo_data.identities AS identity
        ON identity.product = days.product AND identity.distinct_id = days.user_id AND days.is_anonymous
),

together AS (
    SELECT
        product,
        user_id,
        day,
        min(is_anonymous) AS is_anonymous,
        sum(events) AS events,
        sum(sessions) AS sessions,
        -- As DECIMAL: else the last digit would follow the order of the sum.
        round(sum(CAST(session_s AS DECIMAL(18, 6))), 3) AS session_s,
        min(first_at) AS first_at,
        max(last_at) AS last_at
    FROM known
    GROUP BY product, user_id, day
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(day AS DATE) AS day,
    CAST(is_anonymous = 1 AS BOOLEAN) AS is_anonymous,
    CAST(min(day) OVER (PARTITION BY product, user_id) AS DATE) AS first_day,
    CAST(
        date_diff('day', lag(day) OVER (PARTITION BY product, user_id ORDER BY day), day) - 1 AS INTEGER
    ) AS days_away,
    CAST(events AS BIGINT) AS events,
    CAST(sessions AS BIGINT) AS sessions,
    CAST(session_s AS DOUBLE) AS session_s,
    CAST(first_at AS TIMESTAMP WITH TIME ZONE) AS first_at,
    CAST(last_at AS TIMESTAMP WITH TIME ZONE) AS last_at
FROM together
