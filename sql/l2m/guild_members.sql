-- The guild in each account's last money log of the day; of several rows of that moment the first by alphabet.
WITH mentions AS (
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
    FROM mentions
    GROUP BY ds, user_id
),

first_of_them AS (
    SELECT
        mentions.ds,
        mentions.user_id,
        latest.told_at,
        mentions.guild_id,
        min(mentions.guild_name) AS guild_name,
        row_number() OVER (PARTITION BY mentions.ds, mentions.user_id ORDER BY mentions.guild_id) AS place
    FROM mentions
    INNER JOIN latest ON latest.ds = mentions.ds AND latest.user_id = mentions.user_id AND latest.told_at = mentions.time
    GROUP BY mentions.ds, mentions.user_id, latest.told_at, mentions.guild_id
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(guild_id AS VARCHAR) AS guild_id,
    CAST(guild_name AS VARCHAR) AS guild_name,
    CAST(told_at AS TIMESTAMP WITH TIME ZONE) AS told_at
FROM first_of_them
WHERE place = 1
