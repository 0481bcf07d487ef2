from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.conditional import etag, if_match, not_modified
from tests.unit.http_requests import a_request

versions = st.integers(1, 999_999_999)


@given(versions)
def test_the_etag_of_a_version_matches_it_and_no_other(version: int) -> None:
    assert if_match(a_request(("if-match", etag(version)))) == frozenset({version})
    assert not_modified(a_request(("if-none-match", etag(version))), version)
    assert not not_modified(a_request(("if-none-match", etag(version))), version + 1)


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ('"1"', {1}),
        ('"1", "2" ,"3"', {1, 2, 3}),
        ('"1","a, b","3"', {1, 3}),
        ('W/"1"', set()),
        ('W/"1", "2"', {2}),
        ("*", None),
        (" * ", None),
        ('*, "1"', {1}),
        ("1", set()),
        ("", set()),
        ('""', set()),
        ('"1', set()),
        ("'1'", set()),
        ('"01"', set()),
        ('"0"', set()),
        ('"-1"', set()),
        ('"1.0"', set()),
        ('" 1"', set()),
        (f'"{"9" * 40}"', set()),
        ('"\xb2"', set()),
    ],
)
def test_if_match_allows_strong_tags_of_ours_alone(value: str, versions: set[int] | None) -> None:
    expected = None if versions is None else frozenset(versions)
    assert if_match(a_request(("if-match", value))) == expected


def test_without_the_header_nothing_is_asked() -> None:
    assert if_match(a_request()) is None
    assert not not_modified(a_request(), 1)


def test_a_list_may_come_in_several_lines() -> None:
    request = a_request(("if-match", '"1"'), ("if-match", '"2"'))
    assert if_match(request) == frozenset({1, 2})
    assert not_modified(a_request(("if-none-match", '"1"'), ("if-none-match", '"2"')), 2)


@pytest.mark.parametrize(
    ("value", "modified"),
    [
        ('"7"', False),
        ('W/"7"', False),
        ('"1", W/"7"', False),
        ("*", False),
        ('"8"', True),
        ("7", True),
        ("", True),
        ('"07"', True),
    ],
)
def test_if_none_match_compares_weakly(value: str, modified: bool) -> None:
    assert not_modified(a_request(("if-none-match", value)), 7) is not modified


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40))
def test_any_value_is_read(value: str) -> None:
    allowed = if_match(a_request(("if-match", value)))
    assert allowed is None or all(1 <= version < 10**9 for version in allowed)
    assert not_modified(a_request(("if-none-match", value)), 1) in {True, False}
