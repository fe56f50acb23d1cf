-- Where items and money come from and go to on a day: each key item, and each kind of money, diamonds or not.
WITH moved AS (
    SELECT ds, 'item' AS kind, item_id AS id, user_id, item_count AS gained, 0 AS spent
    FROM l2m.item_gain
    UNION ALL
    SELECT ds, 'item' AS kind, item_id AS id, user_id, 0 AS gained, item_count AS spent
    FROM l2m.item_spend
    UNION ALL
    SELECT ds, 'money' AS kind, money_type AS id, user_id, gained, spent
    FROM l2m.money_balances
),

accounts AS (
    SELECT ds, kind, id, user_id, sum(gained) AS gained, sum(spent) AS spent
    FROM moved
    GROUP BY ds, kind, id, user_id
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY ds, kind, id ORDER BY gained DESC, user_id) AS place,
        sum(CASE WHEN gained > 0 THEN 1 ELSE 0 END) OVER (PARTITION BY ds, kind, id) AS gaining
    FROM accounts
),

added AS (
    SELECT
        ds,
        kind,
        id,
        sum(gained) AS source,
        sum(spent) AS sink,
        sum(CASE WHEN gained > 0 THEN 1 ELSE 0 END) AS gaining_accounts,
        sum(CASE WHEN spent > 0 THEN 1 ELSE 0 END) AS spending_accounts,
        -- One of a hundred, and at least one: places 1, 101, 201, ... of the gaining accounts begin another one.
        sum(CASE WHEN (place - 1) * 100 < gaining THEN gained ELSE 0 END) AS of_the_top
    FROM ranked
    GROUP BY ds, kind, id
)

SELECT
    CAST(ds AS DATE) AS ds,
    CAST(kind AS VARCHAR) AS kind,
    CAST(id AS VARCHAR) AS id,
    CAST(source AS BIGINT) AS source,
    CAST(sink AS BIGINT) AS sink,
    CAST(source - sink AS BIGINT) AS net,
    CAST(gaining_accounts AS BIGINT) AS gaining_accounts,
    CAST(spending_accounts AS BIGINT) AS spending_accounts,
    CAST(CASE WHEN source > 0 THEN CAST(of_the_top AS DOUBLE) / CAST(source AS DOUBLE) END AS DOUBLE) AS top_1_percent_share
FROM added
