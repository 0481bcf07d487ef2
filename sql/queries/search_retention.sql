-- Rows of old days are given up, and what they add up to is kept.


-- The days before one that have rows. Hops from day to day along the index, so it costs a few reads
-- for each day, however many rows a day has.
-- name: days_with_rows
WITH RECURSIVE searched AS (
    SELECT min(search_date) AS day FROM search_clicks
    WHERE search_date >= :since::date AND search_date < :before::date
    UNION ALL
    SELECT (
        SELECT min(search_date) FROM search_clicks
        WHERE search_date > searched.day AND search_date < :before::date
    )
    FROM searched
    WHERE searched.day IS NOT NULL
)
SELECT day FROM searched WHERE day IS NOT NULL ORDER BY day;


-- Under the lock of the day, and one statement: the rows that are deleted are the very rows that were
-- added up. What was kept before is among the sums.
-- name: prune_day
WITH kept AS (
    INSERT INTO search_pruned_days (
        search_date, query_norm, searches, rated, clicks, impressions, ctr_sum,
        blank, impossible, contradicting
    )
    SELECT
        :day::date, array_agg(query_norm), array_agg(searches), array_agg(rated), array_agg(clicks),
        array_agg(impressions), array_agg(ctr_sum), array_agg(blank), array_agg(impossible),
        array_agg(contradicting)
    -- In order, because alike texts side by side pack better.
    FROM (SELECT * FROM searches_of_day(:day::date) ORDER BY query_norm) AS of_day
    HAVING count(*) > 0
    ON CONFLICT (search_date) DO UPDATE SET
        query_norm    = excluded.query_norm,
        searches      = excluded.searches,
        rated         = excluded.rated,
        clicks        = excluded.clicks,
        impressions   = excluded.impressions,
        ctr_sum       = excluded.ctr_sum,
        blank         = excluded.blank,
        impossible    = excluded.impossible,
        contradicting = excluded.contradicting
)
DELETE FROM search_clicks WHERE search_date = :day::date;
