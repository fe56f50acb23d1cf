-- Users of each segment at the end of each day with data. Every user seen so far is in exactly one segment, the
-- first that applies: new (first 3 days), churned (not seen for 7 days), returning (seen again in the last 7 days
-- after 7 days or more without an event), power (the tenth of the remaining users, rounded down, with most events in
-- the last 7 days, then most active days, then the smaller id), churning (active on less than half as many of the
-- last 7 days as of the 7 before), active (all others).
WITH offsets AS (
    SELECT unnest(generate_series(0, 13)) AS days_ago
),

names AS (
    SELECT segment
    FROM (VALUES ('new'), ('power'), ('active'), ('churning'), ('churned'), ('returning')) AS listed (segment)
),

days AS (
    SELECT product, day, sum(CASE WHEN day = first_day THEN 1 ELSE 0 END) AS new_users
    FROM demo_data.active_days
    GROUP BY product, day
),

known AS (
    SELECT product, day, sum(new_users) OVER (PARTITION BY product ORDER BY day) AS users
    FROM days
),

fortnights AS (
    SELECT
        days.product,
        days.day,
        visit.user_id,
        visit.first_day,
        sum(CASE WHEN offsets.days_ago < 7 THEN 1 ELSE 0 END) AS days_this_week,
        sum(CASE WHEN offsets.days_ago >= 7 THEN 1 ELSE 0 END) AS days_last_week,
        sum(CASE WHEN offsets.days_ago < 7 THEN visit.events ELSE 0 END) AS events,
        max(CASE WHEN offsets.days_ago < 7 THEN visit.days_away END) AS longest_away
    FROM demo_data.active_days AS visit
    CROSS JOIN offsets
    INNER JOIN days
        ON
            days.product = visit.product
            AND days.day = CAST(visit.day + offsets.days_ago * INTERVAL 1 DAY AS DATE)
    GROUP BY days.product, days.day, visit.user_id, visit.first_day
),

seen AS (
    SELECT
        *,
        CASE
            WHEN date_diff('day', first_day, day) < 3 THEN 'new'
            WHEN longest_away >= 7 THEN 'returning'
            ELSE 'staying'
        END AS kind
    FROM fortnights
    WHERE days_this_week > 0
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY product, day, kind ORDER BY events DESC, days_this_week DESC, user_id
        ) AS place,
        count(*) OVER (PARTITION BY product, day, kind) AS peers
    FROM seen
),

placed AS (
    SELECT
        product,
        day,
        CASE
            WHEN kind <> 'staying' THEN kind
            WHEN place * 10 <= peers THEN 'power'
            WHEN days_this_week * 2 < days_last_week THEN 'churning'
            ELSE 'active'
        END AS segment
    FROM ranked
),

counted AS (
    SELECT product, day, segment, count(*) AS users
    FROM placed
    GROUP BY product, day, segment
),

here AS (
    SELECT product, day, sum(users) AS users
    FROM counted
    GROUP BY product, day
),

grid AS (
    SELECT
        known.product,
        known.day,
        names.segment,
        known.users AS all_users,
        CASE WHEN names.segment = 'churned' THEN known.users - here.users ELSE coalesce(counted.users, 0) END AS users
    FROM known
    INNER JOIN here ON here.product = known.product AND here.day = known.day
    CROSS JOIN names
    LEFT JOIN counted
        ON counted.product = known.product AND counted.day = known.day AND counted.segment = names.segment
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(day AS DATE) AS day,
    CAST(segment AS VARCHAR) AS segment,
    CAST(users AS BIGINT) AS users,
    CAST(CAST(users AS DOUBLE) / all_users AS DOUBLE) AS share
FROM grid
