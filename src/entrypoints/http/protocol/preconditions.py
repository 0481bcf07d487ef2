"""ETags made from versions, and the conditions that requests put on them (RFC 9110, 13.1)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypedDict, TypeVar

from litestar import Request

from domain.errors import PreconditionFailed
from entrypoints.http.protocol.answers import JsonAnswer, json_response

V = TypeVar("V")

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


class Versioned(Protocol):
    """A row that has a version, one more with every change."""

    @property
    def version(self) -> int:
        """1 and up."""
        ...


R = TypeVar("R", bound=Versioned)


class VersionConditions(TypedDict):
    """Which versions of its row a write may meet; the arguments of the repositories."""

    if_version: frozenset[int] | None
    unless_version: frozenset[int]


class ExistenceConditions(TypedDict):
    """Whether a write may meet what is there, or make what is not; both: neither."""

    only_new: bool
    only_known: bool


def etag(version: int) -> str:
    """The strong ETag of a row's version."""
    return f'"{version}"'


def conditions(request: Request[Any, Any, Any]) -> VersionConditions:
    """What `If-Match` and `If-None-Match` say of a write to a row; both have to hold.

    A tag that we never made, and of `If-Match` a weak one, is the tag of no version. With an
    `If-None-Match` that cannot be read no version is right, as none is with such an `If-Match`.
    """
    allowed, excluded = _field(request, "if-match"), _field(request, "if-none-match")
    if_version = None if allowed in {None, "*"} else _versions(allowed or "", weak=False)
    if not _is_list(excluded or ""):  # `*` too: the row is there
        if_version = frozenset()
    return {"if_version": if_version, "unless_version": _versions(excluded or "", weak=True)}


def existence(request: Request[Any, Any, Any]) -> ExistenceConditions:
    """What `If-Match` and `If-None-Match` say of a write to something that has no ETag.

    A tag is that of nothing here; of something that is there, `only_new` refuses the write.
    """
    allowed, excluded = _field(request, "if-match"), _field(request, "if-none-match")
    return {
        "only_known": allowed is not None,
        "only_new": allowed not in {None, "*"} or not _is_list(excluded or ""),
    }


async def refuse_if_known(
    conditions: ExistenceConditions, what: str, fetch: Callable[[], Awaitable[object]]
) -> None:
    """Hold a write to something that has no ETag to its conditions.

    Raises:
        PreconditionFailed: it must not be there, and `fetch` finds it.
        NotFound: what `fetch` raises.
    """
    if conditions["only_new"]:
        await fetch()
        raise PreconditionFailed(f"{what} exists.")


def not_modified(request: Request[Any, Any, Any], version: int) -> bool:
    """Whether `If-None-Match` says that the caller of a GET has this version already.

    Raises:
        PreconditionFailed: `If-Match` allows other versions alone.
    """
    allowed, known = _field(request, "if-match"), _field(request, "if-none-match")
    if allowed not in {None, "*"} and version not in _versions(allowed or "", weak=False):
        raise PreconditionFailed(f"The resource is now in version {version}.")
    return known == "*" or version in _versions(known or "", weak=True)


@dataclass(frozen=True, slots=True)
class ReadConditions:
    """What the request of a GET says of the versions that its caller has."""

    request: Request[Any, Any, Any]

    def answer(self, row: R, view: Callable[[R], V]) -> JsonAnswer[V]:
        """The row, or 304 where the caller has it already.

        Raises:
            PreconditionFailed: see `not_modified`.
        """
        if not_modified(self.request, row.version):
            return JsonAnswer(b"", status_code=304, headers={"ETag": etag(row.version)})
        return versioned_response(row, view)


def versioned_response(
    row: R,
    view: Callable[[R], V],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JsonAnswer[V]:
    """A row as JSON, with the ETag of its version."""
    headers = {"ETag": etag(row.version), **(headers or {})}
    return json_response(view(row), status=status, headers=headers)


def _versions(tags: str, *, weak: bool) -> frozenset[int]:
    return frozenset(
        int(tag)
        for is_weak, tag in _TAG.findall(tags)
        if (weak or not is_weak) and _VERSION.fullmatch(tag)
    )


def _is_list(value: str) -> bool:
    """Whether this is a list of entity tags; it may be empty."""
    return not _TAG.sub("", value).replace(",", "").strip()


def _field(request: Request[Any, Any, Any], name: str) -> str | None:
    """The whole list, which may come in several lines."""
    lines = request.headers.getall(name, [])
    return ", ".join(lines).strip() if lines else None
