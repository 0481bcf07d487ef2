from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Request
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import InvalidInput, Violation
from entrypoints.http.protocol.bodies import (
    content_type,
    object_violations,
    parse_json,
    read_object,
    read_query,
)
from entrypoints.http.protocol.problems import MalformedRequest


class Inner(Struct, forbid_unknown_fields=True):
    depth: Annotated[int, Meta(ge=1)]


class Thing(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5, pattern=r"\S")]
    count: Annotated[int, Meta(ge=1, le=9)]
    when: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    inner: Inner | UnsetType = UNSET
    many: list[Inner] | UnsetType = UNSET


class Share(Struct, forbid_unknown_fields=True):
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    free: float | None = None
    number: int | None = None


class Query(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=5)] | None = None
    number: Annotated[int, Meta(ge=1, le=200)] = 50
    since: Annotated[datetime, Meta(tz=True)] | None = msgspec.field(default=None, name="from")


def refused(body: bytes) -> str:
    with pytest.raises(MalformedRequest) as refusal:
        parse_json(body)
    return str(refusal.value)


def bad_places(raw: Any) -> list[str]:
    return [each.pointer for each in object_violations(raw, Thing)]


def asked(query: str, struct: type[Struct] = Query) -> Any:
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": query.encode(),
        "headers": [],
        "state": {},
    }
    return read_query(Request(scope), struct)


def bad_parameters(query: str) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        asked(query)
    return {each.pointer: each.detail for each in refusal.value.violations}


# JSON


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**39), 10**39)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_what_json_can_say_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode()) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(MalformedRequest):
        assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "b": 2, "\\u0061": 3}',
        b'[[{"x": {"y": [{"a": 1, "a": 2}]}}]]',
        b'{"a": {"a": 1, "b": {"a": 1, "a": 2}}}',
    ],
)
def test_a_member_that_stands_twice_in_an_object_is_refused_at_any_depth(body: bytes) -> None:
    assert refused(body) == "The body has the field 'a' twice."


def test_a_lone_surrogate_that_stands_twice_is_refused_in_words_that_can_be_sent() -> None:
    assert refused(b'{"\\ud800": 1, "\\ud800": 2}').encode()


def test_finding_the_member_that_stands_twice_takes_no_longer_than_reading() -> None:
    members = ",".join(f'"k{n}":1' for n in range(100_000))
    assert "'k99999'" in refused(f'{{{members},"k99999":1}}'.encode())


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("shape", ["{}", "[1, {}]", '{{"a": {}}}'])
def test_what_python_reads_beyond_json_is_refused(name: str, shape: str) -> None:
    assert name in refused(shape.format(name).encode())


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E+309", "9e999"])
def test_a_number_beyond_a_double_is_refused(number: str) -> None:
    assert "double" in refused(f'{{"a": [{number}]}}'.encode())


@pytest.mark.parametrize("text", ["2.0", "2e0", "0.2E1", "200e-2"])
def test_a_whole_number_is_an_integer_however_it_is_written(text: str) -> None:
    assert type(parse_json(text.encode())) is int
    assert read_object(parse_json(f'{{"name":"oak","count":{text}}}'.encode()), Thing).count == 2


def test_a_number_that_a_double_does_not_hold_exactly_is_no_integer() -> None:
    assert type(parse_json(b"9007199254740992.0")) is int
    assert type(parse_json(b"9007199254740994.0")) is float


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_has_up_to_forty_digits(sign: str) -> None:
    assert parse_json(f"{sign}{'9' * 40}".encode()) == int(f"{sign}{'9' * 40}")
    assert "41 digits" in refused(f"[{sign}{'9' * 41}]".encode())
    assert "100000 digits" in refused(f"[{sign}{'9' * 100_000}]".encode())


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', "[[[[["])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert refused(opening.encode() * 100_000) == "The body is nested more than 100 deep."


def test_reasonable_nesting_is_read() -> None:
    assert json.dumps(parse_json(b"[" * 100 + b"]" * 100)) == "[" * 100 + "]" * 100


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" ", "empty"),
        (b"{", "line 1, column 2"),
        (b"{'a': 1}", "not JSON"),
        (b"{} {}", "Extra data"),
        (b"[1,]", "not JSON"),
        (b"01", "not JSON"),
        (b"+1", "not JSON"),
        (b"tru", "not JSON"),
        (b'"a\nb"', "control character"),
        (b"// no\n{}", "not JSON"),
        (b'"\\x41"', "escape"),
        (b'{"a": 1}\0', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8 (byte 0)"),
        ("{}".encode("utf-32-be"), "not JSON"),
        (b'{"a": "\xe9"}', "not UTF-8 (byte 7)"),
        (b'"\xed\xa0\x80"', "not UTF-8 (byte 1)"),
        (b'"\xc0\x80"', "not UTF-8 (byte 1)"),
    ],
)
def test_what_is_not_json_in_utf8_is_refused_with_the_place(body: bytes, reason: str) -> None:
    assert reason in refused(body)


# Objects


