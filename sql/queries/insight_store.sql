-- The stored insights, one a day. The figures are those of insights.sql.


-- Held until the transaction ends: of two that compute one day, the later sees all that the earlier
-- saw, so an older state never overwrites a newer one.
-- name: lock_day
SELECT pg_advisory_xact_lock(7001, :day::date - DATE '2000-01-01');


-- Stores what the three queries of insights.sql say of one day (:from_date = :to_date); each
-- `@insights.name` stands for that query. All in one statement, so all over the same rows. A row that
-- would not change is left.
-- name: store_day
WITH daily AS (
    @insights.average_ctr_by_day
),
top AS (
    @insights.top_queries
),
low AS (
    @insights.low_performance_queries
)
INSERT INTO search_insights AS stored (
    insight_date, average_ctr, overall_ctr, clicks, impressions, source_rows, distinct_queries,
    blank_rows, impossible_rows, contradicting_rows,
    top_queries, low_performance_queries, definition_version, computed_at
)
SELECT
    day, average_ctr, overall_ctr, clicks, impressions, source_rows, distinct_queries,
    blank_rows, impossible_rows, contradicting_rows,
    (SELECT coalesce(jsonb_agg(top ORDER BY rank), '[]') FROM top),
    (SELECT coalesce(jsonb_agg(low ORDER BY rank), '[]') FROM low),
    :definition_version::int,
    :now::timestamptz
FROM daily
ON CONFLICT (insight_date) DO UPDATE SET
    average_ctr             = excluded.average_ctr,
    overall_ctr             = excluded.overall_ctr,
    clicks                  = excluded.clicks,
    impressions             = excluded.impressions,
    source_rows             = excluded.source_rows,
    distinct_queries        = excluded.distinct_queries,
    blank_rows              = excluded.blank_rows,
    impossible_rows         = excluded.impossible_rows,
    contradicting_rows      = excluded.contradicting_rows,
    top_queries             = excluded.top_queries,
    low_performance_queries = excluded.low_performance_queries,
    definition_version      = excluded.definition_version,
    computed_at             = excluded.computed_at
WHERE
    (
        stored.average_ctr, stored.overall_ctr, stored.clicks, stored.impressions,
        stored.source_rows, stored.distinct_queries,
        stored.blank_rows, stored.impossible_rows, stored.contradicting_rows,
        stored.top_queries, stored.low_performance_queries, stored.definition_version
    ) IS DISTINCT FROM (
        excluded.average_ctr, excluded.overall_ctr, excluded.clicks, excluded.impressions,
        excluded.source_rows, excluded.distinct_queries,
        excluded.blank_rows, excluded.impossible_rows, excluded.contradicting_rows,
        excluded.top_queries, excluded.low_performance_queries, excluded.definition_version
    );


-- name: select_day
SELECT
    insight_date, average_ctr, overall_ctr, clicks, impressions, source_rows, distinct_queries,
    blank_rows, impossible_rows, contradicting_rows, top_queries, low_performance_queries,
    definition_version, computed_at
FROM search_insights
WHERE insight_date = :day::date;


-- name: select_days
SELECT
    insight_date, average_ctr, overall_ctr, clicks, impressions, source_rows, distinct_queries,
    blank_rows, impossible_rows, contradicting_rows, top_queries, low_performance_queries,
    definition_version, computed_at
FROM search_insights
WHERE
    (:before::date IS NULL OR insight_date < :before::date)
    AND insight_date BETWEEN coalesce(:first::date, '-infinity') AND coalesce(:last::date, 'infinity')
ORDER BY insight_date DESC
LIMIT :limit::bigint;


-- name: last_computed
SELECT max(computed_at) FROM search_insights
WHERE insight_date BETWEEN :from_date::date AND :to_date::date;


-- Rows without a day are in no period, and in no stored day.
-- name: undated_rows
SELECT count(*) FROM search_clicks WHERE search_date IS NULL;


-- The days that have searches and no insight of ours, or one by an older definition. Hops from day to
-- day along the index, so it costs a few reads for each day, however many rows a day has. An insight
-- that another program wrote (definition_version is NULL) stays as it is.
-- name: days_to_compute
WITH RECURSIVE searched AS (
    SELECT min(search_date) AS day FROM search_clicks
    WHERE search_date >= :since::date AND search_date <= :until::date
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
