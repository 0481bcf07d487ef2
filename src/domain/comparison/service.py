"""Asks contestants about texts, and keeps each answer as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.comparison.readers import Reader
from domain.comparison.recording import (
    Recording,
    Run,
    continued,
    question_of,
    refusals,
)
from domain.errors import Conflict
from domain.extraction.calls import ExtractionFailure, JobEffect
from ports.comparison_log import ComparisonLog

_PASSING_FAILURES: Final = 10
"""So many in a row, and the provider is away rather than bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Why answers are missing; the comparison can be gone on with.

    Attributes:
        contestant: whose provider is the reason; None when somebody stopped it.
        failure: what it said last; None with it.
    """

    contestant: str | None = None
    failure: ExtractionFailure | None = None


class ComparisonService:
    """Runs a comparison to its end, or as far as it comes.

    Args:
        readers: by contestant.
        log: where everything is kept.
    """

    def __init__(self, *, readers: Mapping[str, Reader], log: ComparisonLog) -> None:
        self._readers = readers
        self._log = log

    def begin(self, run: Run) -> Recording:
        """Take up what stands in the log, or begin.

        Raises:
            Conflict: what stands there is not a part of this run; says why.
            InvalidInput: it is no log of a comparison.
        """
        found = self._log.read()
        if found is not None and (reasons := refusals(found.run, run)):
            raise Conflict(f"The results cannot be gone on with: {'; '.join(reasons)}.")
        self._log.begin(run)
        if found is None:
            return Recording(run=run)
        return Recording(run=continued(found.run, run), outcomes=found.outcomes)

    async def answer(
        self,
        run: Run,
        recording: Recording,
        *,
        stop: asyncio.Event,
        heard: Callable[[Outcome], None],
    ) -> tuple[Recording, tuple[Halt, ...]]:
        """Ask what is not answered yet; returns all that is known then, and why it is not all.

        A contestant whose provider refuses key, model or request, whose quota is used up, or that
        is away, is left alone from then on, without a mark on its record: these answers are
        missing. The others go on.

        Args:
            run: what is asked.
            recording: of `begin`.
            stop: set by somebody to end early; what is under way is given up.
            heard: told each outcome when it is kept.
        """
        outcomes = dict(recording.outcomes)
        texts = {text.id: text for text in run.texts}
        contestants = {contestant.name: contestant for contestant in run.contestants}
        halts: dict[str | None, Halt] = {}

        def keep(outcome: Outcome) -> None:
            self._log.append(outcome)
            outcomes[question_of(outcome)] = outcome
            heard(outcome)

        missing = [question for question in run.questions() if question not in outcomes]
        for (name, repeat), questions in groupby(missing, key=lambda each: (each[0], each[2])):
            if None in halts or name in halts:
                continue
            answered = any(question.contestant == name for question in outcomes)
            course = _Turn(keep=keep, doubted=not answered)
            turn = [texts[question.text_id] for question in questions]
            halt = await self._turn(contestants[name], repeat, turn, course, stop)
            if halt is not None:
                halts[halt.contestant] = halt
        return Recording(run=recording.run, outcomes=outcomes), tuple(halts.values())

    async def _turn(
        self,
        contestant: Contestant,
        repeat: int,
        texts: Sequence[LabelledText],
        course: _Turn,
        stop: asyncio.Event,
    ) -> Halt | None:
        """Ask one contestant about `texts`, some at once."""
        waiting = iter(texts)
        reader = self._readers[contestant.name]

        async def work() -> None:
            for text in waiting:
                if course.failure is not None:
                    return
                course.note(*await reader.read(text, repeat))

        workers = [asyncio.create_task(work()) for _ in range(contestant.concurrency)]
        everything = asyncio.gather(*workers)
        stopped = asyncio.create_task(stop.wait())
        either: set[asyncio.Future[Any]] = {stopped, everything}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not everything.done():
                return Halt()
            everything.result()
        finally:
            stopped.cancel()
            everything.cancel()
            # Itself too: what nobody asks it for, asyncio would log as an error of its own.
            await asyncio.gather(everything, *workers, return_exceptions=True)
        course.end()
        if course.failure is None:
            return None
        return Halt(contestant=contestant.name, failure=course.failure)


@dataclass(slots=True, kw_only=True)
class _Turn:
    """What happened to one contestant so far.

    Attributes:
        keep: keeps an outcome.
        doubted: nothing shows yet that its provider answers at all.
        failure: why it goes on no further.
        withheld: passing failures in a row: a provider that is away would fail them all.
    """

    keep: Callable[[Outcome], None]
    doubted: bool
    failure: ExtractionFailure | None = None
    withheld: list[tuple[Outcome, ExtractionFailure]] = field(default_factory=list)

    def note(self, outcome: Outcome, failure: ExtractionFailure | None) -> None:
        """Keep an outcome, unless it says more of the provider than of the text."""
        effect = JobEffect.FAIL_ITEM if failure is None else failure.policy.job
        if failure is None or effect is JobEffect.FAIL_ITEM:
            self.doubted = False
            if self.failure is None:
                self._release()
            self.keep(outcome)
        elif effect is JobEffect.RETRY_ITEM:
            self.withheld.append((outcome, failure))
            if len(self.withheld) >= _PASSING_FAILURES:
                self.failure = self.failure or failure
        else:
            self.failure = self.failure or failure

    def end(self) -> None:
        """All texts are through: the last failures are kept, unless nothing else ever came."""
        if self.failure is None and self.withheld and self.doubted:
            self.failure = self.withheld[-1][1]
        if self.failure is None:
            self._release()

    def _release(self) -> None:
        for outcome, _ in self.withheld:
            self.keep(outcome)
        self.withheld.clear()
