"""Tells a stand-in from a provider."""

from __future__ import annotations

from typing import Final

import httpx2

_SERVER: Final = "storekeeper-fake-provider"
_TIMEOUT_S: Final = 1.0


async def is_simulation(base_url: str) -> bool:
    """Whether the fake provider answers at `base_url`: its `Server` header says so.

    One request without a key; who cannot be reached is taken for real, and its calls will tell.
    """
    try:
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.get(base_url)
    except httpx2.HTTPError:
        return False
    return answer.headers.get("Server") == _SERVER
