-- Made from sql/migrations/0002_records.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- What the records API adds to users and orders: a version for optimistic locking, one user per
-- e-mail whatever its letter case, and the orders of a user in list order.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '300s';

ALTER TABLE users ADD COLUMN version INT NOT NULL DEFAULT 1;
ALTER TABLE orders ADD COLUMN version INT NOT NULL DEFAULT 1;

CREATE UNIQUE INDEX users_email_lower_key ON users (lower(email));
CREATE INDEX orders_user_id_idx ON orders (user_id, id DESC);
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
INSERT INTO schema_migrations (name, checksum)
VALUES ('0002_records', '225874df8befd33d08fab89ed3100db46b2425f9167320f3ab6773fd9e2cac0c');
COMMIT;
