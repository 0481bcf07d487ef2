-- The search insights: the click-through rate (CTR) of each day, the best queries, and the queries
-- that are shown often and clicked rarely. docs/explanation/insights.md tells why they are defined so,
-- and docs/how-to/insights-by-hand.md how to run this file in psql.
--
-- They read two views of sql/schema.sql, `search_day_figures` and `search_query_figures`: the rows of
-- search_clicks, added up by day and by query, right at any time. What a row counts for is said there,
-- in the function `searches_of_day`.
--
-- In all of them:
--   * a day is a UTC day, and :from_date and :to_date are both included;
--   * queries meet under `query_norm`: NFKC, lower case, single spaces, trimmed;
--   * a row counts when its query is not blank and 0 <= clicks <= impressions;
--   * a rate is clicks / impressions, NULL without impressions (0 means: shown, never clicked). The
--     column click_through_rate enters no figure, because anyone may have written it: rows in which
--     it contradicts the counts are counted.


-- 1. The average CTR of every day of a period, days without rows included.
--    average_ctr weighs each row the same, overall_ctr each impression: of the rows 1/1 and 0/999 the
--    first makes 0.5, the second 0.001.
-- name: average_ctr_by_day
SELECT
    day,
    coalesce(clicks, 0)                                          AS clicks,
    coalesce(impressions, 0)                                     AS impressions,
    round(ctr_sum / nullif(rated_rows, 0), 12)::float8           AS average_ctr,
    clicks / nullif(impressions, 0)::float8                      AS overall_ctr,
    coalesce(source_rows, 0)                                     AS source_rows,
    coalesce(rated_rows, 0)                                      AS rated_rows,
    coalesce(distinct_queries, 0)                                AS distinct_queries,
    coalesce(blank_rows, 0)                                      AS blank_rows,
    coalesce(impossible_rows, 0)                                 AS impossible_rows,
    coalesce(contradicting_rows, 0)                              AS contradicting_rows
FROM
    (SELECT :from_date::date + n AS day FROM generate_series(0, :to_date::date - :from_date::date) AS n) AS days
    LEFT JOIN search_day_figures
        ON search_date = day AND search_date BETWEEN :from_date::date AND :to_date::date
ORDER BY day;


-- 2. The best queries of a period by CTR, of those with at least :min_impressions.
--    :rank_by = 'ctr_low' ranks by the lower bound of Wilson's 95 % interval instead, so that 990
--    clicks of 1000 stand above 20 of 20. Ties go to more clicks, then to the query that sorts first.
-- name: top_queries
WITH totals AS (
    SELECT
        query_norm AS query, sum(clicks)::bigint AS clicks, sum(impressions)::bigint AS impressions
    FROM search_query_figures
    WHERE search_date BETWEEN :from_date::date AND :to_date::date
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
),
best AS (
    SELECT *, CASE :rank_by::text WHEN 'ctr_low' THEN ctr_low ELSE ctr END AS score
    FROM intervals
    ORDER BY score DESC, clicks DESC, query
    LIMIT :top::bigint
)
SELECT
    row_number() OVER (ORDER BY score DESC, clicks DESC, query) AS rank,
    query, clicks, impressions, ctr, ctr_low, ctr_high
FROM best
ORDER BY rank;


-- 3. Queries with many impressions and few clicks.
--    Many: at least :low_min_impressions, and as many as the :low_percentile of the period's queries.
--    Few: a rate below :low_ctr_ratio of the period's rate (the baseline), and so surely below it that
--    the upper bound of Wilson's 95 % interval is below it too. The most lost clicks come first:
--    those that the baseline would have brought beyond the clicks that came.
-- name: low_performance_queries
WITH totals AS (
    SELECT
        query_norm AS query, sum(clicks)::bigint AS clicks, sum(impressions)::bigint AS impressions
    FROM search_query_figures
    WHERE search_date BETWEEN :from_date::date AND :to_date::date
    GROUP BY query_norm
    HAVING sum(impressions) > 0
),
-- MATERIALIZED, so that it is added up once whatever the planner thinks of the number of queries.
whole AS MATERIALIZED (
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
    row_number() OVER (ORDER BY n * baseline - clicks DESC, query) AS rank,
    query, clicks, impressions, ctr, ctr_low, ctr_high,
    n * baseline - clicks AS lost_clicks
FROM intervals, whole
WHERE
    n >= shown_often
    AND ctr < :low_ctr_ratio::float8 * baseline
    AND ctr_high < baseline
ORDER BY rank
LIMIT :low_limit::bigint;


-- 4. Each day of a period for one query, given by its key; days without it included.
-- name: query_history
WITH days AS (
    SELECT
        day,
        coalesce(searches, 0)                                    AS searches,
        coalesce(clicks, 0)                                      AS clicks,
        coalesce(impressions, 0)                                 AS impressions,
        nullif(impressions, 0)::float8                           AS n,
        clicks / nullif(impressions, 0)::float8                  AS ctr,
        :z::float8                                               AS z
    FROM
        (SELECT :from_date::date + n AS day FROM generate_series(0, :to_date::date - :from_date::date) AS n) AS days
        LEFT JOIN search_query_figures ON search_date = day AND query_norm = :query::text
)
SELECT
    day, searches, clicks, impressions, ctr,
    -- greatest and least would take NULL, the rate without impressions, for no bound at all.
    CASE WHEN n > 0 THEN
        greatest(0, (ctr + z * z / (2 * n) - z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n))
    END AS ctr_low,
    CASE WHEN n > 0 THEN
        least(1, (ctr + z * z / (2 * n) + z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n))
    END AS ctr_high
FROM days
ORDER BY day;
