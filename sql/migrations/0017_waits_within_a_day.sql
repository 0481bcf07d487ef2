-- Waits that a provider named by a slip, such as one until the year 33715: such a job would never go on,
-- and its row cannot be read. Waits are bounded now when they are told.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

UPDATE extraction_jobs SET waits_until = NULL WHERE waits_until > now() + interval '1 day';
UPDATE provider_batches SET due_at = now() WHERE due_at > now() + interval '1 day';
