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
