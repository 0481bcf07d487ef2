-- Whose job it is, and how soon: documents are claimed by turns of the keys.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE extraction_jobs
    ADD COLUMN key_id INT,
    ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal',
    ADD CONSTRAINT extraction_jobs_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys (id),
    ADD CONSTRAINT extraction_jobs_priority_check CHECK (priority IN ('low', 'normal', 'high'));
