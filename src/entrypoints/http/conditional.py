"""ETags made from versions, and the conditions that requests put on them (RFC 9110, 13.1)."""

from __future__ import annotations

import re
from typing import Any, Final

from litestar import Request

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


def etag(version: int) -> str:
    """The strong ETag of a row's version."""
    return f'"{version}"'


def if_match(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    """The versions that `If-Match` allows; None when it is absent or `*`.

    A weak tag, or one that we never made, allows nothing.
    """
    value = _field(request, "if-match")
    if value is None or value.strip() == "*":
        return None
    return frozenset(
        int(tag) for weak, tag in _TAG.findall(value) if not weak and _VERSION.fullmatch(tag)
    )


def not_modified(request: Request[Any, Any, Any], version: int) -> bool:
    """Whether `If-None-Match` says that the caller has this version already."""
    value = _field(request, "if-none-match")
    if value is None:
        return False
    return value.strip() == "*" or any(tag == str(version) for _, tag in _TAG.findall(value))


def _field(request: Request[Any, Any, Any], name: str) -> str | None:
    """The whole list, which may come in several lines."""
    lines = request.headers.getall(name, [])
    return ", ".join(lines) if lines else None
