"""`/sign-in` and `/sign-out`: a browser comes in once with a key or token, and leaves."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, quote

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation
from litestar.types import ExceptionHandlersMap

from domain.access.sessions import SessionService
from domain.errors import AppError, NotAuthenticated
from entrypoints.http.access.authentication import (
    ANY_CALLER,
    PUBLIC,
    SESSION_COOKIE,
    UNAUTHENTICATED,
    caller_of,
    challenge,
    form_token,
    session_of,
)
from entrypoints.http.access.middleware import cross_site, peer, refuse_forgery
from entrypoints.http.dashboard.rendering import on_dashboard_error, page
from entrypoints.http.protocol.bodies import check_media_type
from entrypoints.http.protocol.problems import MalformedRequest

Asked = Request[Any, Any, Any]
Sessions = NamedDependency[SkipValidation[SessionService]]

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_BYTES: Final = 16_384
_HOME: Final = "/"
_ERRORS: Final[ExceptionHandlersMap] = dict.fromkeys(
    (AppError, HTTPException, Exception), on_dashboard_error
)
_COOKIE: Final = f"{SESSION_COOKIE}={{secret}}; Path=/; Secure; HttpOnly; SameSite=Lax"


@get("/sign-in", scope=PUBLIC, exception_handlers=_ERRORS)
async def sign_in_page(request: Asked) -> Response[str]:
    """The form."""
    return _form(own_path(request.query_params.get("next", "")))


@post("/sign-in", scope=PUBLIC, status_code=303, exception_handlers=_ERRORS)
async def sign_in(request: Asked, session_service: Sessions) -> Response[Any]:
    """Begin a session, and end the one that the browser had."""
    headers = request.scope["headers"]
    if cross_site(headers, request.headers.get("host", ""), request.scope["scheme"]) is not None:
        raise NotAuthenticated("Open the page to sign in, and use its form.", reason="forgery")
    given = await _fields(request)
    target = own_path(given.get("next", ""))
    try:
        secret, _ = await session_service.sign_in(given.get("key", "").strip(), peer(request.scope))
    except NotAuthenticated as error:
        request.scope["state"][UNAUTHENTICATED] = error.reason
        form = _form(target, problem=str(error))
        form.headers["WWW-Authenticate"] = challenge(error)
        return form
    if (old := session_of(headers)) is not None:
        await session_service.sign_out(old)
    cookie = f"{_COOKIE.format(secret=secret)}; Max-Age=43200"
    return Response(b"", status_code=303, headers={"Location": target, "Set-Cookie": cookie})


@get("/sign-out", scope=ANY_CALLER, exception_handlers=_ERRORS)
async def sign_out_page(request: Asked) -> Response[str]:
    """Who is signed in, and the button that ends it."""
    secret = session_of(request.scope["headers"])
    token = form_token(secret) if secret is not None else None
    return page("sign-out.html", {"name": caller_of(request).name, "token": token})


@post("/sign-out", scope=PUBLIC, status_code=303, exception_handlers=_ERRORS)
async def sign_out(request: Asked, session_service: Sessions) -> Response[bytes]:
    """End the session, whether its key is still good or not."""
    secret = session_of(request.scope["headers"])
    if secret is not None:
        given = await _fields(request)
        refuse_forgery(request.scope, secret, given.get("token", ""))
        await session_service.sign_out(secret)
    gone = f"{_COOKIE.format(secret='')}; Max-Age=0"
    return Response(b"", status_code=303, headers={"Location": "/sign-in", "Set-Cookie": gone})


def _form(target: str, *, problem: str | None = None) -> Response[str]:
    names = {"next": target, "problem": problem}
    return page("sign-in.html", names, status=200 if problem is None else 401)


async def _fields(request: Asked) -> dict[str, str]:
    """The first value of each field of a form.

    Raises:
        UnsupportedMediaType: it is no form.
        MalformedRequest: it is too large, or no UTF-8.
    """
    check_media_type(request, (_FORM,))
    body = await request.body()
    if len(body) > _MOST_BYTES:
        raise MalformedRequest(f"A form has at most {_MOST_BYTES} bytes here.")
    try:
        found = parse_qs(body.decode("ascii"), errors="strict", max_num_fields=10)
    except ValueError:
        raise MalformedRequest(
            "The form cannot be read: open the page to sign in, and use its form."
        ) from None
    return {name: values[0] for name, values in found.items()}


def own_path(target: str) -> str:
    """`target` where it is a path of this server, fit for a `Location`; else the start page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\", "/sign-"))
    if not is_path or len(target) > 2048 or any(not each.isprintable() for each in target):
        return _HOME
    return quote(target, safe="/?&=%:@!$'()*+,;~#[]-._")
