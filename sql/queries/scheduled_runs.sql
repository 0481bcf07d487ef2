-- How the runs by the clock went. A row for each task and outcome: the newest such run, and how many
-- there were. So the table has a handful of rows however long it is kept.


-- name: record_run
INSERT INTO scheduled_runs AS kept (task, outcome, started_at, finished_at, error, runs)
VALUES (:task::text, :outcome::text, :started_at::timestamptz, :finished_at::timestamptz, :error::text, 1)
ON CONFLICT (task, outcome) DO UPDATE SET
    started_at  = excluded.started_at,
    finished_at = excluded.finished_at,
    error       = excluded.error,
    runs        = kept.runs + 1;


-- name: select_runs
SELECT task, outcome, started_at, finished_at, error, runs
FROM scheduled_runs;
