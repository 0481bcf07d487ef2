"""Tells a stand-in from a provider."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx2

_SERVER: Final = "storekeeper-fake-provider"
_TIMEOUT_S: Final = 1.0


async def is_simulation(base_url: str) -> bool:
    """Whether the fake provider answers at `base_url`: its `Server` header says so.

    One request without a key; who cannot be reached is taken for real, and its calls will tell.
    """
    try:
        # The client is made before the clock runs: reading the certificates takes a while.
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_S) as client,
            asyncio.timeout(_TIMEOUT_S),
            client.stream("GET", base_url) as answer,  # its body does not matter
        ):
            return answer.headers.get("Server") == _SERVER
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL):
        return False
