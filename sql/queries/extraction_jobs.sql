-- Extraction jobs, for those who order them.

-- name: add_job
INSERT INTO extraction_jobs (
    schema_name, schema_version, providers, reuse, mode, priority, key_id, max_cost_usd, max_tokens
) VALUES (
    :schema_name, :schema_version, :providers, :reuse, :mode, :priority, :key_id, :max_cost_usd,
    :max_tokens
)
RETURNING id;

-- name: count_documents
UPDATE extraction_jobs SET total = :total WHERE id = :job_id;

-- The rate is taken over the last minute, or over the age of a younger job.
-- name: job_columns
SELECT j.*,
    (SELECT count(*) FROM extraction_job_items AS i
     WHERE i.job_id = j.id AND i.state = 'running') AS running,
    (SELECT count(*) FROM extraction_job_items AS i
     WHERE i.job_id = j.id AND i.finished_at > now() - interval '60 s')
    / greatest(1, least(60, extract(epoch FROM now() - j.created_at))) AS rate_per_s
FROM extraction_jobs AS j

-- name: get_job
@job_columns
WHERE j.id = :job_id;

-- name: page_of_jobs
@job_columns
WHERE j.id < :before
ORDER BY j.id DESC
LIMIT :limit;

-- A job that would stop again at once is left as it is.
-- name: apply
UPDATE extraction_jobs AS j
SET status = :status,
    reason_code = :reason_code,
    reason = :reason,
    max_cost_usd = coalesce(:max_cost_usd, max_cost_usd),
    max_tokens = coalesce(:max_tokens, max_tokens),
    waits_until = CASE WHEN :status = 'running' THEN NULL ELSE waits_until END,
    finished_at = CASE WHEN :status = 'cancelled' THEN now() END
WHERE id = :job_id
    AND status = ANY (:only_from::text[])
    AND (
        :status <> 'running'
        OR (
            input_tokens + output_tokens < coalesce(:max_tokens, max_tokens, 9223372036854775807)
            AND (
                coalesce(:max_cost_usd, max_cost_usd) IS NULL
                OR (unpriced_calls = 0 AND cost_usd < coalesce(:max_cost_usd, max_cost_usd))
            )
        )
    )
    AND (
        :status <> 'running' OR NOT
        @model_spending.key_is_used_up
    )
RETURNING id;

-- name: stop_waiting
UPDATE extraction_jobs SET waits_until = NULL
WHERE status = 'running' AND waits_until > now() AND providers && :providers
RETURNING id;

-- What waits in a cancelled job counts as cancelled: no row has to be touched for that.
-- name: results
WITH job AS (SELECT id, status = 'cancelled' AS cancelled FROM extraction_jobs WHERE id = :job_id)
SELECT e.*, i.position, i.document_id, i.attempts AS charged, i.reused, i.reason_code, i.reason,
    i.finished_at,
    CASE WHEN job.cancelled AND i.state = 'pending' THEN 'cancelled' ELSE i.state END AS state
FROM job
JOIN extraction_job_items AS i ON i.job_id = job.id
LEFT JOIN extractions AS e ON e.id = i.extraction_id
WHERE i.position > :after
    AND (
        :state::text IS NULL
        OR :state = CASE WHEN job.cancelled AND i.state = 'pending' THEN 'cancelled' ELSE i.state END
    )
ORDER BY i.position
LIMIT :limit;

-- name: workers
SELECT count(*) FROM extraction_workers AS w
WHERE leased_until > now()
    AND NOT EXISTS (SELECT FROM provider_batches AS b WHERE b.id = w.id);
