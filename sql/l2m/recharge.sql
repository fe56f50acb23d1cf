-- Payments of a day, by account, server, channel and currency, with their worth in US dollars.
SELECT
    CAST(ds AS DATE) AS ds,
    CAST(user_id AS VARCHAR) AS user_id,
    CAST(server_id AS VARCHAR) AS server_id,
    CAST(pmc AS VARCHAR) AS pmc,
    CAST(currency AS VARCHAR) AS currency,
    CAST(count(*) AS BIGINT) AS payments,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS amount,
    CAST(sum(daily_rev_usd) AS DECIMAL(20, 6)) AS daily_rev_usd
FROM l2m.etl_recharge
GROUP BY ds, user_id, server_id, pmc, currency
