"""What each verifier of tokens does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from domain.access.model import CallerKind, Scope
from domain.errors import NotAuthenticated
from ports.access import TokenVerifier
from tests.contracts.contract import Contract
from tests.fakes.system import StandingClock


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token that is accepted: of `ann`, with the scope records:read, for an hour."""

    text: str


class TokenVerifierContract(Contract):
    """Bind it by fixtures `verifier`, `clock` and `issued`."""

    async def test_a_token_tells_who_calls_and_what_they_may(
        self, verifier: TokenVerifier, clock: StandingClock, issued: IssuedToken
    ) -> None:
        caller = await verifier.verify(issued.text)
        assert (caller.kind, caller.subject) == (CallerKind.TOKEN, "token:ann")
        assert caller.scopes == {Scope.RECORDS_READ}
        assert caller.key_id is None
        assert caller.expires_at == clock.now().replace(microsecond=0) + timedelta(hours=1)
        assert await verifier.verify(issued.text) == caller

    async def test_a_token_that_has_expired_says_so_and_nothing_else(
        self, verifier: TokenVerifier, clock: StandingClock, issued: IssuedToken
    ) -> None:
        await verifier.verify(issued.text)
        clock.advance(timedelta(hours=1, seconds=30))
        with pytest.raises(NotAuthenticated) as refused:
            await verifier.verify(issued.text)
        assert (str(refused.value), refused.value.reason) == (
            "The token has expired.",
            "token_expired",
        )

    @pytest.mark.parametrize(
        "text", ["", ".", "..", "a.b.c", "stk_live_x", "\x00", "ä.ö.ü", "\ud800"]
    )
    async def test_what_is_no_token_is_not_accepted(
        self, verifier: TokenVerifier, text: str
    ) -> None:
        with pytest.raises(NotAuthenticated) as refused:
            await verifier.verify(text)
        assert str(refused.value) == "The token is not accepted."
        assert refused.value.reason.startswith("token_")
