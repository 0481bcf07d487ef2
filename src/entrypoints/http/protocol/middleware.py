"""What every HTTP exchange has: a request id, security headers, a log line, HEAD and OPTIONS."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from entrypoints.http.access.authentication import whose
from entrypoints.http.access.limits import LIMIT_HEADERS
from entrypoints.http.protocol.cross_origin import METHODS, CrossOriginPolicy, answer_preflight
from entrypoints.http.protocol.problems import ASK_ALLOWED, REFUSAL, fail, refuse
from entrypoints.http.protocol.security_headers import completed
from entrypoints.http.protocol.statistics import RequestStatistics
from entrypoints.logs import request_id

_log = logging.getLogger("storekeeper.access")
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
# Litestar answers HEAD only where a handler of its own does, and OPTIONS by one handler of a path.
# So HEAD is asked as GET, and the server leaves the body out of the answer; OPTIONS is asked as a
# method that no path takes, since what Litestar says of that knows every handler of the path.
_INNER: Final = {"HEAD": "GET", "OPTIONS": ASK_ALLOWED}


class ExchangeMiddleware:
    """Wraps the whole application.

    Args:
        app: what answers.
        cross_origin: who may call it from pages of other origins.
        statistics: counts them.
    """

    def __init__(
        self, app: ASGIApp, cross_origin: CrossOriginPolicy, statistics: RequestStatistics
    ) -> None:
        self._app = app
        self._cross_origin = cross_origin
        self.statistics = statistics

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _request_id(scope)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        token = request_id.set(identity)
        started = time.perf_counter()
        status = 0

        async def send_wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *completed(
                        message.get("headers", []), host=host, varies=self._cross_origin.varies
                    ),
                    *self._cross_origin.headers(scope),
                    *inner["state"].get(LIMIT_HEADERS, ()),
                    (b"x-request-id", identity.encode()),
                ]
            await send(message)

        inner: Any = {**scope, "state": {**scope.get("state", {}), "request_id": identity}}
        inner["method"] = _INNER.get(scope["method"], scope["method"])
        answer = refuse if REFUSAL in inner["state"] else self._app
        if (scope["method"], scope["path"]) == ("OPTIONS", "*"):
            answer = _allow_all
        elif self._cross_origin.is_preflight(scope):
            answer = answer_preflight
        try:
            await answer(inner, receive, send_wrapped)
        except Exception as error:
            if status:  # it has begun: all that is left is to break it off
                raise
            await fail(inner, receive, send_wrapped, error)
        finally:
            elapsed_s = time.perf_counter() - started
            self.statistics.count(inner["method"], inner.get("path_template"), status, elapsed_s)
            if _log.isEnabledFor(logging.INFO):
                found = {"ms": round(elapsed_s * 1000, 1), **whose(inner["state"])}
                _log.info("%s %s %s", scope["method"], scope["path"], status, extra=found)
            request_id.reset(token)


async def _allow_all(scope: Any, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """What the server as a whole takes (RFC 9110, 9.3.7)."""
    headers = [(b"allow", METHODS)]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _request_id(scope: Any) -> str:
    """The caller's id when it is well-formed, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex
