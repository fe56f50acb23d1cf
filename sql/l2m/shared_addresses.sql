-- Addresses with ten or more accounts on a day, and these accounts, including cafes: farmers_snapshot applies the
-- whitelist, so that an entry counts for all days at once.
WITH visits AS (
    SELECT ds, ip, user_id
    FROM l2m.etl_login
    WHERE ip IS NOT NULL
    GROUP BY ds, ip, user_id
    UNION
    SELECT ds, ip, user_id
    FROM l2m.etl_logout
    WHERE ip IS NOT NULL
    GROUP BY ds, ip, user_id
),

shared AS (
    SELECT ds, ip, count(*) AS accounts
    FROM visits
    GROUP BY ds, ip
    HAVING count(*) >= 10
)

SELECT
    CAST(visits.ds AS DATE) AS ds,
    CAST(visits.ip AS VARCHAR) AS ip,
    CAST(visits.user_id AS VARCHAR) AS user_id,
    CAST(shared.accounts AS BIGINT) AS accounts
FROM visits
INNER JOIN shared ON shared.ds = visits.ds AND shared.ip = visits.ip
