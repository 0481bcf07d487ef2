-- The whole schema, as the migrations leave it: to be read, and held to them by a test. A database
-- is made and kept by `storekeeper db migrate`, which also inserts the built-in extraction schemas.
--
-- All TIMESTAMP values are UTC: sessions of this application run in that time zone.


-- Letters -------------------------------------------------------------------------------------------

-- Lower case that is the same in a database of any locale: in a Turkish one, lower('INFO') is another
-- word than 'info'.
-- Under a name of our own, because no collation with Unicode's letters has one name in PostgreSQL 15 to 18.
DO $$
DECLARE
    provided TEXT;
    right_so BOOLEAN;
BEGIN
    FOREACH provided IN ARRAY ARRAY[
        'provider = builtin, locale = ''C.UTF-8''', -- from PostgreSQL 17 on
        'provider = libc, locale = ''C.UTF-8''',
        'provider = icu, locale = ''und'''
    ] LOOP
        BEGIN
            EXECUTE format('CREATE COLLATION unicode_case (%s)', provided);
            EXECUTE 'SELECT lower(''IÄΣ'' COLLATE unicode_case) = ''iäσ''' INTO right_so;
            IF right_so THEN
                RETURN;
            END IF;
            RAISE undefined_object;
        EXCEPTION
            WHEN invalid_object_definition OR undefined_object OR feature_not_supported
                OR invalid_parameter_value THEN NULL; -- this server has no such one
        END;
    END LOOP;
    RAISE EXCEPTION 'this server has no collation that knows the letters of Unicode'
        USING HINT = 'Give it the locale C.UTF-8, or a PostgreSQL with ICU, and a database in UTF8.';
END
$$;

