-- Sources and sinks of items and money on a day: each key item, and each kind of money, diamonds or not.
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

-- Accounts with equal gains are counted together: there are few amounts and many accounts.
amounts AS (
    SELECT
        ds,
        kind,
        id,
        gained,
        count(*) AS accounts,
        sum(spent) AS spent,
        sum(CASE WHEN spent > 0 THEN 1 ELSE 0 END) AS spending_accounts
    FROM accounts
    GROUP BY ds, kind, id, gained
),

added AS (
    SELECT
        ds,
        kind,
        id,
        sum(gained * accounts) AS source,
        sum(spent) AS sink,
        sum(CASE WHEN gained > 0 THEN accounts ELSE 0 END) AS gaining_accounts,
        sum(spending_accounts) AS spending_accounts
    FROM amounts
    GROUP BY ds, kind, id
),

ranked AS (
    SELECT
        ds,
        kind,
        id,
        gained,
        accounts,
        sum(accounts) OVER (PARTITION BY ds, kind, id ORDER BY gained DESC) - accounts AS accounts_before
    FROM amounts
    WHERE gained > 0
),

-- One of a hundred, rounded up, so that a hundred and one accounts have a top of two.
topmost AS (
    SELECT
        ranked.ds,
        ranked.kind,
        ranked.id,
        sum(
            ranked.gained
            * greatest(
                least(
                    ranked.accounts, CAST(ceil(added.gaining_accounts / 100.0) AS BIGINT) - ranked.accounts_before
                ),
                0
            )
        ) AS gained
    FROM ranked
    INNER JOIN added ON added.ds = ranked.ds AND added.kind = ranked.kind AND added.id = ranked.id
    GROUP BY ranked.ds, ranked.kind, ranked.id
)

SELECT
    CAST(added.ds AS DATE) AS ds,
    CAST(added.kind AS VARCHAR) AS kind,
    CAST(added.id AS VARCHAR) AS id,
    CAST(added.source AS BIGINT) AS source,
    CAST(added.sink AS BIGINT) AS sink,
    CAST(added.source - added.sink AS BIGINT) AS net,
    CAST(added.gaining_accounts AS BIGINT) AS gaining_accounts,
    CAST(added.spending_accounts AS BIGINT) AS spending_accounts,
    CAST(CAST(topmost.gained AS DOUBLE) / CAST(added.source AS DOUBLE) AS DOUBLE) AS top_1_percent_share
FROM added
LEFT JOIN topmost ON topmost.ds = added.ds AND topmost.kind = added.kind AND topmost.id = added.id
