-- Extraction jobs, for the workers that share them.

-- name: enlist
INSERT INTO extraction_workers (id, host, leased_until)
VALUES (:worker_id, :host, now() + make_interval(secs => :lease_s))
ON CONFLICT (id) DO UPDATE SET leased_until = excluded.leased_until;

-- A lease that is over can be renewed as long as nobody took over what the worker has.
-- name: renew
UPDATE extraction_workers SET leased_until = now() + make_interval(secs => :lease_s)
WHERE id = :worker_id
RETURNING id;

-- name: jobs_of_worker
SELECT j.id, j.status
FROM extraction_jobs AS j
WHERE j.id IN (
    SELECT i.job_id FROM extraction_job_items AS i
    WHERE i.state = 'running' AND i.worker_id = :worker_id
);

-- The worker's row is locked against those who would end its lease meanwhile. Callers take turns:
-- each due document begins where its caller's one before ends, `costs` of its priority later, and
-- those that begin first are taken. Jobs of one caller and priority share alike, in a random order,
-- which gives each its turn, however few documents are asked for. How many of each job is reckoned
-- without locks, and then taken from what no other worker has locked.
-- name: claim
WITH me AS (
    SELECT id FROM extraction_workers
    WHERE id = :worker_id AND leased_until > now()
    FOR KEY SHARE
),
jobs AS (
    SELECT j.id, coalesce(j.key_id, 0) AS caller, (:costs::jsonb ->> j.priority)::int AS cost,
        (:limit::int + count(*) OVER alike - 1) / count(*) OVER alike AS share
    FROM extraction_jobs AS j
    WHERE j.status = 'running' AND j.mode = 'direct'
        AND (j.waits_until IS NULL OR j.waits_until <= now())
        AND NOT
        @model_spending.key_is_used_up
        AND EXISTS (
            SELECT FROM extraction_job_items AS i
            WHERE i.job_id = j.id AND i.state = 'pending'
                AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= now())
        )
    WINDOW alike AS (PARTITION BY j.key_id, j.priority)
),
documents AS (
    SELECT jobs.id, coalesce((:leads::jsonb ->> jobs.caller::text)::bigint, 0)
        + sum(jobs.cost) OVER (
            PARTITION BY jobs.caller ORDER BY jobs.cost, due.place, random()
            ROWS UNBOUNDED PRECEDING
        ) - jobs.cost AS begins
    FROM jobs
    CROSS JOIN LATERAL (
        SELECT row_number() OVER () AS place
        FROM (
            SELECT FROM extraction_job_items AS i
            WHERE i.job_id = jobs.id AND i.state = 'pending'
                AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= now())
            LIMIT jobs.share
        ) AS i
    ) AS due
),
shares AS (
    SELECT first.id, count(*) AS share
    FROM (SELECT id FROM documents ORDER BY begins, random() LIMIT :limit) AS first
    GROUP BY first.id
),
picked AS (
    SELECT due.job_id, due.position
    FROM shares
    CROSS JOIN LATERAL (
        SELECT i.job_id, i.position FROM extraction_job_items AS i
        WHERE i.job_id = shares.id AND i.state = 'pending'
            AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= now())
        ORDER BY i.position
        LIMIT shares.share
        FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE EXISTS (SELECT FROM me)
),
taken AS (
    UPDATE extraction_job_items AS i
    SET state = 'running', claim = i.claim + 1, worker_id = :worker_id, next_attempt_at = NULL
    FROM picked
    WHERE i.job_id = picked.job_id AND i.position = picked.position
    RETURNING i.job_id, i.position, i.claim, i.text, i.attempts
)
SELECT me.id, taken.*, j.schema_name, j.schema_version, j.providers, j.reuse, j.mode,
    j.priority, j.key_id
FROM me
LEFT JOIN taken ON TRUE
LEFT JOIN extraction_jobs AS j ON j.id = taken.job_id
ORDER BY taken.job_id, taken.position;

