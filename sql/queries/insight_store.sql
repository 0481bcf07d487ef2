-- The stored insights, one a day. The figures are those of insights.sql.


-- The day's lock, alone, until the transaction ends: after it, all who changed rows of the day have
-- committed, and none commits more. So of two that compute one day, the later sees all that the earlier
-- saw. It is a statement of its own, because only the next one sees what was committed meanwhile.
-- name: lock_day
SELECT pg_advisory_xact_lock(7001, search_day_lock(:day::date));


-- Adds up the rows of a day that has a mark, and takes the mark away; a day without one is added up
-- right already. Writes only what differs.
-- name: add_up_day
WITH unmarked AS (
    DELETE FROM search_changed_days WHERE search_date = :day::date
    RETURNING search_date
),
fresh AS MATERIALIZED (
    SELECT query_norm COLLATE "C" AS query_norm, searches, rated, clicks, impressions, ctr_sum,
        blank, impossible, contradicting
    FROM searches_of_day(:day::date)
    WHERE EXISTS (SELECT FROM unmarked)
),
-- A full join, because no guess of the planner can turn it into one loop within another.
differing AS MATERIALIZED (
    SELECT
        query_norm, fresh.searches, fresh.clicks, fresh.impressions, fresh.ctr_sum,
        old.searches IS NOT NULL            AS was_there,
        coalesce(fresh.searches, 0) > 0     AS is_there
    FROM
        fresh
        FULL JOIN (
            SELECT query_norm, searches, clicks, impressions, ctr_sum
            FROM search_query_days
            WHERE search_date = :day::date AND EXISTS (SELECT FROM unmarked)
        ) AS old USING (query_norm)
    WHERE
        (old.searches, old.clicks, old.impressions, old.ctr_sum)
        IS DISTINCT FROM (fresh.searches, fresh.clicks, fresh.impressions, fresh.ctr_sum)
),
gone AS (
    DELETE FROM search_query_days AS old
    USING differing
    WHERE
        old.search_date = :day::date
        AND old.query_norm = differing.query_norm
        AND was_there AND NOT is_there
),
changed AS (
    UPDATE search_query_days AS old
    SET
        searches    = differing.searches,
        clicks      = differing.clicks,
        impressions = differing.impressions,
        ctr_sum     = differing.ctr_sum
    FROM differing
    WHERE
        old.search_date = :day::date
        AND old.query_norm = differing.query_norm
        AND was_there AND is_there
),
-- Nobody else can have added one, under the lock; ON CONFLICT would cost twice as much. In the order
-- of the key, so that the index is filled from one side.
added AS (
    INSERT INTO search_query_days (search_date, query_norm, searches, clicks, impressions, ctr_sum)
    SELECT :day::date, query_norm, searches, clicks, impressions, ctr_sum
    FROM differing
    WHERE is_there AND NOT was_there
    ORDER BY query_norm
),
total AS (
    SELECT
        sum(searches)                        AS source_rows,
        sum(rated)                           AS rated_rows,
        count(*) FILTER (WHERE searches > 0) AS distinct_queries,
        sum(clicks)                          AS clicks,
        sum(impressions)                     AS impressions,
        sum(ctr_sum)                         AS ctr_sum,
        sum(blank)                           AS blank_rows,
        sum(impossible)                      AS impossible_rows,
        sum(contradicting)                   AS contradicting_rows
    FROM fresh
    HAVING count(*) > 0
),
empty AS (
    DELETE FROM search_days
    WHERE
        search_date = :day::date
        AND EXISTS (SELECT FROM unmarked)
        AND NOT EXISTS (SELECT FROM total)
)
INSERT INTO search_days (
    search_date, source_rows, rated_rows, distinct_queries, clicks, impressions, ctr_sum,
    blank_rows, impossible_rows, contradicting_rows
)
SELECT
    :day::date, source_rows, rated_rows, distinct_queries, clicks, impressions, ctr_sum,
    blank_rows, impossible_rows, contradicting_rows
FROM total
ON CONFLICT (search_date) DO UPDATE SET
    source_rows        = excluded.source_rows,
    rated_rows         = excluded.rated_rows,
    distinct_queries   = excluded.distinct_queries,
    clicks             = excluded.clicks,
    impressions        = excluded.impressions,
    ctr_sum            = excluded.ctr_sum,
    blank_rows         = excluded.blank_rows,
    impossible_rows    = excluded.impossible_rows,
    contradicting_rows = excluded.contradicting_rows;


-- Both lists of insights.sql at once; each `@insights.name` stands for that query. They read
-- `search_query_figures`, and here that name stands for the view's rows of the period, added up by query
-- once for both.
-- name: query_lists
WITH search_query_figures AS MATERIALIZED (
    SELECT
        :from_date::date AS search_date,
        query_norm,
        sum(clicks)::bigint AS clicks,
        sum(impressions)::bigint AS impressions
    FROM search_query_figures
    WHERE search_date BETWEEN :from_date::date AND :to_date::date
    GROUP BY query_norm
),
top AS (
    @insights.top_queries
),
low AS (
    @insights.low_performance_queries
)
SELECT 'top' AS list, *, NULL AS lost_clicks FROM top
UNION ALL
SELECT 'low', * FROM low
ORDER BY list, rank;


-- Stores what the three queries of insights.sql say of one day (:from_date = :to_date), which has just
-- been added up. All in one statement, so all over the same rows. A row that would not change is left.
-- name: store_day
WITH search_query_figures AS NOT MATERIALIZED (
    SELECT search_date, query_norm, clicks, impressions
    FROM search_query_days
    WHERE search_date = :from_date::date
),
daily AS (
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


-- Days that a calendar of four-digit years has; a row without such a day is of no day.
-- name: select_days
SELECT
    insight_date, average_ctr, overall_ctr, clicks, impressions, source_rows, distinct_queries,
    blank_rows, impossible_rows, contradicting_rows, top_queries, low_performance_queries,
    definition_version, computed_at
FROM search_insights
WHERE
    (:before::date IS NULL OR insight_date < :before::date)
    AND insight_date BETWEEN coalesce(:first::date, '0001-01-01') AND coalesce(:last::date, '9999-12-31')
ORDER BY insight_date DESC
LIMIT :limit::bigint;


-- name: last_computed
SELECT max(computed_at) FROM search_insights
WHERE insight_date BETWEEN :from_date::date AND :to_date::date;


-- Rows without a day are in no period, and in no stored day.
-- name: undated_rows
SELECT count(*) FROM search_clicks WHERE search_date IS NULL;


-- The days that have searches and no insight of ours, or one by an older definition, or one that is
-- older than a change of the day's rows. An insight that another program wrote (definition_version is
-- NULL) stays as it is.
-- name: days_to_compute
SELECT day
FROM
    (
        SELECT search_date AS day, FALSE AS changed FROM search_days
        WHERE search_date BETWEEN :since::date AND :until::date
        UNION ALL
        SELECT search_date, TRUE FROM search_changed_days
        WHERE search_date BETWEEN :since::date AND :until::date
    ) AS searched
    LEFT JOIN search_insights ON insight_date = day
GROUP BY day
HAVING
    bool_or(insight_date IS NULL)
    OR bool_or(definition_version < :definition_version::int)
    OR bool_or(changed AND definition_version IS NOT NULL)
ORDER BY day;
