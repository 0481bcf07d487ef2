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