-- All of it or nothing, in one statement: results, documents, reservations, the job's counters and
-- what they mean for the job. Of settlements that come twice, or too late, nothing is left over.
-- name: settle
WITH given AS (
    SELECT * FROM jsonb_to_recordset(:settlements::jsonb) AS g (
        position INT, claim INT, state TEXT, charged BOOLEAN, delay_s FLOAT, reason_code TEXT,
        reason TEXT, known UUID, extraction JSONB, calls BIGINT, input_tokens BIGINT,
        cached_tokens BIGINT, output_tokens BIGINT, cost_usd NUMERIC, unpriced_calls BIGINT,
        key TEXT
    )
),
settled AS (
    UPDATE extraction_job_items AS i
    SET state = g.state,
        worker_id = NULL,
        attempts = i.attempts + g.charged::int,
        next_attempt_at = CASE
            WHEN g.delay_s > 0 THEN now() + make_interval(secs => g.delay_s)
        END,
        reason_code = g.reason_code,
        reason = g.reason,
        extraction_id = coalesce(g.known, (g.extraction ->> 'id')::uuid),
        reused = g.known IS NOT NULL,
        text = CASE WHEN g.known IS NULL AND g.extraction IS NULL THEN i.text END,
        finished_at = CASE WHEN g.state <> 'pending' THEN now() END
    FROM given AS g
    WHERE i.job_id = :job_id
        AND i.position = g.position
        AND i.claim = g.claim
        AND i.state = 'running'
        AND i.worker_id = :worker_id
    RETURNING g.*
),
stored AS (
    INSERT INTO extractions (
        id, created_at, text, schema_name, schema_version, status, fields, evidence, warnings,
        failure, provider, model, attempts, fallbacks, prompt_hash, latency_s, cost_usd, confidence
    )
    SELECT e.id, e.created_at, e.text, e.schema_name, e.schema_version, e.status, e.fields,
        e.evidence, e.warnings, e.failure, e.provider, e.model, e.attempts, e.fallbacks,
        e.prompt_hash, e.latency_s, e.cost_usd, e.confidence
    FROM settled, jsonb_populate_record(NULL::extractions, settled.extraction) AS e
    WHERE settled.extraction IS NOT NULL
),
freed AS (
    DELETE FROM extraction_reservations
    WHERE worker_id = :worker_id AND key IN (SELECT decode(g.key, 'hex') FROM given AS g)
),
sums AS (
    SELECT count(*) FILTER (WHERE state = 'valid') AS valid,
        count(*) FILTER (WHERE state = 'partial') AS partial,
        count(*) FILTER (WHERE state = 'refused') AS refused,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(known) AS reused,
        coalesce(sum(calls), 0) AS calls,
        coalesce(sum(input_tokens), 0) AS input_tokens,
        coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens,
        coalesce(sum(cost_usd), 0) AS cost_usd,
        coalesce(sum(unpriced_calls), 0) AS unpriced_calls
    FROM settled
),
spent AS (
    INSERT INTO model_spending AS s (key_id, day, usd, tokens, unpriced_calls)
    SELECT coalesce(k.budget_key_id, k.id), (now() AT TIME ZONE 'UTC')::date, sums.cost_usd,
        sums.input_tokens + sums.output_tokens, sums.unpriced_calls
    FROM sums, extraction_jobs AS j
    JOIN api_keys AS k ON k.id = j.key_id
    WHERE j.id = :job_id AND sums.calls > 0
    ON CONFLICT (key_id, day) DO UPDATE
    SET usd = s.usd + excluded.usd,
        tokens = s.tokens + excluded.tokens,
        unpriced_calls = s.unpriced_calls + excluded.unpriced_calls
)
UPDATE extraction_jobs AS j
SET valid = j.valid + sums.valid,
    partial = j.partial + sums.partial,
    refused = j.refused + sums.refused,
    failed = j.failed + sums.failed,
    reused = j.reused + sums.reused,
    calls = j.calls + sums.calls,
    input_tokens = j.input_tokens + sums.input_tokens,
    cached_tokens = j.cached_tokens + sums.cached_tokens,
    output_tokens = j.output_tokens + sums.output_tokens,
    cost_usd = j.cost_usd + sums.cost_usd,
    unpriced_calls = j.unpriced_calls + sums.unpriced_calls
FROM sums
WHERE j.id = :job_id
RETURNING j.*;

-- name: stop_job
UPDATE extraction_jobs
SET status = :status, reason_code = :reason_code, reason = :reason,
    finished_at = CASE WHEN :status = 'completed' THEN now() END
WHERE id = :job_id;

-- All jobs of keys that have used up their budget. What somebody else settles something of now is left
-- to him, so that no two wait for each other.
-- name: pause_used_up
UPDATE extraction_jobs
SET status = 'paused', reason_code = 'model_budget', reason = :reason
WHERE id IN (
    SELECT j.id FROM extraction_jobs AS j
    WHERE j.status = 'running' AND j.key_id IS NOT NULL AND
        @model_spending.key_is_used_up
    FOR UPDATE OF j SKIP LOCKED
)
RETURNING id;

-- Jobs that were paused for it, and whose key has something left again. Not those of a key that was
-- taken back: that somebody has to want.
-- name: resume_budgeted
UPDATE extraction_jobs
SET status = 'running', reason_code = NULL, reason = NULL
WHERE id IN (
    SELECT j.id FROM extraction_jobs AS j
    WHERE j.status = 'paused' AND j.reason_code = 'model_budget'
        AND EXISTS (SELECT FROM api_keys AS k WHERE k.id = j.key_id AND k.revoked_at IS NULL)
        AND NOT
        @model_spending.key_is_used_up
    FOR UPDATE OF j SKIP LOCKED
)
RETURNING id;

-- name: wait
UPDATE extraction_jobs
SET waits_until = greatest(waits_until, now() + make_interval(secs => :wait_s))
WHERE id = :job_id;

-- One at a time, so that nobody frees what another has just handed on.
-- name: alone
SELECT pg_try_advisory_xact_lock(7300003);

-- name: forget_lapsed
DELETE FROM extraction_workers WHERE leased_until <= now();

-- A worker whose row is gone is dead, whoever deleted it and whenever its last claim came through.
-- name: free_orphans
WITH freed AS (
    UPDATE extraction_job_items AS i
    SET state = 'pending', worker_id = NULL
    WHERE i.state = 'running'
        AND NOT EXISTS (SELECT FROM extraction_workers AS w WHERE w.id = i.worker_id)
    RETURNING 1
)
SELECT count(*) FROM freed;

-- name: give_back
UPDATE extraction_job_items SET state = 'pending', worker_id = NULL
WHERE state = 'running' AND worker_id = :worker_id;

-- name: forget
DELETE FROM extraction_workers WHERE id = :worker_id;
