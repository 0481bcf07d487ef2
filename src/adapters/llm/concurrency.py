"""How many calls run at once: more while all is well, fewer when a provider is pressed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_FIRST: Final = 8
_START_GROWTH: Final = 3
_CUT: Final = 0.7
_CUT_EVERY_S: Final = 2.0


class AdaptiveLimit:
    """Additive up, multiplicative down, between 1 and `most`.

    It starts with a few calls and grows fourfold with each round of answers until the first
    pressure: a provider whose limits are not known yet is not met with everything at once. Slots
    go out in the order in which they were asked for.

    Args:
        most: calls in flight, at most.
        alone_first: let the first call come back before others go: most providers state their
            limits with every answer, and a herd at the start would run into them.
        now: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        most: int,
        *,
        alone_first: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._alone = alone_first
        self._now = now
        self._limit = float(min(_FIRST, most))
        self._starting = True
        self._running = 0
        self._cut_at = -_CUT_EVERY_S
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may run at once, now."""
        return 1 if self._alone else max(1, int(self._limit))

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._running

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one slot; waits until there is one."""
        await self._acquire()
        try:
            yield
        finally:
            self._running -= 1
            self._alone = False
            self._wake()

    def speed_up(self) -> None:
        """A call went well: one slot more after as many calls as there are slots."""
        growth = _START_GROWTH if self._starting else 1 / self._limit
        self._limit = min(float(self._most), self._limit + growth)
        self._wake()

    def slow_down(self) -> None:
        """The provider is pressed: fewer slots, once for all calls that met it together."""
        now = self._now()
        self._starting = False
        if now - self._cut_at >= _CUT_EVERY_S:
            self._cut_at = now
            self._limit = max(1.0, self._limit * _CUT)

    async def _acquire(self) -> None:
        if self._running < self.limit and not self._waiting:
            self._running += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot came too late
                self._running -= 1
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and self._running < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)
