from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import PreconditionFailed
from entrypoints.http.protocol.preconditions import conditions, etag, existence, not_modified
from tests.unit.http_requests import a_request

versions = st.integers(1, 999_999_999)


@given(versions)
def test_the_etag_of_a_version_matches_it_and_no_other(version: int) -> None:
    asked = conditions(a_request(("if-match", etag(version)), ("if-none-match", etag(version))))
    assert asked == {"if_version": frozenset({version}), "unless_version": frozenset({version})}
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
    asked = conditions(a_request(("if-match", value)))
    assert asked == {"if_version": expected, "unless_version": frozenset()}


@pytest.mark.parametrize(
    ("value", "any_version", "excluded"),
    [
        ('"1"', True, {1}),
        ('W/"1"', True, {1}),
        ('"1", W/"2" ,"3"', True, {1, 2, 3}),
        ('"of another server", "2"', True, {2}),
        ("", True, set()),
        (" , ", True, set()),
        ("*", False, set()),
        (" * ", False, set()),
        ('*, "1"', False, {1}),
        ("1", False, set()),
        ('"1', False, set()),
        ("'1'", False, set()),
        ('w/"1"', False, {1}),
        ('"1" or "2"', False, {1, 2}),
    ],
)
def test_if_none_match_of_a_write_excludes_what_it_names_or_all_if_it_cannot_be_read(
    value: str, any_version: bool, excluded: set[int]
) -> None:
    asked = conditions(a_request(("if-none-match", value)))
    assert asked["unless_version"] == excluded
    assert asked["if_version"] == (None if any_version else frozenset())


@pytest.mark.parametrize(
    ("headers", "only_new", "only_known"),
    [
        ([], False, False),
        ([("if-none-match", "*")], True, False),
        ([("if-none-match", '"1"')], False, False),
        ([("if-none-match", "1")], True, False),
        ([("if-match", "*")], False, True),
        ([("if-match", '"1"')], True, True),
        ([("if-match", "")], True, True),
        ([("if-match", "*"), ("if-none-match", "*")], True, True),
    ],
)
def test_what_has_no_tag_is_asked_for_by_whether_it_exists(
    headers: list[tuple[str, str]], only_new: bool, only_known: bool
) -> None:
    assert existence(a_request(*headers)) == {"only_new": only_new, "only_known": only_known}


@pytest.mark.parametrize("allowed", ['"1"', 'W/"7"', "7", ""])
def test_a_read_of_another_version_than_if_match_names_is_refused(allowed: str) -> None:
    with pytest.raises(PreconditionFailed, match="version 7"):
        not_modified(a_request(("if-match", allowed), ("if-none-match", '"7"')), 7)
    for right in ("*", '"7"'):
        assert not not_modified(a_request(("if-match", right)), 7)


def test_without_the_header_nothing_is_asked() -> None:
    assert conditions(a_request()) == {"if_version": None, "unless_version": frozenset()}
    assert not not_modified(a_request(), 1)


def test_a_list_may_come_in_several_lines() -> None:
    request = a_request(("if-match", '"1"'), ("if-match", '"2"'))
    assert conditions(request)["if_version"] == frozenset({1, 2})
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
    allowed = conditions(a_request(("if-match", value), ("if-none-match", value)))["if_version"]
    assert allowed is None or all(1 <= version < 10**9 for version in allowed)
    assert not_modified(a_request(("if-none-match", value)), 1) in {True, False}
