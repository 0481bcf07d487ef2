"""The container: each part can be made, and the type checker knows each name."""

from __future__ import annotations

import pytest

from domain.errors import NotAuthenticated
from entrypoints.container.services import Container, open_container
from entrypoints.settings import load_settings


async def test_every_part_can_be_made_while_no_server_is_there() -> None:
    settings = load_settings(
        _env_file=None,
        database_url="postgresql://shop@127.0.0.1:1/shop",
        redis_url="redis://127.0.0.1:1/0",
        secret_key="0123456789" * 4,
    )
    async with open_container(settings) as container:
        for name, provider in container.providers.items():
            assert provider() is not None or name == "token_verifier", name


async def test_tokens_are_verified_where_an_identity_provider_is_named() -> None:
    settings = load_settings(
        _env_file=None,
        database_url="postgresql://shop@127.0.0.1:1/shop",
        redis_url="redis://127.0.0.1:1/0",
        secret_key="0123456789" * 4,
        jwt_jwks_url="http://127.0.0.1:1/jwks.json",
        jwt_issuer="https://issuer.example",
        jwt_audience="authenticated",
        jwt_scope_claim="role",
        jwt_scopes="clerk=records:write",
    )
    async with open_container(settings) as container:
        verifier = container.token_verifier()
        assert verifier is not None
        with pytest.raises(NotAuthenticated, match="not accepted"):
            await verifier.verify("none.none.none")


def test_a_name_that_is_not_there_is_refused_and_the_type_checker_says_so() -> None:
    # Were it taken for a provider, mypy would say that nothing is ignored here.
    with pytest.raises(AttributeError):
        Container().user_servise()  # type: ignore[attr-defined]
