-- What each key spent on language models, by day: held against its budget.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

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
