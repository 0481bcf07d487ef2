-- Made from sql/migrations/0001_shop.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- The four tables of the shop, as their owner defined them. Constraints carry the names that
-- PostgreSQL gives by default, so a database that already holds these tables is taken over as it is.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE IF NOT EXISTS users (
    id         SERIAL,
    name       VARCHAR(255) NOT NULL,
    email      VARCHAR(255) NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE IF NOT EXISTS orders (
    id           SERIAL,
    user_id      INT,
    product_name VARCHAR(255) NOT NULL,
    quantity     INT,
    order_date   TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT orders_quantity_check CHECK (quantity > 0)
);

CREATE TABLE IF NOT EXISTS search_clicks (
    search_id          SERIAL,
    search_query       VARCHAR(255),
    clicks             INT DEFAULT 0,
    impressions        INT DEFAULT 0,
    click_through_rate FLOAT,
    search_date        DATE DEFAULT CURRENT_DATE,
    CONSTRAINT search_clicks_pkey PRIMARY KEY (search_id)
);

CREATE TABLE IF NOT EXISTS search_insights (
    id                      SERIAL,
    insight_date            DATE,
    average_ctr             FLOAT,
    top_queries             JSONB,
    low_performance_queries JSONB,
    CONSTRAINT search_insights_pkey PRIMARY KEY (id)
);
INSERT INTO schema_migrations (name, checksum)
VALUES ('0001_shop', '5973f95b89612e78df2358a563a2069a0ccfd40698388124f2954c7927a4d51a');
COMMIT;
