-- How the runs by the clock went, so that a failure is seen whatever scheduler rings.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE scheduled_runs (
    task        TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    error       TEXT,
    runs        BIGINT NOT NULL,
    CONSTRAINT scheduled_runs_pkey PRIMARY KEY (task, outcome),
    CONSTRAINT scheduled_runs_outcome_check CHECK (outcome IN ('done', 'partly_failed', 'failed'))
);
