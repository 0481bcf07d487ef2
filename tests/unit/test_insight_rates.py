"""The arithmetic of the insights, on figures worked out by hand and on random ones."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.insights.model import RankBy, RankingRules
from domain.statistics import wilson_interval
from tests.fakes.insight_rates import low_performers, top_queries

COUNTS = st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TOTALS = st.dictionaries(st.text(min_size=1, max_size=5), COUNTS, max_size=30)


@given(totals=TOTALS, top=st.integers(1, 10), rank_by=st.sampled_from(RankBy))
def test_no_eligible_query_outside_the_top_is_better_than_one_inside(
    totals: dict[str, tuple[int, int]], top: int, rank_by: RankBy
) -> None:
    rules = RankingRules(top=top, min_impressions=20, rank_by=rank_by)
    found = top_queries(totals, rules)
    inside = {query.query for query in found}
    eligible = {query for query, (_, impressions) in totals.items() if impressions >= 20}
    assert inside <= eligible
    assert len(found) == min(top, len(eligible))

    def score(query: str) -> float:
        clicks, impressions = totals[query]
        if rank_by is RankBy.CTR:
            return clicks / impressions
        return wilson_interval(clicks, impressions)[0]

    if found:
        assert all(score(query) <= score(found[-1].query) for query in eligible - inside)
    assert [query.rank for query in found] == list(range(1, len(found) + 1))


@given(totals=TOTALS)
def test_low_performers_lose_clicks_and_lie_below_the_baseline(
    totals: dict[str, tuple[int, int]],
) -> None:
    found = low_performers(totals, RankingRules())
    clicks = sum(c for c, _ in totals.values())
    impressions = sum(n for _, n in totals.values())
    for query in found:
        baseline = clicks / impressions
        assert query.lost_clicks > 0
        assert query.ctr < 0.5 * baseline
        assert query.ctr_high < baseline
        assert query.impressions >= 100
    assert [query.lost_clicks for query in found] == sorted(
        (query.lost_clicks for query in found), reverse=True
    )


def test_when_every_query_does_alike_none_is_a_low_performer() -> None:
    alike = {f"q{n}": (5, 1000) for n in range(10)}
    assert low_performers(alike, RankingRules()) == []
    assert low_performers(dict.fromkeys(alike, (0, 1000)), RankingRules()) == []


def test_the_bounds_of_a_low_performer_can_be_moved() -> None:
    totals = {"good": (500, 1000), "weak": (50, 400)}
    assert [each.query for each in low_performers(totals, RankingRules(low_percentile=0.0))] == [
        "weak"
    ]
    assert low_performers(totals, RankingRules(low_percentile=0.5)) == []
    assert low_performers(totals, RankingRules(low_percentile=0.0, low_min_impressions=401)) == []
    strict = replace(RankingRules(low_percentile=0.0), low_ctr_ratio=0.3)
    assert low_performers(totals, strict) == []
