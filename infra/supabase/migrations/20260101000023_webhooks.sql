-- Made from sql/migrations/0023_webhooks.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- Webhooks: who is told that a job does not run any more, and what is still to be sent. The rows are
-- written with the change of the job, so that no event is lost.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE webhook_endpoints (
    id               INT GENERATED ALWAYS AS IDENTITY,
    url              TEXT NOT NULL,
    events           TEXT[] NOT NULL,
    description      TEXT NOT NULL,
    secret           TEXT NOT NULL,
    old_secret       TEXT,
    old_secret_until TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    disabled_at      TIMESTAMPTZ,
    disabled_reason  TEXT,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoints_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

CREATE TABLE webhook_deliveries (
    number          BIGINT GENERATED ALWAYS AS IDENTITY,
    id              TEXT NOT NULL DEFAULT 'msg_' || gen_random_uuid(),
    endpoint_id     INT NOT NULL,
    event           TEXT NOT NULL,
    body            TEXT NOT NULL,
    status          TEXT NOT NULL DEFAULT 'pending',
    attempts        INT NOT NULL DEFAULT 0,
    claim           INT NOT NULL DEFAULT 0,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    next_attempt_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    last_attempt_at TIMESTAMPTZ,
    last_status     INT,
    last_error      TEXT,
    last_response   TEXT,
    delivered_at    TIMESTAMPTZ,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (number),
    CONSTRAINT webhook_deliveries_id_key UNIQUE (id),
    CONSTRAINT webhook_deliveries_endpoint_id_fkey FOREIGN KEY (endpoint_id)
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_next_check CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (endpoint_id, next_attempt_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_endpoint_id_idx ON webhook_deliveries (endpoint_id, number DESC);
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries USING brin (created_at);

SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', TRUE);

-- With its owner's rights: whoever changes a job needs none on webhooks. The endpoints are locked, so
-- that one that is deleted just now is left out, and does not undo the change of the job.
CREATE FUNCTION announce_job() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    told TEXT := 'extraction_job.' || NEW.status;
BEGIN
    INSERT INTO webhook_deliveries (endpoint_id, event, body)
    SELECT id, told, json_build_object(
        'type', told,
        'timestamp', to_char(CURRENT_TIMESTAMP AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', json_build_object(
            'id', NEW.id,
            'status', NEW.status,
            'reason', NEW.reason_code,
            'counts', json_build_object(
                'total', NEW.total,
                'valid', NEW.valid,
                'partial', NEW.partial,
                'refused', NEW.refused,
                'failed', NEW.failed
            )
        )
    )
    FROM webhook_endpoints
    WHERE disabled_at IS NULL AND (events = '{}' OR told = ANY (events))
    FOR KEY SHARE;
    RETURN NULL;
END
$$;
CREATE TRIGGER extraction_jobs_announce AFTER UPDATE OF status ON extraction_jobs
    FOR EACH ROW WHEN (OLD.status <> NEW.status AND NEW.status <> 'running')
    EXECUTE FUNCTION announce_job();

ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE
    outsiders TEXT := (
        SELECT concat_ws(', ', 'PUBLIC', string_agg(quote_ident(rolname), ', '))
        FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
    );
BEGIN
    EXECUTE format('REVOKE ALL ON webhook_endpoints, webhook_deliveries FROM %s', outsiders);
    EXECUTE format('REVOKE ALL ON FUNCTION announce_job() FROM %s', outsiders);
END
$$;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0023_webhooks', 'a5eae5e7ad6eef6fb23bb91e4d0998061a0662f2f87671df9842476d52b78cda');
COMMIT;
