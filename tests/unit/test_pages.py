from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from entrypoints.http.protocol.pages import Cursors, ListQuery, read_page
from tests.unit.http_requests import a_request

CURSORS = Cursors(b"a secret of the tests")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
filters = st.dictionaries(texts, st.none() | texts | st.integers(), max_size=3)
positions = st.integers(-(2**63), 2**63)


class Query(ListQuery, forbid_unknown_fields=True):
    colour: str | None = None


def cursor_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["cursor"][-1]


def made(position: int = 7, path: str = "/users", **given: str | None) -> str:
    return cursor_of(CURSORS.next_path(path, given, position, 50))


@given(filters, positions, st.integers(1, 200))
def test_the_next_path_leads_back_to_its_position(
    given_filters: dict[str, str | int | None], position: int, limit: int
) -> None:
    path = CURSORS.next_path("/orders", given_filters, position, limit)
    query = urlsplit(path).query
    assert urlsplit(path).path == "/orders"
    assert dict(parse_qsl(query, keep_blank_values=True))["limit"] == str(limit)
    assert CURSORS.position(cursor_of(path), "/orders", given_filters) == position


def test_without_a_cursor_the_list_begins_at_the_start() -> None:
    assert CURSORS.position(None, "/users", {}) is None


@given(positions, st.data())
def test_any_change_to_a_cursor_is_noticed(position: int, data: st.DataObject) -> None:
    cursor = made(position)
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.characters(max_codepoint=127).filter(lambda each: each != cursor[at]))
    for forged in (
        cursor[:at] + letter + cursor[at + 1 :],
        cursor[:at] + letter + cursor[at:],
        cursor[:at],
        cursor + letter,
    ):
        if forged != cursor:
            with pytest.raises(InvalidInput):
                CURSORS.position(forged, "/users", {})


@pytest.mark.parametrize(
    "forged", ["", "x", "é", "\ud800", "\0", "=", "====", "A" * 100_000, "AAAA" * 6, "💥" * 9]
)
def test_what_is_no_cursor_is_refused_by_name(forged: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        CURSORS.position(forged, "/users", {})
    assert [each.pointer for each in refusal.value.violations] == ["cursor"]


def test_a_cursor_belongs_to_its_list_its_filters_and_its_server() -> None:
    cursor = made(email="a@example.com")
    assert CURSORS.position(cursor, "/users", {"email": "a@example.com"}) == 7
    others: list[tuple[str, dict[str, str | int | None]]] = [
        ("/orders", {"email": "a@example.com"}),
        ("/users", {"email": "A@example.com"}),
        ("/users", {"email": None}),
        ("/users", {}),
        ("/users", {"email": "a@example.com", "user_id": 1}),
        ("/users", {"emai": "la@example.com"}),
    ]
    for path, given_filters in others:
        with pytest.raises(InvalidInput):
            CURSORS.position(cursor, path, given_filters)
    with pytest.raises(InvalidInput):
        Cursors(b"another secret").position(cursor, "/users", {"email": "a@example.com"})


def test_a_filter_that_is_not_given_is_none() -> None:
    assert CURSORS.position(made(email=None), "/users", {}) == 7


def test_a_page_is_read_with_its_filters_and_its_position() -> None:
    cursor = made(colour="red")
    request = a_request(query=f"colour=red&limit=9&cursor={cursor}")
    page = read_page(request, Query, CURSORS)
    assert page.query == Query(colour="red", limit=9, cursor=cursor)
    assert (page.path, page.filters, page.position) == ("/users", {"colour": "red"}, 7)
    first = read_page(a_request(), Query, CURSORS)
    assert (first.query, first.filters, first.position) == (Query(), {}, None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("cursor=forged", ["cursor"]),
        ("limit=0&cursor=forged", ["limit", "cursor"]),
        ("colour=red&cursor=" + made(colour="blue"), ["cursor"]),
        ("shape=round&limit=x&cursor=" + made(), ["shape", "limit", "cursor"]),
        ("cursor=" + "x" * 2000, ["cursor"]),
        ("cursor=", ["cursor"]),
        ("cursor=%00", ["cursor"]),
        ("cursor=%C3%A9", ["cursor"]),
    ],
)
def test_a_forged_cursor_is_named_beside_the_other_bad_parameters(
    query: str, names: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_page(a_request(query=query), Query, CURSORS)
    assert [each.pointer for each in refusal.value.violations] == names
