"""Keys that tests put into a database, as `storekeeper keys create` does."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network

from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.pool import PoolOptions, open_database
from domain.access.keys import ApiKeyDraft, KeyEnvironment, key_digest, key_hint, new_key
from domain.access.model import NO_BUDGET, ModelBudget, Scope

FUZZING_KEY_ID = 1_234_567_890
"""Of the key with which the API is fuzzed: the hooks keep it from being revoked by that."""


async def make_key(
    database_url: str,
    *scopes: Scope,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    budget: ModelBudget = NO_BUDGET,
) -> str:
    """A new key with these scopes; nobody is told of it."""
    secret = new_key(KeyEnvironment.TEST, secrets.randbelow)
    draft = ApiKeyDraft(
        name="of a test",
        environment=KeyEnvironment.TEST,
        scopes=frozenset(scopes),
        networks=tuple(map(ip_network, networks)),
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
        budget=budget,
        created_by="command:test",
    )
    async with open_database(database_url, PoolOptions(size=1)) as database:
        keys = PostgresApiKeyRepository(database)
        await keys.add(draft, digest=key_digest(secret), hint=key_hint(secret))
    return secret