-- A label of a domain name as people read it: xn--bcher-kva is bücher (Punycode, RFC 3492). What is none,
-- or none of a name that needs it, is left as it is.
CREATE FUNCTION idn_label(label TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    basic  TEXT := coalesce(substring(label COLLATE "C" FROM '^xn--(.*)-[^-]*$'), '');
    digits TEXT := substring(label COLLATE "C" FROM '^xn--(?:.*-)?([a-z0-9]+)$');
    word   TEXT := basic;
    point  BIGINT := 128;
    i      BIGINT := 0;
    bias   BIGINT := 72;
    before BIGINT;
    weight BIGINT;
    k      BIGINT;
    digit  BIGINT;
    floor_ BIGINT;
BEGIN
    IF digits IS NULL OR basic COLLATE "C" ~ '[^ -~]' THEN
        RETURN label;
    END IF;
    WHILE digits <> '' LOOP
        before := i;
        weight := 1;
        k := 36;
        LOOP
            IF digits = '' OR weight > 1000000000 THEN
                RETURN label;
            END IF;
            digit := ascii(digits);
            digit := digit - CASE WHEN digit >= 97 THEN 97 ELSE 22 END; -- a to z, then 0 to 9
            digits := substr(digits, 2);
            i := i + digit * weight;
            floor_ := least(greatest(k - bias, 1), 26);
            EXIT WHEN digit < floor_;
            weight := weight * (36 - floor_);
            k := k + 36;
        END LOOP;
        k := (i - before) / CASE WHEN before = 0 THEN 700 ELSE 2 END;
        k := k + k / (length(word) + 1);
        bias := 0;
        WHILE k > 455 LOOP
            k := k / 35;
            bias := bias + 36;
        END LOOP;
        bias := bias + 36 * k / (k + 38);
        point := point + i / (length(word) + 1);
        i := i % (length(word) + 1);
        IF point > 1114111 OR point BETWEEN 55296 AND 57343 THEN
            RETURN label;
        END IF;
        word := left(word, i::int) || chr(point::int) || substr(word, i::int + 1);
        i := i + 1;
    END LOOP;
    RETURN word;
END
$$;

-- The mailbox that an address names, by which addresses are compared: in lower case, with composed
-- letters, and the domain in the letters of its own script. It is the same for 'Kunde@BÜCHER.example',
-- 'kunde@xn--bcher-kva.example' and the like.
CREATE FUNCTION mailbox(address TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN address COLLATE "C" !~ '[^ -~]|[Xx][Nn]--' THEN lower(address COLLATE "C")
    ELSE (
        SELECT
            normalize(lower(normalize(part.local, NFC) COLLATE unicode_case), NFC) || coalesce((
                SELECT string_agg(
                    normalize(lower(idn_label(label) COLLATE unicode_case), NFC), '.' ORDER BY place
                )
                FROM string_to_table(
                    replace(
                        normalize(lower(normalize(part.domain, NFKC) COLLATE unicode_case), NFKC),
                        U&'\3002', '.'
                    ),
                    '.'
                ) WITH ORDINALITY AS labels (label, place)
            ), '')
        FROM (
            SELECT
                regexp_replace(address COLLATE "C", '[^@]*$', '') AS local,
                substring(address COLLATE "C" FROM '[^@]*$') AS domain
        ) AS part
    )
END;


-- Users and orders ----------------------------------------------------------------------------------

CREATE TABLE users (
    id         SERIAL,
    name       VARCHAR(255) NOT NULL,
    email      VARCHAR(255) NOT NULL,                -- as typed
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    version    INT NOT NULL DEFAULT 1,               -- one more with every change; makes the ETag
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email)
);
-- One user for each mailbox, whatever the spelling of its address; finds them so too.
CREATE UNIQUE INDEX users_mailbox_key ON users (mailbox(email));

CREATE TABLE orders (
    id           SERIAL,
    user_id      INT,
    product_name VARCHAR(255) NOT NULL,
    quantity     INT CONSTRAINT orders_quantity_check CHECK (quantity > 0),
    order_date   TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    version      INT NOT NULL DEFAULT 1,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX orders_user_id_idx ON orders (user_id, id DESC); -- the orders of a user, newest first
CREATE INDEX orders_order_date_idx ON orders (order_date);

-- In the database rather than in our statements, so that a change by any other program makes an
-- older ETag stale too. A change to the same values is none.
CREATE FUNCTION next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_version BEFORE UPDATE ON users
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION next_version();
CREATE TRIGGER orders_version BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION next_version();

-- The first answer to a request with an Idempotency-Key, for a day. A row without an answer marks a
-- request that is still running, until `locked_until`.
CREATE TABLE idempotency_keys (
    key          TEXT NOT NULL,
    fingerprint  BYTEA NOT NULL,                     -- of the request
    locked_until TIMESTAMPTZ,
    status       INT,
    headers      JSONB,
    body         BYTEA,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key),
    CONSTRAINT idempotency_keys_answer_check CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);


-- Searches and insights -----------------------------------------------------------------------------

-- What happened to one query on one day; several rows for a query add up.
CREATE TABLE search_clicks (
    search_id          SERIAL,
    search_query       VARCHAR(255),                 -- as typed
    clicks             INT DEFAULT 0,
    impressions        INT DEFAULT 0,
    click_through_rate FLOAT,
    search_date        DATE DEFAULT CURRENT_DATE,    -- UTC day
    -- Under which spellings of one query meet: NFKC, lower case, single spaces, trimmed.
    query_norm         TEXT GENERATED ALWAYS AS (
        btrim(regexp_replace(
            normalize(lower(normalize(search_query, NFKC) COLLATE unicode_case), NFKC),
            '[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+', ' ', 'g'
        ), ' ')
    ) STORED,
    CONSTRAINT search_clicks_pkey PRIMARY KEY (search_id)
);
CREATE INDEX search_clicks_search_date_idx ON search_clicks (search_date);

-- How far the imports of files are: each chunk of rows goes in with the place that it ends at.
CREATE TABLE click_imports (
    id            INT GENERATED ALWAYS AS IDENTITY,
    fingerprint   BYTEA NOT NULL,                    -- SHA-256 of the file
    name          TEXT NOT NULL,
    options       TEXT NOT NULL,                     -- how it is read; goes on in the same way only
    file_offset   BIGINT NOT NULL DEFAULT 0,         -- bytes; rows of a Parquet file
    line          BIGINT NOT NULL DEFAULT 0,
    accepted      BIGINT NOT NULL DEFAULT 0,
    rejected      BIGINT NOT NULL DEFAULT 0,
    rejects_bytes BIGINT NOT NULL DEFAULT 0,         -- length of the file of rejected rows
    started_at    TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    moved_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at   TIMESTAMPTZ,
    CONSTRAINT click_imports_pkey PRIMARY KEY (id)
);
-- One import of a content at a time.
CREATE UNIQUE INDEX click_imports_open_key ON click_imports (fingerprint)
    WHERE finished_at IS NULL;
CREATE INDEX click_imports_fingerprint_idx ON click_imports (fingerprint, id DESC);

-- One row a day. What follows the owner's five columns is NULL in rows of other programs.
CREATE TABLE search_insights (
    id                      SERIAL,
    insight_date            DATE,
    average_ctr             FLOAT,                   -- mean of the rates of the day's rows
    top_queries             JSONB,
    low_performance_queries JSONB,
    overall_ctr             FLOAT,                   -- all clicks by all impressions of the day
    clicks                  BIGINT,
    impressions             BIGINT,
    source_rows             BIGINT,                  -- rows that were counted
    definition_version      INT,
    computed_at             TIMESTAMPTZ,
    distinct_queries        BIGINT,
    blank_rows              BIGINT,                  -- left out: no query
    impossible_rows         BIGINT,                  -- left out: clicks and impressions cannot be
    contradicting_rows      BIGINT,                  -- counted, though click_through_rate is another
    CONSTRAINT search_insights_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX search_insights_insight_date_key ON search_insights (insight_date);

-- The functions below that run with their owner's rights keep this path. Temporary tables, which anyone
-- may make, come last in it.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', TRUE);

-- One row a day and query: the rows that count, added up when the day's insight is computed.
CREATE TABLE search_query_days (
    search_date DATE NOT NULL,
    query_norm  TEXT COLLATE "C" NOT NULL,
    searches    BIGINT NOT NULL,                     -- rows
    clicks      BIGINT NOT NULL,
    impressions BIGINT NOT NULL,
    ctr_sum     NUMERIC NOT NULL,                    -- of the rows with impressions
    CONSTRAINT search_query_days_pkey PRIMARY KEY (search_date, query_norm)
);

-- One row a day that has rows: what the rows of search_query_days add up to, and what was left out.
CREATE TABLE search_days (
    search_date        DATE NOT NULL,
    source_rows        BIGINT NOT NULL,              -- rows that were counted
    rated_rows         BIGINT NOT NULL,              -- of them, those with impressions
    distinct_queries   BIGINT NOT NULL,
    clicks             BIGINT NOT NULL,
    impressions        BIGINT NOT NULL,
    ctr_sum            NUMERIC NOT NULL,             -- of the rated rows
    blank_rows         BIGINT NOT NULL,              -- left out: no query
    impossible_rows    BIGINT NOT NULL,              -- left out: clicks and impressions cannot be
    contradicting_rows BIGINT NOT NULL,              -- counted, though click_through_rate is another
    CONSTRAINT search_days_pkey PRIMARY KEY (search_date)
);

-- The days whose rows have changed since they were added up. A day without a mark is added up right, in
-- every snapshot: docs/explanation/insights.md tells why. No key, because writers would wait for one
-- another's marks with it: a day may have several.
CREATE TABLE search_changed_days (
    search_date DATE NOT NULL
);
CREATE INDEX search_changed_days_search_date_idx ON search_changed_days (search_date);

-- The advisory lock (7001, n) of a day: shared by those who change its rows, alone for the one who adds
-- them up, until the transaction ends. Days share 256 locks, so that no transaction holds more.
CREATE FUNCTION search_day_lock(day DATE) RETURNS INT LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (day - DATE '2000-01-01') % 256;

-- What the rows of a day added up to when they were deleted to make room, so that every figure of the
-- day stays, and rows that come late are counted beside them. A row a day, its queries in arrays: they are
-- read when the day is added up anew, and take a tenth of the space that a row for each would.
CREATE TABLE search_pruned_days (
    search_date   DATE NOT NULL,
    query_norm    TEXT[] COLLATE "C" NOT NULL,
    searches      BIGINT[] NOT NULL,
    rated         BIGINT[] NOT NULL,
    clicks        BIGINT[] NOT NULL,
    impressions   BIGINT[] NOT NULL,
    ctr_sum       NUMERIC[] NOT NULL,
    blank         BIGINT[] NOT NULL,
    impossible    BIGINT[] NOT NULL,
    contradicting BIGINT[] NOT NULL,
    CONSTRAINT search_pruned_days_pkey PRIMARY KEY (search_date)
);

-- What a row counts for, said once: the rows of one day added up by query; blank ones have the key ''.
--   * Rows without a query are blank. Of the others, those with 0 <= clicks <= impressions are counted,
--     and the rest is impossible (a NULL is neither above nor below).
--   * A row's rate is clicks / impressions, and none without impressions. Rates are added up in parts
--     of 10^12, as integers, so that the order of the rows cannot change the sum.
--   * click_through_rate enters no figure. Where it is more than 0.005 off, or there is no rate, it
--     contradicts the counts.
--   * Rows that were pruned count as they did.
CREATE FUNCTION searches_of_day(day DATE) RETURNS TABLE (
    query_norm    TEXT,
    searches      BIGINT,
    rated         BIGINT,
    clicks        BIGINT,
    impressions   BIGINT,
    ctr_sum       NUMERIC,
    blank         BIGINT,
    impossible    BIGINT,
    contradicting BIGINT
) LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC
    SELECT
        query,
        coalesce(present.searches, 0) + coalesce(pruned.searches, 0),
        coalesce(present.rated, 0) + coalesce(pruned.rated, 0),
        coalesce(present.clicks, 0) + coalesce(pruned.clicks, 0),
        coalesce(present.impressions, 0) + coalesce(pruned.impressions, 0),
        coalesce(present.ctr_sum, 0) + coalesce(pruned.ctr_sum, 0),
        coalesce(present.blank, 0) + coalesce(pruned.blank, 0),
        coalesce(present.impossible, 0) + coalesce(pruned.impossible, 0),
        coalesce(present.contradicting, 0) + coalesce(pruned.contradicting, 0)
    FROM
        (
            SELECT
                query,
                count(*) FILTER (WHERE counted)                                          AS searches,
                count(*) FILTER (WHERE counted AND n > 0)                                AS rated,
                coalesce(sum(c) FILTER (WHERE counted), 0)                               AS clicks,
                coalesce(sum(n) FILTER (WHERE counted), 0)                               AS impressions,
                coalesce(
                    sum(round(c / n::float8 * 1e12)::bigint) FILTER (WHERE counted AND n > 0), 0
                ) * 1e-12                                                                AS ctr_sum,
                count(*) FILTER (WHERE query = '')                                       AS blank,
                count(*) FILTER (WHERE NOT counted AND query <> '')                      AS impossible,
                count(*) FILTER (
                    WHERE counted AND CASE
                        WHEN n > 0 THEN abs(stated - c / n::float8) > 0.005
                        ELSE stated IS NOT NULL
                    END
                )                                                                        AS contradicting
            FROM (
                SELECT
                    coalesce(search_clicks.query_norm, '') COLLATE "C"                   AS query,
                    search_clicks.clicks                                                 AS c,
                    search_clicks.impressions                                            AS n,
                    search_clicks.click_through_rate                                     AS stated,
                    coalesce(
                        search_clicks.query_norm <> ''
                        AND search_clicks.clicks BETWEEN 0 AND search_clicks.impressions,
                        FALSE
                    )                                                                    AS counted
                FROM search_clicks
                WHERE search_clicks.search_date = searches_of_day.day
                OFFSET 0 -- so that `counted` is found once a row, not once for each sum: a quarter less
            ) AS of_day
            GROUP BY query
        ) AS present
        FULL JOIN (
            SELECT of_day.*
            FROM
                search_pruned_days AS pruned,
                unnest(
                    pruned.query_norm, pruned.searches, pruned.rated, pruned.clicks, pruned.impressions,
                    pruned.ctr_sum, pruned.blank, pruned.impossible, pruned.contradicting
                ) AS of_day (
                    query, searches, rated, clicks, impressions, ctr_sum, blank, impossible, contradicting
                )
            WHERE pruned.search_date = searches_of_day.day
        ) AS pruned USING (query);
END;

-- What the analyses read, right at any time: what was added up, and the rows themselves of the days that
-- have changed since.
CREATE VIEW search_query_figures WITH (security_invoker = true) AS
SELECT search_date, query_norm, searches, clicks, impressions, ctr_sum
FROM search_query_days
WHERE NOT EXISTS (
    SELECT FROM search_changed_days AS changed WHERE changed.search_date = search_query_days.search_date
)
UNION ALL
SELECT search_date, query_norm COLLATE "C", searches, clicks, impressions, ctr_sum
FROM
    (SELECT DISTINCT search_date FROM search_changed_days) AS changed
    CROSS JOIN LATERAL searches_of_day(search_date)
WHERE searches > 0;

CREATE VIEW search_day_figures WITH (security_invoker = true) AS
SELECT
    search_date, source_rows, rated_rows, distinct_queries, clicks, impressions, ctr_sum,
    blank_rows, impossible_rows, contradicting_rows
FROM search_days
WHERE NOT EXISTS (
    SELECT FROM search_changed_days AS changed WHERE changed.search_date = search_days.search_date
)
UNION ALL
SELECT changed.search_date, of_day.*
FROM
    (SELECT DISTINCT search_date FROM search_changed_days) AS changed
    CROSS JOIN LATERAL (
        SELECT
            sum(searches)::bigint                AS source_rows,
            sum(rated)::bigint                   AS rated_rows,
            count(*) FILTER (WHERE searches > 0) AS distinct_queries,
            sum(clicks)::bigint                  AS clicks,
            sum(impressions)::bigint             AS impressions,
            sum(ctr_sum)                         AS ctr_sum,
            sum(blank)::bigint                   AS blank_rows,
            sum(impossible)::bigint              AS impossible_rows,
            sum(contradicting)::bigint           AS contradicting_rows
        FROM searches_of_day(changed.search_date)
        HAVING count(*) > 0
    ) AS of_day;

-- Whoever changes rows marks their days, in the same transaction, holding the days' locks until its end.
-- With its owner's rights, because other programs may write searches and nothing else. Days beyond those
-- that can be analysed need no mark, nor do rows without a day.
CREATE FUNCTION mark_search_days() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    days DATE[];
    day  DATE;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        days := ARRAY(
            SELECT search_date FROM changed WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            UNION
            SELECT search_date FROM changed_to WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            ORDER BY search_date
        );
    ELSE
        days := ARRAY(
            SELECT DISTINCT search_date FROM changed
            WHERE search_date BETWEEN '0001-01-02' AND '9999-12-30'
            ORDER BY search_date
        );
    END IF;
    FOREACH day IN ARRAY days LOOP
        PERFORM pg_advisory_xact_lock_shared(7001, search_day_lock(day));
        -- Looked for after the lock is held: until then a mark that is seen may be on its way out. A
        -- transaction that keeps its snapshot would see it still, and so marks in any case.
        IF current_setting('transaction_isolation') <> 'read committed'
            OR NOT EXISTS (SELECT FROM search_changed_days WHERE search_date = day)
        THEN
            INSERT INTO search_changed_days (search_date) VALUES (day);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER search_clicks_inserted AFTER INSERT ON search_clicks
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();
CREATE TRIGGER search_clicks_updated AFTER UPDATE ON search_clicks
    REFERENCING OLD TABLE AS changed NEW TABLE AS changed_to
    FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();
CREATE TRIGGER search_clicks_deleted AFTER DELETE ON search_clicks
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_search_days();

-- TRUNCATE locks the table against all others, so no day's lock is needed.
CREATE FUNCTION mark_all_search_days() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'search_clicks can be truncated in a READ COMMITTED transaction only'
            USING HINT = 'Another might not see a day that was added up meanwhile, and leave it so.';
    END IF;
    INSERT INTO search_changed_days (search_date) SELECT search_date FROM search_days;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_clicks_truncated AFTER TRUNCATE ON search_clicks
    FOR EACH STATEMENT EXECUTE FUNCTION mark_all_search_days();


-- Access --------------------------------------------------------------------------------------------

-- API keys, without their secrets.
CREATE TABLE api_keys (
    id                  INT GENERATED ALWAYS AS IDENTITY,
    token_hash          BYTEA NOT NULL                   -- SHA-256 of the key
        CONSTRAINT api_keys_token_hash_check CHECK (octet_length(token_hash) = 32),
    hint                TEXT NOT NULL,                   -- its last 4 characters
    name                TEXT NOT NULL CONSTRAINT api_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    environment         TEXT NOT NULL
        CONSTRAINT api_keys_environment_check CHECK (environment IN ('live', 'test')),
    scopes              TEXT[] NOT NULL CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) > 0),
    networks            CIDR[] NOT NULL DEFAULT '{}',    -- from which it is accepted; none for any
    requests_per_minute INT CONSTRAINT api_keys_requests_per_minute_check CHECK (requests_per_minute > 0),
    budget_usd          NUMERIC(24, 9),                  -- of language models in a UTC day; NULL for no limit
    budget_tokens       BIGINT,
    created_by          TEXT NOT NULL,                   -- as audit_log.subject
    created_at          TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires_at          TIMESTAMPTZ,
    last_used_at        TIMESTAMPTZ,                     -- to the minute
    revoked_at          TIMESTAMPTZ,
    replaced_by         INT,
    budget_key_id       INT,                             -- the first key of those this one goes on for
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_token_hash_key UNIQUE (token_hash),
    CONSTRAINT api_keys_budget_check CHECK (budget_usd >= 0 AND budget_tokens >= 0),
    CONSTRAINT api_keys_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES api_keys (id),
    CONSTRAINT api_keys_budget_key_id_fkey FOREIGN KEY (budget_key_id) REFERENCES api_keys (id)
);

