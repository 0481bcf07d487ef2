-- Made from sql/migrations/0016_wider_costs.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Room for the largest cap that a job may have, 1,000,000,000 US dollars, and for sums beyond it.
-- More digits at the same scale: no table is rewritten.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extractions ALTER COLUMN cost_usd TYPE NUMERIC(24, 9);
ALTER TABLE extraction_jobs
    ALTER COLUMN max_cost_usd TYPE NUMERIC(24, 9),
    ALTER COLUMN cost_usd TYPE NUMERIC(24, 9);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0016_wider_costs', 'b706152144239361ec469b765f53af9d9d7239893f14ef8bc59426f1cf511cb7');
COMMIT;
