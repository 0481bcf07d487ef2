"""What is asked for, as values: nothing here sends, waits or looks at the clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote
from uuid import UUID, uuid4

import msgspec
from httpx2 import Response

from storekeeper_client.errors import UnexpectedAnswer

T = TypeVar("T")

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
MERGE_PATCH: Final = "application/merge-patch+json"

Scalar: TypeAlias = str | int | float | date | datetime | None


@dataclass(frozen=True, slots=True)
class Lines:
    """A body of NDJSON that is made while it is sent.

    Attributes:
        rows: what `encoded` makes a line of each; what can be gone through once only is kept in a
            file while it is sent, so that it can be sent again.
    """

    rows: Iterable[Any] | AsyncIterable[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its answer is read.

    Attributes:
        method: of HTTP.
        path: from the root of the service, encoded.
        read: makes the value of an answer of 2xx or of `expected`; raises UnexpectedAnswer.
        query: names and values, without those that are not given.
        headers: names and values, likewise.
        body: bytes, or lines.
        expected: further statuses that are an answer, no error.
        note: what a caller has to know where it fails.
    """

    method: str
    path: str
    read: Callable[[Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Lines | None = None
    expected: frozenset[int] = frozenset()
    note: str | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it does nothing more when it is carried out twice."""
        return self.method == "GET" or not self.headers.keys().isdisjoint(
            {"Idempotency-Key", "If-Match"}
        )


@dataclass(frozen=True, slots=True)
class Pause:
    """Time to wait, in seconds."""

    seconds: float


Steps: TypeAlias = Generator[Call[Any] | Pause, Any, T]
"""Calls and pauses that follow one another; each call is answered by the value that it reads."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list; `next` is the path of the part that follows, None on the last."""

    items: tuple[T, ...]
    next: str | None


def path_of(*parts: str | int | date | UUID) -> str:
    """A path of these parts, each encoded.

    Raises:
        ValueError: a part is empty or of dots alone, and would make another path.
    """
    texts = [str(part) for part in parts]
    for text in texts:
        if not text.strip("."):
            raise ValueError(f"{text!r} names nothing: give a name or an id.")
    return "/" + "/".join(quote(text, safe="") for text in texts)


def given(**values: Scalar) -> dict[str, str]:
    """What is not None, as a query writes it; `_` at the end of a name is left out."""
    return {
        name.removesuffix("_"): _written(value)
        for name, value in values.items()
        if value is not None
    }


def _written(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(Decimal(str(value)), "f")  # without an exponent
    return value.isoformat() if isinstance(value, date) else str(value)


def conditions(*, if_match: str | None = None, if_none_match: str | None = None) -> dict[str, str]:
    """The headers of a precondition.

    Raises:
        ValueError: a tag that no header can hold.
    """
    found = {"If-Match": if_match, "If-None-Match": if_none_match}
    return {name: _printable(name, value) for name, value in found.items() if value is not None}


def once(idempotency_key: str | None) -> dict[str, str]:
    """The header that makes repetitions harmless; one is made where none is given.

    Raises:
        ValueError: a key that no header can hold.
    """
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    return {"Idempotency-Key": _printable("Idempotency-Key", key)}


def _printable(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{name} {value!r} holds a sign that no header can: use printable ASCII.")
    return value


def encoded(content: object) -> bytes:
    """JSON; structs leave out what has its default value.

    Raises:
        ValueError: NaN or an infinite number, which JSON has not.
        TypeError: it has what JSON has not.
    """
    plain = msgspec.to_builtins(content)
    try:
        return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise ValueError(f"JSON has no NaN and no infinite numbers: {error}") from None


def members(**values: object) -> dict[str, object]:
    """The members of a body that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def nothing(answer: Response) -> None:
    """The reader of answers that say no more than their status (204)."""
    if answer.status_code != HTTPStatus.NO_CONTENT:
        raise UnexpectedAnswer(f"The answer is {answer.status_code}, not 204: is it of a proxy?")


def file_of(media_type: str) -> Callable[[Response], None]:
    """The reader of files, which looks at their type alone."""

    def read(answer: Response) -> None:
        found = answer.headers.get("content-type", "")
        if found.partition(";")[0].strip() != media_type:
            raise UnexpectedAnswer(f"The answer is {found or 'of no type'}, not {media_type}.")

    return read


def reads(kind: type[T]) -> Callable[[Response], T]:
    """The reader of a JSON body; members that this version does not know are left out."""
    decoder = msgspec.json.Decoder(kind)

    def read(answer: Response) -> T:
        try:
            return decoder.decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            name = getattr(kind, "__name__", str(kind))
            raise UnexpectedAnswer(
                f"The answer ({answer.status_code}) is no {name}: {error}. Is base_url that of the"
                " service, and is this package as new as it?"
            ) from error

    return read


def page_reader(kind: type[T]) -> Callable[[Response], Page[T]]:
    """The reader of a part of a list."""
    return reads(Page[kind])  # type: ignore[valid-type]


def etag_of(answer: Response) -> str:
    """The version of the record in an answer, as the service wrote it.

    A proxy that compresses makes the tag a weak one (`W/"3"`), which no `If-Match` holds for.
    """
    etag = answer.headers.get("etag", "").removeprefix("W/")
    if not etag:
        raise UnexpectedAnswer("The answer has no ETag: something between took it out.")
    return etag


def following(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call for the part that follows; None after the last.

    Raises:
        UnexpectedAnswer: the next part is said to be elsewhere; no key is sent there.
    """
    if page.next is None:
        return None
    path, _, query = page.next.partition("?")
    if path != call.path:
        raise UnexpectedAnswer(f"{call.path} goes on at {page.next!r}, which is another list.")
    return Call(
        method="GET",
        path=path,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers=call.headers,
        read=call.read,
    )


def batches(rows: Iterable[T], *, most: int, most_bytes: int) -> Iterable[Sequence[T]]:
    """The rows in their order, in parts of bounded number and size as lines of JSON."""
    part: list[T] = []
    size = 0
    for row in rows:
        length = len(encoded(row)) + 1
        if part and (len(part) == most or size + length > most_bytes):
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part
