-- The view sms_delivery: one row for each message that you sent, with its latest status.
--
-- Replace two names, marked with 1 and 2, and the columns of your table. Then run the file:
--     psql "$DATABASE_URL" --file sms_delivery.sql
--     python -c "import duckdb; duckdb.connect('my.duckdb').execute(open('sms_delivery.sql').read())"
--
-- In PostgreSQL, a view keeps the columns that it reads from being dropped or changed. If that
-- stops a migration of your application, drop the view and create it again afterwards.

DROP VIEW IF EXISTS sms_delivery;

CREATE VIEW sms_delivery AS
WITH sent AS (
    SELECT trim(CAST(request_id AS text), E' \t\r\n') AS request_id, sent_at
    FROM sent_messages -- 1: your table
),

statuses AS (
    SELECT
        requestid, status, submitdate, donedate, overallprice, errorreason, mccmnc,
        CAST(parts AS json) AS parts,
        lpad(lower(errorcode), 4, '0') AS errorcode,
        -- Airbyte's Full Refresh | Append adds a row with each sync: 1 is the latest one.
        row_number() OVER (PARTITION BY requestid ORDER BY _airbyte_extracted_at DESC) AS recency
    FROM message_status -- 2: the table of statuses, such as tyntec.message_status
),

-- GSM errors (3GPP TS 29.002). tyntec retries the temporary ones until the message expires.
errors (errorcode, error_meaning, is_retried) AS (
    VALUES
    ('0000', 'no error', false),
    ('0001', 'unknown subscriber', false),
    ('0002', 'unknown base station', false),
    ('0003', 'unknown MSC', false),
    ('0005', 'unidentified subscriber', true),
    ('0006', 'absent subscriber', true),
    ('0007', 'unknown equipment', false),
    ('0008', 'roaming not allowed', true),
    ('0009', 'illegal subscriber, or filtered', false),
    ('000a', 'bearer service not provisioned', true),
    ('000b', 'teleservice not provisioned', false),
    ('000c', 'illegal equipment', false),
    ('000d', 'call barred', true),
    ('000e', 'forwarding violation', NULL)
)

SELECT
    sent.request_id,
    sent.sent_at,
    statuses.status, -- NULL: not read yet; UNKNOWN: tyntec does not know the request id
    coalesce(statuses.status IN ('DELIVERED', 'EXPIRED', 'REJECTED', 'UNDELIVERABLE'), false)
        AS is_final,
    statuses.submitdate,
    statuses.donedate,
    CASE
        WHEN statuses.status = 'DELIVERED'
            THEN extract(epoch FROM statuses.donedate - statuses.submitdate)
    END AS delivery_seconds,
    -- tyntec sends the price as text. It can come later than the status.
    CASE
        WHEN statuses.overallprice ~ '^-?[0-9]+([.][0-9]+)?$'
            THEN CAST(statuses.overallprice AS numeric(18, 6))
    END AS price,
    (statuses.parts -> 0) ->> 'currency' AS currency,
    statuses.mccmnc,
    statuses.errorcode,
    errors.error_meaning,
    errors.is_retried,
    statuses.errorreason
FROM sent
LEFT JOIN statuses ON sent.request_id = statuses.requestid AND statuses.recency = 1
LEFT JOIN errors ON statuses.errorcode = errors.errorcode;
