"""What a request costs its caller, and what an answer says of the limits."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from domain.access.limits import READ_COST, WRITE_COST, page_cost
from entrypoints.http.protocol.answers import MAX_LIMIT
from entrypoints.http.protocol.bodies import query_pairs
from ports.access import LimitDecision

COST: Final = "cost"
"""Where the `opt` of a handler holds what it costs, in units; nothing or None for the usual."""

LIMIT_HEADERS: Final = "limit_headers"
"""Where the state of a scope holds the headers that say how the caller's limits stand."""

_ROWS: Final = re.compile(r"[0-9]+")


def cost_of(scope: Any) -> int:
    """What a request costs, before anything of it is read: a list by the rows that it may have."""
    stated: int | None = scope["route_handler"].opt.get(COST)
    if stated is not None:
        return stated
    if scope["method"] != "GET":
        return WRITE_COST
    query: bytes = scope["query_string"]
    if not query:
        return READ_COST
    # Read as the list itself reads it: `%6cimit=%32%30%30` and `limit=00200` ask for 200 rows too.
    asked = [_rows(value) for name, value in query_pairs(query) if name == "limit"]
    return page_cost(max(asked, default=0))


def _rows(written: str) -> int:
    """The rows that a `limit` asks for, the longest page at most; 0 if it is refused."""
    if _ROWS.fullmatch(written) is None:
        return 0
    digits = written.lstrip("0")
    return MAX_LIMIT if len(digits) > len(str(MAX_LIMIT)) else min(MAX_LIMIT, int(digits or 0))


def limit_headers(allowance: LimitDecision) -> list[tuple[bytes, bytes]]:
    """`RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.

    The quota is the burst, and the window the time in which all of it comes back.
    """
    policies = [
        f'"{each.limit.name}";q={each.limit.burst};w={each.limit.window_s}'
        for each in allowance.states
    ]
    stand = [
        f'"{each.limit.name}";r={min(each.limit.burst, each.left + allowance.held)}'
        f";t={math.ceil(each.full_s)}"
        for each in allowance.states
    ]
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(stand).encode()),
    ]
