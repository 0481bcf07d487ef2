"""Whether anybody can be let in, for those who start a server: asked before all else is loaded."""

from __future__ import annotations

from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.pool import PoolOptions, open_database
from entrypoints.settings import Settings


async def knows_nobody(settings: Settings) -> bool:
    """Whether no key was made yet, and no identity provider is named.

    Raises:
        DependencyError: the database cannot be asked.
    """
    if settings.jwt_jwks_url is not None:
        return False
    options = PoolOptions(
        size=1,
        acquire_timeout_s=settings.database_acquire_timeout_s,
        transaction_pooler=settings.database_pooler == "transaction",
    )
    async with open_database(settings.database_url.get_secret_value(), options) as database:
        return await PostgresApiKeyRepository(database).is_empty()
