"""Errors as `application/problem+json` (RFC 9457): the one place that knows both.

`/problems/{code}`, where the `type` of a problem document leads, tells people what each means.
"""

from __future__ import annotations

import html
import inspect
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath
from litestar.types import Receive, Send

from domain.errors import (
    AppError,
    BadAnswer,
    Conflict,
    DatabaseUnfit,
    DependencyError,
    EmailTaken,
    IdempotencyKeyReused,
    InvalidInput,
    LimitReached,
    ModelBudgetUsedUp,
    ModelRefusedText,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    ScopeMissing,
    StatementTimedOut,
    Unavailable,
    UnknownUser,
    UserHasOrders,
)
from entrypoints.http.access.authentication import PUBLIC, challenge, sign_in_instead
from entrypoints.http.protocol.security_headers import ASSET, EXPLANATION_POLICY

_log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
# No defect of ours. Litestar has no class of its own for it: these words alone tell it from others.
_CLIENT_LEFT: Final = "client disconnected prematurely"
ASK_ALLOWED: Final = "ASK-ALLOWED"
"""Stands for OPTIONS inside the application: a method that no path takes."""


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code}</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>{title}</h1>
<p><code>{code}</code>, status {status}</p>
<p>{text}</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What a class of errors looks like over HTTP."""

    status: HTTPStatus
    title: str


class MalformedRequest(AppError):
    """The request cannot be parsed."""

    code = "malformed_request"


class UnsupportedMediaType(AppError):
    """The body comes in a form that the route does not take."""

    code = "unsupported_media_type"


KINDS: Final[Mapping[type[AppError], ProblemKind]] = {
    MalformedRequest: ProblemKind(HTTPStatus.BAD_REQUEST, "The request cannot be parsed"),
    UnsupportedMediaType: ProblemKind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
    InvalidInput: ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "The request is invalid"),
    UnknownUser: ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "The user does not exist"),
    IdempotencyKeyReused: ProblemKind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The Idempotency-Key belongs to another request"
    ),
    ModelRefusedText: ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "The provider refused the text"),
    NotAuthenticated: ProblemKind(HTTPStatus.UNAUTHORIZED, "No accepted key or token"),
    ScopeMissing: ProblemKind(HTTPStatus.FORBIDDEN, "A scope is missing"),
    ModelBudgetUsedUp: ProblemKind(HTTPStatus.TOO_MANY_REQUESTS, "The model budget is used up"),
    LimitReached: ProblemKind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    NotFound: ProblemKind(HTTPStatus.NOT_FOUND, "Not found"),
    Conflict: ProblemKind(HTTPStatus.CONFLICT, "Against the stored state"),
    EmailTaken: ProblemKind(HTTPStatus.CONFLICT, "The e-mail address is taken"),
    UserHasOrders: ProblemKind(HTTPStatus.CONFLICT, "The user has orders"),
    RequestInProgress: ProblemKind(HTTPStatus.CONFLICT, "The same request is still running"),
    PreconditionFailed: ProblemKind(
        HTTPStatus.PRECONDITION_FAILED, "A condition of the request does not hold"
    ),
    Unavailable: ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "Try again later"),
    DatabaseUnfit: ProblemKind(
        HTTPStatus.SERVICE_UNAVAILABLE, "The database is not as this version needs it"
    ),
    StatementTimedOut: ProblemKind(
        HTTPStatus.GATEWAY_TIMEOUT, "The database did not finish in time"
    ),
    BadAnswer: ProblemKind(HTTPStatus.BAD_GATEWAY, "The provider's answer is unusable"),
    DependencyError: ProblemKind(HTTPStatus.BAD_GATEWAY, "An outside system failed"),
}

TOO_LARGE: Final = ProblemKind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
DEFECT: Final = ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")

REFUSED: Final[Mapping[int, tuple[str, ProblemKind, str]]] = {
    400: (
        MalformedRequest.code,
        KINDS[MalformedRequest],
        "The request line, a header or the body has a form that cannot be read.",
    ),
    404: (NotFound.code, KINDS[NotFound], "There is nothing at this path."),
    405: (
        "method_not_allowed",
        ProblemKind(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
        "This path does not take this method; see the Allow header.",
    ),
    413: ("body_too_large", TOO_LARGE, "The body is larger than this server takes."),
    415: (
        UnsupportedMediaType.code,
        KINDS[UnsupportedMediaType],
        "This path does not take a body of this form.",
    ),
    414: (
        "target_too_long",
        ProblemKind(HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long"),
        "The path and query are longer than this server reads.",
    ),
    431: (
        "headers_too_large",
        ProblemKind(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large"),
        "The headers are larger than this server reads.",
    ),
    501: (
        "not_implemented",
        ProblemKind(HTTPStatus.NOT_IMPLEMENTED, "Not implemented"),
        "This server does not know the method or the Transfer-Encoding.",
    ),
    505: (
        "http_version_not_supported",
        ProblemKind(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP version not supported"),
        "This server speaks HTTP/1.1 and HTTP/1.0.",
    ),
}
"""What is refused before a handler has it, by status: code, kind, detail."""

REFUSAL: Final = "refusal"
"""Where the state of a scope holds the `HttpParseRefusal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpParseRefusal:
    """Why a connection's bytes are no request: one of `REFUSED`, and what is wrong this time."""

    status: HTTPStatus
    detail: str


class InvalidMember(msgspec.Struct, kw_only=True):
    """One bad place of the request."""

    pointer: str
    detail: str


class ProviderStateView(msgspec.Struct, kw_only=True):
    """The provider that could not be asked: the kind of its failure, and until when that holds.

    `until` is null where nobody can tell.
    """

    name: str
    state: str
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A refusal or failure."""

    type: str
    code: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[InvalidMember] = []
    provider: ProviderStateView | None = None


def kind_of(error: type[AppError]) -> ProblemKind | None:
    """The kind of the nearest listed ancestor; None when none is listed."""
    return next((KINDS[each] for each in error.__mro__ if each in KINDS), None)


def problem_response(
    request: Request[Any, Any, Any],
    *,
    code: str,
    title: str,
    status: int,
    detail: str,
    errors: list[InvalidMember] | None = None,
    provider: ProviderStateView | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """A problem document as a response."""
    problem = Problem(
        type=f"/problems/{code}",
        code=code,
        title=title,
        status=status,
        detail=detail,
        instance=request.scope.get("state", {}).get("request_id", ""),
        errors=errors or [],
        provider=provider,
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


async def refuse(scope: Any, receive: Receive, send: Send) -> None:
    """The ASGI application that answers the scope's `REFUSAL`."""
    refusal: HttpParseRefusal = scope["state"][REFUSAL]
    code, kind, _ = REFUSED[refusal.status]
    request = Request[Any, Any, Any](scope)
    response = problem_response(
        request, code=code, title=kind.title, status=kind.status, detail=refusal.detail
    )
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)


async def fail(scope: Any, receive: Receive, send: Send, error: Exception) -> None:
    """Answer what no handler of errors came to see; the server's own page would lack all form."""
    request = Request[Any, Any, Any](scope)
    response = on_unexpected(request, error)
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)


def on_app_error(request: Request[Any, Any, Any], error: AppError) -> Response[bytes]:
    """An error that the application raised on purpose."""
    kind = kind_of(type(error))
    if kind is None:
        return on_unexpected(request, error)
    if isinstance(error, NotAuthenticated) and (page := sign_in_instead(request, error)):
        return page
    headers = {}
    if isinstance(error, Unavailable | LimitReached):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s or 1)))
    if isinstance(error, NotAuthenticated | ScopeMissing):
        headers["WWW-Authenticate"] = challenge(error)
    if isinstance(error, RequestInProgress):
        headers["Retry-After"] = "1"
    if isinstance(error, DependencyError):
        log_failure(error)
    violations = error.violations if isinstance(error, InvalidInput) else ()
    down = error.provider if isinstance(error, Unavailable) else None
    return problem_response(
        request,
        code=error.code,
        title=kind.title,
        status=kind.status,
        detail=str(error),
        errors=[InvalidMember(pointer=each.pointer, detail=each.detail) for each in violations],
        provider=(
            ProviderStateView(name=down.name, state=down.state, until=down.until) if down else None
        ),
        headers=headers,
    )


def log_failure(error: DependencyError) -> None:
    """A line, and of what was not to be expected the whole story."""
    cause = error.__cause__
    if isinstance(error, Unavailable) and cause is not None:
        # PostgreSQL's further lines quote the row.
        why = next(iter(str(cause).splitlines()), "")
        _log.warning("%s: %s (%s: %s)", error.code, error, type(cause).__name__, why)
    else:
        _log.warning("%s: %s", error.code, error, exc_info=cause)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A refusal by the framework: unknown path, method, too large a body."""
    if error.detail == _CLIENT_LEFT:
        return on_app_error(request, MalformedRequest("The request ended before its body did."))
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_unexpected(request, error)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": _allowed(headers.get("allow", ""))}
        if request.scope["method"] == ASK_ALLOWED:
            return Response(b"", status_code=HTTPStatus.NO_CONTENT, headers=headers)
    other = ("refused", ProblemKind(status, status.phrase), "The request was refused.")
    code, kind, detail = REFUSED.get(status, other)
    return problem_response(
        request, code=code, title=kind.title, status=status, detail=detail, headers=headers
    )


def _allowed(known: str) -> str:
    """The methods of a path: those that Litestar knows, and those that the middleware adds."""
    methods = {*known.split(", "), "OPTIONS"}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A defect of ours: logged whole, and nothing of it told."""
    _log.error("unexpected error", exc_info=error)
    return problem_response(
        request,
        code="internal",
        title=DEFECT.title,
        status=DEFECT.status,
        detail="The server failed. The log holds the cause under this request's id.",
    )


@get("/problems/{code:str}", scope=PUBLIC)
async def problem_page(code: FromPath[str]) -> Response[str]:
    """What one code means."""
    for known, kind, text in explained():
        if known == code:
            page = _PAGE.format(
                code=code,
                title=html.escape(kind.title),
                status=int(kind.status),
                text=html.escape(text),
            )
            headers = {
                "Cache-Control": ASSET,
                "Content-Security-Policy": EXPLANATION_POLICY,
            }
            return Response(page, media_type="text/html", headers=headers)
    raise NotFoundException


def explained() -> Iterator[tuple[str, ProblemKind, str]]:
    """Every code that an answer can have: code, kind, and what it means."""
    yield from REFUSED.values()
    yield "internal", DEFECT, "The server failed; its log holds the cause under the request's id."
    yield from _below(AppError)


def _below(error: type[AppError]) -> Iterator[tuple[str, ProblemKind, str]]:
    for each in error.__subclasses__():
        kind = kind_of(each)
        if kind is not None:
            yield each.code, kind, (inspect.getdoc(each) or "").split("\n\n", 1)[0]
        yield from _below(each)
