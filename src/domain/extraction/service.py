"""One text becomes one explicit result, whatever the providers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.errors import InvalidInput, Violation
from domain.extraction.calls import Attempt, CallFailed, Failure, FailureKind, JobEffect
from domain.extraction.chunking import estimate_tokens, windows
from domain.extraction.matching import Span
from domain.extraction.model import ExtractionResult, Flag, Status
from domain.extraction.parsing import loops
from domain.extraction.prices import PriceTable
from domain.extraction.prompting import build_prompt, correction_of, prompt_hash, text_budget
from domain.extraction.reading import Reading, failure_of, flags_of, merged, read_answer
from domain.extraction.schema import Schema
from domain.extraction.suspicion import (
    contradictions,
    embedded_instructions,
    instruction_flags,
)
from ports.language_model import Answer, Budget, Finish, LanguageModel, Prompt
from ports.record_validator import RecordValidator

MAX_TEXT_CHARACTERS: Final = 200_000
_SMALLEST_WINDOW_TOKENS: Final = 64
_IMPATIENT_S: Final = 1.0
_REASK_TOKENS: Final = 12_000


@dataclass(slots=True, kw_only=True)
class _Course:
    """What happened so far to one text.

    Attributes:
        deadline: on the service's monotonic clock, in seconds.
        wait_s: longest wait for a provider that rate limits or fails.
        attempts: all calls so far.
        reask_tokens: estimated tokens spent on asking again.
        given: what was said already, by the piece of the text that was asked about.
    """

    deadline: float
    wait_s: float
    attempts: list[Attempt] = field(default_factory=list)
    reask_tokens: int = 0
    given: dict[str, Answer | CallFailed] = field(default_factory=dict)


class ExtractionService:
    """Asks models, believes only what the text backs, and falls back along the chain.

    Args:
        models: the configured models by provider name.
        chain: providers that are asked in this order when the caller names none.
        validator: checks values against a schema's rules.
        prices: what calls cost.
        monotonic: a clock that never goes back, in seconds.
        new_mark: makes random marks, unguessable to who writes the texts.
    """

    def __init__(
        self,
        *,
        models: Mapping[str, LanguageModel],
        chain: Sequence[str],
        validator: RecordValidator,
        prices: PriceTable,
        monotonic: Callable[[], float],
        new_mark: Callable[[], str],
    ) -> None:
        self._models = models
        self._chain = tuple(chain)
        self._validator = validator
        self._prices = prices
        self._monotonic = monotonic
        self._new_mark = new_mark

    def chain_for(self, provider: str | None) -> tuple[str, ...]:
        """The providers that a request asks: its own choice, or the configured chain.

        Args:
            provider: a name, a chain such as `openai,local`, or None.

        Raises:
            InvalidInput: a provider that is not configured, at `/provider`.
        """
        if provider is None:
            return self._chain
        names = tuple(name.strip() for name in provider.split(","))
        unknown = [name for name in names if name not in self._models]
        if unknown or len(set(names)) != len(names):
            detail = (
                f"{unknown[0]!r} is not configured; configured are {', '.join(self._models)}"
                if unknown
                else "must name each provider once"
            )
            raise InvalidInput.of([Violation(pointer="/provider", detail=detail)])
        return names

    def prompt_hash(self, schema: Schema, provider: str) -> str:
        """Identifies what `provider` is asked for `schema`, besides the text."""
        return prompt_hash(schema, self._models[provider].profile)

    def first_prompts(self, text: str, schema: Schema, provider: str) -> Mapping[str, Prompt]:
        """What `provider` is asked first, by the piece of `text` that it is asked about."""
        profile = self._models[provider].profile
        pieces = (
            text[each.start : each.end] for each in windows(text, text_budget(schema, profile))
        )
        return {
            piece: build_prompt(schema, piece, profile, new_mark=self._new_mark)
            for piece in dict.fromkeys(pieces)
        }

    async def extract(
        self,
        text: str,
        schema: Schema,
        *,
        chain: Sequence[str],
        deadline_s: float,
        given: Mapping[str, Answer | CallFailed] | None = None,
    ) -> ExtractionResult:
        """Read one text. Failures of providers and models end in the result, not in an error.

        Args:
            text: 1..200,000 characters; `check_text` says what is wrong with others.
            schema: a registered schema.
            chain: providers in the order in which they are asked, each configured, at least one.
            deadline_s: longest time until there is a result, in seconds (> 0).
            given: what the first of them said already to its `first_prompts`.
        """
        started = self._monotonic()
        course = _Course(deadline=started + deadline_s, wait_s=deadline_s, given=dict(given or {}))
        suspect = embedded_instructions(text)
        given_up: list[tuple[str, FailureKind]] = []
        reading: Reading | None = None
        flags: list[Flag] = []
        failure: Failure | None = None
        for position, name in enumerate(chain, start=1):
            course.wait_s = deadline_s if position == len(chain) else _IMPATIENT_S
            provider = name
            try:
                reading, flags = await self._read(text, schema, name, course, suspect)
            except CallFailed as error:
                reading, failure = None, error.failure
            else:
                failure = failure_of(schema, reading)
            refusals = [kind for _, kind in given_up].count(FailureKind.REFUSED)
            if (
                failure is None
                or position == len(chain)
                or not failure.reaction.falls_back
                or (failure.kind is FailureKind.REFUSED and refusals)  # one other model, not more
            ):
                break
            given_up.append((name, failure.kind))
            course.given.clear()
        profile = self._models[provider].profile
        usable = reading if reading is not None and failure is None else Reading()
        found = [
            *instruction_flags(suspect),
            *(flags if failure is None else ()),
            *(flags_of(reading) if reading is not None else ()),
        ]
        return ExtractionResult(
            status=_status(usable, failure),
            schema=schema.name,
            schema_version=schema.version,
            fields={
                item.name: usable.values.get(item.name, [] if item.many else None)
                for item in schema.fields
            },
            evidence=usable.evidence,
            warnings=tuple(found),
            failure=failure,
            provider=provider,
            model=profile.model,
            attempts=tuple(course.attempts),
            fallbacks=tuple(given_up),
            prompt_hash=prompt_hash(schema, profile),
            latency_s=self._monotonic() - started,
            cost_usd=self._prices.cost(course.attempts),
        )

    async def _read(
        self, text: str, schema: Schema, name: str, course: _Course, suspect: Sequence[Span]
    ) -> tuple[Reading, list[Flag]]:
        """Read the whole text, in windows when it is too long for the model.

        Raises:
            CallFailed: one window has no answer.
        """
        model = self._models[name]
        budget = text_budget(schema, model.profile)
        while True:
            try:
                readings, flags = [], []
                for window in windows(text, budget):
                    inner = [
                        Span(start=s.start - window.start, end=s.end - window.start)
                        for s in suspect
                    ]
                    piece = text[window.start : window.end]
                    reading = await self._converse(model, schema, piece, course, inner)
                    readings.append(reading.shifted(window.start))
                    rivals = contradictions(schema, reading.evidence, piece)
                    flags += [flag.shifted(window.start) for flag in rivals]
            except CallFailed as error:
                # The estimate was wrong, or the answer is as long as the text: smaller pieces,
                # never the same again.
                too_big = error.failure.kind in {FailureKind.TOO_LONG, FailureKind.TRUNCATED}
                budget = min(budget, estimate_tokens(text)) // 2
                if not too_big or budget < _SMALLEST_WINDOW_TOKENS:
                    raise
                continue
            if len(readings) == 1:
                return readings[0], flags
            unreadable = next((each for each in readings if each.unreadable), None)
            if unreadable is not None:
                return unreadable, []
            whole, disagreements = merged(schema, readings)
            known = {flag.field for flag in flags}
            return whole, flags + [flag for flag in disagreements if flag.field not in known]

    async def _converse(
        self,
        model: LanguageModel,
        schema: Schema,
        text: str,
        course: _Course,
        suspect: Sequence[Span],
    ) -> Reading:
        """Ask until every field holds or asking again is not worth it.

        Raises:
            CallFailed: no answer, or one that was refused or cut twice.
        """
        profile = model.profile
        best = Reading(unreadable="no answer yet")
        correction: tuple[str, str] | None = None
        room, asked_again = 1, 0
        while True:
            prompt = build_prompt(
                schema, text, profile, new_mark=self._new_mark, correction=correction, room=room
            )
            if asked_again:
                course.reask_tokens += prompt.estimated_tokens
                if course.reask_tokens > _REASK_TOKENS:
                    return best
            try:
                answer = await self._answer(model, prompt, text, course)
            except CallFailed as error:
                course.attempts.extend(error.attempts)
                raise
            course.attempts.extend(answer.attempts)
            if answer.finish is Finish.REFUSED:
                raise CallFailed(_REFUSED)
            reading = read_answer(
                answer.text, schema, profile.style, text, self._validator, forbidden=suspect
            )
            if reading.unreadable is not None and answer.finish is Finish.TRUNCATED:
                looping = loops(answer.text)
                if room > 1:
                    raise CallFailed(_LOOPED if looping else _CUT)
                room = 2
                correction = (answer.text[:200].rstrip(), _COMPACT) if looping else correction
                continue
            best = reading if best.unreadable is not None else best.better(reading)
            if best.complete or asked_again >= profile.reasks:
                return best
            asked_again += 1
            correction = (_shortened(answer), correction_of(reading.faults()))

    async def _answer(
        self, model: LanguageModel, prompt: Prompt, text: str, course: _Course
    ) -> Answer:
        """What was said already, or what is said now.

        Raises:
            CallFailed: neither.
        """
        given = course.given.pop(text, None)
        if isinstance(given, Answer):
            return given
        if given is not None:
            if given.failure.reaction.job is not JobEffect.RETRY_ITEM:
                raise given
            course.attempts.extend(given.attempts)
        return await model.complete(prompt, self._budget(course))

    def _budget(self, course: _Course) -> Budget:
        left = course.deadline - self._monotonic()
        if left <= 0:
            raise CallFailed(_LATE)
        return Budget(timeout_s=left, wait_s=min(left, course.wait_s))


def check_text(text: str, pointer: str = "/text") -> list[Violation]:
    """What is wrong with a text that somebody wants read; empty when nothing is."""
    if not text.strip():
        return [Violation(pointer=pointer, detail="must not be blank")]
    if len(text) > MAX_TEXT_CHARACTERS:
        return [
            Violation(
                pointer=pointer,
                detail=f"must have at most {MAX_TEXT_CHARACTERS} characters, has {len(text)}",
            )
        ]
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return [Violation(pointer=pointer, detail="must not hold NUL or lone surrogates")]
    return []


_REFUSED: Final = Failure(kind=FailureKind.REFUSED, detail="The model declined to read this text.")
_CUT: Final = Failure(
    kind=FailureKind.TRUNCATED, detail="The model's answer was cut at its length limit twice."
)
_LOOPED: Final = Failure(
    kind=FailureKind.WHITESPACE_LOOP, detail="The model repeated itself until the length limit."
)
_LATE: Final = Failure(
    kind=FailureKind.TIMEOUT, detail="The time for this text ran out before an answer came."
)
_COMPACT: Final = "That answer ran into the length limit. Answer with compact JSON on one line."


def _status(reading: Reading, failure: Failure | None) -> Status:
    if failure is not None:
        return Status.REFUSED if failure.kind is FailureKind.REFUSED else Status.FAILED
    return Status.VALID if reading.complete and not reading.unquoted else Status.PARTIAL


def _shortened(answer: Answer) -> str:
    """The answer as the correction repeats it: what runs on for long teaches nothing."""
    return answer.text if len(answer.text) <= 4000 else answer.text[:4000]
