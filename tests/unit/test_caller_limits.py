from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from adapters.valkey.request_limits import LocalRequestLimiter
from domain.access.caller_limits import (
    GROUPS,
    CallerLimits,
    refusal,
    stated_limits,
)
from domain.access.limits import BadLimit
from domain.access.model import ApiKeyId, Caller, CallerKind, Scope
from domain.errors import LimitReached

NOW = 1000.0
OFFICE = ip_address("192.0.2.7")


def caller_limits(text: str = "") -> CallerLimits:
    return CallerLimits(LocalRequestLimiter(now=lambda: NOW), stated_limits(text))


def caller(number: int = 1, *, own: int | None = None) -> Caller:
    return Caller(
        kind=CallerKind.KEY,
        subject=f"key:{number}",
        name="till",
        scopes=frozenset(Scope),
        key_id=ApiKeyId(number),
        requests_per_minute=own,
    )


async def passed(limits: CallerLimits, who: Caller, scope: Scope, cost: int) -> int:
    """How many of 3000 requests at one moment pass."""
    count = 0
    for _ in range(3000):
        answer = await limits.admit(who, scope, cost)
        count += answer is None or answer.wait_s is None
    return count


async def test_reading_and_writing_share_the_limit_of_their_group() -> None:
    limits = caller_limits("records=600/min burst 100")
    assert await passed(limits, caller(), Scope.RECORDS_WRITE, 2) == 50
    assert await passed(limits, caller(), Scope.RECORDS_READ, 1) == 0
    assert await passed(limits, caller(), Scope.INSIGHTS_READ, 1) == 200
    assert await passed(limits, caller(2), Scope.RECORDS_READ, 1) == 100


async def test_a_key_with_a_limit_of_its_own_has_one_bucket_for_everything() -> None:
    limits = caller_limits("off")
    assert await passed(limits, caller(own=600), Scope.EXTRACT, 10) == 6
    assert await passed(limits, caller(own=600), Scope.ADMIN, 1) == 0


@pytest.mark.parametrize("kind", [CallerKind.LOCAL, CallerKind.COMMAND])
async def test_who_calls_from_this_machine_without_a_key_has_no_limit(kind: CallerKind) -> None:
    local = Caller(kind=kind, subject=kind.value, name="", scopes=frozenset(Scope))
    assert await caller_limits().admit(local, Scope.ADMIN, 10) is None


async def test_a_group_that_is_off_has_no_limit_and_the_others_keep_theirs() -> None:
    limits = caller_limits("records=off")
    assert await limits.admit(caller(), Scope.RECORDS_READ, 1) is None
    assert await passed(limits, caller(), Scope.EXTRACT, 10) == 20


async def test_a_refusal_says_when_to_come_again() -> None:
    limits = caller_limits("admin=60/min burst 10")
    last = None
    for _ in range(6):
        last = await limits.admit(caller(), Scope.ADMIN, 2)
    assert last is not None
    refused = refusal(last)
    assert refused is not None
    assert refused.retry_after_s == 2
    assert "try again in 2 seconds" in str(refused)
    last = await limits.admit(caller(), Scope.ADMIN, 1)
    assert last is not None
    assert "in 1 second." in str(refusal(last))


async def test_an_address_that_guesses_is_refused_before_anything_is_looked_up() -> None:
    limits = caller_limits()

    async def guess(address: str) -> bool:
        try:
            await limits.expect_failure(ip_address(address))
        except LimitReached:
            return False
        return True

    assert sum(await asyncio.gather(*(guess("192.0.2.7") for _ in range(50)))) == 30
    assert await guess("192.0.2.8")
    with pytest.raises(LimitReached) as refused:
        await limits.expect_failure(OFFICE)
    assert refused.value.retry_after_s == 6
    assert sum([await guess(f"2001:db8::{n:x}") for n in range(50)]) == 30


async def test_who_succeeds_is_not_counted() -> None:
    limits = caller_limits()
    for _ in range(50):
        await limits.expect_failure(OFFICE)
        await limits.succeeded(OFFICE)


async def test_failures_can_be_left_uncounted() -> None:
    limits = caller_limits("failures=off")
    for _ in range(50):
        await limits.expect_failure(OFFICE)
    await limits.succeeded(OFFICE)


def test_every_scope_is_of_a_group_and_a_group_that_is_not_there_is_refused() -> None:
    assert {scope.value.partition(":")[0] for scope in Scope} == set(GROUPS)
    with pytest.raises(BadLimit, match="records, insights, extract, admin, failures"):
        stated_limits("orders=5/s")