-- Who did what, written in the transaction that did it. Rows are neither changed nor, but for old ones,
-- deleted. No reference to api_keys, whose row every write of a key would then lock.
CREATE TABLE audit_log (
    id         BIGINT GENERATED ALWAYS AS IDENTITY,
    at         TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    actor      TEXT NOT NULL                             -- kind of the subject
        CONSTRAINT audit_log_actor_check CHECK (actor IN ('key', 'token', 'local', 'command')),
    subject    TEXT NOT NULL,                            -- such as key:12
    key_id     INT,
    action     TEXT NOT NULL,                            -- such as user.create
    resource   TEXT NOT NULL,                            -- such as /users/12
    request_id TEXT,
    address    INET,
    outcome    TEXT NOT NULL DEFAULT 'done'
        CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('begun', 'done', 'partly_done', 'failed')),
    changed    TEXT[] NOT NULL DEFAULT '{}',             -- names of members, never their values
    CONSTRAINT audit_log_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_log_at_idx ON audit_log USING brin (at);
CREATE INDEX audit_log_key_id_idx ON audit_log (key_id, id DESC) WHERE key_id IS NOT NULL;
CREATE INDEX audit_log_action_idx ON audit_log (action, id DESC);

-- What each key spent on language models, by day of UTC; a key that replaces another spends on the account
-- of the first one. No reference to api_keys: every write of a result would lock the key's row.
CREATE TABLE model_spending (
    key_id         INT NOT NULL,
    day            DATE NOT NULL,
    usd            NUMERIC(24, 9) NOT NULL,
    tokens         BIGINT NOT NULL,                      -- in and out
    unpriced_calls BIGINT NOT NULL,                      -- whose price is not known
    CONSTRAINT model_spending_pkey PRIMARY KEY (key_id, day)
);

