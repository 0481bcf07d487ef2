"""Finds out who calls before a handler reads anything, and lets in who may come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, TypeAlias

from litestar.types import ASGIApp, Receive, Send

from domain.access.audit import Actor, acting_as
from domain.access.authentication import Authenticator
from domain.access.caller_limits import CallerLimits, refusal
from domain.access.keys import KEY_START
from domain.access.model import Caller, CallerKind, Scope
from domain.access.sessions import SessionService
from domain.errors import DependencyError, NotAuthenticated, ScopeMissing
from entrypoints.addresses import is_this_machine, read_address
from entrypoints.http.access.authentication import (
    CALLER,
    FORM_TOKEN_HEADER,
    NO_CREDENTIALS,
    NOT_LOCAL,
    OPTIONAL,
    PUBLIC,
    SCOPE,
    UNAUTHENTICATED,
    Needed,
    is_form_token,
    session_of,
)
from entrypoints.http.access.limits import LIMIT_HEADERS, cost_of, limit_headers

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

_MOST_BYTES: Final = 8192
_CREDENTIAL: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1
_HOST: Final = re.compile(
    r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?"
)  # RFC 3986
_FORWARDED: Final = frozenset(
    (
        *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
        *(b"forwarded", b"via", b"x-real-ip"),
    )
)
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_LOCAL: Final = Caller(
    kind=CallerKind.LOCAL,
    subject="local",
    name="this machine",
    scopes=frozenset((Scope.ADMIN,)),
)


class AccessMiddleware:
    """Stands between Litestar's routing and the handler, as its middleware.

    Args:
        app: the handler.
        authenticator: gives who knows the callers, while the application runs.
        sessions: gives who knows the browsers that signed in, while the application runs.
        limits: gives what counts the callers' requests, while the application runs.
        tells_limits: whether answers say how the limits stand.
        opens_locally: whether this machine may come in without a key while nobody has one: the
            server listens on a loopback address, and no proxy stands before it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Callable[[], Authenticator],
        sessions: Callable[[], SessionService],
        limits: Callable[[], CallerLimits],
        tells_limits: bool,
        opens_locally: bool,
    ) -> None:
        self._app = app
        self._limits = limits
        self._tells_limits = tells_limits
        self._authenticator = authenticator
        self._sessions = sessions
        self._opens_locally = opens_locally

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Find the caller, hold it against what the route states, and go on."""
        needed: Needed = scope["route_handler"].opt[SCOPE]
        if needed == PUBLIC or (needed == OPTIONAL and await self._is_stranger(scope)):
            await self._app(scope, receive, send)
            return
        caller = scope["state"].get(CALLER) or await self._known(scope)
        if isinstance(needed, Scope):
            if not caller.may(needed):
                raise ScopeMissing(
                    f"This needs the scope {needed}, which the caller has not: use a key with it.",
                    scope=needed,
                )
            await self._count(scope, caller, needed)
        address = peer(scope)
        actor = Actor.of(
            caller,
            request_id=scope["state"].get("request_id"),
            address=None if address is None else str(address),
        )
        with acting_as(actor):
            await self._app(scope, receive, send)

    async def _known(self, scope: Any) -> Caller:
        """The caller, which the state of the scope holds from then on.

        Raises:
            NotAuthenticated: nobody, or nobody who may come in.
        """
        try:
            caller = await self._caller(scope)
        except NotAuthenticated as error:
            scope["state"][UNAUTHENTICATED] = error.reason
            raise
        scope["state"][CALLER] = caller
        return caller

    async def _is_stranger(self, scope: Any) -> bool:
        """Whether a caller sends no key or token and has no session, or nobody can tell now.

        Raises:
            NotAuthenticated: it sends a key or token that is not accepted.
        """
        try:
            await self._known(scope)
        except NotAuthenticated:
            if any(name == b"authorization" for name, _ in scope["headers"]):
                raise
            return True
        except DependencyError as error:  # the page itself says which part does not answer
            scope["state"][UNAUTHENTICATED] = error.code
            return True
        return False

    async def _count(self, scope: Any, caller: Caller, needed: Scope) -> None:
        """Take what the request costs out of what its caller has left.

        Raises:
            LimitReached: that is less.
        """
        allowance = await self._limits().admit(caller, needed, cost_of(scope))
        if allowance is None:
            return
        if self._tells_limits:
            scope["state"][LIMIT_HEADERS] = limit_headers(allowance)
        refused = refusal(allowance)
        if refused is not None:
            raise refused

    async def _caller(self, scope: Any) -> Caller:
        given = credential(scope["headers"])
        authenticator = self._authenticator()
        if given is not None:
            return await authenticator.authenticate(given, peer(scope))
        is_open = self._opens_locally and await authenticator.knows_nobody()
        if not is_open and (secret := session_of(scope["headers"])) is not None:
            if scope["method"] not in _SAFE:
                refuse_forgery(scope, secret)
            return await self._sessions().caller(secret, peer(scope))
        if not is_open:
            where = " The address is no place for a key." if _in_query(scope) else ""
            raise NotAuthenticated(
                f"Send `Authorization: Bearer <key>`.{where}", reason=NO_CREDENTIALS
            )
        if (problem := foreign(scope)) is not None:
            raise NotAuthenticated(
                f"Without a key this server answers this machine alone: {problem}.",
                reason=NOT_LOCAL,
            )
        return _LOCAL


def credential(headers: Headers) -> str | None:
    """The key or token that a request carries; None without an `Authorization`.

    Raises:
        NotAuthenticated: it is not one credential in the form `Bearer <key>`.
    """
    given = None
    for name, value in headers:
        if name == b"authorization":
            if given is not None:
                raise NotAuthenticated("Send one Authorization header.", reason="two_credentials")
            given = value
    if given is None:
        return None
    scheme, _, rest = given.partition(b" ")
    if scheme.lower() != b"bearer":
        raise NotAuthenticated(
            "Send `Authorization: Bearer <key>`: no other scheme is known here.",
            reason="other_scheme",
        )
    if len(rest) > _MOST_BYTES:
        raise NotAuthenticated(
            f"A key or token has at most {_MOST_BYTES} characters.", reason="oversized"
        )
    rest = rest.strip(b" \t")
    if _CREDENTIAL.fullmatch(rest) is None:
        raise NotAuthenticated(
            "Send `Authorization: Bearer <key>`: this is not one key or token.",
            reason="malformed_credential",
        )
    return rest.decode("ascii")


def foreign(scope: Any) -> str | None:
    """Why a request does not come from a person or program of this machine; None when it does.

    The name that was asked for is one of this machine (a foreign name can be made to lead here),
    and no page of another site had a browser change something.
    """
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    if not is_this_machine(_name_of(host)):
        return f"`Host: {host}` is no name of it"
    address = peer(scope)
    if address is None or not address.is_loopback or not _FORWARDED.isdisjoint(headers):
        return "the request was sent on by another"
    if scope["method"] in _SAFE:
        return None
    return cross_site(scope["headers"], host, scope["scheme"])


def cross_site(headers: Headers, host: str, scheme: str) -> str | None:
    """Why a request was made by a page of another origin; None when none says so.

    Browsers say it in `Sec-Fetch-Site`, older ones in `Origin` alone; programs say nothing.

    Args:
        headers: of the request.
        host: its `Host`.
        scheme: by which this server was asked; a proxy before it may have been asked by https.
    """
    found = dict(headers)
    site = found.get(b"sec-fetch-site")
    if site is not None:  # an Origin says less: it is `null` where a page sends no referrer
        own_site = site in {b"same-origin", b"none"}
        return None if own_site else f"the request is {site.decode('latin-1')}"
    origin = found.get(b"origin", b"").decode("latin-1").lower()
    own = {f"https://{host.lower()}", f"{scheme}://{host.lower()}"}
    if b"origin" in found and origin not in own:
        return "its Origin is another one"
    return None


def refuse_forgery(scope: Any, secret: str, given: str | None = None) -> None:
    """Refuse a change in the name of a session that no page of ours asks for.

    Args:
        scope: of the request.
        secret: of the session.
        given: the token of the form; None where a header has it.

    Raises:
        NotAuthenticated: it is none.
    """
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    if given is None:
        given = headers.get(FORM_TOKEN_HEADER, b"").decode("latin-1")
    problem = cross_site(scope["headers"], host, scope["scheme"])
    if problem is None and not is_form_token(given, secret):
        problem = "it lacks the token of the page's form"
    if problem is not None:
        raise NotAuthenticated(
            f"A session changes things by the forms of its own pages alone: {problem}. Programs"
            " send `Authorization: Bearer <key>`.",
            reason="forgery",
        )


def _name_of(host: str) -> str:
    """The name or address of a `Host`, without brackets and port; empty if it has not that form."""
    form = _HOST.fullmatch(host)
    return "" if form is None else form["name"] or form["address"]


def peer(scope: Any) -> IPv4Address | IPv6Address | None:
    """The address that a request comes from: the proxy's word, where the operator says so.

    None where that is no address: proxies write `unknown` or a name of their own invention too
    (RFC 7239, 6), and any program on a trusted proxy's machine writes what it likes.
    """
    client = scope.get("client")
    return read_address(client[0]) if client else None


def _in_query(scope: Any) -> bool:
    return KEY_START.encode() in scope["query_string"]
