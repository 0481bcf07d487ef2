-- Made from sql/migrations/0010_click_imports.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- How far the imports of files are, so that each row of a file goes into the log once.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE click_imports (
    id            INT GENERATED ALWAYS AS IDENTITY,
    fingerprint   BYTEA NOT NULL,
    name          TEXT NOT NULL,
    options       TEXT NOT NULL,
    file_offset   BIGINT NOT NULL DEFAULT 0,
    line          BIGINT NOT NULL DEFAULT 0,
    accepted      BIGINT NOT NULL DEFAULT 0,
    rejected      BIGINT NOT NULL DEFAULT 0,
    rejects_bytes BIGINT NOT NULL DEFAULT 0,
    started_at    TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    moved_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at   TIMESTAMPTZ,
    CONSTRAINT click_imports_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX click_imports_open_key ON click_imports (fingerprint)
    WHERE finished_at IS NULL;
CREATE INDEX click_imports_fingerprint_idx ON click_imports (fingerprint, id DESC);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0010_click_imports', 'ba8da2dd02e54a806f0285f0bd3ece20f19dd4cd67ed39e7d883b4557573d9e8');
COMMIT;
