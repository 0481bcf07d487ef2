"""Queries have one key, rules have bounds, and an empty period has no rate."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.insights.model import Period, PeriodInsights, RankingRules, normalised_query
from tests.fakes.insight_rates import daily_ctr

DAY = date(2025, 3, 1)


def test_a_period_without_impressions_has_no_rate() -> None:
    analysis = PeriodInsights(
        period=Period.of_day(DAY),
        rules=RankingRules(),
        days=[daily_ctr(DAY, [])],
        top_queries=[],
        low_performance_queries=[],
        undated_rows=0,
    )
    assert (analysis.clicks, analysis.impressions) == (0, 0)
    assert (analysis.average_ctr, analysis.overall_ctr) == (None, None)


def test_rules_out_of_their_bounds_are_all_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        RankingRules(top=0, low_percentile=1.1, low_ctr_ratio=float("nan"), low_limit=1001)
    assert [each.pointer for each in refusal.value.violations] == [
        "top",
        "low_percentile",
        "low_ctr_ratio",
        "low_limit",
    ]
    assert refusal.value.violations[0].detail == "must be from 1 to 100"


@given(query=st.text())
def test_the_key_of_a_key_is_itself_however_it_is_spaced(query: str) -> None:
    once = normalised_query(query)
    assert "  " not in once
    assert once == once.strip(" ")
    assert normalised_query(once) == once
    assert normalised_query(f"  {query}\t") == once
