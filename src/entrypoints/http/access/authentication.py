"""What a route needs of its caller, and who that is; the door itself is `door`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from litestar import Request

from domain.access.model import Caller, Scope
from domain.errors import NotAuthenticated, ScopeMissing

PUBLIC: Final = "public"
"""Stated by a route that needs no key: it shows nothing of the shop."""

ANY_CALLER: Final = "any"
"""Stated by a route that every key and token opens, whatever its scopes."""

Needed: TypeAlias = Scope | Literal["public", "any"]
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


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Who makes a request; of a route that is not public."""
    caller: Caller = request.scope["state"][CALLER]
    return caller


def challenge(error: NotAuthenticated | ScopeMissing) -> str:
    """How to prove who calls, and what was wrong with what came (`WWW-Authenticate`, RFC 6750)."""
    said = ['Bearer realm="storekeeper"']
    if isinstance(error, ScopeMissing):
        said.append('error="insufficient_scope"')
        said += [f'scope="{error.scope}"'] if error.scope else []
    elif error.reason != NO_CREDENTIALS:
        said.append('error="invalid_token"')
    return ", ".join(said)


def whose(state: Mapping[str, Any]) -> dict[str, str]:
    """What the log says of the caller of a request: its name, or why it is not known."""
    if (caller := state.get(CALLER)) is not None:
        return {"caller": caller.subject}
    return {UNAUTHENTICATED: state[UNAUTHENTICATED]} if UNAUTHENTICATED in state else {}