-- With its owner's rights, because the service may not delete rows; so it may not ask for less than a
-- month either.
CREATE FUNCTION prune_audit_log(keep_days INT, most INT) RETURNS BIGINT LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    pruned BIGINT;
BEGIN
    IF keep_days IS NULL OR keep_days < 30 THEN
        RAISE EXCEPTION 'the audit log is kept for 30 days at least';
    END IF;
    DELETE FROM audit_log WHERE id IN (
        SELECT id FROM audit_log WHERE at < CURRENT_TIMESTAMP - make_interval(days => keep_days)
        LIMIT most
    );
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;


-- Extraction ----------------------------------------------------------------------------------------

-- Record shapes. A version never changes; a change makes the next one.
CREATE TABLE extraction_schemas (
    name       TEXT NOT NULL,
    version    INT NOT NULL,
    definition JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT extraction_schemas_pkey PRIMARY KEY (name, version)
);

-- What was read from one text, and how.
CREATE TABLE extractions (
    id             UUID NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    text           TEXT NOT NULL,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    status         TEXT NOT NULL,
    fields         JSONB NOT NULL,
    evidence       JSONB NOT NULL,                   -- where in the text each field stands
    warnings       JSONB NOT NULL,
    failure        JSONB,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    attempts       JSONB NOT NULL,
    fallbacks      JSONB NOT NULL,
    prompt_hash    TEXT NOT NULL,
    latency_s      DOUBLE PRECISION NOT NULL,
    cost_usd       NUMERIC(24, 9),
    confidence     JSONB NOT NULL DEFAULT '{}',      -- how likely each field is right, where that can be told
    CONSTRAINT extractions_pkey PRIMARY KEY (id),
    CONSTRAINT extractions_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version),
    CONSTRAINT extractions_status_check
        CHECK (status IN ('valid', 'partial', 'refused', 'failed')),
    CONSTRAINT extractions_failure_check
        CHECK ((failure IS NULL) = (status IN ('valid', 'partial')))
);
CREATE INDEX extractions_schema_idx ON extractions (schema_name, schema_version);
CREATE INDEX extractions_created_at_idx ON extractions (created_at);
-- Finds a known answer: the hash narrows, the texts themselves are compared.
CREATE INDEX extractions_known_idx ON extractions (hashtextextended(text, 0), prompt_hash)
    WHERE status IN ('valid', 'partial');

