-- Made from sql/migrations/0003_idempotency.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- The first answer to a request with an Idempotency-Key, kept in the transaction that did its work.
-- A row without an answer marks a request that is still running, until `locked_until`.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE idempotency_keys (
    key          TEXT NOT NULL,
    fingerprint  BYTEA NOT NULL,
    locked_until TIMESTAMPTZ,
    status       INT,
    headers      JSONB,
    body         BYTEA,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key),
    CONSTRAINT idempotency_keys_answer_check CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0003_idempotency', '740fc2f8790ed892065d12dcd44f5e4ebc556f638f1c1497083a1c56c02b825a');
COMMIT;
