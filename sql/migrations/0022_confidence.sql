-- How likely each value of a result is right, where that can be told. A constant default: no table is
-- rewritten.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extractions ADD COLUMN confidence JSONB NOT NULL DEFAULT '{}';