-- Many documents at once, done by workers. The counters are kept in step with the documents by the
-- statement that settles them.
CREATE TABLE extraction_jobs (
    id             INT GENERATED ALWAYS AS IDENTITY,
    status         TEXT NOT NULL DEFAULT 'running',
    reason_code    TEXT,
    reason         TEXT,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    providers      TEXT[] NOT NULL,                  -- asked in this order
    reuse          BOOLEAN NOT NULL,                 -- known answers instead of new ones
    max_cost_usd   NUMERIC(24, 9),
    max_tokens     BIGINT,
    total          INT NOT NULL DEFAULT 0,
    valid          INT NOT NULL DEFAULT 0,
    partial        INT NOT NULL DEFAULT 0,
    refused        INT NOT NULL DEFAULT 0,
    failed         INT NOT NULL DEFAULT 0,
    reused         INT NOT NULL DEFAULT 0,
    calls          BIGINT NOT NULL DEFAULT 0,
    input_tokens   BIGINT NOT NULL DEFAULT 0,
    cached_tokens  BIGINT NOT NULL DEFAULT 0,
    output_tokens  BIGINT NOT NULL DEFAULT 0,
    cost_usd       NUMERIC(24, 9) NOT NULL DEFAULT 0,
    unpriced_calls BIGINT NOT NULL DEFAULT 0,
    waits_until    TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at    TIMESTAMPTZ,
    mode           TEXT NOT NULL DEFAULT 'direct',   -- or 'batch': many texts together, later
    key_id         INT,                              -- who made it; NULL for one without a key
    priority       TEXT NOT NULL DEFAULT 'normal',   -- of a document among those of its key, and a little beyond
    CONSTRAINT extraction_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT extraction_jobs_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version),
    CONSTRAINT extraction_jobs_status_check
        CHECK (status IN ('running', 'paused', 'failed', 'cancelled', 'completed')),
    CONSTRAINT extraction_jobs_reason_check CHECK ((reason IS NULL) = (reason_code IS NULL)),
    CONSTRAINT extraction_jobs_done_check CHECK (valid + partial + refused + failed <= total),
    CONSTRAINT extraction_jobs_mode_check CHECK (mode IN ('direct', 'batch')),
    CONSTRAINT extraction_jobs_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys (id),
    CONSTRAINT extraction_jobs_priority_check CHECK (priority IN ('low', 'normal', 'high'))
