-- The log of searches and clicks.


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
) AS given (search_query, clicks, impressions, search_date)
RETURNING search_id;

-- name: all_clicks
-- The rows of a period, or all of them, in the order in which they came. A rate of NaN or infinity,
-- which no file can hold as a number, is none.
SELECT
    search_query, clicks, impressions,
    CASE
        WHEN click_through_rate > '-Infinity' AND click_through_rate < 'Infinity'
        THEN click_through_rate
    END AS click_through_rate,
    search_date
FROM search_clicks
WHERE (:first::date IS NULL OR search_date >= :first)
    AND (:last::date IS NULL OR search_date <= :last)
ORDER BY search_id;