def test_right_members_are_taken() -> None:
    raw = {"name": "oak", "count": 2, "when": "2026-11-22T10:00:00+01:00", "inner": {"depth": 1}}
    thing = read_object(raw, Thing)
    assert (thing.name, thing.count, thing.inner) == ("oak", 2, Inner(depth=1))
    assert thing.when == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert object_violations(raw, Thing) == ()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ([], "an array"),
        ("x", "a string"),
        (1, "a number"),
        (1.5, "a number"),
        (True, "a boolean"),
        (None, "null"),
    ],
)
def test_what_is_no_object_is_named_as_a_whole(raw: Any, name: str) -> None:
    (violation,) = object_violations(raw, Thing)
    assert violation == Violation(pointer="", detail=f"must be an object, is {name}")


def test_all_bad_members_are_named_at_once_in_the_order_of_the_input() -> None:
    raw = {"when": "today", "zip": 1, "inner": {"depth": 0}, "name": 7, "many": [{"depth": 1}, {}]}
    assert bad_places(raw) == [
        "/when",
        "/zip",
        "/inner/depth",
        "/name",
        "/many/1",
        "/count",  # missing ones have no place and stand last
    ]


@pytest.mark.parametrize("wrong", [None, 1, 1.5, True, [], {}, ["oak"]])
def test_a_text_is_a_string(wrong: Any) -> None:
    assert bad_places({"name": wrong, "count": 1}) == ["/name"]


@pytest.mark.parametrize("wrong", [None, "1", 1.0, 1.5, True, False, [], {}, 0, 10, -1, 10**30])
def test_a_number_is_an_integer_within_its_bounds(wrong: Any) -> None:
    assert bad_places({"name": "oak", "count": wrong}) == ["/count"]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        0,
        1767225600,
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-02-30T10:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:00:00+25:00",
        "10000-01-01T00:00:00Z",
        "now",
    ],
)
def test_a_time_is_rfc_3339_with_an_offset(wrong: Any) -> None:
    assert bad_places({"name": "oak", "count": 1, "when": wrong}) == ["/when"]


def test_an_unknown_member_is_told_what_it_may_have_meant() -> None:
    found = object_violations({"name": "oak", "cuont": 1, "zzz": 2}, Thing)
    assert [(each.pointer, each.detail) for each in found] == [
        ("/cuont", "is not known; did you mean count?"),
        ("/zzz", "is not known; known are name, count, when, inner, many"),
        ("/count", "is missing"),
    ]


@pytest.mark.parametrize(
    ("name", "pointer"),
    [("a/b", "/a~1b"), ("~", "/~0"), ("~1", "/~01"), ("", "/"), ("\ud800", "/\\ud800")],
)
def test_a_pointer_is_escaped_and_can_be_sent(name: str, pointer: str) -> None:
    (violation,) = object_violations({"name": "oak", "count": 1, name: 0}, Thing)
    assert violation.pointer == pointer
    assert msgspec.json.encode(violation.pointer)


@pytest.mark.parametrize("inner", [{"\ud800": 1}, {"depth": 1, "\udfff": 2}])
def test_a_lone_surrogate_in_a_name_further_down_is_refused(inner: dict[str, int]) -> None:
    assert bad_places({"name": "oak", "count": 1, "inner": inner}) == ["/inner"]
    assert bad_places({"name": "oak", "count": 1, "many": [inner]}) == ["/many"]


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=9), json_values, max_size=4), st.text(max_size=9))
def test_any_object_is_taken_or_every_bad_member_of_it_named(
    raw: dict[str, Any], extra: str
) -> None:
    raw = {extra: 1, **raw}
    found = object_violations(raw, Thing)
    assert msgspec.json.encode([(each.pointer, each.detail) for each in found])
    named = {each.pointer.split("/")[1] for each in found}
    assert "name" in named or isinstance(raw.get("name"), str)
    assert len(named) >= len(raw.keys() - {"name", "count", "when", "inner", "many"})


def test_rules_see_right_types_only_and_speak_in_place_of_bounds() -> None:
    seen: list[dict[str, object]] = []

    def rules(members: Any) -> list[Violation]:
        seen.append(dict(members))
        return [Violation(pointer="/name", detail="must not be blank")]

    found = object_violations({"name": " ", "count": "1", "when": "x"}, Thing, rules, "/3")
    assert seen == [{"name": " "}]
    assert [each.pointer for each in found] == ["/3/name", "/3/count", "/3/when"]
    assert found[0].detail == "must not be blank"
    assert "Expected int, got str" in found[1].detail


def test_rules_are_asked_when_every_member_has_the_right_form_too() -> None:
    def rules(members: Any) -> list[Violation]:
        return [Violation(pointer="/name", detail=f"is {members['name']}")]

    found = object_violations({"name": "oak", "count": 1}, Thing, rules, "/0")
    assert list(found) == [Violation(pointer="/0/name", detail="is oak")]


# Queries


def test_an_absent_parameter_has_its_default() -> None:
    assert asked("") == Query()
    assert asked("text=&number=200") == Query(text="", number=200)


