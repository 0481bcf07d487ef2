"""On whose behalf something is done is said once, for all inside and nobody beside."""

from __future__ import annotations

import asyncio

from domain.access.audit import Actor, acting, acting_as
from domain.access.model import ApiKeyId, Caller, CallerKind, Scope

CRON = Actor(kind=CallerKind.COMMAND, subject="command:cron")
CALLER = Caller(
    kind=CallerKind.KEY,
    subject="key:7",
    name="till",
    scopes=frozenset({Scope.EXTRACT}),
    key_id=ApiKeyId(7),
)


def test_a_caller_acts_by_its_subject_with_the_place_that_it_calls_from() -> None:
    assert Actor.of(CALLER, request_id="request-1", address="192.0.2.1") == Actor(
        kind=CallerKind.KEY,
        subject="key:7",
        key_id=ApiKeyId(7),
        request_id="request-1",
        address="192.0.2.1",
    )


def test_nobody_acts_unless_it_is_said_and_an_inner_block_ends_with_itself() -> None:
    assert acting() is None
    with acting_as(CRON):
        with acting_as(None):
            assert acting() is None
        assert acting() == CRON
    assert acting() is None


async def test_tasks_beside_each_other_act_for_their_own() -> None:
    met = asyncio.Barrier(2)

    async def act(actor: Actor | None) -> Actor | None:
        with acting_as(actor):
            await met.wait()
            return acting()

    assert list(await asyncio.gather(act(CRON), act(None))) == [CRON, None]
