"""Answers, and the types of members, as every resource writes and reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Final, Generic, TypeVar, cast

import msgspec
from litestar import Response

from domain.errors import NotFound
from domain.records.orders import MAX_INT

T = TypeVar("T")

Id = Annotated[int, msgspec.Meta(ge=1, le=MAX_INT, examples=[1])]
StoredId = Annotated[
    int,
    msgspec.Meta(
        ge=-MAX_INT - 1,
        le=MAX_INT,
        examples=[1],
        description="1 and up, unless another program stored the row",
    ),
]
MAX_LIMIT: Final = 200
Limit = Annotated[
    int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="Rows of a page, at most; 50 if not given")
]
Cursor = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=1024,
        pattern="^[A-Za-z0-9_-]+$",
        description="From `next` of the page before",
    ),
]
Moment = Annotated[
    datetime,
    msgspec.Meta(tz=True, description="RFC 3339 with an offset", examples=["2026-11-22T09:30:00Z"]),
]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in an answer, in UTC. Without `tz` the document would not say that it is a time."""
DEFAULT_LIMIT: Final = 50

_ID: Final = re.compile(r"0|-?[1-9][0-9]{0,9}")
_ENCODER: Final = msgspec.json.Encoder()


def path_id(raw: str, what: str) -> int:
    """The id in a path.

    Raises:
        NotFound: not the decimal form of what an INT column holds, so nothing has it.
    """
    if not _ID.fullmatch(raw) or not -MAX_INT - 1 <= int(raw) <= MAX_INT:
        raise NotFound(f"There is no {what} with this id.")
    return int(raw)


def utc(value: datetime | msgspec.UnsetType | None) -> datetime | None:
    """A time of the caller's in UTC; None when it is not given."""
    return value.astimezone(UTC) if isinstance(value, datetime) else None


class JsonAnswer(Response[bytes], Generic[T]):
    """An answer whose body is `T` as JSON; the document reads it from the handler's signature."""


def shown(kind: type[T], *sources: object, **members: object) -> T:
    """What `kind` documents, filled in: nothing more is shown, and nothing less.

    Args:
        kind: a struct, or a list of one.
        sources: each member is the attribute of its name of the first of them that has it, those of
            their own members in turn.
        members: what no source has, or has otherwise.
    """
    source = sources[0]
    if members or len(sources) > 1:
        names = [field.name for field in msgspec.structs.fields(cast(type[msgspec.Struct], kind))]
        found = {
            name: getattr(each, name)
            for each in reversed(sources)
            for name in names
            if hasattr(each, name)
        }
        source = SimpleNamespace(**{**found, **members})
    return msgspec.convert(source, kind, from_attributes=True)


def json_response(
    body: T, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> JsonAnswer[T]:
    """A body as JSON."""
    return JsonAnswer(
        _ENCODER.encode(body),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/json",
    )
