-- Made from sql/migrations/0014_mailboxes.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- One user for each mailbox, whatever the spelling of its address, and lower case that is the same in a
-- database of any locale: in a Turkish one, lower('INFO') is another word than 'info'.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '300s';

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

DO $$
DECLARE
    found TEXT;
BEGIN
    SELECT string_agg(addresses, '; ' ORDER BY addresses) INTO found
    FROM (
        SELECT string_agg(format('%s (user %s)', email, id), ', ' ORDER BY id) AS addresses
        FROM users
        GROUP BY mailbox(email)
        HAVING count(*) > 1
        LIMIT 20
    ) AS shared;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'users share a mailbox: %', found
            USING HINT = 'Give all but one of each another e-mail, or delete them, then migrate again.';
    END IF;
END
$$;
CREATE UNIQUE INDEX users_mailbox_key ON users (mailbox(email));
DROP INDEX users_email_lower_key;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0014_mailboxes', '3ebb5dc277d8e84087f65f3106139294cbc18c82b142039060c6d0effd090c2e');
COMMIT;
