"""Keys as one process remembers them, so that a request costs no query, and when they were used."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from domain.access.keys import ApiKey
from domain.access.model import ApiKeyId
from domain.errors import DependencyError
from ports.access import ApiKeyLookup

KNOWN_S: Final = 30.0
"""How long a key is remembered: so late does a change hold that nobody announced."""
UNKNOWN_S: Final = 5.0
"""How long it is remembered that there is no such key."""
MOST: Final = 10_000
"""Keys that are remembered, and as many that do not exist: those push out their own kind alone."""

_WRITTEN_EVERY: Final = timedelta(minutes=1)
_EMPTINESS: Final = b""


class KeyCache:
    """Asks a directory once for many requests; of those that ask at once, one asks.

    Args:
        directory: knows all keys.
        monotonic: seconds that never go back.
    """

    def __init__(self, directory: ApiKeyLookup, *, monotonic: Callable[[], float]) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, ApiKey]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._empty_until = 0.0
        self._has_keys = False
        self._flights: dict[bytes, asyncio.Task[Any]] = {}

    async def find(self, digest: bytes) -> ApiKey | None:
        """See `ApiKeyLookup`; up to `KNOWN_S` late.

        Raises:
            DependencyError: it is not remembered, and the directory cannot be asked.
        """
        if (known := self.recall(digest)) is not None:
            return known
        unknown_until = self._unknown.get(digest)
        if unknown_until is not None and self._monotonic() < unknown_until:
            return None
        found: ApiKey | None = await self._once(digest, lambda: self._directory.find(digest))
        return found

    def recall(self, digest: bytes) -> ApiKey | None:
        """The key of this SHA-256 if it is known without asking; else `find` it."""
        known = self._known.get(digest)
        if known is None or self._monotonic() >= known[0]:
            return None
        self._known.move_to_end(digest)
        return known[1]

    def remembers(self, digest: bytes) -> bool:
        """Whether it was such a key when it was last asked for, however long ago."""
        return digest in self._known

    async def is_empty(self) -> bool:
        """Whether no key was ever made; up to `KNOWN_S` late. Once there is one, there always is.

        Raises:
            DependencyError: it is not remembered, and the directory cannot be asked.
        """
        if self._has_keys:
            return False
        if self._monotonic() < self._empty_until:
            return True
        empty: bool = await self._once(_EMPTINESS, self._directory.is_empty)
        return empty

    def forget(self, key_id: ApiKeyId | None = None) -> None:
        """Ask anew for a key that was made or changed; for all of them if it is not said which."""
        self._unknown.clear()
        self._empty_until = 0.0
        # What is being asked for may have been read before the change: it is not remembered.
        self._flights.clear()
        if key_id is None:
            self._known.clear()
            return
        for digest in [each for each, (_, key) in self._known.items() if key.id == key_id]:
            del self._known[digest]

    async def _once(self, name: bytes, ask: Callable[[], Awaitable[Any]]) -> Any:
        flight = self._flights.get(name)
        if flight is None:
            # A task of its own: whoever asked first may leave while others wait.
            flight = asyncio.create_task(self._answer(name, ask))
            self._flights[name] = flight
        return await asyncio.shield(flight)

    async def _answer(self, name: bytes, ask: Callable[[], Awaitable[Any]]) -> Any:
        own = asyncio.current_task()
        try:
            answer = await ask()
            if self._flights.get(name) is own:
                self._remember(name, answer)
            return answer
        finally:
            if self._flights.get(name) is own:
                del self._flights[name]

    def _remember(self, name: bytes, answer: ApiKey | bool | None) -> None:
        now = self._monotonic()
        if isinstance(answer, bool):
            self._has_keys = not answer
            self._empty_until = now + KNOWN_S
        elif answer is None:
            self._known.pop(name, None)
            self._unknown[name] = now + UNKNOWN_S
            self._unknown.move_to_end(name)
            if len(self._unknown) > MOST:
                self._unknown.popitem(last=False)
        else:
            self._has_keys = True
            self._unknown.pop(name, None)
            self._known[name] = (now + KNOWN_S, answer)
            self._known.move_to_end(name)
            if len(self._known) > MOST:
                self._known.popitem(last=False)


class KeyUsage:
    """When keys were last used: noted at once, written down later, each key once a minute."""

    def __init__(self, directory: ApiKeyLookup) -> None:
        self._directory = directory
        self._written: dict[ApiKeyId, datetime] = {}
        self._noted: dict[ApiKeyId, datetime] = {}

    def note(self, key: ApiKey, now: datetime) -> None:
        """A key is used; costs no query."""
        written = self._written.get(key.id) or key.last_used_at
        if written is None or now - written >= _WRITTEN_EVERY:
            self._noted[key.id] = now

    async def write(self) -> None:
        """Write down what was noted; what cannot be written now stays noted."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._directory.touch(noted)
        except DependencyError:
            self._noted = noted | self._noted
            return
        if len(self._written) + len(noted) > MOST:
            self._written.clear()
        self._written |= noted
