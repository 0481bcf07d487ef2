from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.access import key_cache
from domain.access.key_cache import KNOWN_S, UNKNOWN_S, KeyCache, KeyUsage
from domain.access.keys import ApiKey, KeyEnvironment
from domain.access.model import ApiKeyId, ModelBudget, Scope
from domain.errors import DatabaseUnavailable
from ports.access import ApiKeyLookup

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = ApiKey(
    id=ApiKeyId(1),
    hint="abcd",
    name="till",
    environment=KeyEnvironment.LIVE,
    scopes=frozenset({Scope.RECORDS_READ}),
    networks=(),
    requests_per_minute=None,
    budget=ModelBudget(),
    created_by="local",
    created_at=NOW,
)


class Directory(ApiKeyLookup):
    """Counts what it is asked; answers when `go` is set."""

    def __init__(self) -> None:
        self.keys: dict[bytes, ApiKey] = {}
        self.asked: list[bytes | str] = []
        self.written: list[Mapping[ApiKeyId, datetime]] = []
        self.is_down = False
        self.go = asyncio.Event()
        self.go.set()

    async def find(self, digest: bytes) -> ApiKey | None:
        self.asked.append(digest)
        found = self.keys.get(digest)
        await self._answer()
        return found

    async def is_empty(self) -> bool:
        self.asked.append("empty")
        found = not self.keys
        await self._answer()
        return found

    async def touch(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        await self._answer()
        self.written.append(uses)

    async def _answer(self) -> None:
        await self.go.wait()
        if self.is_down:
            raise DatabaseUnavailable("down")


class Time:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cache(directory: Directory, time: Time) -> KeyCache:
    return KeyCache(directory, monotonic=time)


async def test_a_key_is_asked_for_once_in_thirty_seconds(
    cache: KeyCache, directory: Directory, time: Time
) -> None:
    directory.keys[b"k"] = KEY
    assert await cache.find(b"k") is KEY
    time.s += KNOWN_S - 0.1
    assert await cache.find(b"k") is KEY
    assert directory.asked == [b"k"]
    time.s += 0.2
    assert await cache.find(b"k") is KEY
    assert directory.asked == [b"k", b"k"]


async def test_an_unknown_key_is_asked_for_once_in_five_seconds(
    cache: KeyCache, directory: Directory, time: Time
) -> None:
    assert await cache.find(b"u") is None
    time.s += UNKNOWN_S - 0.1
    assert await cache.find(b"u") is None
    assert directory.asked == [b"u"]
    time.s += 0.2
    directory.keys[b"u"] = KEY
    assert await cache.find(b"u") is KEY
    del directory.keys[b"u"]
    time.s += KNOWN_S
    assert await cache.find(b"u") is None


async def test_unknown_keys_push_out_no_known_ones(
    cache: KeyCache, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_cache, "MOST", 2)
    directory.keys |= {b"a": KEY, b"b": KEY, b"c": KEY}
    await cache.find(b"a")
    for number in range(5):
        await cache.find(b"unknown %d" % number)
    await cache.find(b"b")
    await cache.find(b"a")
    assert directory.asked.count(b"a") == 1
    await cache.find(b"c")  # pushes out b, which was used longest ago
    directory.asked.clear()
    await cache.find(b"a")
    await cache.find(b"b")
    await cache.find(b"unknown 4")
    await cache.find(b"unknown 0")
    assert directory.asked == [b"b", b"unknown 0"]


async def test_of_many_who_ask_for_a_key_at_once_one_asks_and_may_leave(
    cache: KeyCache, directory: Directory
) -> None:
    directory.keys[b"k"] = KEY
    directory.go.clear()
    waiting = [asyncio.create_task(cache.find(b"k")) for _ in range(50)]
    while not directory.asked:
        await asyncio.sleep(0)
    waiting[0].cancel()
    directory.go.set()
    assert await asyncio.gather(*waiting[1:]) == [KEY] * 49
    assert directory.asked == [b"k"]


async def test_a_failure_is_told_to_all_who_wait_and_is_not_remembered(
    cache: KeyCache, directory: Directory
) -> None:
    directory.is_down = True
    answers = await asyncio.gather(
        cache.find(b"k"), cache.find(b"k"), cache.is_empty(), return_exceptions=True
    )
    assert [type(each) for each in answers] == [DatabaseUnavailable] * 3
    directory.is_down = False
    assert await cache.find(b"k") is None


async def test_a_change_is_asked_for_at_once_and_of_the_key_that_it_is_about_alone(
    cache: KeyCache, directory: Directory
) -> None:
    directory.keys |= {b"k": KEY, b"other": replace(KEY, id=ApiKeyId(2))}
    for digest in (b"k", b"other", b"new"):
        await cache.find(digest)
    directory.keys |= {b"k": replace(KEY, revoked_at=NOW), b"new": KEY}
    directory.asked.clear()
    cache.forget(ApiKeyId(1))
    found = await cache.find(b"k")
    assert found is not None
    assert found.revoked_at == NOW
    assert await cache.find(b"new") is KEY
    await cache.find(b"other")
    assert directory.asked == [b"k", b"new"]
    cache.forget()
    await cache.find(b"other")
    assert directory.asked == [b"k", b"new", b"other"]


async def test_what_was_read_before_a_change_is_not_remembered_after_it(
    cache: KeyCache, directory: Directory
) -> None:
    directory.keys[b"k"] = KEY
    directory.go.clear()
    before = asyncio.create_task(cache.find(b"k"))
    while not directory.asked:
        await asyncio.sleep(0)
    directory.keys[b"k"] = replace(KEY, revoked_at=NOW)
    cache.forget(KEY.id)
    directory.go.set()
    assert await before is KEY
    found = await cache.find(b"k")
    assert found is not None
    assert found.revoked_at == NOW


async def test_emptiness_is_remembered_for_thirty_seconds_and_the_first_key_for_good(
    cache: KeyCache, directory: Directory, time: Time
) -> None:
    assert [await cache.is_empty(), await cache.is_empty()] == [True, True]
    assert directory.asked == ["empty"]
    directory.keys[b"k"] = KEY
    time.s += KNOWN_S
    assert not await cache.is_empty()
    directory.keys.clear()
    time.s += KNOWN_S
    cache.forget()
    assert not await cache.is_empty()
    assert directory.asked == ["empty", "empty"]


async def test_a_key_that_was_found_ends_emptiness_too(
    cache: KeyCache, directory: Directory
) -> None:
    assert await cache.is_empty()
    directory.keys[b"k"] = KEY
    await cache.find(b"k")
    assert not await cache.is_empty()


async def test_the_first_key_that_is_announced_ends_emptiness_at_once(
    cache: KeyCache, directory: Directory
) -> None:
    assert await cache.is_empty()
    directory.keys[b"k"] = KEY
    cache.forget(KEY.id)
    assert not await cache.is_empty()


async def test_uses_are_written_together_and_each_key_once_a_minute(directory: Directory) -> None:
    uses = KeyUsage(directory)
    await uses.write()
    assert directory.written == []
    other = replace(KEY, id=ApiKeyId(2), last_used_at=NOW - timedelta(seconds=59))
    uses.note(KEY, NOW)
    uses.note(KEY, NOW + timedelta(seconds=1))
    uses.note(other, NOW)
    await uses.write()
    assert directory.written == [{1: NOW + timedelta(seconds=1)}]
    uses.note(KEY, NOW + timedelta(seconds=60))
    await uses.write()
    assert len(directory.written) == 1
    uses.note(KEY, NOW + timedelta(seconds=61))
    uses.note(other, NOW + timedelta(seconds=1))
    await uses.write()
    assert directory.written[1] == {1: NOW + timedelta(seconds=61), 2: NOW + timedelta(seconds=1)}


async def test_uses_that_cannot_be_written_are_written_later(directory: Directory) -> None:
    uses = KeyUsage(directory)
    directory.is_down = True
    uses.note(KEY, NOW)
    await uses.write()
    directory.is_down = False
    await uses.write()
    assert directory.written == [{1: NOW}]


async def test_what_is_remembered_of_uses_is_bounded(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_cache, "MOST", 1)
    uses = KeyUsage(directory)
    for number in (1, 2):
        uses.note(replace(KEY, id=ApiKeyId(number)), NOW)
        await uses.write()
    uses.note(KEY, NOW + timedelta(seconds=1))
    await uses.write()
    assert len(directory.written) == 3
