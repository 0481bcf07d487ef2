-- Made from sql/migrations/0018_access.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Keys, and who did what. Only digests of keys are stored.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE api_keys (
    id                  INT GENERATED ALWAYS AS IDENTITY,
    token_hash          BYTEA NOT NULL,
    hint                TEXT NOT NULL,
    name                TEXT NOT NULL,
    environment         TEXT NOT NULL,
    scopes              TEXT[] NOT NULL,
    networks            CIDR[] NOT NULL DEFAULT '{}',
    requests_per_minute INT,
    budget_usd          NUMERIC(24, 9),
    budget_tokens       BIGINT,
    created_by          TEXT NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires_at          TIMESTAMPTZ,
    last_used_at        TIMESTAMPTZ,
    revoked_at          TIMESTAMPTZ,
    replaced_by         INT,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_token_hash_key UNIQUE (token_hash),
    CONSTRAINT api_keys_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT api_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_environment_check CHECK (environment IN ('live', 'test')),
    CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) > 0),
    CONSTRAINT api_keys_requests_per_minute_check CHECK (requests_per_minute > 0),
    CONSTRAINT api_keys_budget_check CHECK (budget_usd >= 0 AND budget_tokens >= 0),
    CONSTRAINT api_keys_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES api_keys (id)
);

-- Only INSERT and SELECT: rows are neither changed nor, but for old ones, deleted. No reference to
-- api_keys, whose row every write of a key would then lock.
CREATE TABLE audit_log (
    id         BIGINT GENERATED ALWAYS AS IDENTITY,
    at         TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    actor      TEXT NOT NULL,
    subject    TEXT NOT NULL,
    key_id     INT,
    action     TEXT NOT NULL,
    resource   TEXT NOT NULL,
    request_id TEXT,
    address    INET,
    outcome    TEXT NOT NULL DEFAULT 'done',
    changed    TEXT[] NOT NULL DEFAULT '{}',
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_actor_check CHECK (actor IN ('key', 'token', 'local', 'command')),
    CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('begun', 'done', 'partly_done', 'failed'))
);
CREATE INDEX audit_log_at_idx ON audit_log USING brin (at);
CREATE INDEX audit_log_key_id_idx ON audit_log (key_id, id DESC) WHERE key_id IS NOT NULL;
CREATE INDEX audit_log_action_idx ON audit_log (action, id DESC);

SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', TRUE);

-- With its owner's rights, because the service may not delete rows; so it may not ask for less than a
-- month either.
CREATE FUNCTION prune_audit_log(keep_days INT, most INT) RETURNS BIGINT LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    pruned BIGINT;
BEGIN
    IF keep_days IS NULL OR keep_days < 30 THEN
        RAISE EXCEPTION 'the audit log is kept for 30 days at least';
    END IF;
    DELETE FROM audit_log WHERE id IN (
        SELECT id FROM audit_log WHERE at < CURRENT_TIMESTAMP - make_interval(days => keep_days)
        LIMIT most
    );
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0018_access', '9d078faa8adebdb6642f43f795fa6cd053895dbc6c9316ad6646e4bd8f6e4b57');
COMMIT;
