"""What a route needs of its caller, and who that is; `middleware` finds out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from litestar import Request, Response

from domain.access.model import Caller, Scope
from domain.errors import NotAuthenticated, ScopeMissing

PUBLIC: Final = "public"
"""Stated by a route that needs no key: it shows nothing of the shop."""

ANY_CALLER: Final = "any"
"""Stated by a route that every key and token opens, whatever its scopes."""

OPTIONAL: Final = "optional"
"""Stated by a route that needs no key either, and shows more to a caller that is known."""

Needed: TypeAlias = Scope | Literal["public", "any", "optional"]
"""What a route states as its `scope`, where it is declared."""

SCOPE: Final = "scope"
"""Where the `opt` of a handler holds what it needs: Litestar's decorators put an argument of this
name there, and ours do the same."""

CALLER: Final = "caller"
"""Where the state of a scope holds the `Caller`."""
UNAUTHENTICATED: Final = "unauthenticated"
"""Where it holds the reason why there is none."""

NO_CREDENTIALS: Final = "no_credentials"
"""The reason of a `NotAuthenticated` where nothing was given that could be wrong."""
NOT_LOCAL: Final = "not_local"
"""The reason where this machine alone needs no key, and the request is another's."""
ENDED_SESSION: Final = "ended_session"
"""The reason where a browser was signed in."""

SESSION_COOKIE: Final = "__Host-storekeeper"
"""Browsers send it back by https alone, to this host alone, and no other host can set it."""
FORM_TOKEN_HEADER: Final = b"x-csrf-token"


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Who makes a request; of a route that needs a caller."""
    caller: Caller = request.scope["state"][CALLER]
    return caller


def known_caller(request: Request[Any, Any, Any]) -> Caller | None:
    """Who makes a request; of a route that states `OPTIONAL`. None for a stranger."""
    caller: Caller | None = request.scope["state"].get(CALLER)
    return caller


def challenge(error: NotAuthenticated | ScopeMissing) -> str:
    """How to prove who calls, and what was wrong with what came (`WWW-Authenticate`, RFC 6750)."""
    said = ['Bearer realm="storekeeper"']
    if isinstance(error, ScopeMissing):
        said.append('error="insufficient_scope"')
        said += [f'scope="{error.scope}"'] if error.scope else []
    elif error.reason not in {NO_CREDENTIALS, NOT_LOCAL, ENDED_SESSION}:
        said.append('error="invalid_token"')
    return ", ".join(said)


def whose(state: Mapping[str, Any]) -> dict[str, str]:
    """What the log says of the caller of a request: its name, or why it is not known."""
    if (caller := state.get(CALLER)) is not None:
        return {"caller": caller.subject}
    return {UNAUTHENTICATED: state[UNAUTHENTICATED]} if UNAUTHENTICATED in state else {}


def session_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The secret of the session that a browser sends; None when it sends none, or several."""
    pairs = [
        pair.strip().partition(b"=")
        for name, value in headers
        if name == b"cookie"
        for pair in value.split(b";")
    ]
    found = [value for name, _, value in pairs if name == SESSION_COOKIE.encode()]
    return found[0].decode("latin-1") if len(found) == 1 else None


def form_token(secret: str) -> str:
    """What a form of a page proves that it was made for this session; it does not tell its secret.

    Args:
        secret: of the session.
    """
    return sha256(b"form:" + secret.encode()).hexdigest()


def is_form_token(given: str, secret: str) -> bool:
    """Whether `given` is the token of the session's forms."""
    return compare_digest(given.encode("utf-8", "replace"), form_token(secret).encode())


def takes_page(request: Request[Any, Any, Any]) -> bool:
    """Whether who asks can show a page, as browsers say; programs get what is made for them."""
    return "text/html" in request.headers.get("accept", "")


def sign_in_instead(
    request: Request[Any, Any, Any], error: NotAuthenticated
) -> Response[bytes] | None:
    """Where a browser that opens a page is sent to; None for what is no such request."""
    if error.reason not in {NO_CREDENTIALS, ENDED_SESSION} or request.scope["method"] != "GET":
        return None
    if not takes_page(request):
        return None
    target = request.scope["path"]
    if request.scope["query_string"]:
        target += "?" + request.scope["query_string"].decode("latin-1")
    place = f"/sign-in?next={quote(target, safe='')}"
    return Response(b"", status_code=303, headers={"Location": place})
