"""The real vLLM server, once for all its tests: `make test-vllm` installs and runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.conftest import (  # noqa: F401 - the stores of the integration tests
    _template,
    module_database_url,
    postgres_server,
    redis_url,
    server_directory,
)
from tests.vllm.server import VllmServer, running_vllm


@pytest.fixture(scope="session")
async def vllm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmServer]:
    """A server that answers."""
    async with running_vllm(tmp_path_factory.mktemp("vllm")) as server:
        yield server
