-- Made from sql/migrations/0012_search_rollup.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- What was searched on each day, added up by query, so that an analysis of any period need not read
-- every row again; and which days' rows have changed since they were added up.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '30min';

-- The functions below that run with their owner's rights keep this path. Temporary tables, which anyone
-- may make, come last in it.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', TRUE);

-- One row a day and query: the rows that count, added up when the day's insight is computed.
CREATE TABLE search_query_days (
    search_date DATE NOT NULL,
    query_norm  TEXT COLLATE "C" NOT NULL,
    searches    BIGINT NOT NULL,                     -- rows
    clicks      BIGINT NOT NULL,
    impressions BIGINT NOT NULL,
    ctr_sum     NUMERIC NOT NULL,                    -- of the rows with impressions
    CONSTRAINT search_query_days_pkey PRIMARY KEY (search_date, query_norm)
);

-- One row a day that has rows: what the rows of search_query_days add up to, and what was left out.
CREATE TABLE search_days (
    search_date        DATE NOT NULL,
    source_rows        BIGINT NOT NULL,              -- rows that were counted
    rated_rows         BIGINT NOT NULL,              -- of them, those with impressions
    distinct_queries   BIGINT NOT NULL,
    clicks             BIGINT NOT NULL,
    impressions        BIGINT NOT NULL,
    ctr_sum            NUMERIC NOT NULL,             -- of the rated rows
    blank_rows         BIGINT NOT NULL,              -- left out: no query
    impossible_rows    BIGINT NOT NULL,              -- left out: clicks and impressions cannot be
    contradicting_rows BIGINT NOT NULL,              -- counted, though click_through_rate is another
    CONSTRAINT search_days_pkey PRIMARY KEY (search_date)
);

-- The days whose rows have changed since they were added up. A day without a mark is added up right, in
-- every snapshot: docs/explanation/insights.md tells why. No key, because writers would wait for one
-- another's marks with it: a day may have several.
CREATE TABLE search_changed_days (
    search_date DATE NOT NULL
);
CREATE INDEX search_changed_days_search_date_idx ON search_changed_days (search_date);

-- The advisory lock (7001, n) of a day: shared by those who change its rows, alone for the one who adds
-- them up, until the transaction ends. Days share 256 locks, so that no transaction holds more.
CREATE FUNCTION search_day_lock(day DATE) RETURNS INT LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (day - DATE '2000-01-01') % 256;

-- What a row counts for, said once: the rows of one day added up by query; blank ones have the key ''.
--   * Rows without a query are blank. Of the others, those with 0 <= clicks <= impressions are counted,
--     and the rest is impossible (a NULL is neither above nor below).
--   * A row's rate is clicks / impressions, and none without impressions. Rates are added up in parts
--     of 10^12, as integers, so that the order of the rows cannot change the sum.
--   * click_through_rate enters no figure. Where it is more than 0.005 off, or there is no rate, it
--     contradicts the counts.
CREATE FUNCTION searches_of_day(day DATE) RETURNS TABLE (
    query_norm    TEXT,
    searches      BIGINT,
    rated         BIGINT,
    clicks        BIGINT,
    impressions   BIGINT,
    ctr_sum       NUMERIC,
    blank         BIGINT,
    impossible    BIGINT,
    contradicting BIGINT
) LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC
    SELECT
        query,
        count(*) FILTER (WHERE counted),
        count(*) FILTER (WHERE counted AND n > 0),
        coalesce(sum(c) FILTER (WHERE counted), 0),
        coalesce(sum(n) FILTER (WHERE counted), 0),
        coalesce(sum(round(c / n::float8 * 1e12)::bigint) FILTER (WHERE counted AND n > 0), 0) * 1e-12,
        count(*) FILTER (WHERE query = ''),
        count(*) FILTER (WHERE NOT counted AND query <> ''),
        count(*) FILTER (
            WHERE counted
            AND CASE WHEN n > 0 THEN abs(stated - c / n::float8) > 0.005 ELSE stated IS NOT NULL END
        )
    FROM (
        SELECT
            coalesce(search_clicks.query_norm, '') COLLATE "C"                 AS query,
            search_clicks.clicks                                               AS c,
            search_clicks.impressions                                          AS n,
            search_clicks.click_through_rate                                   AS stated,
            coalesce(
                search_clicks.query_norm <> '' AND search_clicks.clicks BETWEEN 0 AND search_clicks.impressions,
                FALSE
            )                                                                  AS counted
        FROM search_clicks
        WHERE search_clicks.search_date = searches_of_day.day
    ) AS of_day
    GROUP BY query;
