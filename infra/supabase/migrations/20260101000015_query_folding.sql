-- Made from sql/migrations/0015_query_folding.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Spellings of a query meet in a database of any locale: lower case by the letters of Unicode. The days
-- whose queries now meet otherwise are added up anew by the next run.
SET LOCAL lock_timeout = '4s';
-- The stored key rewrites search_clicks once: about 5 s for each million rows.
SET LOCAL statement_timeout = '30min';

LOCK TABLE search_clicks IN ACCESS EXCLUSIVE MODE;
INSERT INTO search_changed_days (search_date)
SELECT DISTINCT search_date
FROM search_clicks
WHERE search_date IS NOT NULL AND query_norm IS DISTINCT FROM btrim(regexp_replace(
    normalize(lower(normalize(search_query, NFKC) COLLATE unicode_case), NFKC),
    '[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+', ' ', 'g'
), ' ');

-- The function that reads the column gets another body meanwhile, so that what stands on the function stays.
DO $$
DECLARE
    reads TEXT := pg_get_functiondef('searches_of_day(date)'::regprocedure);
BEGIN
    CREATE OR REPLACE FUNCTION searches_of_day(day DATE) RETURNS TABLE (
        query_norm    TEXT,
        searches      BIGINT,
        rated         BIGINT,
        clicks        BIGINT,
        impressions   BIGINT,
        ctr_sum       NUMERIC,
        blank         BIGINT,
        impossible    BIGINT,
        contradicting BIGINT
    ) LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT NULL::text, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::numeric, 0::bigint, 0::bigint, 0::bigint';
    ALTER TABLE search_clicks DROP COLUMN query_norm;
    ALTER TABLE search_clicks ADD COLUMN query_norm TEXT GENERATED ALWAYS AS (
        btrim(regexp_replace(
            normalize(lower(normalize(search_query, NFKC) COLLATE unicode_case), NFKC),
            '[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+', ' ', 'g'
        ), ' ')
    ) STORED;
    EXECUTE reads;
END
$$;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0015_query_folding', '08f827c5b6fd14aaa7c5e1450bbc8dd22daadaab4e1de50c100037f33816ecae');
COMMIT;
