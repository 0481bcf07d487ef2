"""Contestants at work: each makes outcomes of texts in its own way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final, Protocol

from domain.comparison.baseline import read_order
from domain.comparison.contestants import BASELINE
from domain.comparison.model import Contestant, LabelledText, Outcome, outcome_of
from domain.errors import InvalidInput, Violation
from domain.extraction.calls import ExtractionFailure
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import FieldType, Schema
from domain.extraction.service import ExtractionService

_ORDER: Final = (FieldType.STRING, FieldType.STRING, FieldType.INTEGER)
_VERSION: Final = "regex-1"


class Reader(Protocol):
    """One contestant at work."""

    @abstractmethod
    async def read(
        self, text: LabelledText, repeat: int
    ) -> tuple[Outcome, ExtractionFailure | None]:
        """What it makes of a text, and why there is no record if there is none."""
        ...


class ModelReader(Reader):
    """Asks a language model, with all that extraction does around it.

    Args:
        service: knows the contestant's model by `name`.
        name: of the contestant.
        schema: the record to fill.
        deadline_s: longest time for one text, in seconds (> 0).
    """

    def __init__(
        self, service: ExtractionService, *, name: str, schema: Schema, deadline_s: float
    ) -> None:
        self._service = service
        self._name = name
        self._schema = schema
        self._deadline_s = deadline_s

    async def read(
        self, text: LabelledText, repeat: int
    ) -> tuple[Outcome, ExtractionFailure | None]:
        """See the protocol."""
        result = await self._service.extract(
            text.text, self._schema, chain=(self._name,), deadline_s=self._deadline_s
        )
        batched = [replace(attempt, batched=True) for attempt in result.attempts]
        outcome = outcome_of(
            result,
            contestant=self._name,
            text_id=text.id,
            repeat=repeat,
            windows=len(self._service.first_prompts(text.text, self._schema, self._name)),
            batch_cost_usd=self._service.prices.cost(batched),
        )
        return outcome, result.failure


class BaselineReader(Reader):
    """Reads orders by regular expressions; makes no call and costs nothing.

    Args:
        schema: customer, product and quantity, in this order.
        name: of the contestant.
        now: a clock that never goes back, in seconds.

    Raises:
        InvalidInput: the schema is another one, at `providers`.
    """

    def __init__(self, schema: Schema, *, name: str, now: Callable[[], float]) -> None:
        if tuple(field.type for field in schema.fields) != _ORDER:
            detail = (
                f"{BASELINE} reads orders alone: a schema of customer, product and quantity,"
                f" such as order_message; not {schema.name}"
            )
            raise InvalidInput.of([Violation(pointer="providers", detail=detail)])
        self._names = [field.name for field in schema.fields]
        self._name = name
        self._now = now

    async def read(
        self, text: LabelledText, repeat: int
    ) -> tuple[Outcome, ExtractionFailure | None]:
        """See the protocol."""
        started = self._now()
        fields, evidence = read_order(text.text, self._names)
        latency_s = self._now() - started
        outcome = Outcome(
            contestant=self._name,
            text_id=text.id,
            repeat=repeat,
            status=ExtractionStatus.VALID,
            fields=fields,
            evidence=evidence,
            attempts=0,
            latency_s=latency_s,
            provider_s=latency_s,
            cost_usd=Decimal(0),
        )
        return outcome, None


def baseline(name: str) -> Contestant:
    """The baseline as a contestant."""
    return Contestant(
        name=name, provider=BASELINE, model="regular expressions", prompt_hash=_VERSION
    )
