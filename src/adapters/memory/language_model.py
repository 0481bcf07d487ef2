"""A language model that says what a test scripted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from domain.extraction.calls import Attempt, CallFailed, Failure, FailureKind, Usage
from ports.language_models import (
    Answer,
    AnswerStyle,
    Budget,
    Finish,
    LanguageModel,
    ModelProfile,
    Prompt,
)

Said: TypeAlias = str | FailureKind | Failure | Finish | tuple[str, Finish]
"""A text, a failure, a refusal (`Finish.REFUSED`), or a text with the way it ended."""

QUOTING = ModelProfile(
    provider="scripted",
    model="scripted-1",
    style=AnswerStyle.QUOTED,
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
        self.budgets: list[Budget] = []

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
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
            said = Failure(kind=said, detail=f"scripted {said}")
        if isinstance(said, Failure):
            raise CallFailed(said, (self._attempt(said.kind),))
        if isinstance(said, Finish):
            said = ("", said)
        text, finish = (said, Finish.COMPLETE) if isinstance(said, str) else said
        return Answer(text=text, finish=finish, attempts=(self._attempt(None),))

    def _attempt(self, outcome: FailureKind | None) -> Attempt:
        usage = Usage(input_tokens=100, output_tokens=10) if outcome is None else Usage()
        return Attempt(
            provider=self._profile.provider,
            model=self._profile.model,
            outcome=outcome,
            usage=usage,
        )
