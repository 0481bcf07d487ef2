"""Bodies and queries: parsed strictly, and every bad member named, not only the first."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from email.message import Message
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request

from domain.errors import InvalidInput, Violation
from entrypoints.http.problems import MalformedRequest, UnsupportedMediaType

S = TypeVar("S", bound=msgspec.Struct)
Rules = Callable[[Mapping[str, object]], Sequence[Violation]]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

_LONGEST_NUMBER: Final = 40
_PATH: Final = re.compile(r" - at `\$(.*)`$")


def parse_json(body: bytes) -> Any:
    """Parse JSON (RFC 8259) and nothing beyond it.

    Raises:
        MalformedRequest: not UTF-8, not JSON, a key twice in an object, NaN or Infinity, a number
            of more than 40 digits or beyond a double, nested too deep.
    """
    if not body:
        raise MalformedRequest("The body is empty; JSON is expected.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not JSON: {error.msg} ({where}).") from None
    except RecursionError:
        raise MalformedRequest("The body is nested too deep.") from None


def read_object(raw: Any, struct: type[S], rules: Rules | None = None, at: str = "") -> S:
    """Convert a parsed object to `struct`.

    Args:
        raw: what `parse_json` returned.
        struct: its fields' types and bounds are what a member may be.
        rules: finds what is wrong with members that have the right type.
        at: JSON pointer of `raw` in the body.

    Raises:
        InvalidInput: names every missing, unknown, mistyped, out-of-range and wrong member.
    """
    try:
        value = msgspec.convert(raw, struct)
    except msgspec.ValidationError:
        raise InvalidInput.of(_violations(raw, struct, rules, at)) from None
    found = rules(msgspec.structs.asdict(value)) if rules is not None else ()
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
        UnsupportedMediaType: the Content-Type is none of `media_types`, or not UTF-8.
        MalformedRequest: see `parse_json`.
    """
    kind, parameters = content_type(request)
    if kind not in media_types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(media_types)}.")
    if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Send the body in UTF-8.")
    return parse_json(await request.body())


def content_type(request: Request[Any, Any, Any]) -> tuple[str, Mapping[str, str]]:
    """The media type of the body, in lower case, and its parameters."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    if not message["content-type"]:
        return "", {}
    return message.get_content_type(), dict(message.get_params(failobj=[])[1:])


def read_query(request: Request[Any, Any, Any], struct: type[S]) -> S:
    """Convert the query string to `struct`; each parameter at most once, unknown ones refused.

    Raises:
        InvalidInput: names every bad parameter.
    """
    raw: dict[str, str] = {}
    repeated = []
    for name, value in request.query_params.multi_items():
        if name in raw:
            repeated.append(Violation(pointer=name, detail="must be given once"))
        raw[name] = value
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    found = repeated + [_unknown(name, name, known) for name in raw if name not in known]
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in raw:
            value = _converted(raw[name], field.type, name, found, strict=False)
            values[field.name] = value
            if isinstance(value, str) and ("\x00" in value or not _encodable(value)):
                found.append(Violation(pointer=name, detail="holds a character that is not text"))
    if found:
        raise InvalidInput.of(found)
    return struct(**values)


def _violations(
    raw: Any, struct: type[msgspec.Struct], rules: Rules | None, at: str
) -> list[Violation]:
    if not isinstance(raw, dict):
        return [Violation(pointer=at, detail=f"must be an object, is {_name(raw)}")]
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    found = [_unknown(f"{at}/{_escaped(name)}", name, known) for name in raw if name not in known]
    right: dict[str, object] = {}
    for name, field in known.items():
        if name not in raw:
            if field.required:
                found.append(Violation(pointer=f"{at}/{name}", detail="is missing"))
            continue
        before = len(found)
        value = _converted(raw[name], field.type, f"{at}/{name}", found, strict=True)
        if len(found) == before:
            right[name] = value
    if rules is not None:
        found += [_below(at, each) for each in rules(right)]
    return found


def _converted(raw: Any, kind: Any, pointer: str, found: list[Violation], *, strict: bool) -> Any:
    """`raw` as `kind`, or None and a violation in `found`."""
    try:
        return msgspec.convert(raw, kind, strict=strict)
    except msgspec.ValidationError as error:
        message = str(error)
        inner = _PATH.search(message)
        path = "" if inner is None else inner.group(1).replace("[", "/").replace("]", "")
        detail = _PATH.sub("", message).replace("`", "")
        found.append(Violation(pointer=pointer + path.replace(".", "/"), detail=detail))
        return None


def _unknown(pointer: str, name: str, known: Mapping[str, object]) -> Violation:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"
    return Violation(pointer=pointer, detail=f"is not known; {hint}")


def _below(at: str, violation: Violation) -> Violation:
    return Violation(pointer=at + violation.pointer, detail=violation.detail)


def _escaped(name: str) -> str:
    """As a part of a JSON pointer, and encodable whatever the key was."""
    safe = name.encode(errors="backslashreplace").decode()
    return safe.replace("~", "~0").replace("/", "~1")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _name(raw: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(raw), "a number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequest(f"The body has the member {_escaped(twice)!r} twice.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise MalformedRequest(f"The body has a number of {len(digits)} digits.")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedRequest("The body has a number that is beyond a double's range.")
    return number


def _no_constant(name: str) -> float:
    raise MalformedRequest(f"The body has {name}, which JSON does not.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_distinct,
    parse_int=_integer,
    parse_float=_finite,
    parse_constant=_no_constant,
)
