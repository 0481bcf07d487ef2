"""What every server process does."""

from __future__ import annotations

import asyncio
import re

import pytest

from domain.errors import Unavailable
from ports.server_process import ServerProcess
from tests.contracts.contract import Contract


class ServerProcessContract(Contract):
    """Give `server` (not started, starts well) and `broken` (cannot start)."""

    async def test_it_has_a_process_id_from_start_to_stop(self, server: ServerProcess) -> None:
        assert server.pid is None
        await server.start()
        assert server.pid is not None
        await server.stop()
        assert server.pid is None

    async def test_a_second_start_leaves_the_running_process_alone(
        self, server: ServerProcess
    ) -> None:
        await server.start()
        first = server.pid
        await server.start()
        assert server.pid == first
        await server.stop()

    async def test_who_waits_for_its_end_is_told_how_it_ended(self, server: ServerProcess) -> None:
        await server.start()
        waiting = asyncio.create_task(server.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        await server.stop()
        assert re.fullmatch(r"exit status \d+|SIG[A-Z]+", await waiting)

    async def test_waiting_may_be_given_up_without_ending_it(self, server: ServerProcess) -> None:
        await server.start()
        waiting = asyncio.create_task(server.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert server.pid is not None
        await server.stop()

    async def test_it_starts_again_after_its_end_as_a_new_process(
        self, server: ServerProcess
    ) -> None:
        await server.start()
        first = server.pid
        await server.stop()
        await server.start()
        assert server.pid not in {None, first}
        await server.stop()

    async def test_a_stop_before_the_start_does_nothing(self, server: ServerProcess) -> None:
        await server.stop()
        assert server.pid is None
        assert await server.wait() == "not started"

    async def test_a_start_that_fails_says_who(self, broken: ServerProcess) -> None:
        with pytest.raises(Unavailable, match=broken.name):
            await broken.start()
        await broken.stop()
        assert broken.pid is None