def test_parameters_are_read_as_their_types() -> None:
    moment = datetime(2026, 11, 22, 9, tzinfo=UTC)
    query = urlencode({"text": "é&=", "number": "7", "from": "2026-11-22T10:00:00+01:00"})
    assert asked(query) == Query(text="é&=", number=7, since=moment)


@given(st.floats(0, 1))
def test_any_share_comes_through_as_programs_write_it(share: float) -> None:
    assert asked(urlencode({"share": repr(share)}), Share) == Share(share=share)


@pytest.mark.parametrize("query", ["free=nan", "free=inf", "free=1e999", "free=1_0", "free=%201"])
def test_what_is_no_number_in_json_is_none_here(query: str) -> None:
    with pytest.raises(InvalidInput):
        asked(query, Share)


@pytest.mark.parametrize("query", ["number=1e1", "number=1.0", "share=1.5", "share=-1e-9"])
def test_a_number_of_another_kind_or_beyond_its_bounds_is_refused(query: str) -> None:
    with pytest.raises(InvalidInput):
        asked(query, Share)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5))
def test_any_text_comes_through(text: str) -> None:
    assert asked(urlencode({"text": text})).text == text


def test_every_bad_parameter_is_named_at_once() -> None:
    query = "nmuber=1&text=toolong&number=0&from=today&zzz=1"
    assert bad_parameters(query) == {
        "nmuber": "is not known; did you mean number?",
        "zzz": "is not known; known are text, number, from",
        "text": "Expected str of length <= 5",
        "number": "Expected int >= 1",
        "from": "Invalid RFC3339 encoded datetime, such as 2026-11-22T09:30:00Z",
    }


def test_a_missing_parameter_is_named_beside_the_bad_ones() -> None:
    with pytest.raises(InvalidInput) as refusal:
        asked("name=toolong&zzz=1", Thing)
    named = {each.pointer for each in refusal.value.violations}
    assert named == {"name", "count", "zzz"}
    assert "is missing" in {each.detail for each in refusal.value.violations}


def test_a_repeated_parameter_is_refused_even_with_the_same_value() -> None:
    assert bad_parameters("number=1&number=1&number=2") == {"number": "must be given once"}


@pytest.mark.parametrize(
    "number",
    [
        *("null", "NULL", "true", "1.0", "1.5", "1e1", "0x1", "1_0", "\uff13", "+1", "-1", "0"),
        *("201", "1111111111", "nan", "", " 1", "1 ", "9" * 41, "9" * 5000),
    ],
)
def test_a_number_in_a_query_is_decimal_digits_within_its_bounds(number: str) -> None:
    assert list(bad_parameters(urlencode({"number": number}))) == ["number"]


@pytest.mark.parametrize("moment", ["null", "", "1767225600", "1e9", "2026-11-22", "nan"])
def test_a_time_in_a_query_is_rfc_3339_with_an_offset(moment: str) -> None:
    assert list(bad_parameters(urlencode({"from": moment}))) == ["from"]


def test_null_is_a_text_like_any_other() -> None:
    assert asked("text=null").text == "null"


@pytest.mark.parametrize("name", ["text", "number", "from"])
def test_a_nul_is_refused(name: str) -> None:
    assert bad_parameters(f"{name}=%00") == {name: "must not hold a NUL character"}


@pytest.mark.parametrize("value", ["%FF", "%ED%A0%80", "a%C3", "%C0%80"])
def test_what_is_not_utf8_is_refused(value: str) -> None:
    assert bad_parameters(f"text={value}") == {"text": "must not hold a lone surrogate"}


def test_names_that_are_not_text_are_refused_in_words_that_can_be_sent() -> None:
    found = bad_parameters(f"{quote('é')}=1&%00=2&%ED%A0%80=3")
    assert msgspec.json.encode(found)
    assert len(found) == 3


# Content types


def typed(value: str | None) -> tuple[str, dict[str, str]]:
    headers = [] if value is None else [(b"content-type", value.encode("latin-1"))]
    scope: Any = {"type": "http", "method": "POST", "path": "/", "headers": headers, "state": {}}
    kind, parameters = content_type(Request(scope))
    return kind, dict(parameters)


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        (None, "", {}),
        ("", "", {}),
        ("application/json", "application/json", {}),
        ("Application/JSON; Charset=UTF-8", "application/json", {"charset": "UTF-8"}),
        ('application/json;charset="utf-8"', "application/json", {"charset": "utf-8"}),
        ("application/merge-patch+json ; a=b", "application/merge-patch+json", {"a": "b"}),
        ("json", "text/plain", {}),
    ],
)
def test_the_media_type_and_its_parameters_are_told_apart(
    value: str | None, kind: str, parameters: dict[str, str]
) -> None:
    assert typed(value) == (kind, parameters)


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60))
def test_any_content_type_is_read(value: str) -> None:
    kind, parameters = typed(value)
    assert isinstance(kind, str)
    assert all(isinstance(each, str) for each in parameters.values())


def test_an_extended_parameter_is_text_too() -> None:
    kind, parameters = typed("application/json; charset*=utf-8''utf-8")
    assert kind == "application/json"
    assert parameters["charset"] != "utf-8"