-- Half of each page stays free, so that the counters can change without touching an index.
) WITH (fillfactor = 50);
CREATE INDEX extraction_jobs_running_idx ON extraction_jobs (id) WHERE status = 'running';

-- A worker renews one row here, not one for each document that it has.
CREATE TABLE extraction_workers (
    id           UUID NOT NULL,
    host         TEXT NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    leased_until TIMESTAMPTZ NOT NULL,
    CONSTRAINT extraction_workers_pkey PRIMARY KEY (id)
);

CREATE TABLE extraction_job_items (
    job_id          INT NOT NULL,
    position        INT NOT NULL,
    document_id     TEXT,
    text            TEXT,                            -- until the result holds it
    state           TEXT NOT NULL DEFAULT 'pending',
    claim           INT NOT NULL DEFAULT 0,
    worker_id       UUID,
    attempts        INT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    reason_code     TEXT,
    reason          TEXT,
    extraction_id   UUID,
    reused          BOOLEAN NOT NULL DEFAULT FALSE,
    finished_at     TIMESTAMPTZ,
    CONSTRAINT extraction_job_items_pkey PRIMARY KEY (job_id, position),
    CONSTRAINT extraction_job_items_job_id_fkey FOREIGN KEY (job_id)
        REFERENCES extraction_jobs (id) ON DELETE CASCADE,
    CONSTRAINT extraction_job_items_extraction_id_fkey FOREIGN KEY (extraction_id)
        REFERENCES extractions (id),
    CONSTRAINT extraction_job_items_state_check
        CHECK (state IN ('pending', 'running', 'valid', 'partial', 'refused', 'failed')),
    CONSTRAINT extraction_job_items_worker_check
        CHECK ((state = 'running') = (worker_id IS NOT NULL)),
    CONSTRAINT extraction_job_items_text_check CHECK (text IS NOT NULL OR extraction_id IS NOT NULL)
-- The text moves out of the row, because the row is written again at each change of state.
) WITH (toast_tuple_target = 128);
CREATE INDEX extraction_job_items_pending_idx ON extraction_job_items (job_id, position)
    WHERE state = 'pending';
