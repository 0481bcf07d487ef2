-- Made from sql/migrations/0021_model_spending.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- What each key spent on language models, by day: held against its budget, which a key that is made in
-- the place of another goes on with.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE api_keys
    ADD COLUMN budget_key_id INT,
    ADD CONSTRAINT api_keys_budget_key_id_fkey FOREIGN KEY (budget_key_id) REFERENCES api_keys (id);

WITH RECURSIVE lines (id, first_id) AS (
    SELECT id, id FROM api_keys AS k
    WHERE NOT EXISTS (SELECT FROM api_keys AS old WHERE old.replaced_by = k.id)
    UNION ALL
    SELECT old.replaced_by, lines.first_id
    FROM lines JOIN api_keys AS old ON old.id = lines.id
    WHERE old.replaced_by IS NOT NULL
)
UPDATE api_keys AS k SET budget_key_id = lines.first_id
FROM lines WHERE lines.id = k.id AND lines.first_id <> k.id;

CREATE TABLE model_spending (
    key_id         INT NOT NULL,
    day            DATE NOT NULL,
    usd            NUMERIC(24, 9) NOT NULL,
    tokens         BIGINT NOT NULL,
    unpriced_calls BIGINT NOT NULL,
    CONSTRAINT model_spending_pkey PRIMARY KEY (key_id, day)
);

ALTER TABLE model_spending ENABLE ROW LEVEL SECURITY;
DO $$
DECLARE
    outsiders TEXT := (
        SELECT concat_ws(', ', 'PUBLIC', string_agg(quote_ident(rolname), ', '))
        FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
    );
BEGIN
    EXECUTE format('REVOKE ALL ON model_spending FROM %s', outsiders);
END
$$;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0021_model_spending', '9d98060b2de06a586615fab1b7cca4dc12f3735ea0bc0ff8e34613853908feb0');
COMMIT;
