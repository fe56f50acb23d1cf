-- Accounts that look like farmers, with dates. On each of its active days an account is flagged for
-- - shared_ip: it had an address with ten or more accounts that is not whitelisted;
-- - level_one: it gained items, and the logs until then have its level, and none above the first;
-- - self_similar: over twelve hours or more its hours are more alike than any person's.
-- Consecutive days with the same flags are one row.
WITH sharing AS (
    SELECT shared.ds, shared.user_id, max(shared.accounts) AS accounts
    FROM l2m.shared_addresses AS shared
    LEFT JOIN l2m.ip_whitelist AS whitelist ON starts_with(shared.ip, whitelist.ip_prefix)
    WHERE whitelist.ip_prefix IS NULL
    GROUP BY shared.ds, shared.user_id
),

rhythmic AS (
    SELECT ds, user_id, self_similarity
    FROM l2m.activity_rhythms
    WHERE active_hours >= 12 AND log_rows >= 4 * active_hours AND self_similarity >= 0.96
),

first_days AS (
    SELECT
        user_id,
        min(CASE WHEN level > 1 THEN ds END) AS above_one_ds,
        min(CASE WHEN level <= 1 THEN ds END) AS at_one_ds,
        min(CASE WHEN items_gained > 0 THEN ds END) AS gained_ds
    FROM l2m.std_active
    GROUP BY user_id
),

suspects AS (
    SELECT user_id FROM sharing
    UNION
    SELECT user_id FROM rhythmic
    UNION
    SELECT user_id
    FROM first_days
    WHERE
        at_one_ds IS NOT NULL
        AND gained_ds IS NOT NULL
        AND (above_one_ds IS NULL OR (gained_ds < above_one_ds AND at_one_ds < above_one_ds))
),

days AS (
    SELECT active.user_id, active.ds, sum(active.items_gained) AS items_gained
    FROM l2m.std_active AS active
    INNER JOIN suspects ON suspects.user_id = active.user_id
    GROUP BY active.user_id, active.ds
),

flagged AS (
    SELECT
        days.user_id,
        days.ds,
        sharing.accounts,
        rhythmic.self_similarity,
        CASE
            WHEN
                days.ds >= first_days.at_one_ds
                AND days.ds >= first_days.gained_ds
                AND (first_days.above_one_ds IS NULL OR days.ds < first_days.above_one_ds)
                THEN sum(days.items_gained) OVER (PARTITION BY days.user_id ORDER BY days.ds)
        END AS level_one_items
    FROM days
    INNER JOIN first_days ON first_days.user_id = days.user_id
    LEFT JOIN sharing ON sharing.user_id = days.user_id AND sharing.ds = days.ds
    LEFT JOIN rhythmic ON rhythmic.user_id = days.user_id AND rhythmic.ds = days.ds
),

reasoned AS (
    SELECT
        *,
        concat_ws(
            ',',
            CASE WHEN accounts IS NOT NULL THEN 'shared_ip' END,
            CASE WHEN level_one_items IS NOT NULL THEN 'level_one' END,
            CASE WHEN self_similarity IS NOT NULL THEN 'self_similar' END
        ) AS reasons
    FROM flagged
),

compared AS (
    SELECT *, lag(reasons) OVER (PARTITION BY user_id ORDER BY ds) AS before
    FROM reasoned
),

stretches AS (
    SELECT
        *,
        sum(CASE WHEN before IS NULL OR before <> reasons THEN 1 ELSE 0 END) OVER (PARTITION BY user_id ORDER BY ds) AS stretch
    FROM compared
),

together AS (
    SELECT
        user_id,
        stretch,
        reasons,
        min(ds) AS valid_from,
        max(accounts) AS accounts,
        max(level_one_items) AS level_one_items,
        max(self_similarity) AS self_similarity
    FROM stretches
    GROUP BY user_id, stretch, reasons
),

ended AS (
    SELECT *, lead(valid_from) OVER (PARTITION BY user_id ORDER BY valid_from) AS valid_to
    FROM together
)

SELECT
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(valid_from AS DATE) AS valid_from,
    CAST(valid_to AS DATE) AS valid_to,
    CAST(reasons AS VARCHAR) AS reasons,
    CAST(
        CASE WHEN accounts IS NULL THEN 0 ELSE 1 END
        + CASE WHEN level_one_items IS NULL THEN 0 ELSE 1 END
        + CASE WHEN self_similarity IS NULL THEN 0 ELSE 1 END AS SMALLINT
    ) AS score,
    CAST(coalesce(accounts, 0) AS BIGINT) AS shared_ip_accounts,
    CAST(coalesce(level_one_items, 0) AS BIGINT) AS level_one_items,
    CAST(self_similarity AS DOUBLE) AS self_similarity
FROM ended
WHERE reasons <> ''
