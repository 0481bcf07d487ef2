"""`/extractions`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Final, TypeAlias
from uuid import UUID

from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.access.budgets import ModelBudgets, has_budget
from domain.access.limits import HEAVY_COST
from domain.access.model import Scope
from domain.errors import (
    BadAnswer,
    ModelBudgetUsedUp,
    ModelRefusedText,
    NotFound,
    ProviderMisconfigured,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderState,
    ProviderUnavailable,
    Unavailable,
)
from domain.extraction.model import Extraction, ExtractionId, ExtractionStatus, WarningKind
from domain.extraction.service import MAX_TEXT_CHARACTERS, SingleExtraction
from entrypoints.http.access.authentication import caller_of
from entrypoints.http.protocol.answers import Instant, JsonAnswer, json_response, shown
from entrypoints.http.protocol.disconnection import ClientDisconnected, while_connected
from entrypoints.http.protocol.idempotency import answer_of, fingerprint, replayed
from entrypoints.http.protocol.operations import get, post
from entrypoints.http.protocol.parameters import Body, IdempotentWork, InPath
from ports.access import ModelSpendingReader
from ports.extraction import ExtractionRepository

_CLIENT_CLOSED: Final = 499  # nobody reads it but the access log


Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT_CHARACTERS,
        description="What a customer wrote, not blank",
        examples=["Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?"],
    ),
]
SchemaName = Annotated[
    str, Meta(min_length=1, max_length=63, description="Name of a schema; `default` if not given")
]
ProviderChain = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="openai, gemini, openai_compatible or local; a list falls back in order:"
        " `openai,local`."
        " Must be configured",
    ),
]


class ExtractionBody(Struct, forbid_unknown_fields=True):
    """A text to read."""

    EXAMPLE: ClassVar = {
        "text": "Hi, Maria Lopez here. Could we get   24 oat milk cartons by friday?"
    }

    text: Text
    schema: SchemaName | UnsetType = UNSET
    provider: ProviderChain | UnsetType = UNSET


Identity = Annotated[UUID, Meta(examples=["7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11"])]


class UsageView(Struct):
    """Tokens of all calls, failed ones included."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


Confidence: TypeAlias = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    Meta(
        description="How likely the value of the field is right, null values too. Null where it"
        " cannot be told: there is no calibration for the model and the prompt, or none for the"
        " type of the field, or the server told no log-probabilities"
    ),
]


class EvidenceView(Struct):
    """Where a value stands: offsets into `text` in code points, `end` behind the last."""

    field: str
    quote: str
    start: int
    end: int


class WarningView(Struct):
    """What a reader should know."""

    kind: WarningKind
    field: str | None
    detail: str
    start: int | None
    end: int | None


class AttemptView(Struct):
    """One call to a provider; `outcome` is null when an answer came."""

    provider: str
    model: str
    outcome: str | None
    input_tokens: int
    output_tokens: int
    wait_ms: int
    latency_ms: int


class FallbackView(Struct):
    """A provider that was given up, and why."""

    provider: str
    reason: str


class FailureView(Struct):
    """Why there is no record."""

    kind: str
    detail: str


class ExtractionView(Struct):
    """What became of a text."""

    EXAMPLE: ClassVar = {
        "id": "7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11",
        "status": "valid",
        "schema": "default",
        "schema_version": 1,
        "fields": {"field_1": "Maria Lopez", "field_2": "oat milk cartons", "field_3": 24},
        "confidence": {"field_1": 0.9712, "field_2": 0.8934, "field_3": 0.9481},
        "evidence": [
            {"field": "field_1", "quote": "Maria Lopez", "start": 4, "end": 15},
            {"field": "field_2", "quote": "oat milk cartons", "start": 40, "end": 56},
            {"field": "field_3", "quote": "24", "start": 37, "end": 39},
        ],
        "warnings": [],
        "failure": None,
        "provider": "local",
        "model": "smollm2-135m",
        "attempts": 1,
        "attempt_log": [
            {
                "provider": "local",
                "model": "smollm2-135m",
                "outcome": None,
                "input_tokens": 268,
                "output_tokens": 27,
                "wait_ms": 0,
                "latency_ms": 612,
            }
        ],
        "fallbacks": [],
        "usage": {"input_tokens": 268, "cached_tokens": 0, "output_tokens": 27},
        "cost_usd": 0.0,
        "latency_ms": 613,
        "prompt_hash": "5f2a5c3e8d1b7a90",
        "text": "Hi, Maria Lopez here. Could we get   24 oat milk cartons by friday?",
        "created_at": "2026-11-22T09:30:00Z",
    }

    id: Identity
    status: ExtractionStatus
    schema: str
    schema_version: int
    fields: dict[str, Any]
    confidence: dict[str, Confidence]
    evidence: list[EvidenceView]
    warnings: list[WarningView]
    failure: FailureView | None
    provider: str
    model: str
    attempts: int
    attempt_log: list[AttemptView]
    fallbacks: list[FallbackView]
    usage: UsageView
    cost_usd: float | None
    latency_ms: int
    prompt_hash: str
    text: str
    created_at: Instant


