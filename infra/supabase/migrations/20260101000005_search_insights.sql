-- Made from sql/migrations/0005_search_insights.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- What the search insights add: the key under which spellings of one query meet, the rows of a day
-- at hand, one insight a day, and what stands behind its figures.
SET LOCAL lock_timeout = '4s';
-- The stored key rewrites search_clicks once: about 4 s for each million rows.
SET LOCAL statement_timeout = '30min';

-- NFKC, lower case, single spaces, trimmed. The spaces are spelled out, because `\s` depends on the
-- locale; NFKC has turned the other spaces of Unicode into plain ones.
ALTER TABLE search_clicks ADD COLUMN query_norm TEXT GENERATED ALWAYS AS (
    btrim(regexp_replace(
        lower(normalize(search_query, NFKC)),
        '[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+', ' ', 'g'
    ), ' ')
) STORED;
CREATE INDEX search_clicks_search_date_idx ON search_clicks (search_date);

DO $$
BEGIN
    IF EXISTS (SELECT FROM search_insights GROUP BY insight_date HAVING count(insight_date) > 1) THEN
        RAISE EXCEPTION 'search_insights holds several rows for one insight_date'
            USING HINT = 'Keep one row for each day, then migrate again.';
    END IF;
END
$$;
CREATE UNIQUE INDEX IF NOT EXISTS search_insights_insight_date_key ON search_insights (insight_date);

-- All NULL in a row that another program wrote.
ALTER TABLE search_insights
    ADD COLUMN mean_row_ctr       FLOAT,
    ADD COLUMN clicks             BIGINT,
    ADD COLUMN impressions        BIGINT,
    ADD COLUMN source_rows        BIGINT,
    ADD COLUMN excluded_rows      BIGINT,
    ADD COLUMN definition_version INT,
    ADD COLUMN computed_at        TIMESTAMPTZ;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0005_search_insights', '8b2a65638ca466c10bf11c7275bfad65c234e6e00c1cac5673f3b0febd2670db');
COMMIT;
