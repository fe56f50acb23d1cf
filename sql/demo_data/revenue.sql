-- Payments of each day with data, by currency, without conversion. Every currency has a row for every day.
WITH paid AS (
    SELECT
        payment.product,
        coalesce(identity.account_id, payment.user_id) AS user_id,
        payment.day,
        payment.paid_at,
        payment.currency,
        coalesce(payment.amount, CAST(0 AS DECIMAL(20, 4))) AS amount
    FROM demo_data.payments AS payment
    LEFT JOIN demo_data.identities AS identity
        ON identity.product = payment.product AND identity.distinct_id = payment.user_id AND payment.is_anonymous
),

ranked AS (
    SELECT *, min(day) OVER (PARTITION BY product, user_id) AS first_payment_day
    FROM paid
),

daily AS (
    SELECT
        product,
        day,
        currency,
        sum(amount) AS revenue,
        count(*) AS payments,
        count(DISTINCT user_id) AS payers,
        count(DISTINCT CASE WHEN day = first_payment_day THEN user_id END) AS new_payers
    FROM ranked
    GROUP BY product, day, currency
),

days AS (
    SELECT product, day, count(*) AS dau
    FROM demo_data.active_days
    GROUP BY product, day
),

currencies AS (
    SELECT DISTINCT product, currency
    FROM paid
),

grid AS (
    SELECT
        days.product,
        days.day,
        currencies.currency,
        days.dau,
        CAST(coalesce(daily.revenue, 0) AS DECIMAL(38, 4)) AS revenue,
        coalesce(daily.payments, 0) AS payments,
        coalesce(daily.payers, 0) AS payers,
        coalesce(daily.new_payers, 0) AS new_payers
    FROM days
    INNER JOIN currencies ON currencies.product = days.product
    LEFT JOIN daily
        ON daily.product = days.product AND daily.day = days.day AND daily.currency = currencies.currency
)

SELECT
    CAST(product AS VARCHAR) AS product,
    CAST(day AS DATE) AS day,
    CAST(currency AS VARCHAR) AS currency,
    CAST(revenue AS DECIMAL(38, 4)) AS revenue,
    CAST(payments AS BIGINT) AS payments,
    CAST(payers AS BIGINT) AS payers,
    CAST(new_payers AS BIGINT) AS new_payers,
    CAST(CAST(revenue AS DOUBLE) / dau AS DOUBLE) AS arpu,
    CAST(CASE WHEN payers > 0 THEN CAST(revenue AS DOUBLE) / payers END AS DOUBLE) AS arppu,
    CAST(sum(revenue) OVER (PARTITION BY product, currency ORDER BY day) AS DECIMAL(38, 4)) AS cumulative_revenue
FROM grid
