-- Place of each kill: one row per death, bots as victims included.
-- People, weapon and distance come from the silver table, places from the telemetry.
SELECT
    CAST(killing.match_id AS VARCHAR) AS match_id,
    CAST(killing.match_date AS DATE) AS match_date,
    CAST(killing.event_index AS INTEGER) AS event_index,
    CAST(killing.occurred_at AS TIMESTAMP WITH TIME ZONE) AS occurred_at,
    CAST(killing.phase AS DOUBLE) AS phase,
    CAST(killing.elapsed_time_s AS DOUBLE) AS elapsed_time_s,
    CAST(killing.killer_account_id AS VARCHAR) AS killer_account_id,
    CAST(killing.killer_name AS VARCHAR) AS killer_name,
    CAST(killing.killer_team_id AS INTEGER) AS killer_team_id,
    CAST(CASE WHEN killing.killer_account_id IS NOT NULL THEN event.killer_x_cm / 100 END AS DOUBLE) AS killer_x_m,
    CAST(CASE WHEN killing.killer_account_id IS NOT NULL THEN event.killer_y_cm / 100 END AS DOUBLE) AS killer_y_m,
    CAST(CASE WHEN killing.killer_account_id IS NOT NULL THEN event.killer_z_cm / 100 END AS DOUBLE) AS killer_z_m,
    CAST(killing.victim_account_id AS VARCHAR) AS victim_account_id,
    CAST(killing.victim_name AS VARCHAR) AS victim_name,
    CAST(killing.victim_team_id AS INTEGER) AS victim_team_id,
    CAST(killing.victim_is_bot AS BOOLEAN) AS victim_is_bot,
    CAST(event.victim_x_cm / 100 AS DOUBLE) AS victim_x_m,
    CAST(event.victim_y_cm / 100 AS DOUBLE) AS victim_y_m,
    CAST(event.victim_z_cm / 100 AS DOUBLE) AS victim_z_m,
    CAST(killing.weapon_id AS VARCHAR) AS weapon_id,
    CAST(killing.weapon_category AS VARCHAR) AS weapon_category,
    CAST(killing.damage_reason AS VARCHAR) AS damage_reason,
    CAST(killing.distance_m AS DOUBLE) AS distance_m,
    CAST(killing.is_suicide AS BOOLEAN) AS is_suicide,
    CAST(killing.is_team_kill AS BOOLEAN) AS is_team_kill
FROM pubg.weapon_kills AS killing
INNER JOIN pubg.telemetry_kills AS event
    ON event.match_id = killing.match_id AND event.event_index = killing.event_index
WHERE killing.event_kind = 'kill'
