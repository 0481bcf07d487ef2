-- Made from sql/migrations/0017_waits_within_a_day.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Waits that a provider named by a slip, such as one until the year 33715: such a job would never go on,
-- and its row cannot be read. Waits are bounded now when they are told.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

UPDATE extraction_jobs SET waits_until = NULL WHERE waits_until > now() + interval '1 day';
UPDATE provider_batches SET due_at = now() WHERE due_at > now() + interval '1 day';
INSERT INTO schema_migrations (name, checksum)
VALUES ('0017_waits_within_a_day', '5c7186bfbc9e54a7b46805154b6d919d2cf1d3b9b15c78734dcca5a9cf844f32');
COMMIT;
