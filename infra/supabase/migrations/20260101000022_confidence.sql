-- Made from sql/migrations/0022_confidence.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- How likely each value of a result is right, where that can be told. A constant default: no table is
-- rewritten.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extractions ADD COLUMN confidence JSONB NOT NULL DEFAULT '{}';
INSERT INTO schema_migrations (name, checksum)
VALUES ('0022_confidence', '96620b76a1d0a5ee76653622ccb821f1f9dc557d9b4ee04dd405383c6ee4d311');
COMMIT;
