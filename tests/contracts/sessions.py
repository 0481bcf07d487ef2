"""What every `SessionStore` keeps to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.access.model import Caller, CallerKind, ModelBudget, Scope, Session
from ports.access import SessionStore
from tests.contracts.contract import Contract

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
OF_KEY = Session(key_digest=bytes(range(32)), expires_at=NOON)
OF_TOKEN = Session(
    caller=Caller(
        kind=CallerKind.TOKEN,
        subject="token:7",
        name="Ann Lee",
        scopes=frozenset({Scope.RECORDS_READ, Scope.EXTRACT}),
        budget=ModelBudget(usd=Decimal("0.10"), tokens=5),
        expires_at=NOON,
    ),
    expires_at=NOON,
)


class SessionStoreContract(Contract):
    """Subclasses give `session_store`, empty."""

    async def test_a_session_is_found_as_it_began_until_it_is_ended(
        self, session_store: SessionStore
    ) -> None:
        await session_store.begin(b"k" * 32, OF_KEY, lifetime=timedelta(hours=1))
        await session_store.begin(b"t" * 32, OF_TOKEN, lifetime=timedelta(hours=1))
        assert await session_store.find(b"k" * 32) == OF_KEY
        assert await session_store.find(b"t" * 32) == OF_TOKEN
        await session_store.end(b"k" * 32)
        assert await session_store.find(b"k" * 32) is None
        assert await session_store.find(b"t" * 32) == OF_TOKEN

    async def test_ending_what_is_not_there_is_no_fault(self, session_store: SessionStore) -> None:
        await session_store.end(b"n" * 32)
        assert await session_store.find(b"n" * 32) is None
