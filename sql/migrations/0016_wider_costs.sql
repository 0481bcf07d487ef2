-- Room for the largest cap that a job may have, 1,000,000,000 US dollars, and for sums beyond it.
-- More digits at the same scale: no table is rewritten.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extractions ALTER COLUMN cost_usd TYPE NUMERIC(24, 9);
ALTER TABLE extraction_jobs
    ALTER COLUMN max_cost_usd TYPE NUMERIC(24, 9),
    ALTER COLUMN cost_usd TYPE NUMERIC(24, 9);
