-- Made from sql/migrations/0009_scheduled_runs.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- How the runs by the clock went, so that a failure is seen whatever scheduler rings.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE scheduled_runs (
    task        TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    error       TEXT,
    runs        BIGINT NOT NULL,
    CONSTRAINT scheduled_runs_pkey PRIMARY KEY (task, outcome),
    CONSTRAINT scheduled_runs_outcome_check CHECK (outcome IN ('done', 'partly_failed', 'failed'))
);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0009_scheduled_runs', 'ff1edc0059249f45ee73c9e4dd49fdf5612c602ca38255b90cd3d40ba3c83eee');
COMMIT;
