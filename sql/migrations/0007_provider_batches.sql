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
