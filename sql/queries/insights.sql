-- The search insights: the click-through rate (CTR) of each day, the best queries, and the queries
-- that are shown often and clicked rarely. docs/explanation/insights.md tells why they are defined so,
-- and docs/how-to/insights-by-hand.md how to run this file in psql.
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
WITH source AS (
    SELECT
        search_date,
        query_norm,
        clicks,
        impressions,
        coalesce(query_norm, '') = ''                      AS blank,
        coalesce(clicks BETWEEN 0 AND impressions, FALSE)  AS possible,
        -- Added up in parts of 10^12, as integers: no order of rows changes such a sum.
        CASE
            WHEN clicks BETWEEN 0 AND impressions
            THEN round(clicks / nullif(impressions, 0)::float8 * 1e12)::bigint
        END AS parts,
        CASE
            WHEN click_through_rate IS NULL THEN FALSE
            WHEN impressions = 0 THEN TRUE
            ELSE abs(click_through_rate - clicks / impressions::float8) > 0.005
        END AS contradicts
    FROM search_clicks
    WHERE search_date BETWEEN :from_date::date AND :to_date::date
),
by_day AS (
    SELECT
        search_date,
        sum(clicks) FILTER (WHERE possible AND NOT blank)                     AS clicks,
        sum(impressions) FILTER (WHERE possible AND NOT blank)                AS impressions,
        sum(parts) FILTER (WHERE possible AND NOT blank)                      AS parts,
        count(*) FILTER (WHERE possible AND NOT blank)                        AS source_rows,
        count(parts) FILTER (WHERE possible AND NOT blank)                    AS rated_rows,
        count(DISTINCT query_norm) FILTER (WHERE possible AND NOT blank)      AS distinct_queries,
        count(*) FILTER (WHERE blank)                                         AS blank_rows,
        count(*) FILTER (WHERE NOT possible AND NOT blank)                    AS impossible_rows,
        count(*) FILTER (WHERE possible AND NOT blank AND contradicts)        AS contradicting_rows
    FROM source
    GROUP BY search_date
)
SELECT
    day,
    coalesce(clicks, 0)                                          AS clicks,
    coalesce(impressions, 0)                                     AS impressions,
    round(parts / nullif(rated_rows, 0) / 1e12, 12)::float8      AS average_ctr,
    clicks / nullif(impressions, 0)::float8                      AS overall_ctr,
    coalesce(source_rows, 0)                                     AS source_rows,
    coalesce(rated_rows, 0)                                      AS rated_rows,
    coalesce(distinct_queries, 0)                                AS distinct_queries,
    coalesce(blank_rows, 0)                                      AS blank_rows,
    coalesce(impossible_rows, 0)                                 AS impossible_rows,
    coalesce(contradicting_rows, 0)                              AS contradicting_rows
FROM
    (SELECT :from_date::date + n AS day FROM generate_series(0, :to_date::date - :from_date::date) AS n) AS days
    LEFT JOIN by_day ON search_date = day
ORDER BY day;


-- 2. The best queries of a period by CTR, of those with at least :min_impressions.
--    :rank_by = 'ctr_low' ranks by the lower bound of Wilson's 95 % interval instead, so that 990
--    clicks of 1000 stand above 20 of 20. Ties go to more clicks, then to the query that sorts first.
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
            CASE :rank_by::text WHEN 'ctr_low' THEN ctr_low ELSE ctr END DESC,
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


-- 4. Each day of a period for one query, in whatever spelling; days without it included.
-- name: query_history
WITH by_day AS (
    SELECT
        search_date,
        count(*)                      AS searches,
        sum(clicks)                   AS clicks,
        sum(impressions)              AS impressions,
        sum(impressions)::float8      AS n,
        sum(clicks) / nullif(sum(impressions), 0)::float8 AS ctr,
        :z::float8                    AS z
    FROM search_clicks
    WHERE
        search_date BETWEEN :from_date::date AND :to_date::date
        AND query_norm = :query::text
        AND clicks BETWEEN 0 AND impressions
    GROUP BY search_date
)
SELECT
    day,
    coalesce(searches, 0)             AS searches,
    coalesce(clicks, 0)               AS clicks,
    coalesce(impressions, 0)          AS impressions,
    ctr,
    -- greatest and least would take NULL, the rate without impressions, for a bound.
    CASE WHEN n > 0 THEN
        greatest(0, (ctr + z * z / (2 * n) - z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n))
    END AS ctr_low,
    CASE WHEN n > 0 THEN
        least(1, (ctr + z * z / (2 * n) + z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
            / (1 + z * z / n))
    END AS ctr_high
FROM
    (SELECT :from_date::date + n AS day FROM generate_series(0, :to_date::date - :from_date::date) AS n) AS days
    LEFT JOIN by_day ON search_date = day
ORDER BY day;
