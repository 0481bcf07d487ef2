"""Lists by pages: the query that asks for one, the signed cursors, and the answer.

A cursor is bound to the list and the filters that it was made for.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Request

from domain.errors import InvalidInput, Violation
from entrypoints.http.protocol.answers import (
    DEFAULT_LIMIT,
    Cursor,
    JsonAnswer,
    Limit,
    json_response,
)
from entrypoints.http.protocol.bodies import query_pairs, read_query

Q = TypeVar("Q", bound="ListQuery")
R = TypeVar("R")
V = TypeVar("V")
P = TypeVar("P", bound="Page[Any]")
K = TypeVar("K")

_SIGNATURE_BYTES: Final = 16


class ListQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What each list may be asked for; a list's filters are members of a subclass."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class Page(msgspec.Struct, Generic[V]):
    """A part of a list; each list says its order."""

    items: list[V]
    next: str | None


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads cursors.

    Attributes:
        secret: the same in every process, so that each reads what another made.
    """

    secret: bytes

    def next_path(
        self, path: str, filters: Mapping[str, str | int | None], position: int, limit: int
    ) -> str:
        """The path and query that GET the page after `position`, an id or a day's ordinal."""
        given = {name: value for name, value in filters.items() if value is not None}
        payload = str(position).encode()
        signature = self._signature(path, given, payload)
        cursor = _as_text(signature + payload)
        return f"{path}?{urlencode({**given, 'limit': limit, 'cursor': cursor})}"

    def position(
        self, cursor: str | None, path: str, filters: Mapping[str, str | int | None]
    ) -> int | None:
        """Where `next_path` said to go on; None without a cursor.

        Raises:
            InvalidInput: not a cursor of ours, or made for another list or other filters.
        """
        if cursor is None:
            return None
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            genuine = hmac.compare_digest(signature, self._signature(path, filters, payload))
        except ValueError:
            genuine = False
        genuine = genuine and _as_text(raw) == cursor  # decoding skips what is no Base64
        if not genuine:
            detail = "is not a cursor of this list with these filters; take `next` as it is"
            raise InvalidInput.of([Violation(pointer="cursor", detail=detail)])
        return int(payload)

    def _signature(self, path: str, filters: Mapping[str, Any], payload: bytes) -> bytes:
        given = sorted((name, str(v)) for name, v in filters.items() if v is not None)
        scope = msgspec.json.encode([path, given])
        return hmac.digest(self.secret, scope + b"\x00" + payload, hashlib.sha256)[
            :_SIGNATURE_BYTES
        ]


def _as_text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest(Generic[Q]):
    """Which page of a list is asked for.

    Attributes:
        query: its filters, by name.
        position: what the page begins after; None for the first.
        path, filters, cursors: what the path of the next page is made of.
    """

    query: Q
    position: int | None
    path: str
    filters: Mapping[str, str]
    cursors: Cursors

    @property
    def read_limit(self) -> int:
        """How many rows to read: one beyond the page tells that there is a next one."""
        return self.query.limit + 1

    def before(self, identity: Callable[[int], K]) -> K | None:
        """The position as an id; None for the first page."""
        return None if self.position is None else identity(self.position)

    def shown(self, found: Sequence[R]) -> Sequence[R]:
        """Those of the rows read that stand on the page."""
        return found[: self.query.limit]

    def answer(
        self,
        page: type[P],
        found: Sequence[R],
        view: Callable[[R], object],
        position: Callable[[R], int],
    ) -> JsonAnswer[P]:
        """The page, and the way to the next in the body and in `Link`.

        Args:
            page: its type.
            found: up to `read_limit` rows.
            view: a row as the answer shows it.
            position: of a row, as the repository takes it to go on.
        """
        shown = self.shown(found)
        next_path = None
        if len(found) > len(shown):
            next_path = self.cursors.next_path(
                self.path, self.filters, position(shown[-1]), self.query.limit
            )
        headers = {} if next_path is None else {"Link": f'<{next_path}>; rel="next"'}
        return json_response(
            page(items=[view(row) for row in shown], next=next_path), headers=headers
        )


def read_page(request: Request[Any, Any, Any], struct: type[Q], cursors: Cursors) -> PageRequest[Q]:
    """Read the query of the list at the request's path.

    Raises:
        InvalidInput: names every bad parameter, a cursor that is not of this list too.
    """
    path = request.scope["path"]
    filters = dict(query_pairs(request.scope["query_string"]))
    filters.pop("limit", None)
    cursor = filters.pop("cursor", None)
    forged: tuple[Violation, ...] = ()
    position = None
    try:
        position = cursors.position(cursor, path, filters)
    except InvalidInput as error:
        forged = error.violations

    def rules(members: Mapping[str, object]) -> Sequence[Violation]:
        return forged if "cursor" in members else ()

    query = read_query(request, struct, rules)
    return PageRequest(query=query, position=position, path=path, filters=filters, cursors=cursors)
