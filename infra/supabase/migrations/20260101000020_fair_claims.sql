-- Made from sql/migrations/0020_fair_claims.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Whose job it is, and how soon: documents are claimed by turns of the keys.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extraction_jobs
    ADD COLUMN key_id INT,
    ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal',
    ADD CONSTRAINT extraction_jobs_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys (id),
    ADD CONSTRAINT extraction_jobs_priority_check CHECK (priority IN ('low', 'normal', 'high'));
INSERT INTO schema_migrations (name, checksum)
VALUES ('0020_fair_claims', 'f7d4e4fcd204ddb6b43a6ed1856ac184c31d566dcc7a2fb0c3e30e52dedb14ec');
COMMIT;
