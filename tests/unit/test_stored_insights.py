"""Stored lists are read as they are documented, or refused with every reason."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from adapters.postgres.insights.stored_lists import read_low_performers, read_top_queries
from domain.errors import Violation
from domain.insights.model import LowPerformer

TOP = {
    "rank": 1,
    "query": "lamp",
    "clicks": 0,
    "impressions": 4,
    "ctr": 0,
    "ctr_low": 0,
    "ctr_high": 0.49,
}


def test_what_was_stored_is_read_back() -> None:
    top, problems = read_top_queries([TOP, {**TOP, "rank": 2, "note": "of a later version"}])
    assert [asdict(each) for each in top or ()] == [TOP, {**TOP, "rank": 2}]
    assert all(type(each.ctr) is float for each in top or ())
    assert problems == ()
    low, problems = read_low_performers([{**TOP, "lost_clicks": 12}])
    assert low == [LowPerformer(**TOP, lost_clicks=12.0)]  # type: ignore[arg-type]
    assert problems == ()


def test_nothing_stored_is_no_problem_and_an_empty_list_is_a_list() -> None:
    assert read_top_queries(None) == (None, ())
    assert read_low_performers([]) == ([], ())


@pytest.mark.parametrize("document", [{}, "sofa", 1, True, 1.5])
def test_what_is_no_list_is_refused(document: object) -> None:
    lists, (problem,) = read_low_performers(document)
    assert lists is None
    assert problem == Violation(
        pointer="/low_performance_queries", detail="is stored as something else than a list"
    )


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("rank", 1.0, "is no integer of 0 and up"),
        ("rank", True, "is no integer of 0 and up"),
        ("query", None, "is no text"),
        ("clicks", -1, "is no integer of 0 and up"),
        ("impressions", "4", "is no integer of 0 and up"),
        ("ctr", 1.5, "is no number from 0 to 1"),
        ("ctr_low", False, "is no number from 0 to 1"),
        ("ctr_high", "1", "is no number from 0 to 1"),
        ("lost_clicks", json.loads("1e999"), "is no number"),
        ("lost_clicks", 10**400, "is no number"),
        ("lost_clicks", None, "is no number"),
    ],
)
def test_a_member_of_another_kind_is_named(name: str, value: object, detail: str) -> None:
    lists, problems = read_low_performers([{**TOP, "lost_clicks": 1.5}, {**TOP, name: value}])
    assert lists is None
    named = {each.pointer: each.detail for each in problems}
    assert named[f"/low_performance_queries/1/{name}"] == detail


def test_no_more_than_ten_reasons_are_given() -> None:
    lists, problems = read_top_queries([{}] * 3)
    assert (lists, len(problems)) == (None, 10)
    assert problems[0] == Violation(pointer="/top_queries/0/rank", detail="is missing")


def test_an_entry_that_is_no_object_is_named() -> None:
    _, problems = read_top_queries([TOP, "sofa"])
    assert problems == [Violation(pointer="/top_queries/1", detail="is no object")]
