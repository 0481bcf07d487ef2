-- What keys spend on language models, by day of UTC, and their budgets.

-- name: spend
INSERT INTO model_spending AS s (key_id, day, usd, tokens, unpriced_calls)
VALUES (
    coalesce((SELECT k.budget_key_id FROM api_keys AS k WHERE k.id = :key_id), :key_id),
    (now() AT TIME ZONE 'UTC')::date, :usd, :tokens, :unpriced_calls
)
ON CONFLICT (key_id, day) DO UPDATE
SET usd = s.usd + excluded.usd,
    tokens = s.tokens + excluded.tokens,
    unpriced_calls = s.unpriced_calls + excluded.unpriced_calls;

-- A key spends on the account of the first of those that it was made in the place of.
-- name: keys_today
api_keys AS k
LEFT JOIN model_spending AS s
    ON s.key_id = coalesce(k.budget_key_id, k.id) AND s.day = (now() AT TIME ZONE 'UTC')::date

-- name: today
SELECT k.budget_usd, k.budget_tokens, coalesce(s.usd, 0) AS usd, coalesce(s.tokens, 0) AS tokens,
    coalesce(s.unpriced_calls, 0) AS unpriced_calls
FROM
@keys_today
WHERE k.id = :key_id;

-- The rule of `domain.access.budgets.used_up`, over jobs `j`.
-- name: key_is_used_up
EXISTS (
    SELECT FROM
    @keys_today
    WHERE k.id = j.key_id
        AND (
            coalesce(s.tokens, 0) >= k.budget_tokens
            OR coalesce(s.usd, 0) >= k.budget_usd
            OR (k.budget_usd IS NOT NULL AND s.unpriced_calls > 0)
        )
)
