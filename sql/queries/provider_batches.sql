-- Batches at providers, for the workers that look after them.

-- One at a time: two would not see each other's batch of a job that may have one only.
-- name: alone
SELECT pg_try_advisory_xact_lock(7300004);

-- name: enlist
INSERT INTO extraction_workers (id, host, leased_until)
VALUES (:batch_id, 'batch', now() + interval '100 years');

-- Callers take turns: it is that of the one whose last batch was opened first.
-- name: fill
WITH job AS (
    SELECT j.id, j.providers FROM extraction_jobs AS j
    WHERE j.status = 'running' AND j.mode = 'batch'
        AND (j.waits_until IS NULL OR j.waits_until <= now())
        AND NOT
        @model_spending.key_is_used_up
        AND NOT EXISTS (
            SELECT FROM provider_batches AS b
            JOIN extraction_jobs AS other ON other.id = b.job_id
            JOIN api_keys AS k ON k.id = other.key_id
            WHERE b.closed_at IS NULL AND k.id = j.key_id
                AND num_nonnulls(k.budget_usd, k.budget_tokens) > 0
        )
        AND EXISTS (
            SELECT FROM extraction_job_items AS i
            WHERE i.job_id = j.id AND i.state = 'pending'
                AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= now())
        )
        AND (
            (j.max_cost_usd IS NULL AND j.max_tokens IS NULL)
            OR NOT EXISTS (
                SELECT FROM provider_batches AS b
                WHERE b.job_id = j.id AND b.closed_at IS NULL
            )
        )
    ORDER BY
        (
            SELECT max(b.opened_at)
            FROM provider_batches AS b
            JOIN extraction_jobs AS other ON other.id = b.job_id
            WHERE other.key_id IS NOT DISTINCT FROM j.key_id
        ) NULLS FIRST,
        (:costs::jsonb ->> j.priority)::int,
        random()
    LIMIT 1
),
picked AS (
    SELECT i.job_id, i.position FROM extraction_job_items AS i, job
    WHERE i.job_id = job.id AND i.state = 'pending'
        AND (i.next_attempt_at IS NULL OR i.next_attempt_at <= now())
    ORDER BY i.position
    LIMIT :limit
    FOR UPDATE OF i SKIP LOCKED
),
taken AS (
    UPDATE extraction_job_items AS i
    SET state = 'running', claim = i.claim + 1, worker_id = :batch_id, next_attempt_at = NULL
    FROM picked
    WHERE i.job_id = picked.job_id AND i.position = picked.position
    RETURNING 1
)
INSERT INTO provider_batches (id, job_id, provider, due_at)
SELECT :batch_id, job.id, job.providers[1], now() + make_interval(secs => :lease_s)
FROM job
WHERE EXISTS (SELECT FROM taken)
RETURNING id;

-- name: columns
SELECT b.id AS batch_id, b.provider_id, b.prompt_hash, b.turn,
    extract(epoch FROM now() - b.opened_at)::float AS age_s,
    extract(epoch FROM now() - b.unsure_since)::float AS unsure_s, j.*,
    account.budget_usd, account.budget_tokens, account.spent_usd, account.spent_tokens,
    account.spent_unpriced
FROM provider_batches AS b
JOIN extraction_jobs AS j ON j.id = b.job_id
LEFT JOIN (
    SELECT k.id, k.budget_usd, k.budget_tokens, coalesce(s.usd, 0) AS spent_usd,
        coalesce(s.tokens, 0) AS spent_tokens, coalesce(s.unpriced_calls, 0) AS spent_unpriced
    FROM
    @model_spending.keys_today
) AS account ON account.id = j.key_id
WHERE b.id = ANY (:batch_ids::uuid[]);

-- name: take
UPDATE provider_batches
SET turn = turn + 1, due_at = now() + make_interval(secs => :lease_s)
WHERE id IN (
    SELECT id FROM provider_batches
    WHERE closed_at IS NULL AND due_at <= now()
    ORDER BY due_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING id;

-- name: items
SELECT i.job_id, i.position, i.claim, i.text, i.attempts, j.key_id
FROM extraction_job_items AS i
JOIN provider_batches AS b ON b.job_id = i.job_id
JOIN extraction_jobs AS j ON j.id = i.job_id
WHERE b.id = :batch_id AND i.state = 'running' AND i.worker_id = :batch_id
ORDER BY i.position;

-- name: note
UPDATE provider_batches
SET prompt_hash = coalesce(:prompt_hash, prompt_hash),
    provider_id = coalesce(:provider_id, provider_id),
    unsure_since = CASE WHEN :unsure::boolean THEN now() END
WHERE id = :batch_id AND turn = :turn AND closed_at IS NULL
RETURNING id;

-- name: put_off
UPDATE provider_batches SET due_at = now() + make_interval(secs => :seconds)
WHERE id = :batch_id AND turn = :turn AND closed_at IS NULL
RETURNING id;

-- name: give_back
UPDATE extraction_job_items SET state = 'pending', worker_id = NULL
WHERE state = 'running' AND worker_id = :batch_id
    AND job_id = (SELECT job_id FROM provider_batches WHERE id = :batch_id);

-- name: forget
DELETE FROM extraction_workers WHERE id = :batch_id;

-- name: close
UPDATE provider_batches SET closed_at = now() WHERE id = :batch_id AND closed_at IS NULL;
