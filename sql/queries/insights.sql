-- Search insights: the click-through rate (CTR) of each day, the best queries, and the queries that
-- are shown often and clicked rarely. docs/explanation/insights.md tells why they are defined so.
--
-- In all of them:
--   * a day is a UTC day, and :from_date and :to_date are both included;
--   * queries meet under `query_norm`: NFKC, lower case, single spaces, trimmed;
--   * a row counts when its query is not blank and 0 <= clicks <= impressions. A NULL in one of them
--     makes the condition NULL, so such a row does not count either;
--   * a rate is sum of clicks / sum of impressions, NULL without impressions (0 means: shown, never
--     clicked). The column click_through_rate is never read: anyone may have written it.


-- 1. The average CTR of every day of a period, days without rows included.
--    average_ctr weighs each impression the same. mean_row_ctr weighs each row the same: of the rows
--    1/1 and 0/999 it makes 0.5, where one impression in a thousand was clicked.
-- name: average_ctr_by_day
WITH source AS (
    SELECT
        search_date,
        clicks,
        impressions,
        coalesce(query_norm <> '' AND clicks BETWEEN 0 AND impressions, FALSE) AS counts
    FROM search_clicks
    WHERE search_date BETWEEN :from_date::date AND :to_date::date
),
by_day AS (
    SELECT
        search_date,
        sum(clicks) FILTER (WHERE counts)                                        AS clicks,
        sum(impressions) FILTER (WHERE counts)                                   AS impressions,
        avg(clicks / nullif(impressions, 0)::float8) FILTER (WHERE counts)       AS mean_row_ctr,
        count(*) FILTER (WHERE counts)                                           AS source_rows,
        count(*) FILTER (WHERE NOT counts)                                       AS excluded_rows
    FROM source
    GROUP BY search_date
)
SELECT
    day,
    coalesce(clicks, 0)                         AS clicks,
    coalesce(impressions, 0)                    AS impressions,
    clicks / nullif(impressions, 0)::float8     AS average_ctr,
    -- Rounded, because the sum's last digit depends on the order in which rows are read.
    round(mean_row_ctr::numeric, 12)::float8    AS mean_row_ctr,
    coalesce(source_rows, 0)                    AS source_rows,
    coalesce(excluded_rows, 0)                  AS excluded_rows
FROM
    (SELECT :from_date::date + n AS day FROM generate_series(0, :to_date::date - :from_date::date) AS n) AS days
    LEFT JOIN by_day ON search_date = day
ORDER BY day;


-- 2. The best queries of a period by CTR.
--    Ranked by the lower bound of Wilson's 95 % interval, so that 40 clicks of 100 stand above 1 of
--    1; :rank_by = 'ctr' ranks by the plain rate. Queries below :min_impressions are left out. Ties
--    go to more clicks, then to the query that sorts first.
-- name: top_queries
WITH totals AS (
    SELECT query_norm AS query, sum(clicks) AS clicks, sum(impressions) AS impressions
    FROM search_clicks
    WHERE
        search_date BETWEEN :from_date::date AND :to_date::date
        AND query_norm <> ''
        AND clicks BETWEEN 0 AND impressions
    GROUP BY query_norm
    HAVING sum(impressions) >= greatest(:min_impressions::bigint, 1)
),
rates AS (
    SELECT *, impressions::float8 AS n, clicks / impressions::float8 AS ctr, :z::float8 AS z
    FROM totals
),
intervals AS (
    SELECT
        *,
        greatest(0, (ctr + z * z / (2 * n) - z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n)) AS ctr_low,
        least(1, (ctr + z * z / (2 * n) + z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n)) AS ctr_high
    FROM rates
)
SELECT
    row_number() OVER (
        ORDER BY
            CASE :rank_by::text WHEN 'ctr' THEN ctr ELSE ctr_low END DESC,
            clicks DESC,
            query COLLATE "C"
    ) AS rank,
    query, clicks, impressions, ctr, ctr_low, ctr_high
FROM intervals
ORDER BY rank
LIMIT :top::bigint;


-- 3. Queries with many impressions and few clicks.
--    Many: at least :low_min_impressions, and as many as the :low_percentile of the period's queries.
--    Few: a rate below :low_ctr_ratio of the period's rate (the baseline), and so surely below it that
--    the upper bound of Wilson's 95 % interval is below it too. The most lost clicks come first:
--    those that the baseline would have brought beyond the clicks that came.
-- name: low_performance_queries
WITH totals AS (
    SELECT query_norm AS query, sum(clicks) AS clicks, sum(impressions) AS impressions
    FROM search_clicks
    WHERE
        search_date BETWEEN :from_date::date AND :to_date::date
        AND query_norm <> ''
        AND clicks BETWEEN 0 AND impressions
    GROUP BY query_norm
    HAVING sum(impressions) > 0
),
whole AS (
    SELECT
        sum(clicks) / sum(impressions)::float8 AS baseline,
        greatest(
            :low_min_impressions::float8,
            percentile_cont(:low_percentile::float8) WITHIN GROUP (ORDER BY impressions::float8)
        ) AS shown_often
    FROM totals
),
rates AS (
    SELECT *, impressions::float8 AS n, clicks / impressions::float8 AS ctr, :z::float8 AS z
    FROM totals
),
intervals AS (
    SELECT
        *,
        greatest(0, (ctr + z * z / (2 * n) - z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n)) AS ctr_low,
        least(1, (ctr + z * z / (2 * n) + z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n)) AS ctr_high
    FROM rates
)
SELECT
    row_number() OVER (ORDER BY n * baseline - clicks DESC, query COLLATE "C") AS rank,
    query, clicks, impressions, ctr, ctr_low, ctr_high,
    n * baseline - clicks AS lost_clicks
