"""One text, one model: asked until every field holds, or until asking again is not worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.extraction.answers import ValidatedAnswer, check_answer, loops
from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    JobEffect,
    ModelCallFailed,
)
from domain.extraction.matching import Span
from domain.extraction.prompting import build_prompt, correction_of
from domain.extraction.schema import RecordSchema
from ports.extraction import RecordValidator
from ports.language_models import Answer, FinishReason, LanguageModel, Prompt, TimeBudget

_REASK_TOKENS: Final = 12_000


@dataclass(slots=True, kw_only=True)
class ValidationLoopState:
    """What happened so far to one text.

    Attributes:
        deadline: on the service's monotonic clock, in seconds.
        wait_s: longest wait for a provider that rate limits or fails.
        probes: its calls may find out whether a provider that failed is back.
        attempts: all calls so far.
        reask_tokens: estimated tokens spent on asking again.
        given: what was said already, by the piece of the text that was asked about.
    """

    deadline: float
    wait_s: float
    probes: bool = True
    attempts: list[Attempt] = field(default_factory=list)
    reask_tokens: int = 0
    given: dict[str, Answer | ModelCallFailed] = field(default_factory=dict)


class ValidationLoop:
    """Asks, checks, and asks again with the last error.

    Args:
        validator: checks values against a schema's rules.
        monotonic: a clock that never goes back, in seconds.
        new_mark: makes random marks, unguessable to who writes the texts.
    """

    def __init__(
        self,
        *,
        validator: RecordValidator,
        monotonic: Callable[[], float],
        new_mark: Callable[[], str],
    ) -> None:
        self._validator = validator
        self._monotonic = monotonic
        self._new_mark = new_mark

    async def read(
        self,
        model: LanguageModel,
        schema: RecordSchema,
        text: str,
        progress: ValidationLoopState,
        dictated: Sequence[Span],
    ) -> ValidatedAnswer:
        """Ask until every field holds or asking again is not worth it.

        A value out of one of the `dictated` passages is asked for again, since another one may
        stand elsewhere; where none does, it holds.

        Raises:
            ModelCallFailed: no answer, or one that was refused or cut twice.
        """
        profile = model.profile
        best = said = ValidatedAnswer(unreadable="no answer yet")
        correction: tuple[str, str] | None = None
        room, asked_again = 1, 0
        while True:
            prompt = build_prompt(
                schema, text, profile, new_mark=self._new_mark, correction=correction, room=room
            )
            if asked_again:
                progress.reask_tokens += prompt.estimated_tokens
                if progress.reask_tokens > _REASK_TOKENS:
                    return best.better(said)
            try:
                answer = await self._answer(model, prompt, text, progress)
            except ModelCallFailed as error:
                progress.attempts.extend(error.attempts)
                raise
            progress.attempts.extend(answer.attempts)
            if answer.finish is FinishReason.REFUSED:
                raise ModelCallFailed(_REFUSED)
            reading = check_answer(
                answer.text,
                schema,
                profile.style,
                text,
                self._validator,
                forbidden=() if asked_again else dictated,
                tokens=answer.tokens,
            )
            if reading.unreadable is not None and answer.finish is FinishReason.TRUNCATED:
                looping = loops(answer.text)
                if room > 1:
                    raise ModelCallFailed(_LOOPED if looping else _CUT)
                room = 2
                correction = (answer.text[:200].rstrip(), _COMPACT) if looping else correction
                continue
            best = reading if best.unreadable is not None else best.better(reading)
            if dictated:
                every = check_answer(
                    answer.text,
                    schema,
                    profile.style,
                    text,
                    self._validator,
                    tokens=answer.tokens,
                )
                said = every if said.unreadable is not None else said.better(every)
            if best.complete or asked_again >= profile.reasks:
                return best.better(said)
            asked_again += 1
            correction = (_shortened(answer), correction_of(reading.faults()))

    async def _answer(
        self, model: LanguageModel, prompt: Prompt, text: str, progress: ValidationLoopState
    ) -> Answer:
        """What was said already, or what is said now.

        Raises:
            ModelCallFailed: neither.
        """
        given = progress.given.pop(text, None)
        if isinstance(given, Answer):
            return given
        if given is not None:
            if given.failure.policy.job is not JobEffect.RETRY_ITEM:
                raise given
            progress.attempts.extend(given.attempts)
        return await model.complete(prompt, self._budget(progress))

    def _budget(self, progress: ValidationLoopState) -> TimeBudget:
        left = progress.deadline - self._monotonic()
        if left <= 0:
            raise ModelCallFailed(_LATE)
        return TimeBudget(timeout_s=left, wait_s=min(left, progress.wait_s), probes=progress.probes)


_REFUSED: Final = ExtractionFailure(
    kind=FailureKind.REFUSED, detail="The model declined to read this text."
)
_CUT: Final = ExtractionFailure(
    kind=FailureKind.TRUNCATED, detail="The model's answer was cut at its length limit twice."
)
_LOOPED: Final = ExtractionFailure(
    kind=FailureKind.WHITESPACE_LOOP, detail="The model repeated itself until the length limit."
)
_LATE: Final = ExtractionFailure(
    kind=FailureKind.TIMEOUT, detail="The time for this text ran out before an answer came."
)
_COMPACT: Final = "That answer ran into the length limit. Answer with compact JSON on one line."


def _shortened(answer: Answer) -> str:
    """The answer as the correction repeats it: what runs on for long teaches nothing."""
    return answer.text if len(answer.text) <= 4000 else answer.text[:4000]
