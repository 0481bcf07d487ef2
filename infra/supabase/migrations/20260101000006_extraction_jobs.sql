-- Made from sql/migrations/0006_extraction_jobs.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Extraction jobs: what is asked for, document by document, and who works on it.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '300s';

CREATE TABLE extraction_jobs (
    id             INT GENERATED ALWAYS AS IDENTITY,
    status         TEXT NOT NULL DEFAULT 'running',
    reason_code    TEXT,
    reason         TEXT,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    providers      TEXT[] NOT NULL,
    reuse          BOOLEAN NOT NULL,
    max_cost_usd   NUMERIC(18, 9),
    max_tokens     BIGINT,
    -- Kept in step with the documents by the statement that settles them.
    total          INT NOT NULL DEFAULT 0,
    valid          INT NOT NULL DEFAULT 0,
    partial        INT NOT NULL DEFAULT 0,
    refused        INT NOT NULL DEFAULT 0,
    failed         INT NOT NULL DEFAULT 0,
    reused         INT NOT NULL DEFAULT 0,
    calls          BIGINT NOT NULL DEFAULT 0,
    input_tokens   BIGINT NOT NULL DEFAULT 0,
    cached_tokens  BIGINT NOT NULL DEFAULT 0,
    output_tokens  BIGINT NOT NULL DEFAULT 0,
    cost_usd       NUMERIC(18, 9) NOT NULL DEFAULT 0,
    unpriced_calls BIGINT NOT NULL DEFAULT 0,
    waits_until    TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at    TIMESTAMPTZ,
    CONSTRAINT extraction_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT extraction_jobs_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version),
    CONSTRAINT extraction_jobs_status_check
        CHECK (status IN ('running', 'paused', 'failed', 'cancelled', 'completed')),
    CONSTRAINT extraction_jobs_reason_check CHECK ((reason IS NULL) = (reason_code IS NULL)),
    CONSTRAINT extraction_jobs_done_check CHECK (valid + partial + refused + failed <= total)
-- Half of each page stays free, so that the counters can change without touching an index.
) WITH (fillfactor = 50);
CREATE INDEX extraction_jobs_running_idx ON extraction_jobs (id) WHERE status = 'running';

-- A worker renews one row here, not one for each document that it has.
CREATE TABLE extraction_workers (
    id           UUID NOT NULL,
    host         TEXT NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    leased_until TIMESTAMPTZ NOT NULL,
    CONSTRAINT extraction_workers_pkey PRIMARY KEY (id)
);

CREATE TABLE extraction_job_items (
    job_id          INT NOT NULL,
    position        INT NOT NULL,
    document_id     TEXT,
    text            TEXT, -- until the result holds it
    state           TEXT NOT NULL DEFAULT 'pending',
    claim           INT NOT NULL DEFAULT 0,
    worker_id       UUID,
    attempts        INT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    reason_code     TEXT,
    reason          TEXT,
    extraction_id   UUID,
    reused          BOOLEAN NOT NULL DEFAULT FALSE,
    finished_at     TIMESTAMPTZ,
    CONSTRAINT extraction_job_items_pkey PRIMARY KEY (job_id, position),
    CONSTRAINT extraction_job_items_job_id_fkey FOREIGN KEY (job_id)
        REFERENCES extraction_jobs (id) ON DELETE CASCADE,
    CONSTRAINT extraction_job_items_extraction_id_fkey FOREIGN KEY (extraction_id)
        REFERENCES extractions (id),
    CONSTRAINT extraction_job_items_state_check
        CHECK (state IN ('pending', 'running', 'valid', 'partial', 'refused', 'failed')),
    CONSTRAINT extraction_job_items_worker_check
        CHECK ((state = 'running') = (worker_id IS NOT NULL)),
    CONSTRAINT extraction_job_items_text_check CHECK (text IS NOT NULL OR extraction_id IS NOT NULL)
-- The text moves out of the row, because the row is written again at each change of state.
) WITH (toast_tuple_target = 128);
CREATE INDEX extraction_job_items_pending_idx ON extraction_job_items (job_id, position)
    WHERE state = 'pending';
CREATE INDEX extraction_job_items_running_idx ON extraction_job_items (job_id)
    WHERE state = 'running';
CREATE INDEX extraction_job_items_finished_idx ON extraction_job_items (job_id, finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX extraction_job_items_extraction_idx ON extraction_job_items (extraction_id)
    WHERE extraction_id IS NOT NULL;

-- Questions that are being asked: they go with their worker.
CREATE TABLE extraction_reservations (
    key       BYTEA NOT NULL,
    worker_id UUID NOT NULL,
    CONSTRAINT extraction_reservations_pkey PRIMARY KEY (key),
    CONSTRAINT extraction_reservations_worker_id_fkey FOREIGN KEY (worker_id)
        REFERENCES extraction_workers (id) ON DELETE CASCADE
);
CREATE INDEX extraction_reservations_worker_id_idx ON extraction_reservations (worker_id);

-- Finds a known answer: the hash narrows, the texts themselves are compared.
CREATE INDEX extractions_known_idx ON extractions (hashtextextended(text, 0), prompt_hash)
    WHERE status IN ('valid', 'partial');
INSERT INTO schema_migrations (name, checksum)
VALUES ('0006_extraction_jobs', '35f587d36d6830fd6332b3d9653dc780b9e45fda6a30c9045a0bb27f5bde2b60');
COMMIT;