FROM intervals, whole
WHERE
    n >= shown_often
    AND ctr < :low_ctr_ratio::float8 * baseline
    AND ctr_high < baseline
ORDER BY rank
LIMIT :low_limit::bigint;


-- Held until the transaction ends: of two that compute one day, the later sees all that the earlier
-- saw, so an older state never overwrites a newer one.
-- name: lock_day
SELECT pg_advisory_xact_lock(7001, :day::date - DATE '2000-01-01');


-- Stores what the three queries above say of one day (:from_date = :to_date); each `@name` stands for
-- that query. All in one statement, so all over the same rows. A row that would not change is left.
-- name: store_day
WITH daily AS (
    @average_ctr_by_day
),
top AS (
    @top_queries
),
low AS (
    @low_performance_queries
)
INSERT INTO search_insights AS stored (
    insight_date, average_ctr, mean_row_ctr, clicks, impressions, source_rows, excluded_rows,
    top_queries, low_performance_queries, definition_version, computed_at
)
SELECT
    day, average_ctr, mean_row_ctr, clicks, impressions, source_rows, excluded_rows,
    (SELECT coalesce(jsonb_agg(top ORDER BY rank), '[]') FROM top),
    (SELECT coalesce(jsonb_agg(low ORDER BY rank), '[]') FROM low),
    :definition_version::int,
    :now::timestamptz
FROM daily
ON CONFLICT (insight_date) DO UPDATE SET
    average_ctr             = excluded.average_ctr,
    mean_row_ctr            = excluded.mean_row_ctr,
    clicks                  = excluded.clicks,
    impressions             = excluded.impressions,
    source_rows             = excluded.source_rows,
    excluded_rows           = excluded.excluded_rows,
    top_queries             = excluded.top_queries,
    low_performance_queries = excluded.low_performance_queries,
    definition_version      = excluded.definition_version,
    computed_at             = excluded.computed_at
WHERE
    (
        stored.average_ctr, stored.mean_row_ctr, stored.clicks, stored.impressions,
        stored.source_rows, stored.excluded_rows,
        stored.top_queries, stored.low_performance_queries, stored.definition_version
    ) IS DISTINCT FROM (
        excluded.average_ctr, excluded.mean_row_ctr, excluded.clicks, excluded.impressions,
        excluded.source_rows, excluded.excluded_rows,
        excluded.top_queries, excluded.low_performance_queries, excluded.definition_version
    );


-- name: select_day
SELECT
    insight_date, average_ctr, top_queries, low_performance_queries, mean_row_ctr, clicks, impressions,
    source_rows, excluded_rows, definition_version, computed_at
FROM search_insights
WHERE insight_date = :day::date;


-- name: select_days
SELECT
    insight_date, average_ctr, top_queries, low_performance_queries, mean_row_ctr, clicks, impressions,
    source_rows, excluded_rows, definition_version, computed_at
FROM search_insights
WHERE
    (:before::date IS NULL OR insight_date < :before::date)
    AND insight_date BETWEEN coalesce(:first::date, '-infinity') AND coalesce(:last::date, 'infinity')
ORDER BY insight_date DESC
LIMIT :limit::bigint;


-- The days that have searches and no insight of ours, or one by an older definition. Hops from day to
-- day along the index, so it costs a few reads for each day, however many rows a day has. An insight
-- that another program wrote (definition_version is NULL) stays as it is.
-- name: days_to_compute
WITH RECURSIVE searched AS (
    SELECT min(search_date) AS day FROM search_clicks
    WHERE search_date > '-infinity' AND search_date <= :until::date
    UNION ALL
    SELECT (
        SELECT min(search_date) FROM search_clicks
        WHERE search_date > searched.day AND search_date <= :until::date
    )
    FROM searched
    WHERE searched.day IS NOT NULL
)
SELECT day
FROM searched
LEFT JOIN search_insights ON insight_date = day
WHERE
    day IS NOT NULL
    AND (insight_date IS NULL OR definition_version < :definition_version::int)
ORDER BY day;


-- Rows of other programs may lack the date; ours get the UTC day whatever the session's time zone.
-- name: append_clicks
INSERT INTO search_clicks (search_query, clicks, impressions, click_through_rate, search_date)
SELECT
    search_query,
    clicks,
    impressions,
    clicks / nullif(impressions, 0)::float8,
    coalesce(search_date, (now() AT TIME ZONE 'UTC')::date)
FROM unnest(
    :search_queries::text[], :clicks::int[], :impressions::int[], :search_dates::date[]
) AS given (search_query, clicks, impressions, search_date);