_PROVIDER_ERRORS: Final = (
    ModelRefusedText,
    ProviderRateLimited,
    ProviderUnavailable,
    ProviderQuotaExhausted,
    ProviderMisconfigured,
    BadAnswer,
    ModelBudgetUsedUp,
)


def _id(raw: str) -> ExtractionId:
    try:
        identity = UUID(raw)
    except ValueError:
        identity = None
    if identity is None or str(identity) != raw.lower():
        raise NotFound(
            "There is no extraction with this id: it is the `id` that POST /extractions answered."
        )
    return ExtractionId(identity)


ExtractionIdInPath: TypeAlias = Annotated[ExtractionId, InPath(_id, Identity)]
Single = NamedDependency[SkipValidation[SingleExtraction]]
Extractions = NamedDependency[SkipValidation[ExtractionRepository]]
Spending = NamedDependency[SkipValidation[ModelSpendingReader]]
Budgets = NamedDependency[SkipValidation[ModelBudgets]]


class ExtractionController(Controller):
    """Texts that became records."""

    path = "/extractions"
    tags = ("extractions",)

    @post(scope=Scope.EXTRACT, cost=HEAVY_COST, status=200, errors=_PROVIDER_ERRORS)
    async def extract(
        self,
        once: IdempotentWork,
        body: Body[ExtractionBody],
        single_extraction: Single,
        extractions: Extractions,
        model_budgets: Budgets,
        model_spending: Spending,
    ) -> JsonAnswer[ExtractionView] | Response[bytes]:
        """Read a text into a record, now.

        What a model failed at is stored too, and answered as a problem.
        """
        caller = caller_of(once.request)
        read = partial(
            single_extraction.read,
            body.text,
            schema="default" if body.schema is UNSET else body.schema,
            provider=None if body.provider is UNSET else body.provider,
            budget=caller.budget,
        )
        request, key, open_unit = once.request, once.key, once.open_unit
        if key is None:
            async with AsyncExitStack() as turn:
                mine = turn.enter_async_context(model_budgets.turn(caller, model_spending))
                try:
                    await while_connected(request, mine)
                    # What a provider is asked for is paid, whether or not somebody waits for it.
                    extraction = await (
                        read() if has_budget(caller) else while_connected(request, read())
                    )
                except ClientDisconnected:
                    return Response(b"", status_code=_CLIENT_CLOSED)
                await extractions.add(extraction)
            return _answer(extraction)

        # The provider is called between two units: no transaction waits for a model.
        digest = await fingerprint(request)
        async with open_unit() as unit:
            kept = await unit.answers.claim(key, digest)
            if kept is not None:
                await unit.commit()
                return replayed(kept)
            await unit.answers.reserve(key, digest, hold_s=single_extraction.deadline_s + 30)
            await unit.commit()
        done = False
        try:
            async with model_budgets.turn(caller, model_spending):
                # Not cancelled when the client leaves: it comes back with the key for the answer.
                extraction = await read()
                async with open_unit() as unit:
                    await unit.extractions.add(extraction)
                    if extraction.result.failure is None:
                        await unit.answers.keep(key, digest, answer_of(_answer(extraction)))
                        done = True
                    await unit.commit()
        finally:
            if not done:
                async with open_unit() as unit:
                    await unit.answers.release(key)
                    await unit.commit()
        return _answer(extraction)

    @get("/{extraction_id:str}", scope=Scope.EXTRACT)
    async def get_extraction(
        self, extraction_id: ExtractionIdInPath, extractions: Extractions
    ) -> JsonAnswer[ExtractionView]:
        """Fetch a stored extraction."""
        return json_response(extraction_view(await extractions.get(extraction_id)))


def _answer(extraction: Extraction) -> JsonAnswer[ExtractionView]:
    """The stored result.

    Raises:
        AppError: the result is a failure, in the terms of who waits for it.
    """
    result = extraction.result
    if result.failure is not None:
        error = result.failure.as_error()
        if isinstance(error, Unavailable):
            wait_s, until = result.failure.retry_after_s, None
            if wait_s is not None:
                until = extraction.created_at + timedelta(seconds=wait_s)
            error.provider = ProviderState(
                name=result.provider, state=result.failure.kind, until=until
            )
            if result.retry_after_s is not None:  # another of the chain may be back sooner
                error.retry_after_s = result.retry_after_s
        raise error
    return json_response(extraction_view(extraction))


def extraction_view(extraction: Extraction) -> ExtractionView:
    """A result as JSON shows it."""
    result = extraction.result
    return shown(
        ExtractionView,
        extraction,
        result,
        attempts=len(result.attempts),
        attempt_log=[
            shown(
                AttemptView,
                each,
                each.usage,
                wait_ms=round(each.wait_s * 1000),
                latency_ms=round(each.latency_s * 1000),
            )
            for each in result.attempts
        ],
        fallbacks=[FallbackView(provider=name, reason=kind) for name, kind in result.fallbacks],
        latency_ms=round(result.latency_s * 1000),
        confidence=result.confidences,
    )
