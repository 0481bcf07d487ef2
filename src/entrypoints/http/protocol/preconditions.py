"""ETags made from versions, and the conditions that requests put on them (RFC 9110, 13.1)."""

from __future__ import annotations

import re
from typing import Any, Final, TypedDict

from litestar import Request

from domain.errors import PreconditionFailed

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


class Versions(TypedDict):
    """Which versions of its row a write may meet; the arguments of the repositories."""

    if_version: frozenset[int] | None
    unless_version: frozenset[int]


class Existence(TypedDict):
    """Whether a write may meet what is there, or make what is not; both: neither."""

    only_new: bool
    only_known: bool


def etag(version: int) -> str:
    """The strong ETag of a row's version."""
    return f'"{version}"'


def conditions(request: Request[Any, Any, Any]) -> Versions:
    """What `If-Match` and `If-None-Match` say of a write to a row; both have to hold.

    A tag that we never made, and of `If-Match` a weak one, is the tag of no version. With an
    `If-None-Match` that cannot be read no version is right, as none is with such an `If-Match`.
    """
    allowed, excluded = _field(request, "if-match"), _field(request, "if-none-match")
    if_version = None if allowed in {None, "*"} else _versions(allowed or "", weak=False)
    if not _is_list(excluded or ""):  # `*` too: the row is there
        if_version = frozenset()
    return {"if_version": if_version, "unless_version": _versions(excluded or "", weak=True)}


def existence(request: Request[Any, Any, Any]) -> Existence:
    """What `If-Match` and `If-None-Match` say of a write to something that has no ETag.

    A tag is that of nothing here; of something that is there, `only_new` refuses the write.
    """
    allowed, excluded = _field(request, "if-match"), _field(request, "if-none-match")
    return {
        "only_known": allowed is not None,
        "only_new": allowed not in {None, "*"} or not _is_list(excluded or ""),
    }


def not_modified(request: Request[Any, Any, Any], version: int) -> bool:
    """Whether `If-None-Match` says that the caller of a GET has this version already.

    Raises:
        PreconditionFailed: `If-Match` allows other versions alone.
    """
    allowed, known = _field(request, "if-match"), _field(request, "if-none-match")
    if allowed not in {None, "*"} and version not in _versions(allowed or "", weak=False):
        raise PreconditionFailed(f"The resource is now in version {version}.")
    return known == "*" or version in _versions(known or "", weak=True)


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
