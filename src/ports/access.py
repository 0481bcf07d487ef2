"""Who may come in: what proves a caller, and where that is looked up."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from domain.access.model import Caller


class TokenVerifier(Protocol):
    """Tokens of an identity provider (JWT, RFC 7519)."""

    @abstractmethod
    async def verify(self, token: str) -> Caller:
        """Who brings `token`, as it came in the request; any text may come.

        Raises:
            NotAuthenticated: the token is not accepted; `reason` says why, for the log alone.
            JwksUnavailable: the provider's keys were never had, or not for a day.
        """
        ...
