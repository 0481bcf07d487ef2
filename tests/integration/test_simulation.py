"""Whether a model answers at an address is told by the header of the fake provider alone."""

from __future__ import annotations

import socket

from adapters.llm.health import is_simulation
from fake_provider.testing import running_fake


async def test_the_fake_provider_is_known_in_every_dialect() -> None:
    with running_fake() as fake:
        for place in (fake.openai_base_url, fake.gemini_base_url, fake.vllm_base_url):
            assert await is_simulation(place)


async def test_who_cannot_be_reached_is_taken_for_real() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not await is_simulation(f"http://127.0.0.1:{port}/v1")
