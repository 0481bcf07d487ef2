"""Which rows of searches are taken, and what is said of the others."""

from __future__ import annotations

from datetime import date

import pytest

from domain.insights.click_rows import click_violations
from domain.insights.model import FIRST_DAY, LAST_DAY


@pytest.mark.parametrize("query", ["", " ", "\u3000", "\u1680\u2028", "\x1c\u0085\u00a0"])
def test_a_query_of_spaces_of_any_kind_is_blank(query: str) -> None:
    [violation] = click_violations({"search_query": query})
    assert (violation.pointer, violation.detail) == ("/search_query", "must not be blank")


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_day_that_no_store_can_hold_is_refused(day: date) -> None:
    [violation] = click_violations({"search_date": day})
    assert violation.pointer == "/search_date"
    assert str(FIRST_DAY) in violation.detail


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY])
def test_the_first_and_the_last_day_are_taken(day: date) -> None:
    assert click_violations({"search_date": day}) == []


def test_what_could_not_be_counted_is_refused_with_every_reason() -> None:
    bad = {"search_query": "\u2028", "clicks": 3, "impressions": 2}
    assert [each.pointer for each in click_violations(bad)] == ["/search_query", "/clicks"]
    assert click_violations({"search_query": "lamp", "clicks": 2, "impressions": 2}) == []
    assert click_violations({}) == []
    assert [each.pointer for each in click_violations({"search_query": "a\x00"})] == [
        "/search_query"
    ]


@pytest.mark.parametrize(
    ("rate", "clicks", "impressions"),
    [
        (1 / 3, 1, 3),
        (0.33, 1, 3),
        (0.335, 1, 3),
        (1, 7, 7),
        (0, 0, 5),
        (None, 1, 3),
        (None, 0, 0),
        # The counts are wrong themselves; what the rate should be is anybody's guess.
        (0.5, -1, 2),
        (0.5, -3, -2),
    ],
)
def test_a_stated_rate_may_be_rounded_or_left_out(
    rate: float | None, clicks: int, impressions: int
) -> None:
    row = {"clicks": clicks, "impressions": impressions, "click_through_rate": rate}
    assert click_violations(row) == []


@pytest.mark.parametrize(
    ("rate", "clicks", "impressions", "right"),
    [
        (0.32, 1, 3, "must be 0.333333,"),
        (33, 1, 3, "must be 0.333333,"),
        (float("nan"), 1, 3, "must be 0.333333,"),
        (float("inf"), 1, 3, "must be 0.333333,"),
        (0, 0, 0, "must be null, as there are no impressions,"),
    ],
)
def test_a_stated_rate_that_contradicts_the_counts_is_refused_with_the_right_one(
    rate: float, clicks: int, impressions: int, right: str
) -> None:
    row = {"clicks": clicks, "impressions": impressions, "click_through_rate": rate}
    [violation] = click_violations(row)
    assert violation.pointer == "/click_through_rate"
    assert right in violation.detail
