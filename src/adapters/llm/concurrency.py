"""How many calls run at once: more while all is well, fewer when a provider is pressed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_CUT: Final = 0.7
_CUT_EVERY_S: Final = 2.0


class AdaptiveLimit:
    """Additive up, multiplicative down, between 1 and `most`.

    Slots go out in the order in which they were asked for.

    Args:
        most: calls in flight, at most; also what it starts with.
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, most: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._limit = float(most)
        self._running = 0
        self._cut_at = -_CUT_EVERY_S
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may run at once, now."""
        return max(1, int(self._limit))

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
            self._wake()

    def speed_up(self) -> None:
        """A call went well: one slot more after as many calls as there are slots."""
        self._limit = min(float(self._most), self._limit + 1 / self._limit)
        self._wake()

    def slow_down(self) -> None:
        """The provider is pressed: fewer slots, once for all calls that met it together."""
        now = self._now()
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
