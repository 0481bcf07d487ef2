-- Known answers, and the questions that are being asked.

-- The texts themselves are compared; the hash only finds them.
-- name: lookup
SELECT asked.text, known.id, known.status
FROM unnest(:texts::text[]) AS asked (text)
CROSS JOIN LATERAL (
    SELECT e.id, e.status
    FROM unnest(:providers::text[], :prompt_hashes::text[]) WITH ORDINALITY
        AS p (provider, prompt_hash, preference)
    JOIN extractions AS e
        ON hashtextextended(e.text, 0) = hashtextextended(asked.text, 0)
        AND e.prompt_hash = p.prompt_hash
    WHERE e.text = asked.text
        AND e.provider = p.provider
        AND e.schema_name = :schema_name
        AND e.schema_version = :schema_version
        AND e.status IN ('valid', 'partial')
    ORDER BY p.preference, e.created_at DESC
    LIMIT 1
) AS known;

-- What the worker holds already is granted again: it may not have heard the first answer.
-- name: reserve
WITH me AS (
    SELECT id FROM extraction_workers WHERE id = :worker_id FOR KEY SHARE
),
granted AS (
    INSERT INTO extraction_reservations AS r (key, worker_id)
    SELECT asked.key, me.id FROM me, unnest(:keys::bytea[]) AS asked (key)
    ON CONFLICT (key) DO UPDATE SET worker_id = excluded.worker_id
    WHERE r.worker_id = excluded.worker_id
    RETURNING r.key
)
SELECT granted.key FROM me LEFT JOIN granted ON TRUE;

-- name: release
DELETE FROM extraction_reservations WHERE worker_id = :worker_id AND key = ANY (:keys::bytea[]);