CREATE INDEX extraction_job_items_running_idx ON extraction_job_items (job_id)
    WHERE state = 'running';
CREATE INDEX extraction_job_items_finished_idx ON extraction_job_items (job_id, finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX extraction_job_items_extraction_idx ON extraction_job_items (extraction_id)
    WHERE extraction_id IS NOT NULL;

-- Questions that are being asked: they go with their worker.
CREATE TABLE extraction_reservations (
    key       BYTEA NOT NULL,
    worker_id UUID NOT NULL,
    CONSTRAINT extraction_reservations_pkey PRIMARY KEY (key),
    CONSTRAINT extraction_reservations_worker_id_fkey FOREIGN KEY (worker_id)
        REFERENCES extraction_workers (id) ON DELETE CASCADE
);
CREATE INDEX extraction_reservations_worker_id_idx ON extraction_reservations (worker_id);

-- Batches at providers, open until each of their documents is settled. Meanwhile a row of
-- `extraction_workers` with the same id has the documents.
CREATE TABLE provider_batches (
    id           UUID NOT NULL,        -- the batch's name at the provider too
    job_id       INT NOT NULL,
    provider     TEXT NOT NULL,
    provider_id  TEXT,                 -- the provider's id of it, once it is known
    prompt_hash  TEXT,
    unsure_since TIMESTAMPTZ,          -- somebody began to submit it
    turn         INT NOT NULL DEFAULT 1, -- only the process that took it last may change it
    due_at       TIMESTAMPTZ NOT NULL, -- until then nobody takes it
    opened_at    TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    closed_at    TIMESTAMPTZ,
    CONSTRAINT provider_batches_pkey PRIMARY KEY (id),
    CONSTRAINT provider_batches_job_id_fkey FOREIGN KEY (job_id)
        REFERENCES extraction_jobs (id) ON DELETE CASCADE
);
CREATE INDEX provider_batches_job_id_idx ON provider_batches (job_id);
CREATE INDEX provider_batches_due_at_idx ON provider_batches (due_at) WHERE closed_at IS NULL;

-- Comparisons of providers: what was asked of whom; the answers are those of extraction jobs.
CREATE TABLE comparisons (
    id             INT GENERATED ALWAYS AS IDENTITY,
    dataset        TEXT NOT NULL,
    schema_name    TEXT NOT NULL,
    schema_version INT NOT NULL,
    repeats        INT NOT NULL,
    seed           INT NOT NULL,       -- of the resampling in the report
    contestants    JSONB NOT NULL,     -- in the order of the report
    texts          JSONB NOT NULL,     -- with their labels
    created_at     TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT comparisons_pkey PRIMARY KEY (id),
    CONSTRAINT comparisons_schema_fkey FOREIGN KEY (schema_name, schema_version)
        REFERENCES extraction_schemas (name, version)
);

-- The jobs that ask one contestant all texts, once each.
CREATE TABLE comparison_jobs (
    comparison_id INT NOT NULL,
    contestant    TEXT NOT NULL,
    repeat        INT NOT NULL,        -- 0 for the answers that are judged
    job_id        INT NOT NULL,
    CONSTRAINT comparison_jobs_pkey PRIMARY KEY (comparison_id, contestant, repeat),
    CONSTRAINT comparison_jobs_comparison_id_fkey FOREIGN KEY (comparison_id)
        REFERENCES comparisons (id) ON DELETE CASCADE,
    CONSTRAINT comparison_jobs_job_id_fkey FOREIGN KEY (job_id) REFERENCES extraction_jobs (id)
);
CREATE INDEX comparison_jobs_job_id_idx ON comparison_jobs (job_id);


-- Webhooks ------------------------------------------------------------------------------------------

-- Who is told of what.
CREATE TABLE webhook_endpoints (
    id               INT GENERATED ALWAYS AS IDENTITY,
    url              TEXT NOT NULL,
    events           TEXT[] NOT NULL,                -- none for all
    description      TEXT NOT NULL,
    secret           TEXT NOT NULL,                  -- readable, because each message is signed with it
    old_secret       TEXT,                           -- signs too, until
    old_secret_until TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    disabled_at      TIMESTAMPTZ,
    disabled_reason  TEXT,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoints_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

-- One row for each event and endpoint, from the event on.
CREATE TABLE webhook_deliveries (
    number          BIGINT GENERATED ALWAYS AS IDENTITY,
    id              TEXT NOT NULL DEFAULT 'msg_' || gen_random_uuid(),
    endpoint_id     INT NOT NULL,
    event           TEXT NOT NULL,
    body            TEXT NOT NULL,                   -- what is signed and sent, to the letter
    status          TEXT NOT NULL DEFAULT 'pending',
    attempts        INT NOT NULL DEFAULT 0,
    claim           INT NOT NULL DEFAULT 0,          -- only the last one settles it
    created_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    next_attempt_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, -- during an attempt: when others take over
    last_attempt_at TIMESTAMPTZ,
    last_status     INT,                             -- of HTTP
    last_error      TEXT,
    last_response   TEXT,                            -- its beginning
    delivered_at    TIMESTAMPTZ,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (number),
    CONSTRAINT webhook_deliveries_id_key UNIQUE (id),
    CONSTRAINT webhook_deliveries_endpoint_id_fkey FOREIGN KEY (endpoint_id)
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_next_check CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (endpoint_id, next_attempt_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_endpoint_id_idx ON webhook_deliveries (endpoint_id, number DESC);
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries USING brin (created_at);

-- With its owner's rights: whoever changes a job needs none on webhooks. The endpoints are locked, so
-- that one that is deleted just now is left out, and does not undo the change of the job.
CREATE FUNCTION announce_job() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    told TEXT := 'extraction_job.' || NEW.status;
BEGIN
    INSERT INTO webhook_deliveries (endpoint_id, event, body)
    SELECT id, told, json_build_object(
        'type', told,
        'timestamp', to_char(CURRENT_TIMESTAMP AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', json_build_object(
            'id', NEW.id,
            'status', NEW.status,
            'reason', NEW.reason_code,
            'counts', json_build_object(
                'total', NEW.total,
                'valid', NEW.valid,
                'partial', NEW.partial,
                'refused', NEW.refused,
                'failed', NEW.failed
            )
        )
    )
    FROM webhook_endpoints
    WHERE disabled_at IS NULL AND (events = '{}' OR told = ANY (events))
    FOR KEY SHARE;
    RETURN NULL;
END
$$;
CREATE TRIGGER extraction_jobs_announce AFTER UPDATE OF status ON extraction_jobs
    FOR EACH ROW WHEN (OLD.status <> NEW.status AND NEW.status <> 'running')
    EXECUTE FUNCTION announce_job();


-- Housekeeping --------------------------------------------------------------------------------------

-- How the runs by the clock went: the newest run of each task and outcome.
CREATE TABLE scheduled_runs (
    task        TEXT NOT NULL,
    outcome     TEXT NOT NULL
        CONSTRAINT scheduled_runs_outcome_check CHECK (outcome IN ('done', 'partly_failed', 'failed')),
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    error       TEXT,                                -- why not all was done
    runs        BIGINT NOT NULL,                     -- how many ended so
    CONSTRAINT scheduled_runs_pkey PRIMARY KEY (task, outcome)
);

-- Which migrations this database has; kept by `storekeeper db migrate`.
CREATE TABLE schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,                        -- SHA-256 of the file
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);


-- Who may -------------------------------------------------------------------------------------------

-- Nobody but the owner reads or writes a row without a policy. `storekeeper db grant` makes those of the
-- service's role, with its grants; docs/how-to/database-roles.md says which.
ALTER TABLE users                   ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders                  ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys        ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_clicks           ENABLE ROW LEVEL SECURITY;
ALTER TABLE click_imports           ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_insights         ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_query_days       ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_days             ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_changed_days     ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_pruned_days      ENABLE ROW LEVEL SECURITY;
ALTER TABLE extraction_schemas      ENABLE ROW LEVEL SECURITY;
ALTER TABLE extractions             ENABLE ROW LEVEL SECURITY;
ALTER TABLE extraction_jobs         ENABLE ROW LEVEL SECURITY;
ALTER TABLE extraction_workers      ENABLE ROW LEVEL SECURITY;
ALTER TABLE extraction_job_items    ENABLE ROW LEVEL SECURITY;
ALTER TABLE extraction_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_batches        ENABLE ROW LEVEL SECURITY;
ALTER TABLE comparisons             ENABLE ROW LEVEL SECURITY;
ALTER TABLE comparison_jobs         ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_endpoints       ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries      ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys                ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log               ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_spending          ENABLE ROW LEVEL SECURITY;
ALTER TABLE scheduled_runs          ENABLE ROW LEVEL SECURITY;
ALTER TABLE schema_migrations       ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON FUNCTION idn_label(TEXT), mailbox(TEXT), next_version(), search_day_lock(DATE),
    searches_of_day(DATE), mark_search_days(), mark_all_search_days(), prune_audit_log(INT, INT), announce_job()
    FROM PUBLIC;
