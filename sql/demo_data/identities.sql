-- The account of each distinct_id: the first one seen with it, for ever.
-- If several were seen at the same instant, the smallest id counts.
WITH records AS (
    SELECT product, distinct_id, account_id, occurred_at FROM demo_data.events
    UNION ALL
    SELECT product, distinct_id, account_id, occurred_at FROM demo_data.user_operations
),

pairs AS (
    SELECT product, distinct_id, account_id, min(occurred_at) AS first_at, count(*) AS records
    FROM records
    WHERE distinct_id IS NOT NULL AND account_id IS NOT NULL
    GROUP BY product, distinct_id, account_id
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY product, distinct_id ORDER BY first_at, account_id) AS place,
        count(*) OVER (PARTITION BY product, distinct_id) AS accounts,
        sum(records) OVER (PARTITION BY product, distinct_id) AS all_records
    FROM pairs
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(distinct_id AS VARCHAR) AS distinct_id,
    CAST(account_id AS VARCHAR) AS account_id,
    CAST(first_at AS TIMESTAMP WITH TIME ZONE) AS bound_at,
    CAST(accounts AS BIGINT) AS accounts,
    CAST(all_records - records AS BIGINT) AS records_of_others
FROM ranked
WHERE place = 1
