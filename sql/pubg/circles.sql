-- Both circles in each state of a match from the first zone on, in metres.
-- The next circle is announced by its radius, which is 0 before.
SELECT
    CAST(state.match_id AS VARCHAR) AS match_id,
    CAST(state.match_date AS DATE) AS match_date,
    CAST(state.event_index AS INTEGER) AS event_index,
    CAST(state.occurred_at AS TIMESTAMP WITH TIME ZONE) AS occurred_at,
    CAST(state.phase AS DOUBLE) AS phase,
    CAST(
        coalesce(state.elapsed_time_s, date_diff('millisecond', file.started_at, state.occurred_at) / 1000.0) AS DOUBLE
    ) AS elapsed_time_s,
    CAST(state.alive_teams AS SMALLINT) AS alive_teams,
    CAST(state.alive_players AS SMALLINT) AS alive_players,
    CAST(state.safety_zone_x_cm / 100 AS DOUBLE) AS blue_x_m,
    CAST(state.safety_zone_y_cm / 100 AS DOUBLE) AS blue_y_m,
    CAST(state.safety_zone_radius_cm / 100 AS DOUBLE) AS blue_radius_m,
    CAST(CASE WHEN state.poison_gas_warning_radius_cm > 0 THEN state.poison_gas_warning_x_cm / 100 END AS DOUBLE)
        AS white_x_m,
    CAST(CASE WHEN state.poison_gas_warning_radius_cm > 0 THEN state.poison_gas_warning_y_cm / 100 END AS DOUBLE)
        AS white_y_m,
    CAST(CASE WHEN state.poison_gas_warning_radius_cm > 0 THEN state.poison_gas_warning_radius_cm / 100 END AS DOUBLE)
        AS white_radius_m
FROM pubg.telemetry_game_states AS state
LEFT JOIN pubg.telemetry_files AS file ON file.match_id = state.match_id
WHERE
    state.phase >= 1
    AND state.safety_zone_radius_cm IS NOT NULL
    AND state.safety_zone_x_cm IS NOT NULL
    AND state.safety_zone_y_cm IS NOT NULL
