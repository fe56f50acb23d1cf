-- The guild that each account's last money log of the day names; of several rows of that moment the first by alphabet.
WITH told AS (
    SELECT ds, user_id, guild_id, guild_name, time
    FROM l2m.etl_increase_money
    WHERE guild_id IS NOT NULL AND time IS NOT NULL
    UNION ALL
    SELECT ds, user_id, guild_id, guild_name, time
    FROM l2m.etl_decrease_money
    WHERE guild_id IS NOT NULL AND time IS NOT NULL
),

latest AS (
    SELECT ds, user_id, max(time) AS told_at
    FROM told
    GROUP BY ds, user_id
),

first_of_them AS (
    SELECT
        told.ds,
        told.user_id,
        latest.told_at,
        told.guild_id,
        min(told.guild_name) AS guild_name,
        row_number() OVER (PARTITION BY told.ds, told.user_id ORDER BY told.guild_id) AS place
    FROM told
    INNER JOIN latest ON latest.ds = told.ds AND latest.user_id = told.user_id AND latest.told_at = told.time
    GROUP BY told.ds, told.user_id, latest.told_at, told.guild_id
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(guild_id AS VARCHAR) AS guild_id,
    CAST(guild_name AS VARCHAR) AS guild_name,
    CAST(told_at AS TIMESTAMP WITH TIME ZONE) AS told_at
FROM first_of_them
WHERE place = 1
