"""Tokens that are known beforehand."""

from __future__ import annotations

from domain.access.model import Caller
from domain.access.tokens import LEEWAY, TokenFault, refusal
from ports.access import TokenVerifier
from ports.clock import Clock


class MemoryTokenVerifier(TokenVerifier):
    """Accepts the tokens in `callers` while they have not expired."""

    def __init__(self, clock: Clock, callers: dict[str, Caller] | None = None) -> None:
        self._clock = clock
        self.callers = {} if callers is None else callers

    async def verify(self, token: str) -> Caller:
        """See the port."""
        caller = self.callers.get(token)
        if caller is None:
            raise refusal(TokenFault.MALFORMED)
        if caller.expires_at is not None and self._clock.now() >= caller.expires_at + LEEWAY:
            raise refusal(TokenFault.EXPIRED)
        return caller
