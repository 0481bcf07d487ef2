-- Endpoints of webhooks and their deliveries. Those of job events are written by a trigger of
-- extraction_jobs (announce_job).

-- name: add_endpoint
INSERT INTO webhook_endpoints (url, events, description, secret)
SELECT :url::text, :events::text[], :description::text, :secret::text
WHERE (SELECT count(*) FROM webhook_endpoints) < :most
RETURNING *;

-- name: get_endpoint
SELECT * FROM webhook_endpoints WHERE id = :endpoint_id;

-- name: page_of_endpoints
SELECT * FROM webhook_endpoints WHERE id < :before ORDER BY id DESC LIMIT :limit;

-- name: change_endpoint
UPDATE webhook_endpoints
SET url = coalesce(:url::text, url),
    events = coalesce(:events::text[], events),
    description = coalesce(:description::text, description),
    disabled_at = CASE
        WHEN :enabled::boolean THEN NULL
        WHEN NOT :enabled THEN coalesce(disabled_at, now())
        ELSE disabled_at
    END,
    disabled_reason = CASE
        WHEN :enabled THEN NULL
        WHEN NOT :enabled THEN coalesce(disabled_reason, 'requested')
        ELSE disabled_reason
    END
WHERE id = :endpoint_id
RETURNING *;

-- name: rotate_secret
UPDATE webhook_endpoints
SET secret = :secret, old_secret = secret,
    old_secret_until = now() + make_interval(secs => :overlap_s)
WHERE id = :endpoint_id
RETURNING *;

-- name: delete_endpoint
DELETE FROM webhook_endpoints WHERE id = :endpoint_id RETURNING id;

-- Locked as announce_job does it, so that it is not deleted meanwhile.
-- name: add_ping
INSERT INTO webhook_deliveries (endpoint_id, event, body)
SELECT id, 'ping', :body::text FROM webhook_endpoints
WHERE id = :endpoint_id AND disabled_at IS NULL
FOR KEY SHARE
RETURNING *;

-- name: get_delivery
SELECT * FROM webhook_deliveries WHERE id = :delivery_id;

-- name: page_of_deliveries
SELECT * FROM webhook_deliveries
WHERE number < :before
    AND (:endpoint_id::int IS NULL OR endpoint_id = :endpoint_id)
    AND (:status::text IS NULL OR status = :status)
ORDER BY number DESC
LIMIT :limit;

-- The claim is another one, so an attempt that is under way is not heard any more.
-- name: replay
UPDATE webhook_deliveries AS d
SET status = 'pending', attempts = 0, claim = d.claim + 1, next_attempt_at = now(),
    delivered_at = NULL
FROM webhook_endpoints AS e
WHERE d.id = :delivery_id AND e.id = d.endpoint_id AND e.disabled_at IS NULL
RETURNING d.*;

-- While an attempt is under way, next_attempt_at says when others take over.
-- name: claim
WITH due AS (
    SELECT next.number, e.url, e.secret,
        CASE WHEN e.old_secret_until > now() THEN e.old_secret END AS old_secret
    FROM webhook_endpoints AS e
    CROSS JOIN LATERAL (
        SELECT d.number FROM webhook_deliveries AS d
        WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.next_attempt_at <= now()
        ORDER BY d.next_attempt_at, d.number
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS next
    WHERE e.disabled_at IS NULL AND e.id <> ALL (:busy::int[])
)
UPDATE webhook_deliveries AS d
SET attempts = d.attempts + 1, claim = d.claim + 1, last_attempt_at = now(),
    next_attempt_at = now() + make_interval(secs => :lease_s)
FROM due
WHERE d.number = due.number
RETURNING d.id, d.claim, d.attempts, d.endpoint_id, d.body, due.url, due.secret, due.old_secret;

-- name: settle
WITH settled AS (
    UPDATE webhook_deliveries
    SET status = :status,
        next_attempt_at = CASE
            WHEN :status = 'pending' THEN now() + make_interval(secs => :delay_s)
        END,
        last_status = :http_status,
        last_error = :error,
        last_response = :response,
        delivered_at = CASE WHEN :status = 'delivered' THEN now() END
    WHERE id = :delivery_id AND claim = :claim AND status = 'pending'
    RETURNING endpoint_id, created_at
),
disabled AS (
    UPDATE webhook_endpoints AS e
    SET disabled_at = now(), disabled_reason = :disables
    FROM settled
    WHERE e.id = settled.endpoint_id AND e.disabled_at IS NULL AND :disables::text IS NOT NULL
        AND (:disables = 'gone' OR NOT EXISTS (
            SELECT FROM webhook_deliveries AS taken
            WHERE taken.endpoint_id = e.id AND taken.delivered_at >= settled.created_at
        ))
)
SELECT count(*) FROM settled;

-- name: figures
SELECT
    count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'delivered') AS delivered,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    (SELECT count(*) FROM webhook_endpoints WHERE disabled_reason <> 'requested') AS disabled
FROM webhook_deliveries;

-- name: prune
WITH pruned AS (
    DELETE FROM webhook_deliveries WHERE number IN (
        SELECT number FROM webhook_deliveries
        WHERE created_at < now() - make_interval(days => :keep_days)
        LIMIT :most
    )
    RETURNING number
)
SELECT count(*) FROM pruned;
