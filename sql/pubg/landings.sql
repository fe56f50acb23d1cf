-- Place and time of each person's parachute landings.
-- The game logs a landing a second time, with the same distance flown, when the player is knocked; the
-- first of equal distances counts. Bots are left out.
WITH logged AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY
                match_id,
                account_id,
                parachute_distance_m,
                CASE WHEN parachute_distance_m IS NULL THEN occurred_at END
            ORDER BY occurred_at, event_index
        ) AS times_logged
    FROM pubg.telemetry_landings
    WHERE account_id <> '' AND account_id NOT LIKE 'ai.%' AND coalesce(character_type, 'user') <> 'user_ai'
)

SELECT
    CAST(landing.match_id AS VARCHAR) AS match_id,
    CAST(landing.match_date AS DATE) AS match_date,
    CAST(landing.account_id AS VARCHAR) AS account_id,
    CAST(
        row_number() OVER (
            PARTITION BY landing.match_id, landing.account_id ORDER BY landing.occurred_at, landing.event_index
        ) AS SMALLINT
    ) AS landing_number,
    CAST(coalesce(landing.player_name, landing.account_id) AS VARCHAR) AS player_name,
    CAST(landing.team_id AS INTEGER) AS team_id,
    CAST(landing.occurred_at AS TIMESTAMP WITH TIME ZONE) AS landed_at,
    CAST(date_diff('millisecond', file.started_at, landing.occurred_at) / 1000.0 AS DOUBLE) AS elapsed_time_s,
    CAST(landing.x_cm / 100 AS DOUBLE) AS x_m,
    CAST(landing.y_cm / 100 AS DOUBLE) AS y_m,
    CAST(landing.z_cm / 100 AS DOUBLE) AS z_m,
    CAST(landing.parachute_distance_m AS DOUBLE) AS parachute_distance_m
FROM logged AS landing
LEFT JOIN pubg.telemetry_files AS file ON file.match_id = landing.match_id
WHERE landing.times_logged = 1
