-- Comparisons of providers.

-- name: add_comparison
WITH added AS (
    INSERT INTO comparisons (
        dataset, schema_name, schema_version, repeats, seed, contestants, texts
    ) VALUES (
        :dataset, :schema_name, :schema_version, :repeats, :seed, :contestants, :texts
    )
    RETURNING id
), linked AS (
    INSERT INTO comparison_jobs (comparison_id, contestant, repeat, job_id)
    SELECT added.id, job.contestant, job.repeat, job.job_id
    FROM added
    CROSS JOIN unnest(:job_contestants::text[], :job_repeats::int[], :job_ids::int[])
        AS job (contestant, repeat, job_id)
)
SELECT id FROM added;

-- The texts are many and large: who only wants to know how it stands leaves them where they are.
-- name: comparison_columns
SELECT c.id, c.dataset, c.schema_name, c.schema_version, c.repeats, c.seed, c.contestants,
    c.created_at, jsonb_array_length(c.texts) AS texts,
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'contestant', j.contestant, 'repeat', j.repeat, 'job_id', j.job_id
    ) ORDER BY j.job_id), '[]')
     FROM comparison_jobs AS j WHERE j.comparison_id = c.id) AS jobs
FROM comparisons AS c

-- name: get_comparison
@comparison_columns
WHERE c.id = :comparison_id;

-- name: page_of_comparisons
@comparison_columns
WHERE c.id < :before
ORDER BY c.id DESC
LIMIT :limit;

-- name: texts
SELECT texts FROM comparisons WHERE id = :comparison_id;

-- name: remove
DELETE FROM comparisons WHERE id = :comparison_id RETURNING id;