END;

-- What the analyses read, right at any time: what was added up, and the rows themselves of the days that
-- have changed since.
CREATE VIEW search_query_figures WITH (security_invoker = true) AS
SELECT search_date, query_norm, searches, clicks, impressions, ctr_sum
FROM search_query_days
WHERE NOT EXISTS (
    SELECT FROM search_changed_days AS changed WHERE changed.search_date = search_query_days.search_date
)
UNION ALL
SELECT search_date, query_norm COLLATE "C", searches, clicks, impressions, ctr_sum
FROM
    (SELECT DISTINCT search_date FROM search_changed_days) AS changed
    CROSS JOIN LATERAL searches_of_day(search_date)
WHERE searches > 0;

CREATE VIEW search_day_figures WITH (security_invoker = true) AS
SELECT
    search_date, source_rows, rated_rows, distinct_queries, clicks, impressions, ctr_sum,
    blank_rows, impossible_rows, contradicting_rows
FROM search_days
WHERE NOT EXISTS (
    SELECT FROM search_changed_days AS changed WHERE changed.search_date = search_days.search_date
)
UNION ALL
SELECT changed.search_date, of_day.*
FROM
    (SELECT DISTINCT search_date FROM search_changed_days) AS changed
    CROSS JOIN LATERAL (
        SELECT
            sum(searches)::bigint                AS source_rows,
            sum(rated)::bigint                   AS rated_rows,
            count(*) FILTER (WHERE searches > 0) AS distinct_queries,
            sum(clicks)::bigint                  AS clicks,
            sum(impressions)::bigint             AS impressions,
            sum(ctr_sum)                         AS ctr_sum,
            sum(blank)::bigint                   AS blank_rows,
            sum(impossible)::bigint              AS impossible_rows,
            sum(contradicting)::bigint           AS contradicting_rows
        FROM searches_of_day(changed.search_date)
        HAVING count(*) > 0
    ) AS of_day;

-- Whoever changes rows marks their days, in the same transaction, holding the days' locks until its end.
-- With its owner's rights, because other programs may write searches and nothing else. Days beyond those
-- that can be analysed need no mark, nor do rows without a day.
CREATE FUNCTION mark_search_days() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    days DATE[];
    day  DATE;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        days := ARRAY(
            SELECT search_date FROM changed WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            UNION
            SELECT search_date FROM changed_to WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            ORDER BY search_date
        );
    ELSE
        days := ARRAY(
            SELECT DISTINCT search_date FROM changed
            WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            ORDER BY search_date
        );
    END IF;
    FOREACH day IN ARRAY days LOOP
        PERFORM pg_advisory_xact_lock_shared(7001, search_day_lock(day));
        -- Looked for after the lock is held: until then a mark that is seen may be on its way out. A
        -- transaction that keeps its snapshot would see it still, and so marks in any case.
        IF current_setting('transaction_isolation') <> 'read committed'
            OR NOT EXISTS (SELECT FROM search_changed_days WHERE search_date = day)
        THEN
            INSERT INTO search_changed_days (search_date) VALUES (day);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER search_clicks_inserted AFTER INSERT ON search_clicks
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();
CREATE TRIGGER search_clicks_updated AFTER UPDATE ON search_clicks
    REFERENCING OLD TABLE AS changed NEW TABLE AS changed_to
    FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();
CREATE TRIGGER search_clicks_deleted AFTER DELETE ON search_clicks
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();

-- TRUNCATE locks the table against all others, so no day's lock is needed.
CREATE FUNCTION mark_all_search_days() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'search_clicks can be truncated in a READ COMMITTED transaction only'
            USING HINT = 'Another might not see a day that was added up meanwhile, and leave it so.';
    END IF;
    INSERT INTO search_changed_days (search_date) SELECT search_date FROM search_days;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_clicks_truncated AFTER TRUNCATE ON search_clicks
    FOR EACH STATEMENT EXECUTE FUNCTION mark_all_search_days();

-- Nothing is added up yet. The next run of the insights does it.
INSERT INTO search_changed_days (search_date)
SELECT DISTINCT search_date FROM search_clicks WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30';
INSERT INTO schema_migrations (name, checksum)
VALUES ('0012_search_rollup', 'b03bbc575fbc08e8fddb3a118dcf0a1e25f964c85c37892ce19b56aca11e38df');
COMMIT;
