"""Language models that say what a test scripted, one prompt or a batch at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
    TokenUsage,
)
from domain.extraction.confidence import AnswerToken
from ports.language_models import (
    Answer,
    AnswerShape,
    BatchId,
    BatchLanguageModel,
    BatchOutcome,
    BatchRequest,
    BatchStatus,
    FinishReason,
    LanguageModel,
    ModelProfile,
    Prompt,
    TimeBudget,
)

Said: TypeAlias = (
    str
    | FailureKind
    | ExtractionFailure
    | FinishReason
    | tuple[str, FinishReason]
    | tuple[str, tuple[AnswerToken, ...]]
)
"""A text, a failure, a refusal (`FinishReason.REFUSED`), or a text with the way it ended or its
tokens."""

QUOTING = ModelProfile(
    provider="scripted",
    model="scripted-1",
    style=AnswerShape.QUOTED,
    bounded=False,
    context_tokens=8_000,
    max_output_tokens=2_000,
    max_choices=1_000,
    shots=0,
    reasks=2,
    parameters={},
)


class ScriptedLanguageModel(LanguageModel):
    """Says each of `script` once, in order, then whatever `otherwise` makes of the prompt.

    Attributes:
        prompts: what it was asked, in order.
        budgets: the time that it was given each time.
    """

    def __init__(
        self,
        script: Iterable[Said] = (),
        *,
        profile: ModelProfile = QUOTING,
        otherwise: Callable[[Prompt], Said] | None = None,
        latency_s: float = 0.0,
    ) -> None:
        self._script = deque(script)
        self._profile = profile
        self._otherwise = otherwise
        self._latency_s = latency_s
        self.prompts: list[Prompt] = []
        self.budgets: list[TimeBudget] = []

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """See the port."""
        self.prompts.append(prompt)
        self.budgets.append(budget)
        await asyncio.sleep(self._latency_s)
        if self._script:
            said = self._script.popleft()
        elif self._otherwise is not None:
            said = self._otherwise(prompt)
        else:
            raise AssertionError("the model was asked more often than the script says")
        if isinstance(said, FailureKind):
            said = ExtractionFailure(kind=said, detail=f"scripted {said}")
        if isinstance(said, ExtractionFailure):
            raise ModelCallFailed(said, (self._attempt(said.kind),))
        if isinstance(said, FinishReason):
            said = ("", said)
        text, more = (said, FinishReason.COMPLETE) if isinstance(said, str) else said
        return Answer(
            text=text,
            finish=more if isinstance(more, FinishReason) else FinishReason.COMPLETE,
            attempts=(self._attempt(None),),
            tokens=() if isinstance(more, FinishReason) else more,
        )

    def _attempt(self, outcome: FailureKind | None) -> Attempt:
        usage = TokenUsage(input_tokens=100, output_tokens=10) if outcome is None else TokenUsage()
        return Attempt(
            provider=self._profile.provider,
            model=self._profile.model,
            outcome=outcome,
            usage=usage,
        )


Ending: TypeAlias = Literal["completed", "expired", "failed", "cancelled"]

_WHY = {
    "expired": FailureKind.TIMEOUT,
    "failed": FailureKind.BAD_REQUEST,
    "cancelled": FailureKind.SERVER_ERROR,
}


@dataclass(slots=True, kw_only=True)
class ScriptedBatch:
    """One batch.

    Attributes:
        token: the caller's name for it.
        requests: what is asked.
        ending: how it ended; None while it runs.
    """

    token: str
    requests: tuple[BatchRequest, ...]
    ending: Ending | None = None


@dataclass(slots=True, kw_only=True)
class ScriptedBatchLanguageModel(BatchLanguageModel):
    """Answers each prompt of a batch by `say`; an expired or cancelled one does the first half.

    Attributes:
        say: what it says to a prompt: a text, a refusal or a failure.
        ending: how batches end; None lets them run on.
        most: requests of a batch, at most.
        unreachable: what every question about batches fails with; None while it answers.
        batches: all that were submitted, by id.
    """

    say: Callable[[Prompt], str | FinishReason | FailureKind]
    ending: Ending | None = "completed"
    most: int = 50_000
    provider: str = "scripted"
    model: str = "scripted-1"
    unreachable: FailureKind | None = None
    batches: dict[BatchId, ScriptedBatch] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def first_batch(self, requests: Sequence[BatchRequest]) -> int:
        """See the port."""
        return max(1, min(len(requests), self.most))

    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        """See the port."""
        self._reach()
        assert 1 <= len(requests) <= self.most
        assert len({each.custom_id for each in requests}) == len(requests)
        batch_id = BatchId(f"batch-{next(self._numbers)}")
        self.batches[batch_id] = ScriptedBatch(token=token, requests=tuple(requests))
        return batch_id

    async def find(self, token: str) -> BatchId | None:
        """See the port."""
        self._reach()
        return next((id_ for id_, each in self.batches.items() if each.token == token), None)

    async def status(self, batch_id: BatchId) -> BatchStatus:
        """See the port."""
        self._reach()
        batch = self.batches.get(batch_id)
        if batch is None:
            return _ended(FailureKind.SERVER_ERROR)
        batch.ending = batch.ending or self.ending
        if batch.ending is None:
            return BatchStatus(ended=False)
        why = _WHY.get(batch.ending)
        return BatchStatus(ended=True) if why is None else _ended(why)

    async def outcomes(self, batch_id: BatchId) -> AsyncIterator[BatchOutcome]:
        """See the port."""
        self._reach()
        batch = self.batches.get(batch_id)
        if batch is None or batch.ending in (None, "failed"):
            return
        done = len(batch.requests) if batch.ending == "completed" else len(batch.requests) // 2
        for request in batch.requests[:done]:
            yield BatchOutcome(custom_id=request.custom_id, result=self._result(request.prompt))

    async def cancel(self, batch_id: BatchId) -> None:
        """See the port."""
        self._reach()
        batch = self.batches.get(batch_id)
        if batch is not None and batch.ending is None:
            batch.ending = "cancelled"

    def _reach(self) -> None:
        if self.unreachable is not None:
            detail = f"scripted {self.unreachable}"
            raise ModelCallFailed(ExtractionFailure(kind=self.unreachable, detail=detail))

    def _result(self, prompt: Prompt) -> Answer | ModelCallFailed:
        said = self.say(prompt)
        if isinstance(said, FailureKind):
            failure = ExtractionFailure(kind=said, detail=f"scripted {said}")
            return ModelCallFailed(failure, (self._attempt(said),))
        if isinstance(said, FinishReason):
            return Answer(text="", finish=said, attempts=(self._attempt(None),))
        return Answer(text=said, finish=FinishReason.COMPLETE, attempts=(self._attempt(None),))

    def _attempt(self, outcome: FailureKind | None) -> Attempt:
        return Attempt(
            provider=self.provider,
            model=self.model,
            outcome=outcome,
            usage=TokenUsage(input_tokens=100, output_tokens=10)
            if outcome is None
            else TokenUsage(),
            batched=True,
        )


def _ended(kind: FailureKind) -> BatchStatus:
    return BatchStatus(ended=True, failure=ExtractionFailure(kind=kind, detail=f"scripted {kind}"))
