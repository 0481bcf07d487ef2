-- Made from sql/migrations/0007_provider_batches.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Batches at providers: asked together, answered within a day, at a lower price.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '300s';

ALTER TABLE extraction_jobs
    ADD COLUMN mode TEXT NOT NULL DEFAULT 'direct',
    ADD CONSTRAINT extraction_jobs_mode_check CHECK (mode IN ('direct', 'batch'));

-- While a batch is open, a row of `extraction_workers` with its id has its documents.
CREATE TABLE provider_batches (
    id           UUID NOT NULL,
    job_id       INT NOT NULL,
    provider     TEXT NOT NULL,
    provider_id  TEXT,
    prompt_hash  TEXT,
    unsure_since TIMESTAMPTZ,
    turn         INT NOT NULL DEFAULT 1,
    due_at       TIMESTAMPTZ NOT NULL,
    opened_at    TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    closed_at    TIMESTAMPTZ,
    CONSTRAINT provider_batches_pkey PRIMARY KEY (id),
    CONSTRAINT provider_batches_job_id_fkey FOREIGN KEY (job_id)
        REFERENCES extraction_jobs (id) ON DELETE CASCADE
);
CREATE INDEX provider_batches_job_id_idx ON provider_batches (job_id);
CREATE INDEX provider_batches_due_at_idx ON provider_batches (due_at) WHERE closed_at IS NULL;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0007_provider_batches', 'f2d921eab37ac180c5458a62d285e777cb2a994d34bfe9229ab393763cb62bcb');
COMMIT;
