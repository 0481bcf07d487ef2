"""Bodies and queries: parsed strictly, and every bad member named, not only the first.

Times fall in the years 1..9999 of UTC, so that each can be told in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from domain import strict_json
from domain.errors import InvalidInput, Violation
from domain.text import storable_problem, suggestion
from entrypoints.http.protocol.problems import MalformedRequest, UnsupportedMediaType

S = TypeVar("S", bound=msgspec.Struct)
Rules = Callable[[Mapping[str, object]], Sequence[Violation]]

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
MERGE_PATCH: Final = "application/merge-patch+json"

_PATH: Final = re.compile(r" - at `\$(.*)`$")
_OUT_OF_YEARS: Final = "must fall in the years 1..9999 of UTC"
_BOUNDS: Final = ("Expected str ", "Expected int ")  # not "Expected str, got int"


def parse_json(body: bytes) -> Any:
    """Parse JSON (RFC 8259) and nothing beyond it.

    Raises:
        MalformedRequest: see `strict_json.read_json`.
    """
    try:
        return strict_json.read_json(body)
    except strict_json.NotStrictJson as error:
        raise MalformedRequest(f"The body {error}.") from None


def read_object(raw: Any, struct: type[S], rules: Rules | None = None, at: str = "") -> S:
    """Convert a parsed object to `struct`.

    Args:
        raw: what `parse_json` returned.
        struct: its fields' types and bounds are what a member may be.
        rules: finds what is wrong with members that have the right type; what it says of a
            member stands instead of what the field's bounds say.
        at: JSON pointer of `raw` in the body.

    Raises:
        InvalidInput: names every missing, unknown, mistyped, out-of-range and wrong member.
    """
    try:
        value = msgspec.convert(raw, struct)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter of a key
        raise InvalidInput.of(_violations(raw, struct, rules, at)) from None
    members = msgspec.structs.asdict(value)
    found = [*(rules(members) if rules is not None else ()), *_out_of_years(members, struct)]
    if found:
        raise InvalidInput.of([_below(at, each) for each in found])
    return value


def object_violations(
    raw: Any, struct: type[msgspec.Struct], rules: Rules | None = None, at: str = ""
) -> Sequence[Violation]:
    """All that `read_object` would refuse; empty when it would not."""
    try:
        read_object(raw, struct, rules, at)
    except InvalidInput as error:
        return error.violations
    return ()


async def read_body(
    request: Request[Any, Any, Any],
    struct: type[S],
    rules: Rules | None = None,
    media_types: Sequence[str] = (JSON,),
) -> S:
    """Read the body as `struct`: `read_json`, then `read_object`.

    Raises:
        UnsupportedMediaType, MalformedRequest, InvalidInput: see there.
    """
    return read_object(await read_json(request, media_types), struct, rules)


async def read_json(request: Request[Any, Any, Any], media_types: Sequence[str] = (JSON,)) -> Any:
    """Read the body as JSON.

    Raises:
        UnsupportedMediaType: the Content-Type is none of `media_types`, or not UTF-8, or the body
            is compressed.
        MalformedRequest: see `parse_json`.
    """
    check_media_type(request, media_types)
    return parse_json(await request.body())


def check_media_type(request: Request[Any, Any, Any], media_types: Sequence[str]) -> str:
    """The media type of a body that is one of these, in plain UTF-8, by its headers.

    Raises:
        UnsupportedMediaType: another type, another charset, or compressed.
    """
    kind, parameters = content_type(request)
    if kind not in media_types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media_types)}.")
    if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Send the body in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    return kind


def content_type(request: Request[Any, Any, Any]) -> tuple[str, Mapping[str, str]]:
    """The media type of the body, in lower case, and its parameters."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    if not message["content-type"]:
        return "", {}
    found: list[tuple[str, Any]] = message.get_params(failobj=[])[1:]
    # The extended form `charset*=...` is no parameter of JSON: its text is no known charset.
    return message.get_content_type(), {name: str(value) for name, value in found}


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string; bytes that are not UTF-8 become lone surrogates.

    Litestar's own parser puts U+FFFD in their place, and so changes what was asked for.
    """
    text = query.decode(errors="surrogateescape")
    return parse_qsl(text, keep_blank_values=True, errors="surrogateescape")


def read_query(request: Request[Any, Any, Any], struct: type[S], rules: Rules | None = None) -> S:
    """Convert the query string to `struct`: texts, numbers, times, choices.

    Each parameter may stand once, unknown ones are refused; `rules` as for `read_object`, with
    names in place of pointers.

    Raises:
        InvalidInput: names every bad parameter.
    """
    raw: dict[str, str] = {}
    found = []
    for name, value in query_pairs(request.scope["query_string"]):
        if name in raw:
            found.append(Violation(pointer=_shown(name), detail="must be given once"))
        raw[name] = value
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    found += [_unknown(_shown(name), name, known) for name in raw if name not in known]
    typed: dict[str, Any] = {}
    for name, field in known.items():
        if name not in raw:
            if field.required:
                found.append(Violation(pointer=name, detail="is missing"))
            continue
        before = len(found)
        value = _from_text(raw[name], field.type, name, found)
        if len(found) == before:
            typed[name] = value
    found += [
        Violation(pointer=name, detail=_OUT_OF_YEARS)
        for name, value in typed.items()
        if _is_out_of_years(value)
    ]
    if rules is not None:
        found += rules(typed)
    if found:
        raise InvalidInput.of(found)
    return struct(**{known[name].name: value for name, value in typed.items()})


def _from_text(text: str, kind: Any, name: str, found: list[Violation]) -> Any:
    """`text` as `kind`, or None and a violation in `found`.

    Not msgspec's lax mode: that reads `null` as an absent filter, `1e1` as 10, a number as a time.
    """
    problem = storable_problem(text)
    if problem is not None:
        found.append(Violation(pointer=name, detail=problem))
        return None
    try:
        return msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return _converted(_number(text), kind, name, found)


def _number(text: str) -> str | int | float:
    with suppress(strict_json.NotStrictJson):
        number = strict_json.read_number(text)
        return number if text.removeprefix("-").isdigit() else float(number)
    return text


def _violations(
    raw: Any, struct: type[msgspec.Struct], rules: Rules | None, at: str
) -> list[Violation]:
    if not isinstance(raw, dict):
        return [Violation(pointer=at, detail=f"must be an object, is {_name(raw)}")]
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    found = [_unknown(f"{at}/{_escaped(name)}", name, known) for name in raw if name not in known]
    typed: dict[str, object] = {}
    for name, field in known.items():
        if name not in raw:
            if field.required:
                found.append(Violation(pointer=f"{at}/{name}", detail="is missing"))
            continue
        before = len(found)
        value = _converted(raw[name], field.type, f"{at}/{name}", found)
        if len(found) == before:
            typed[name] = value
        elif isinstance(raw[name], str | int) and found[-1].detail.startswith(_BOUNDS):
            typed[name] = raw[name]
    if rules is not None:
        said = [_below(at, each) for each in rules(typed)]
        covered = {each.pointer for each in said}
        found = [each for each in found if each.pointer not in covered] + said
    places = {_escaped(name): place for place, name in enumerate(raw)}  # the missing ones last
    return sorted(
        found, key=lambda each: places.get(each.pointer[len(at) + 1 :].split("/")[0], len(raw))
    )


def _converted(raw: Any, kind: Any, pointer: str, found: list[Violation]) -> Any:
    """`raw` as `kind`, or None and a violation in `found`."""
    try:
        value = msgspec.convert(raw, kind)
        if not _is_out_of_years(value):
            return value
        found.append(Violation(pointer=pointer, detail=_OUT_OF_YEARS))
    except msgspec.ValidationError as error:
        message = str(error)
        inner = _PATH.search(message)
        path = "" if inner is None else inner.group(1).replace("[", "/").replace("]", "")
        detail = _PATH.sub("", message).replace("`", "")
        if "RFC3339" in detail:
            detail += ", such as 2026-11-22T09:30:00Z"
        found.append(Violation(pointer=pointer + path.replace(".", "/"), detail=detail))
    except UnicodeEncodeError:
        found.append(Violation(pointer=pointer, detail="holds a name with a lone surrogate"))
    return None


def _out_of_years(members: Mapping[str, object], struct: type[msgspec.Struct]) -> list[Violation]:
    late = {name for name, member in members.items() if _is_out_of_years(member)}
    return [
        Violation(pointer=f"/{field.encode_name}", detail=_OUT_OF_YEARS)
        for field in (msgspec.structs.fields(struct) if late else ())
        if field.name in late
    ]


def _is_out_of_years(value: object) -> bool:
    if isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except OverflowError:
            return True
    return False


def _unknown(pointer: str, name: str, known: Mapping[str, object]) -> Violation:
    return Violation(pointer=pointer, detail=f"is not known; {suggestion(name, known)}")


def _below(at: str, violation: Violation) -> Violation:
    return Violation(pointer=at + violation.pointer, detail=violation.detail)


def _escaped(name: str) -> str:
    """As a part of a JSON pointer, and encodable whatever the key was."""
    return _shown(name).replace("~", "~0").replace("/", "~1")


def _shown(name: str) -> str:
    """Encodable whatever the name was."""
    return name.encode(errors="backslashreplace").decode()


def _name(raw: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(raw), "a number")
