-- Guild memberships with their dates. A day without a guild in any money log changes nothing.
WITH with_previous AS (
    SELECT user_id, ds, guild_id, lag(guild_id) OVER (PARTITION BY user_id ORDER BY ds) AS before
    FROM l2m.guild_members
),

begun AS (
    SELECT user_id, ds, guild_id, lead(ds) OVER (PARTITION BY user_id ORDER BY ds) AS valid_to
    FROM with_previous
    WHERE before IS NULL OR before <> guild_id
),

named AS (
    -- The name on the last day: a day has ten characters.
    SELECT guild_id, substr(max(CAST(ds AS VARCHAR) || guild_name), 11) AS guild_name
    FROM l2m.guild_members
    GROUP BY guild_id
)

SELECT
    CAST(begun.user_id AS VARCHAR) AS user_id,
    CAST(begun.ds AS DATE) AS valid_from,
    CAST(begun.valid_to AS DATE) AS valid_to,
    CAST(begun.guild_id AS VARCHAR) AS guild_id,
    CAST(named.guild_name AS VARCHAR) AS guild_name
FROM begun
INNER JOIN named ON named.guild_id = begun.guild_id
