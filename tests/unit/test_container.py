"""The container: each part can be made, and the type checker knows each name."""

from __future__ import annotations

import pytest

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
            assert provider() is not None, name


def test_a_name_that_is_not_there_is_refused_and_the_type_checker_says_so() -> None:
    # Were it taken for a provider, mypy would say that nothing is ignored here.
    with pytest.raises(AttributeError):
        Container().user_servise()  # type: ignore[attr-defined]
