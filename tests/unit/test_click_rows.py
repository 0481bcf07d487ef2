"""Which rows of searches are accepted, by the block and one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.insights.click_rows import (
    COLUMNS,
    ClickRowBlock,
    ReadPosition,
    RejectedRow,
    check_rows,
    click_violations,
    row_violations,
)
from domain.insights.model import FIRST_DAY, LAST_DAY

DAY = date(2026, 11, 20)
GOOD = {
    "search_query": "lamp",
    "clicks": 1,
    "impressions": 2,
    "click_through_rate": 0.5,
    "search_date": DAY,
}


def block(rows: Sequence[dict[str, Any]], unreadable: Sequence[RejectedRow] = ()) -> ClickRowBlock:
    return ClickRowBlock(
        columns={name: [row[name] for row in rows] for name in (rows[0] if rows else ())},
        lines=range(10, 10 + len(rows)),
        unreadable=unreadable,
        end=ReadPosition(),
        read=0,
    )


def test_right_rows_are_taken_with_the_rate_of_their_counts() -> None:
    rows = [GOOD, {**GOOD, "click_through_rate": 0.502}, {**GOOD, "click_through_rate": None}]
    unseen = {**GOOD, "clicks": 0, "impressions": 0, "click_through_rate": None}
    taken, rejected = check_rows(block([*rows, unseen]), None)
    assert taken == [("lamp", 1, 2, 0.5, DAY)] * 3 + [("lamp", 0, 0, None, DAY)]
    assert rejected == []


@pytest.mark.parametrize("column", ["click_through_rate", "search_date"])
def test_a_column_that_the_file_lacks_is_filled(column: str) -> None:
    row = {name: value for name, value in GOOD.items() if name != column}
    other = date(2026, 1, 2)
    day = other if column == "search_date" else DAY
    assert check_rows(block([row]), other) == ([("lamp", 1, 2, 0.5, day)], [])
    # The same row by row.
    taken, rejected = check_rows(block([row, {**row, "clicks": 3}]), other)
    assert (len(taken), [each.line for each in rejected]) == (1, [11])


def test_a_row_without_a_day_gets_the_day_that_is_given_or_is_rejected() -> None:
    undated = {**GOOD, "search_date": None}
    assert [
        row[4] for row in check_rows(block([undated, GOOD]), date.max.replace(year=2025))[0]
    ] == [
        date(2025, 12, 31),
        DAY,
    ]
    taken, [rejected] = check_rows(block([GOOD, undated]), None)
    assert len(taken) == 1
    assert (rejected.line, rejected.row) == (11, undated)
    assert [(each.pointer, each.detail) for each in rejected.reasons] == [
        ("/search_date", "is missing")
    ]


def test_an_empty_block_has_what_could_not_be_read() -> None:
    unreadable = RejectedRow(line=3, row="?", reasons=())
    assert check_rows(block([], [unreadable]), None) == ([], [unreadable])
    assert check_rows(block([GOOD], [unreadable]), None)[1] == [unreadable]


def test_rejected_rows_stand_in_the_order_of_the_file() -> None:
    unreadable = [RejectedRow(line=line, row="?", reasons=()) for line in (9, 11, 13)]
    bad = {**GOOD, "clicks": -1}
    _, rejected = check_rows(block([bad, GOOD, bad], unreadable), None)
    assert [each.line for each in rejected] == [9, 10, 11, 12, 13]


@pytest.mark.parametrize(
    ("members", "pointer", "detail"),
    [
        ({"search_query": None}, "/search_query", "is missing"),
        ({"search_query": 7}, "/search_query", "must be a text, is 7"),
        ({"search_query": "\u3000"}, "/search_query", "must not be blank"),
        ({"search_query": "x" * 256}, "/search_query", "must have at most 255"),
        ({"search_query": "a\x00"}, "/search_query", "NUL"),
        ({"search_query": "a\ud800"}, "/search_query", "lone surrogate"),
        ({"clicks": None}, "/clicks", "is missing"),
        ({"clicks": "1,5"}, "/clicks", "from 0 to 2147483647, is '1,5'"),
        ({"clicks": "x" * 99}, "/clicks", "xxx..."),
        ({"clicks": "a\ud800"}, "/clicks", r"is 'a\\ud800'"),
        ({"clicks": True}, "/clicks", "must be an integer"),
        ({"clicks": 1.5}, "/clicks", "must be an integer"),
        ({"clicks": -1}, "/clicks", "must be an integer"),
        ({"clicks": 3}, "/clicks", "must not be more than impressions, which are 2"),
        ({"impressions": 2**31}, "/impressions", "must be an integer"),
        ({"click_through_rate": "half"}, "/click_through_rate", "must be a number, is 'half'"),
        ({"click_through_rate": True}, "/click_through_rate", "must be a number"),
        ({"click_through_rate": 50}, "/click_through_rate", "must be 0.5, or left out"),
        ({"click_through_rate": float("nan")}, "/click_through_rate", "contradicts"),
        ({"search_date": "20.11.2026"}, "/search_date", "such as 2026-11-20, is '20.11.2026'"),
        ({"search_date": datetime(2026, 1, 1)}, "/search_date", "such as 2026-11-20"),  # noqa: DTZ001
        ({"search_date": date.min}, "/search_date", "must be a day from"),
        ({"search_date": date.max}, "/search_date", "must be a day from"),
    ],
)
def test_what_is_wrong_is_said_wherever_the_row_stands(
    members: dict[str, Any], pointer: str, detail: str
) -> None:
    bad = {**GOOD, **members}
    for place, rows in ((0, [bad]), (1, [GOOD, bad]), (0, [bad, GOOD])):
        taken, [rejected] = check_rows(block(rows), None)
        assert len(taken) == len(rows) - 1
        assert (rejected.line, rejected.row) == (10 + place, bad)
        [violation] = rejected.reasons
        assert violation.pointer == pointer
        assert detail in violation.detail


def test_every_bad_member_of_a_row_is_named() -> None:
    bad = dict.fromkeys(COLUMNS, "\x00")
    assert [each.pointer for each in row_violations(bad)] == [
        "/clicks",
        "/impressions",
        "/click_through_rate",
        "/search_date",
        "/search_query",
    ]


VALUES = {
    "search_query": st.sampled_from(["lamp", "é", "  ", "", "x" * 255, "x" * 256, "\ud800", None]),
    "clicks": st.sampled_from([0, 1, 2, -1, None, "1", True, 2**31]),
    "impressions": st.sampled_from([0, 2, 3, 2**31 - 1, 2**31, None, 2.5]),
    "click_through_rate": st.sampled_from([None, 0.5, 0.33, 0, 1, float("nan"), "x"]),
    "search_date": st.sampled_from([DAY, None, date.min, "x"]),
}


@given(
    rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=4),
    good=st.integers(0, 3),
    day=st.sampled_from([None, DAY]),
)
def test_a_block_gives_what_its_rows_give_one_by_one(
    rows: list[dict[str, Any]], good: int, day: date | None
) -> None:
    rows = [*rows, *[GOOD] * good]
    taken, rejected = check_rows(block(rows), day)
    alone = [check_rows(block([row]), day) for row in rows]
    assert taken == [row for found, _ in alone for row in found]
    assert [(each.row, each.reasons) for each in rejected] == [
        (each.row, each.reasons) for _, found in alone for each in found
    ]
    dated = [{**row, "search_date": row["search_date"] or day} for row in rows]
    assert len(taken) == sum(row_violations(row) == [] for row in dated)


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
