-- Extraction schemas and results.

-- name: newest_schema
SELECT name, version, definition
FROM extraction_schemas
WHERE name = :name
ORDER BY version DESC
LIMIT 1;

-- name: schema_version
SELECT name, version, definition
FROM extraction_schemas
WHERE name = :name AND version = :version;

-- name: newest_schemas
SELECT DISTINCT ON (name) name, version, definition
FROM extraction_schemas
ORDER BY name, version DESC;

-- Nothing when the newest version has this definition already, or a condition does not hold.
-- name: put_schema
WITH newest AS (
    SELECT version, definition
    FROM extraction_schemas
    WHERE name = :name
    ORDER BY version DESC
    LIMIT 1
)
INSERT INTO extraction_schemas (name, version, definition)
SELECT :name, coalesce((SELECT version FROM newest), 0) + 1, :definition::jsonb
WHERE NOT EXISTS (SELECT FROM newest WHERE definition = :definition::jsonb OR :only_new::boolean)
    AND (EXISTS (SELECT FROM newest) OR NOT :only_known::boolean)
RETURNING version, name;

-- name: delete_schema
DELETE FROM extraction_schemas WHERE name = :name RETURNING name;

-- name: add_extraction
INSERT INTO extractions (
    id, created_at, text, schema_name, schema_version, status, fields, evidence, warnings, failure,
    provider, model, attempts, fallbacks, prompt_hash, latency_s, cost_usd, confidence
) VALUES (
    :id, :created_at, :text, :schema_name, :schema_version, :status, :fields::jsonb,
    :evidence::jsonb, :warnings::jsonb, :failure::jsonb, :provider, :model, :attempts::jsonb,
    :fallbacks::jsonb, :prompt_hash, :latency_s, :cost_usd, :confidence::jsonb
)
RETURNING id;

-- name: get_extraction
SELECT id, created_at, text, schema_name, schema_version, status, fields, evidence, warnings,
    failure, provider, model, attempts, fallbacks, prompt_hash, latency_s, cost_usd, confidence
FROM extractions
WHERE id = :id;
