"""What every `BatchLanguageModel` holds."""

from __future__ import annotations

import asyncio
import json
from typing import Literal, Protocol

import pytest

from domain.extraction.calls import FailureKind, ModelCallFailed
from domain.extraction.prompting import build_prompt
from domain.extraction.schema import ORDER_MESSAGE
from ports.language_models import (
    Answer,
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
    FinishReason,
    ModelProfile,
)
from tests.contracts.contract import Contract

Ending = Literal["completed", "expired", "failed"]


class BatchWorld(Protocol):
    """A model under test, and the strings behind it.

    Attributes:
        model: under test.
        profile: of the model that it asks.
    """

    model: BatchLanguageModel
    profile: ModelProfile

    def arrange(
        self,
        *,
        ending: Ending = "completed",
        endless: bool = False,
        server_error: str | None = None,
        refusal: str | None = None,
    ) -> None:
        """How batches end from now on, or that they do not; texts with what fails or is refused."""
        ...

    def forget(self) -> None:
        """The provider forgets all batches."""
        ...


def text_of(number: int) -> str:
    return f"Hi, this is Nina Hall. Please send {number} lamps to us."


class BatchLanguageModelContract(Contract):
    @pytest.fixture
    def world(self) -> BatchWorld:
        raise NotImplementedError

    def requests(self, world: BatchWorld, *numbers: int) -> list[BatchRequest]:
        return [
            BatchRequest(
                custom_id=f"{number}-0",
                prompt=build_prompt(
                    ORDER_MESSAGE, text_of(number), world.profile, new_mark=lambda: "a1b2c3d4"
                ),
            )
            for number in numbers
        ]

    async def submitted(self, world: BatchWorld, *numbers: int, name: str = "token-one") -> BatchId:
        return await world.model.submit(name, self.requests(world, *numbers))

    async def ended(self, world: BatchWorld, batch_id: BatchId) -> BatchStatus:
        async with asyncio.timeout(20):
            while not (status := await world.model.status(batch_id)).ended:
                await asyncio.sleep(0.02)
        return status

    async def outcomes(self, world: BatchWorld, batch_id: BatchId) -> dict[str, BatchOutcome]:
        return {each.custom_id: each async for each in world.model.outcomes(batch_id)}

    async def test_every_prompt_of_a_completed_batch_is_answered_under_its_name(
        self, world: BatchWorld
    ) -> None:
        batch_id = await self.submitted(world, 3, 4, 5)
        status = await self.ended(world, batch_id)
        assert status.failure is None
        outcomes = await self.outcomes(world, batch_id)
        assert sorted(outcomes) == ["3-0", "4-0", "5-0"]
        for number in (3, 4, 5):
            answer = outcomes[f"{number}-0"].result
            assert isinstance(answer, Answer)
            assert json.loads(answer.text)["quantity"]["value"] == number
            assert answer.finish is FinishReason.COMPLETE

    async def test_an_answer_is_one_attempt_that_is_marked_as_batched_with_its_usage(
        self, world: BatchWorld
    ) -> None:
        batch_id = await self.submitted(world, 3)
        await self.ended(world, batch_id)
        answer = (await self.outcomes(world, batch_id))["3-0"].result
        assert isinstance(answer, Answer)
        (attempt,) = answer.attempts
        assert attempt.batched
        assert attempt.outcome is None
        assert (attempt.provider, attempt.model) == (world.profile.provider, world.profile.model)
        assert attempt.usage.input_tokens > 0
        assert attempt.usage.output_tokens > 0

    async def test_outcomes_can_be_fetched_again(self, world: BatchWorld) -> None:
        batch_id = await self.submitted(world, 3, 4)
        await self.ended(world, batch_id)
        first = await self.outcomes(world, batch_id)
        assert await self.outcomes(world, batch_id) == first

    async def test_a_batch_is_found_by_its_token_alone(self, world: BatchWorld) -> None:
        assert await world.model.find("token-one") is None
        one = await self.submitted(world, 3, name="token-one")
        two = await self.submitted(world, 4, name="token-two")
        assert one != two
        assert await world.model.find("token-one") == one
        assert await world.model.find("token-two") == two
        assert await world.model.find("token-three") is None

    async def test_an_ended_batch_is_found_too(self, world: BatchWorld) -> None:
        batch_id = await self.submitted(world, 3)
        await self.ended(world, batch_id)
        assert await world.model.find("token-one") == batch_id

    async def test_a_prompt_that_failed_takes_no_other_along(self, world: BatchWorld) -> None:
        world.arrange(server_error=text_of(4))
        batch_id = await self.submitted(world, 3, 4, 5)
        assert (await self.ended(world, batch_id)).failure is None
        outcomes = await self.outcomes(world, batch_id)
        failed = outcomes["4-0"].result
        assert isinstance(failed, ModelCallFailed)
        assert failed.failure.kind is FailureKind.SERVER_ERROR
        assert [each.outcome for each in failed.attempts] == [FailureKind.SERVER_ERROR]
        assert failed.attempts[0].batched
        assert isinstance(outcomes["3-0"].result, Answer)
        assert isinstance(outcomes["5-0"].result, Answer)

    async def test_a_refused_prompt_says_so(self, world: BatchWorld) -> None:
        world.arrange(refusal=text_of(4))
        batch_id = await self.submitted(world, 3, 4)
        await self.ended(world, batch_id)
        answer = (await self.outcomes(world, batch_id))["4-0"].result
        assert isinstance(answer, Answer)
        assert answer.finish is FinishReason.REFUSED
        assert answer.text == ""

    async def test_an_expired_batch_leaves_out_what_was_not_done_and_says_why(
        self, world: BatchWorld
    ) -> None:
        world.arrange(ending="expired")
        batch_id = await self.submitted(world, 3, 4, 5, 6)
        status = await self.ended(world, batch_id)
        assert status.failure is not None
        assert status.failure.kind is FailureKind.TIMEOUT
        outcomes = await self.outcomes(world, batch_id)
        assert set(outcomes) < {"3-0", "4-0", "5-0", "6-0"}
        assert all(isinstance(each.result, Answer) for each in outcomes.values())

    async def test_a_failed_batch_has_no_outcome_and_says_why(self, world: BatchWorld) -> None:
        world.arrange(ending="failed")
        batch_id = await self.submitted(world, 3, 4)
        status = await self.ended(world, batch_id)
        assert status.failure is not None
        assert await self.outcomes(world, batch_id) == {}

    async def test_a_running_batch_has_not_ended(self, world: BatchWorld) -> None:
        world.arrange(endless=True)
        batch_id = await self.submitted(world, 3)
        assert await world.model.status(batch_id) == BatchStatus(ended=False)
        assert await self.outcomes(world, batch_id) == {}

    async def test_a_cancelled_batch_ends_and_what_was_not_done_is_left_out(
        self, world: BatchWorld
    ) -> None:
        world.arrange(endless=True)
        batch_id = await self.submitted(world, 3, 4)
        await world.model.cancel(batch_id)
        status = await self.ended(world, batch_id)
        assert status.failure is not None
        assert set(await self.outcomes(world, batch_id)) < {"3-0", "4-0"}

    async def test_cancelling_what_has_ended_or_is_not_known_changes_nothing(
        self, world: BatchWorld
    ) -> None:
        batch_id = await self.submitted(world, 3)
        await self.ended(world, batch_id)
        await world.model.cancel(batch_id)
        assert await world.model.status(batch_id) == BatchStatus(ended=True)
        world.forget()
        await world.model.cancel(batch_id)

    async def test_a_batch_that_the_provider_forgot_has_ended_with_a_failure(
        self, world: BatchWorld
    ) -> None:
        batch_id = await self.submitted(world, 3)
        world.forget()
        status = await world.model.status(batch_id)
        assert status.ended
        assert status.failure is not None
        assert status.failure.kind is FailureKind.SERVER_ERROR

    async def test_at_least_one_prompt_and_all_of_a_few_fit_into_a_batch(
        self, world: BatchWorld
    ) -> None:
        requests = self.requests(world, 3, 4, 5)
        assert world.model.first_batch(requests) == 3
        assert world.model.first_batch(requests[:1]) == 1
