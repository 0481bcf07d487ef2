-- What extraction is busy with, for /metrics: asked at every scrape, so each reads little.

-- name: calls
SELECT a ->> 'provider' AS provider, a ->> 'model' AS model, a ->> 'outcome' AS outcome,
    count(*) AS calls, sum((a ->> 'latency_s')::float8) AS latency_s
FROM extractions, jsonb_array_elements(attempts) AS a
WHERE created_at > now() - :back::interval
GROUP BY 1, 2, 3;

-- name: costs
SELECT provider, model, sum(cost_usd) AS cost_usd
FROM extractions
WHERE created_at > now() - :back::interval AND cost_usd IS NOT NULL
GROUP BY provider, model;

-- name: jobs
SELECT status, count(*) AS jobs,
    coalesce(sum(total - valid - partial - refused - failed) FILTER (WHERE status = 'running'), 0)
        AS open_texts
FROM extraction_jobs
GROUP BY status;

-- name: waiting
SELECT extract(epoch FROM now() - min(created_at))::float8 AS oldest_s
FROM extraction_jobs AS j
WHERE status = 'running'
    AND EXISTS (
        SELECT FROM extraction_job_items AS i WHERE i.job_id = j.id AND i.state = 'pending'
    );
