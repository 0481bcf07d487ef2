-- Made from sql/migrations/0019_row_level_security.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- A second wall behind the keys: whoever is not the owner of a table reads and writes no row of it without
-- a policy, and PUBLIC and the roles of Supabase's Data API (anon, authenticated) have no right on anything
-- of ours. The policies of the service's own role are made by `storekeeper db grant`, which knows its name.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

DO $$
DECLARE
    home      TEXT := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'users'::regclass);
    outsiders TEXT := (
        SELECT concat_ws(', ', 'PUBLIC', string_agg(quote_ident(rolname), ', '))
        FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
    );
    programs  TEXT;
    thing     TEXT;
    kind      TEXT;
BEGIN
    FOR thing, programs IN
        SELECT relid::text, (
            -- Who was given a right on it, and no policies of the shop's own say to which rows. That is
            -- no reason to let PUBLIC or the Data API in.
            SELECT string_agg(quote_ident(rolname), ', ' ORDER BY rolname)
            FROM pg_roles
            WHERE pg_roles.oid IN (
                SELECT grantee FROM aclexplode(relacl)
                UNION ALL
                SELECT grantee FROM pg_attribute, aclexplode(attacl) WHERE attrelid = relid
            ) AND pg_roles.oid <> relowner AND NOT rolsuper AND NOT rolbypassrls
              AND NOT relrowsecurity AND rolname NOT IN ('anon', 'authenticated')
        )
        FROM unnest('{
            users, orders, idempotency_keys, search_clicks, click_imports, search_insights,
            search_query_days, search_days, search_changed_days, search_pruned_days,
            extraction_schemas, extractions, extraction_jobs, extraction_workers, extraction_job_items,
            extraction_reservations, provider_batches, comparisons, comparison_jobs, scheduled_runs,
            schema_migrations, api_keys, audit_log
        }'::text[]) AS name
            -- A partition is reached by its own name too, past the policies of the whole.
            CROSS JOIN LATERAL (
                SELECT to_regclass(name) AS relid
                UNION
                SELECT relid FROM pg_partition_tree(to_regclass(name))
            ) AS whole_and_parts
            JOIN pg_class ON pg_class.oid = relid
    LOOP
        IF programs IS NOT NULL THEN
            -- These go on as before: they would find the table empty otherwise, without an error. An index,
            -- a trigger and a view call the functions with the rights of who writes or reads.
            EXECUTE format('CREATE POLICY other_programs ON %s TO %s USING (TRUE)', thing, programs);
            EXECUTE format(
                'GRANT EXECUTE ON FUNCTION idn_label(TEXT), mailbox(TEXT), search_day_lock(DATE),'
                ' searches_of_day(DATE) TO %s', programs
            );
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', thing);
        EXECUTE format('REVOKE ALL ON %s FROM %s', thing, outsiders);
    END LOOP;
    FOR thing IN
        SELECT DISTINCT pg_depend.objid::regclass::text
        FROM pg_depend JOIN pg_class ON pg_class.oid = objid AND relkind = 'S'
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
          AND refobjid IN (SELECT oid FROM pg_class WHERE relnamespace = home::regnamespace AND relrowsecurity)
    LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %s', thing, outsiders);
    END LOOP;
    EXECUTE format('REVOKE ALL ON search_query_figures, search_day_figures FROM %s', outsiders);
    -- EXECUTE on the two that mark days would let a role hang them on a table of its own, and so write with
    -- their owner's rights; what prunes the audit log deletes with them. The others do not write.
    EXECUTE format(
        'REVOKE ALL ON FUNCTION idn_label(TEXT), mailbox(TEXT), next_version(), search_day_lock(DATE),'
        ' searches_of_day(DATE), mark_search_days(), mark_all_search_days(), prune_audit_log(INT, INT)'
        ' FROM %s', outsiders
    );
    -- What this role makes here from now on. PUBLIC has no such defaults in a schema: its EXECUTE on a new
    -- function can be taken away only one by one, or in every schema.
    FOR thing IN SELECT quote_ident(rolname) FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        FOREACH kind IN ARRAY '{TABLES, SEQUENCES, FUNCTIONS}'::text[] LOOP
            EXECUTE format(
                'ALTER DEFAULT PRIVILEGES IN SCHEMA %s REVOKE ALL ON %s FROM %s', home, kind, thing
            );
        END LOOP;
    END LOOP;
END
$$;

-- Where sql/optional/partition_search_clicks.sql was run: a month's partition is walled off as it is made.
DO $$
DECLARE
    made TEXT;
    line TEXT := 'EXECUTE format(''CREATE TABLE %I (LIKE search_clicks INCLUDING ALL)'', name);';
BEGIN
    IF to_regprocedure('make_search_clicks_month(date)') IS NOT NULL THEN
        made := pg_get_functiondef('make_search_clicks_month(date)'::regprocedure);
        EXECUTE replace(made, line, line || '
    EXECUTE format(''ALTER TABLE %I ENABLE ROW LEVEL SECURITY'', name);');
        REVOKE ALL ON FUNCTION make_search_clicks_month(DATE) FROM PUBLIC;
    END IF;
END
$$;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0019_row_level_security', '41d3f8104050da4eb6ea215fbb16a24f024a8946e1150083989c3a237dcb5a09');
COMMIT;
