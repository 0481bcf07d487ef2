-- Made from sql/migrations/0011_comparisons.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Comparisons of providers: what was asked of whom; the answers are those of extraction jobs.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '30s';

CREATE TABLE comparisons (
    id             INT GENERATED ALWAYS AS IDENTITY,
    dataset        TEXT NOT NULL,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    repeats        INT NOT NULL,
    seed           INT NOT NULL,
    contestants    JSONB NOT NULL,
    texts          JSONB NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT comparisons_pkey PRIMARY KEY (id),
    CONSTRAINT comparisons_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version)
);

CREATE TABLE comparison_jobs (
    comparison_id INT NOT NULL,
    contestant    TEXT NOT NULL,
    repeat        INT NOT NULL,
    job_id        INT NOT NULL,
    CONSTRAINT comparison_jobs_pkey PRIMARY KEY (comparison_id, contestant, repeat),
    CONSTRAINT comparison_jobs_comparison_id_fkey FOREIGN KEY (comparison_id)
        REFERENCES comparisons (id) ON DELETE CASCADE,
    CONSTRAINT comparison_jobs_job_id_fkey FOREIGN KEY (job_id) REFERENCES extraction_jobs (id)
);
CREATE INDEX comparison_jobs_job_id_idx ON comparison_jobs (job_id);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0011_comparisons', '9ecc209927d40b16b0af8c6769c014559f11587dc2a369b582cadbadbd82a196');
COMMIT;
