-- The runs over days inside the database, for pg_cron and the like: `storekeeper insights sql` prints
-- these with their values filled in. They run the very statements that the service runs. @schema is where
-- our tables are: who calls them may have another search_path.


-- One day, as `storekeeper insights run --date` does it.
-- name: compute_day
CREATE OR REPLACE FUNCTION @schema.compute_search_insight(the_day DATE) RETURNS void
LANGUAGE sql SET lock_timeout = '2s' SET search_path = @schema, pg_temp AS $storekeeper$
@insight_store.lock_day
;
@insight_store.add_up_day
;
@insight_store.store_day
;
$storekeeper$;


-- A run over days: each in a transaction of its own; one that fails does not stop the others. With
-- `recent` it computes so many past days in any case (and all since the last such run succeeded) and
-- is the nightly run; with 0 it computes what is missing or stale and is the one that catches up. What
-- commits may keep no search_path of its own, so it is set in each transaction.
-- name: run_over_days
CREATE OR REPLACE PROCEDURE @schema.refresh_search_insights(recent INT DEFAULT :lookback_days)
LANGUAGE plpgsql AS $storekeeper$
#variable_conflict use_column
DECLARE
    run_task      TEXT := CASE WHEN recent > 0 THEN :nightly ELSE :catch_up END;
    run_start     TIMESTAMPTZ := clock_timestamp();
    yesterday     DATE := (run_start AT TIME ZONE 'UTC')::date - 1;
    last_night    DATE;
    the_day       DATE;
    days_done     INT := 0;
    days_failed   INT := 0;
    first_failure TEXT;
BEGIN
    PERFORM set_config('search_path', '@schema, pg_temp', TRUE);
    SELECT (started_at AT TIME ZONE 'UTC')::date INTO last_night
    FROM scheduled_runs WHERE task = :nightly AND outcome = 'done';
    IF recent > 0 THEN
        recent := least(greatest(recent, coalesce(yesterday - last_night + 1, 0)), :max_lookback_days);
    END IF;
    FOR the_day IN
        SELECT lacking.day FROM (
            @insight_store.days_to_compute
        ) AS lacking
        UNION
        SELECT yesterday - n FROM generate_series(0, recent - 1) AS n
        ORDER BY 1
    LOOP
        BEGIN
            PERFORM @schema.compute_search_insight(the_day);
            days_done := days_done + 1;
        EXCEPTION WHEN OTHERS THEN
            days_failed := days_failed + 1;
            first_failure := coalesce(first_failure, the_day || ': ' || SQLERRM);
            RAISE WARNING 'the insight of % could not be computed: %', the_day, SQLERRM;
        END;
        COMMIT;
    END LOOP;
    PERFORM set_config('search_path', '@schema, pg_temp', TRUE);
    @scheduled_runs.record_run
    ;
    COMMIT;
    IF days_failed > 0 THEN
        RAISE EXCEPTION '% of % days failed; %', days_failed, days_failed + days_done, first_failure;
    END IF;
END
$storekeeper$;
