-- Damage given, kills and knocks of a person in a match by weapon category.
-- Hits on oneself or a teammate do not count; bots count as victims only.
WITH deeds AS (
    SELECT
        match_id,
        match_date,
        attacker_account_id AS account_id,
        attacker_name AS player_name,
        weapon_category,
        damage,
        0 AS kills,
        0 AS knocks
    FROM pubg.damage_events
    WHERE is_given AND NOT attacker_is_bot AND damage > 0
    UNION ALL
    SELECT
        match_id,
        match_date,
        killer_account_id AS account_id,
        killer_name AS player_name,
        weapon_category,
        CAST(0 AS DOUBLE) AS damage,
        CASE WHEN event_kind = 'kill' THEN 1 ELSE 0 END AS kills,
        CASE WHEN event_kind = 'knock' THEN 1 ELSE 0 END AS knocks
    FROM pubg.weapon_kills
    WHERE killer_account_id IS NOT NULL AND NOT killer_is_bot AND NOT is_suicide AND NOT is_team_kill
)

SELECT
    CAST(match_id AS VARCHAR) AS match_id,
    CAST(match_date AS DATE) AS match_date,
    CAST(account_id AS VARCHAR) AS account_id,
    CAST(weapon_category AS VARCHAR) AS weapon_category,
    CAST(coalesce(max(player_name), account_id) AS VARCHAR) AS player_name,
    CAST(sum(damage) AS DOUBLE) AS total_damage,
    CAST(sum(kills) AS INTEGER) AS total_kills,
    CAST(sum(knocks) AS INTEGER) AS knock_downs
FROM deeds
GROUP BY match_id, match_date, account_id, weapon_category
