-- Makes search_clicks a table of monthly partitions: only for logs beyond some 50 million rows.
-- docs/how-to/retention.md says what changes. As the owner of the table, while nothing else writes:
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 --single-transaction -f partition_search_clicks.sql
--
-- Every row is written once more, so as much space as the table takes has to be free. It may be run
-- on PostgreSQL 15 to 18, once, and all or nothing of it happens.
LOCK TABLE search_clicks IN ACCESS EXCLUSIVE MODE;

DO $$
BEGIN
    IF EXISTS (SELECT FROM search_clicks WHERE search_date IS NULL) THEN
        RAISE EXCEPTION 'search_clicks holds rows without search_date, which no partition can take'
            USING HINT = 'Give them a day, or delete them, then run this again.';
    END IF;
END
$$;

ALTER TABLE search_clicks RENAME TO search_clicks_whole;
ALTER TABLE search_clicks_whole RENAME CONSTRAINT search_clicks_pkey TO search_clicks_whole_pkey;
ALTER INDEX search_clicks_search_date_idx RENAME TO search_clicks_whole_search_date_idx;

-- The key of a partitioned table holds the column that it is partitioned by; so search_id, though
-- still drawn from its sequence, is no longer held unique by itself, and search_date is NOT NULL.
CREATE TABLE search_clicks (
    LIKE search_clicks_whole INCLUDING DEFAULTS INCLUDING GENERATED,
    CONSTRAINT search_clicks_pkey PRIMARY KEY (search_id, search_date)
) PARTITION BY RANGE (search_date);
CREATE INDEX search_clicks_search_date_idx ON search_clicks (search_date);
ALTER SEQUENCE search_clicks_search_id_seq OWNED BY search_clicks.search_id;

-- Takes the days of months that have no partition yet, so that no row is ever refused.
CREATE TABLE search_clicks_other_months PARTITION OF search_clicks DEFAULT;
ALTER TABLE search_clicks_other_months ENABLE ROW LEVEL SECURITY;

-- Makes the partition of the month of `day`, with the rows that came before it was made. Run it for
-- the next month every month; again it does nothing.
CREATE FUNCTION make_search_clicks_month(day DATE) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first     DATE := date_trunc('month', day);
    following DATE := first + INTERVAL '1 month';
    name      TEXT := 'search_clicks_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Nobody writes between the move and the attaching.
    LOCK TABLE search_clicks IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE search_clicks INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    -- By the partition's own name, so that the triggers of search_clicks see no change: there is none.
    EXECUTE format(
        'WITH moved AS (
            DELETE FROM search_clicks_other_months WHERE search_date >= %L AND search_date < %L
            RETURNING search_id, search_query, clicks, impressions, click_through_rate, search_date
        )
        INSERT INTO %I (search_id, search_query, clicks, impressions, click_through_rate, search_date)
        SELECT * FROM moved',
        first, following, name
    );
    EXECUTE format(
        'ALTER TABLE search_clicks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        name, first, following
    );
END
$$;
REVOKE ALL ON FUNCTION make_search_clicks_month(DATE) FROM PUBLIC;

SELECT make_search_clicks_month(month)
FROM (
    SELECT DISTINCT date_trunc('month', search_date)::date FROM search_clicks_whole
    WHERE isfinite(search_date)
    UNION
    SELECT (date_trunc('month', now()) + n * INTERVAL '1 month')::date FROM generate_series(0, 2) AS n
) AS months (month);

INSERT INTO search_clicks (search_id, search_query, clicks, impressions, click_through_rate, search_date)
SELECT search_id, search_query, clicks, impressions, click_through_rate, search_date
FROM search_clicks_whole;

-- What belongs to the old table now belongs to the new one. The triggers come after the rows: no day
-- has changed.
DO $$
DECLARE
    made TEXT;
BEGIN
    FOR made IN
        SELECT pg_get_functiondef('searches_of_day(date)'::regprocedure)
        UNION ALL
        SELECT pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = 'search_clicks_whole'::regclass AND NOT tgisinternal
    LOOP
        EXECUTE replace(made, 'search_clicks_whole', 'search_clicks');
    END LOOP;
END
$$;

-- So do its rights and policies: row level security keeps everybody out who has none.
DO $$
DECLARE
    statement TEXT;
BEGIN
    FOR statement IN
        SELECT format('GRANT %s ON search_clicks TO %s', privilege_type, grantee::regrole)
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'search_clicks_whole'::regclass AND grantee NOT IN (0, relowner)
        UNION ALL
        SELECT format(
            'CREATE POLICY %I ON search_clicks AS %s FOR %s TO %s%s%s', policyname, permissive, cmd,
            (SELECT string_agg(quote_ident(role), ', ') FROM unnest(roles) AS role),
            ' USING (' || qual || ')', ' WITH CHECK (' || with_check || ')'
        )
        FROM pg_policies
        WHERE tablename = 'search_clicks_whole'
          AND schemaname = (
              SELECT relnamespace::regnamespace::text FROM pg_class
              WHERE oid = 'search_clicks_whole'::regclass
          )
    LOOP
        EXECUTE statement;
    END LOOP;
    ALTER TABLE search_clicks ENABLE ROW LEVEL SECURITY;
END
$$;

DROP TABLE search_clicks_whole;
ANALYZE search_clicks;
