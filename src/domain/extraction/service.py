"""One text becomes one explicit result, whatever the providers do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from domain.access.model import NO_BUDGET, ModelBudget
from domain.errors import InvalidInput, NotFound, Violation
from domain.extraction.answers import ValidatedAnswer, failure_of, flags_of, merged
from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
    PriceTable,
    TokenUsage,
    current_name,
)
from domain.extraction.confidence import confidence_of
from domain.extraction.contradictions import contradictions
from domain.extraction.conversation import ValidationLoop, ValidationLoopState
from domain.extraction.matching import Span
from domain.extraction.model import (
    Extraction,
    ExtractionId,
    ExtractionResult,
    ExtractionStatus,
    ExtractionWarning,
)
from domain.extraction.prompt_injection import commands, embedded_instructions, instruction_flags
from domain.extraction.prompting import build_prompt, prompt_hash, text_budget
from domain.extraction.schema import RecordSchema, relaxed
from domain.extraction.windows import estimate_tokens, windows
from ports.clock import Clock
from ports.extraction import ExtractionSchemaRepository, RecordValidator
from ports.language_models import Answer, LanguageModel, Prompt

_log = logging.getLogger(__name__)

MAX_TEXT_CHARACTERS: Final = 200_000
_SMALLEST_WINDOW_TOKENS: Final = 64
_IMPATIENT_S: Final = 1.0
_UNREADABLE: Final = ExtractionFailure(
    kind=FailureKind.INVALID_JSON,
    detail="The model's answer could not be read; the log has the details.",
)


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
        self._conversation = ValidationLoop(
            validator=validator, monotonic=monotonic, new_mark=new_mark
        )
        self.prices = prices
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
        names = tuple(current_name(name.strip()) for name in provider.split(","))
        unknown = [name for name in names if name not in self._models]
        if unknown or len(set(names)) != len(names):
            detail = (
                f"{unknown[0]!r} is not configured; configured are {', '.join(self._models)}"
                " (add others to LLM_PROVIDER)"
                if unknown
                else "must name each provider once"
            )
            raise InvalidInput.of([Violation(pointer="/provider", detail=detail)])
        return names

    def price_violations(
        self, chain: Sequence[str], budget: ModelBudget, *, batched: bool = False
    ) -> list[Violation]:
        """Why providers cannot be asked under `budget`: one in US dollars needs their prices.

        Args:
            chain: configured providers.
            budget: of who asks.
            batched: the first of them is asked in batches.
        """
        if budget.usd is None:
            return []
        found = []
        for place, name in enumerate(chain):
            call = Attempt(
                provider=name,
                model=self._models[name].profile.model,
                outcome=None,
                usage=TokenUsage(input_tokens=1),
                batched=batched and not place,
            )
            if self.prices.cost([call]) is None:
                detail = (
                    f"the price of {call.model!r} of {name} is not known, and the key has a model"
                    " budget in US dollars. Name the model in LLM_PRICES_FILE, or give the key a"
                    " budget in tokens"
                )
                found.append(Violation(pointer="/provider", detail=detail))
        return found

    def prompt_hash(self, schema: RecordSchema, provider: str) -> str:
        """Identifies what `provider` is asked for `schema`, besides the text."""
        return prompt_hash(schema, self._models[provider].profile)

    def first_prompts(self, text: str, schema: RecordSchema, provider: str) -> Mapping[str, Prompt]:
        """What `provider` is asked first, by the piece of `text` that it is asked about."""
        profile = self._models[provider].profile
        found = windows(text, text_budget(schema, profile))
        asked = schema if len(found) == 1 else relaxed(schema)
        pieces = dict.fromkeys(text[each.start : each.end] for each in found)
        return {
            piece: build_prompt(asked, piece, profile, new_mark=self._new_mark) for piece in pieces
        }

    def likely_call(self, prompt: Prompt, provider: str) -> Attempt:
        """What asking `prompt` in a batch is likely to use; hidden reasoning is not foreseen."""
        profile = self._models[provider].profile
        output = (prompt.max_output_tokens - profile.reasoning_tokens) // 3
        usage = TokenUsage(input_tokens=prompt.estimated_tokens - output, output_tokens=output)
        return Attempt(
            provider=provider, model=profile.model, outcome=None, usage=usage, batched=True
        )

    async def extract(
        self,
        text: str,
        schema: RecordSchema,
        *,
        chain: Sequence[str],
        deadline_s: float,
        max_wait_s: float | None = None,
        given: Mapping[str, Answer | ModelCallFailed] | None = None,
    ) -> ExtractionResult:
        """Read one text. Failures of providers and models end in the result, not in an error.

        Args:
            text: 1..200,000 characters; `check_text` says what is wrong with others.
            schema: a registered schema.
            chain: providers in the order in which they are asked, each configured, at least one.
            deadline_s: longest time until there is a result, in seconds (> 0). Each provider may
                use as much of what is left as those after it.
            max_wait_s: of it, waiting for providers that are shut or fail, shared by those of the
                chain: somebody waits for the answer, so what is known to be down is told and not
                tried. None: the last provider is waited for as long as there is time.
            given: what the first of them said already to its `first_prompts`.
        """
        started = self._monotonic()
        ends = started + deadline_s
        progress = ValidationLoopState(
            deadline=ends,
            wait_s=deadline_s if max_wait_s is None else max_wait_s / len(chain),
            probes=max_wait_s is None,
            given=dict(given or {}),
        )
        dictated = commands(text)
        given_up: list[tuple[str, FailureKind]] = []
        reading: ValidatedAnswer | None = None
        flags: list[ExtractionWarning] = []
        failure: ExtractionFailure | None = None
        waits: list[float] = []
        waiting = list(chain)
        while True:
            provider = waiting.pop(0)
            if max_wait_s is None:
                progress.wait_s = _IMPATIENT_S if waiting else deadline_s
            # One that hangs leaves their share of the time to those behind it.
            now = self._monotonic()
            progress.deadline = now + (ends - now) / (len(waiting) + 1)
            try:
                reading, flags = await self._read(text, schema, provider, progress, dictated)
            except ModelCallFailed as error:
                reading, failure = None, error.failure
            except Exception:
                if not progress.attempts:
                    raise  # nobody was asked, and nothing paid
                _log.exception("what %s answered cannot be read", provider)
                reading, failure = None, _UNREADABLE
            else:
                failure = failure_of(schema, reading)
            if failure is not None and failure.retry_after_s is not None:
                waits.append(failure.retry_after_s)
            refusals = [kind for _, kind in given_up].count(FailureKind.REFUSED)
            if (
                failure is None
                or not waiting
                or not failure.policy.falls_back
                or (failure.kind is FailureKind.REFUSED and refusals)  # one other model, not more
            ):
                break
            given_up.append((provider, failure.kind))
            progress.given.clear()
        profile = self._models[provider].profile
        usable = reading if reading is not None and failure is None else ValidatedAnswer()
        found = [
            *instruction_flags(embedded_instructions(text), usable.evidence),
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
            attempts=tuple(progress.attempts),
            fallbacks=tuple(given_up),
            prompt_hash=prompt_hash(schema, profile),
            latency_s=self._monotonic() - started,
            cost_usd=self.prices.cost(progress.attempts),
            retry_after_s=None if failure is None else min(waits, default=None),
            confidence={}
            if profile.calibration is None
            else confidence_of(
                profile.calibration,
                schema,
                usable.values,
                usable.faults(),
                usable.log_probabilities,
            ),
        )

    async def _read(
        self,
        text: str,
        schema: RecordSchema,
        name: str,
        progress: ValidationLoopState,
        dictated: Sequence[Span],
    ) -> tuple[ValidatedAnswer, list[ExtractionWarning]]:
        """Read the whole text, in windows when it is too long for the model.

        Raises:
            ModelCallFailed: one window has no answer.
        """
        model = self._models[name]
        budget = text_budget(schema, model.profile)
        while True:
            try:
                readings, flags = [], []
                pieces = windows(text, budget)
                asked = schema if len(pieces) == 1 else relaxed(schema)
                for window in pieces:
                    inner = [
                        Span(start=s.start - window.start, end=s.end - window.start)
                        for s in dictated
                    ]
                    piece = text[window.start : window.end]
                    reading = await self._conversation.read(model, asked, piece, progress, inner)
                    readings.append(reading.shifted(window.start))
                    rivals = contradictions(schema, reading.evidence, piece)
                    flags += [flag.shifted(window.start) for flag in rivals]
            except ModelCallFailed as error:
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


def _status(reading: ValidatedAnswer, failure: ExtractionFailure | None) -> ExtractionStatus:
    if failure is not None:
        return (
            ExtractionStatus.REFUSED
            if failure.kind is FailureKind.REFUSED
            else ExtractionStatus.FAILED
        )
    return (
        ExtractionStatus.VALID
        if reading.complete and not reading.unquoted
        else ExtractionStatus.PARTIAL
    )


_PATIENCE_S: Final = 0.75
"""What a caller waits for providers that are shut or fail: it is answered within a second."""


class SingleExtraction:
    """Reads one text by a named schema; whoever is known to be down is not waited for.

    Args:
        service: reads it.
        schemas: knows the schemas.
        clock: says when.
        new_id: makes identities.
        deadline_s: longest time that a caller waits, in seconds.
    """

    def __init__(
        self,
        *,
        service: ExtractionService,
        schemas: ExtractionSchemaRepository,
        clock: Clock,
        new_id: Callable[[], UUID],
        deadline_s: float,
    ) -> None:
        self._service = service
        self._schemas = schemas
        self._clock = clock
        self._new_id = new_id
        self.deadline_s = deadline_s

    async def read(
        self, text: str, *, schema: str, provider: str | None, budget: ModelBudget = NO_BUDGET
    ) -> Extraction:
        """Read `text`; nothing is stored yet, whatever the result.

        Args:
            text: what a customer wrote.
            schema: name of a schema; its newest version is used.
            provider: a provider's name or a chain such as `openai,local`; None for the configured.
            budget: of who asks.

        Raises:
            InvalidInput: text, schema or provider cannot be used; names each.
        """
        violations = check_text(text)
        chain: tuple[str, ...] = ()
        try:
            chain = self._service.chain_for(provider)
            violations += self._service.price_violations(chain, budget)
        except InvalidInput as error:
            violations.extend(error.violations)
        try:
            found = await self._schemas.get(schema)
        except NotFound as error:
            violations.append(Violation(pointer="/schema", detail=str(error)))
        if violations:
            raise InvalidInput.of(violations)
        result = await self._service.extract(
            text, found, chain=chain, deadline_s=self.deadline_s, max_wait_s=_PATIENCE_S
        )
        return Extraction(
            id=ExtractionId(self._new_id()),
            text=text,
            result=result,
            created_at=self._clock.now(),
        )
