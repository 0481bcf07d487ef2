"""Which pages of other origins may call this API from a browser (CORS): those that are named.

Not Litestar's: its middleware replaces `Vary`, tells strangers which headers it takes, and looks at
OPTIONS alone, which here is asked inside as another method.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from litestar.types import Receive, Send

from entrypoints.http.protocol.security_headers import Header

METHODS: Final = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""What the server as a whole takes."""
_EXPOSED: Final = (
    b"ETag, Link, Location, Retry-After, X-Request-Id, Idempotency-Replayed, RateLimit,"
    b" RateLimit-Policy, WWW-Authenticate"
)
_SENDABLE: Final = (
    b"Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
)
_PREFLIGHT_S: Final = b"600"


class CrossOriginPolicy:
    """The named origins, and what is said to them.

    Credentials are never allowed: a cookie of this server serves its own pages alone, and a program
    sends its key or token in `Authorization`.

    Args:
        origins: as browsers write them, such as `https://shop.example`.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins: Final = frozenset(origin.encode() for origin in origins)
        self.varies: Final[Sequence[bytes]] = (b"Origin",) if self._origins else ()

    def headers(self, scope: Any) -> list[Header]:
        """What is added to any answer, refusals included; nothing for an origin not named."""
        origin = self._origin(scope)
        if origin is None:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def is_preflight(self, scope: Any) -> bool:
        """Whether a browser asks, for a page of a named origin, if it may send a request."""
        return (
            scope["method"] == "OPTIONS"
            and self._origin(scope) is not None
            and any(name == b"access-control-request-method" for name, _ in scope["headers"])
        )

    def _origin(self, scope: Any) -> bytes | None:
        """The origin of the page, if it is one of ours."""
        if not self._origins:
            return None
        given = [value for name, value in scope["headers"] if name == b"origin"]
        return given[0] if len(given) == 1 and given[0] in self._origins else None


async def answer_preflight(scope: Any, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """The ASGI application that says what a page may send; a browser sends no key with it."""
    headers = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", _SENDABLE),
        (b"access-control-max-age", _PREFLIGHT_S),
        (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
