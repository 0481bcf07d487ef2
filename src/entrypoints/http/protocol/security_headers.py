"""What a browser and a cache may do with an answer: the one table of these headers.

A handler states what is special about its own answer, a page's policy or that it may be kept; the
middleware adds all else, to refusals and failures too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""Of what is no page: JSON, tables, text, problem documents."""
DASHBOARD_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""All that a page needs comes from this server, as files; nothing runs from within the page."""
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI asks this server, and draws its icons from data URLs."""
EXPLANATION_POLICY: Final = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a page of text alone; its icon is an empty data URL."""

ASSET: Final = "public, max-age=3600"
"""`Cache-Control` of what everybody gets alike: styles, scripts, what a problem code means."""
CHECKED: Final = "private, no-cache"
"""Of a row with an `ETag`: its caller may keep it, and asks each time whether it still holds."""
UNSTORED: Final = "no-store"
"""Of all else: lists, reports, exports, pages, refusals."""

_EVERYWHERE: Final[Sequence[Header]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PAGES: Final[Sequence[Header]] = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
)
# Browsers apply it to every port of a host: on this machine's own name it would lock out whatever
# else is developed there. An IP address they do not remember.
_HTTPS_ONLY: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
_CALLERS: Final = (b"Authorization", b"Cookie")


def framed(policy: str) -> str:
    """The policy of a page that holds its own, which cannot say there who may frame it."""
    return f"{policy}; frame-ancestors 'none'"


def completed(headers: Iterable[Header], *, host: bytes, varies: Sequence[bytes]) -> list[Header]:
    """The headers of an answer with those of the table.

    Args:
        headers: those that the handler states; they stay, but for `Vary`, which becomes one.
        host: the `Host` that was asked.
        varies: further names for `Vary`.
    """
    headers = list(headers)
    stated = {name.lower(): value for name, value in headers}
    added = [*_EVERYWHERE]
    if not _is_this_machine(host):
        added.append(_HTTPS_ONLY)
    if stated.get(b"content-type", b"").startswith(b"text/html"):
        added += _PAGES
    if b"content-security-policy" not in stated:
        added.append((b"content-security-policy", DATA_POLICY.encode()))
    kept = stated.get(b"cache-control")
    if b"set-cookie" in stated or kept is None:
        checked = b"etag" in stated and b"set-cookie" not in stated
        kept = (CHECKED if checked else UNSTORED).encode()
    added.append((b"cache-control", kept))
    names = [*varies, *(() if kept.startswith(b"public") else _CALLERS)]
    if b"vary" in stated:
        names.insert(0, stated[b"vary"])
    if names:
        added.append((b"vary", b", ".join(names)))
    replaced = {b"cache-control", b"vary"}
    return [each for each in headers if each[0].lower() not in replaced] + added


def _is_this_machine(host: bytes) -> bool:
    name = host.lower().rsplit(b":", 1)[0].rstrip(b".")
    return name == b"localhost" or name.endswith(b".localhost")
