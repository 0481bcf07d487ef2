-- Made from sql/migrations/0013_search_retention.sql by scripts/supabase.py. Change it there.
BEGIN;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);
-- What the rows of a day added up to when they were deleted to make room, so that every figure of the
-- day stays, and rows that come late are counted beside them.
SET LOCAL lock_timeout = '4s';
SET LOCAL statement_timeout = '60s';

-- A row a day, its queries in arrays: they are read when the day is added up anew, and take a tenth of
-- the space that a row for each would.
CREATE TABLE search_pruned_days (
    search_date   DATE NOT NULL,
    query_norm    TEXT[] COLLATE "C" NOT NULL,
    searches      BIGINT[] NOT NULL,
    rated         BIGINT[] NOT NULL,
    clicks        BIGINT[] NOT NULL,
    impressions   BIGINT[] NOT NULL,
    ctr_sum       NUMERIC[] NOT NULL,
    blank         BIGINT[] NOT NULL,
    impossible    BIGINT[] NOT NULL,
    contradicting BIGINT[] NOT NULL,
    CONSTRAINT search_pruned_days_pkey PRIMARY KEY (search_date)
);

-- What a row counts for, said once: the rows of one day added up by query; blank ones have the key ''.
--   * Rows without a query are blank. Of the others, those with 0 <= clicks <= impressions are counted,
--     and the rest is impossible (a NULL is neither above nor below).
--   * A row's rate is clicks / impressions, and none without impressions. Rates are added up in parts
--     of 10^12, as integers, so that the order of the rows cannot change the sum.
--   * click_through_rate enters no figure. Where it is more than 0.005 off, or there is no rate, it
--     contradicts the counts.
--   * Rows that were pruned count as they did.
CREATE OR REPLACE FUNCTION searches_of_day(day DATE) RETURNS TABLE (
    query_norm    TEXT,
    searches      BIGINT,
    rated         BIGINT,
    clicks        BIGINT,
    impressions   BIGINT,
    ctr_sum       NUMERIC,
    blank         BIGINT,
    impossible    BIGINT,
    contradicting BIGINT
) LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC
    SELECT
        query,
        coalesce(present.searches, 0) + coalesce(pruned.searches, 0),
        coalesce(present.rated, 0) + coalesce(pruned.rated, 0),
        coalesce(present.clicks, 0) + coalesce(pruned.clicks, 0),
        coalesce(present.impressions, 0) + coalesce(pruned.impressions, 0),
        coalesce(present.ctr_sum, 0) + coalesce(pruned.ctr_sum, 0),
        coalesce(present.blank, 0) + coalesce(pruned.blank, 0),
        coalesce(present.impossible, 0) + coalesce(pruned.impossible, 0),
        coalesce(present.contradicting, 0) + coalesce(pruned.contradicting, 0)
    FROM
        (
            SELECT
                query,
                count(*) FILTER (WHERE counted)                                          AS searches,
                count(*) FILTER (WHERE counted AND n > 0)                                AS rated,
                coalesce(sum(c) FILTER (WHERE counted), 0)                               AS clicks,
                coalesce(sum(n) FILTER (WHERE counted), 0)                               AS impressions,
                coalesce(
                    sum(round(c / n::float8 * 1e12)::bigint) FILTER (WHERE counted AND n > 0), 0
                ) * 1e-12                                                                AS ctr_sum,
                count(*) FILTER (WHERE query = '')                                       AS blank,
                count(*) FILTER (WHERE NOT counted AND query <> '')                      AS impossible,
                count(*) FILTER (
                    WHERE counted AND CASE
                        WHEN n > 0 THEN abs(stated - c / n::float8) > 0.005
                        ELSE stated IS NOT NULL
                    END
                )                                                                        AS contradicting
            FROM (
                SELECT
                    coalesce(search_clicks.query_norm, '') COLLATE "C"                   AS query,
                    search_clicks.clicks                                                 AS c,
                    search_clicks.impressions                                            AS n,
                    search_clicks.click_through_rate                                     AS stated,
                    coalesce(
                        search_clicks.query_norm <> ''
                        AND search_clicks.clicks BETWEEN 0 AND search_clicks.impressions,
                        FALSE
                    )                                                                    AS counted
                FROM search_clicks
                WHERE search_clicks.search_date = searches_of_day.day
                OFFSET 0 -- so that `counted` is found once a row, not once for each sum: a quarter less
            ) AS of_day
            GROUP BY query
        ) AS present
        FULL JOIN (
            SELECT of_day.*
            FROM
                search_pruned_days AS pruned,
                unnest(
                    pruned.query_norm, pruned.searches, pruned.rated, pruned.clicks, pruned.impressions,
                    pruned.ctr_sum, pruned.blank, pruned.impossible, pruned.contradicting
                ) AS of_day (
                    query, searches, rated, clicks, impressions, ctr_sum, blank, impossible, contradicting
                )
            WHERE pruned.search_date = searches_of_day.day
        ) AS pruned USING (query);
END;
INSERT INTO schema_migrations (name, checksum)
VALUES ('0013_search_retention', '704c777c6153919715a4e5e8909bcbba874c9eb68b6887f3fb8fdd4818787174');
COMMIT;
