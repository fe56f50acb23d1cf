-- Every property that was ever sent, by event and JSON type.
-- The first type of a property is taken over all events (or all user records), because a property has one type
-- whatever the event; null and an empty list have none.
WITH found AS (
    SELECT
        product,
        event_name,
        lower(property) AS property,
        json_type,
        sum(records) AS records,
        min(first_at) AS first_at,
        min(day) AS first_day,
        max(day) AS last_day,
        CASE WHEN event_name = '' THEN 'user' ELSE 'event' END AS scope,
        CASE WHEN json_type IN ('null', 'empty_list') THEN 1 ELSE 0 END AS has_no_type
    FROM demo_data.property_types
    GROUP BY product, event_name, lower(property), json_type
),

ranked AS (
    SELECT
        product,
        scope,
        property,
        json_type,
        row_number() OVER (
            PARTITION BY product, scope, property ORDER BY first_at, records DESC, event_name, json_type
        ) AS place
    FROM found
    WHERE has_no_type = 0
)

SELECT
    CAST(found.product AS VARCHAR) AS product,
    CAST(found.event_name AS VARCHAR) AS event_name,
    CAST(found.property AS VARCHAR) AS property,
    CAST(found.json_type AS VARCHAR) AS json_type,
    CAST(found.records AS BIGINT) AS records,
    CAST(
        CAST(found.records AS DOUBLE)
        / sum(found.records) OVER (PARTITION BY found.product, found.event_name, found.property) AS DOUBLE
    ) AS share_of_records,
    CAST(found.first_at AS TIMESTAMP WITH TIME ZONE) AS first_at,
    CAST(found.first_day AS DATE) AS first_day,
    CAST(found.last_day AS DATE) AS last_day,
    CAST(ranked.json_type AS VARCHAR) AS first_type
FROM found
LEFT JOIN ranked
    ON
        ranked.product = found.product
        AND ranked.scope = found.scope
        AND ranked.property = found.property
        AND ranked.place = 1
