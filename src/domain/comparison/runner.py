"""Asks contestants about texts, and keeps each answer as soon as it is there."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Protocol

from domain.comparison.model import ComparisonSpec, Contestant, LabelledText
from domain.comparison.results import (
    ComparisonResults,
    ContestantAnswer,
    Provenance,
    answer_of,
    resume_obstacles,
    resumed,
)
from domain.errors import Conflict
from domain.extraction.calls import ExtractionFailure, JobEffect
from domain.extraction.schema import RecordSchema
from domain.extraction.service import ExtractionService
from ports.comparison import ComparisonResultLog

_PASSING_FAILURES: Final = 10
"""So many in a row, and the provider is away rather than bad."""


class Extractor(Protocol):
    """One contestant at work.

    Attributes:
        contestant: who it is.
    """

    contestant: Contestant

    @abstractmethod
    async def extract(
        self, text: LabelledText, repeat: int
    ) -> tuple[ContestantAnswer, ExtractionFailure | None]:
        """What it makes of a text, and why there is no record if there is none."""
        ...


class ModelExtractor(Extractor):
    """Asks a language model, with all that extraction does around it.

    Args:
        service: knows the contestant's model by its name.
        contestant: who is asked.
        schema: the record to fill.
        deadline_s: longest time for one text, in seconds (> 0).
    """

    def __init__(
        self,
        service: ExtractionService,
        contestant: Contestant,
        *,
        schema: RecordSchema,
        deadline_s: float,
    ) -> None:
        self.contestant = contestant
        self._service = service
        self._schema = schema
        self._deadline_s = deadline_s

    async def extract(
        self, text: LabelledText, repeat: int
    ) -> tuple[ContestantAnswer, ExtractionFailure | None]:
        """See the protocol."""
        name = self.contestant.name
        result = await self._service.extract(
            text.text, self._schema, chain=(name,), deadline_s=self._deadline_s
        )
        answer = answer_of(
            result,
            contestant=name,
            text_id=text.id,
            repeat=repeat,
            windows=len(self._service.first_prompts(text.text, self._schema, name)),
            prices=self._service.prices,
        )
        return answer, result.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Why answers are missing; the comparison can be gone on with.

    Attributes:
        contestant: whose provider is the reason; None when somebody stopped it.
        failure: what it said last; None with it.
    """

    contestant: str | None = None
    failure: ExtractionFailure | None = None


class ComparisonRunner:
    """Runs a comparison in this process to its end, or as far as it comes.

    Args:
        extractors: one for each contestant.
        log: where everything is kept.
    """

    def __init__(self, *, extractors: Iterable[Extractor], log: ComparisonResultLog) -> None:
        self._extractors = {each.contestant.name: each for each in extractors}
        self._log = log

    def begin(self, spec: ComparisonSpec, provenance: Provenance) -> ComparisonResults:
        """Take up what stands in the log, or begin.

        Raises:
            Conflict: what stands there is not a part of this comparison; says why.
            InvalidInput: it is no log of a comparison.
        """
        found = self._log.read()
        if found is not None and (reasons := resume_obstacles(found.spec, spec)):
            raise Conflict(f"The results cannot be gone on with: {'; '.join(reasons)}.")
        self._log.begin(spec, provenance)
        if found is None:
            return ComparisonResults(spec=spec, provenance=provenance)
        return resumed(found, spec, provenance)

    async def run(
        self,
        spec: ComparisonSpec,
        results: ComparisonResults,
        *,
        stop: asyncio.Event,
        on_answer: Callable[[ContestantAnswer], None],
    ) -> tuple[ComparisonResults, tuple[Interruption, ...]]:
        """Ask what is not answered yet; returns all that is known then, and why it is not all.

        A contestant whose provider refuses key, model or request, whose quota is used up, or that
        is away, is left alone from then on, without a mark on its record: these answers are
        missing. The others go on.

        Args:
            spec: what is asked.
            results: of `begin`.
            stop: set by somebody to end early; what is under way is given up.
            on_answer: told each answer when it is kept.
        """
        answers = dict(results.answers)
        texts = {text.id: text for text in spec.texts}
        interruptions: dict[str | None, Interruption] = {}

        def keep(answer: ContestantAnswer) -> None:
            self._log.append(answer)
            answers[answer.key] = answer
            on_answer(answer)

        missing = results.missing(spec)
        for (name, repeat), keys in groupby(missing, key=lambda key: (key.contestant, key.repeat)):
            if None in interruptions or name in interruptions:
                continue
            answered = any(key.contestant == name for key in answers)
            breaker = _Breaker(keep=keep, doubted=not answered)
            waiting = [texts[key.text_id] for key in keys]
            interruption = await self._ask(self._extractors[name], repeat, waiting, breaker, stop)
            if interruption is not None:
                interruptions[interruption.contestant] = interruption
        return replace(results, answers=answers), tuple(interruptions.values())

    async def _ask(
        self,
        extractor: Extractor,
        repeat: int,
        texts: Sequence[LabelledText],
        breaker: _Breaker,
        stop: asyncio.Event,
    ) -> Interruption | None:
        """Ask one contestant about `texts`, some at once."""
        waiting = iter(texts)

        async def work() -> None:
            for text in waiting:
                if breaker.failure is not None:
                    return
                breaker.note(*await extractor.extract(text, repeat))

        concurrency = extractor.contestant.concurrency
        workers = [asyncio.create_task(work()) for _ in range(concurrency)]
        everything = asyncio.gather(*workers)
        stopped = asyncio.create_task(stop.wait())
        either: set[asyncio.Future[Any]] = {stopped, everything}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not everything.done():
                return Interruption()
            everything.result()
        finally:
            stopped.cancel()
            everything.cancel()
            # Itself too: what nobody asks it for, asyncio would log as an error of its own.
            await asyncio.gather(everything, *workers, return_exceptions=True)
        breaker.end()
        if breaker.failure is None:
            return None
        return Interruption(contestant=extractor.contestant.name, failure=breaker.failure)


@dataclass(slots=True, kw_only=True)
class _Breaker:
    """Leaves a contestant alone whose provider is away, and keeps what says nothing of it.

    Attributes:
        keep: keeps an answer.
        doubted: nothing shows yet that its provider answers at all.
        failure: why it goes on no further.
        withheld: passing failures in a row: a provider that is away would fail them all.
    """

    keep: Callable[[ContestantAnswer], None]
    doubted: bool
    failure: ExtractionFailure | None = None
    withheld: list[tuple[ContestantAnswer, ExtractionFailure]] = field(default_factory=list)

    def note(self, answer: ContestantAnswer, failure: ExtractionFailure | None) -> None:
        """Keep an answer, unless it says more of the provider than of the text."""
        effect = JobEffect.FAIL_ITEM if failure is None else failure.policy.job
        if failure is None or effect is JobEffect.FAIL_ITEM:
            self.doubted = False
            if self.failure is None:
                self._release()
            self.keep(answer)
        elif effect is JobEffect.RETRY_ITEM:
            self.withheld.append((answer, failure))
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
        for answer, _ in self.withheld:
            self.keep(answer)
        self.withheld.clear()
