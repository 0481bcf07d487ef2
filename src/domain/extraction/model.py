"""What an extraction is made of: usage, attempts, evidence, warnings, the result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType
from uuid import UUID

from domain.extraction.calls import Attempt, ExtractionFailure, FailureKind, TokenUsage
from domain.extraction.schema import Value

ExtractionId = NewType("ExtractionId", UUID)


class ExtractionStatus(StrEnum):
    """How an extraction ended.

    VALID: every field holds its rules and its evidence, or is null because the text is silent.
    PARTIAL: at least one nullable field had to be dropped; the warnings name it. REFUSED: the
    model declined the text. FAILED: no record; `failure` says why.
    """

    VALID = "valid"
    PARTIAL = "partial"
    REFUSED = "refused"
    FAILED = "failed"


class WarningKind(StrEnum):
    """What a reader of a result should know.

    EMBEDDED_INSTRUCTION: the text speaks to the model. CONTRADICTION: the text states a second,
    different value. UNGROUNDED: a value did not stand in the text and was dropped. INVALID_VALUE:
    a value broke the schema's rules and was dropped.
    """

    EMBEDDED_INSTRUCTION = "embedded_instruction"
    CONTRADICTION = "contradiction"
    UNGROUNDED = "ungrounded"
    INVALID_VALUE = "invalid_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionWarning:
    """One thing to know.

    Attributes:
        kind: its class.
        field: the field it is about; None for the whole text.
        detail: one sentence.
        start: where in the text, as an offset in code points; None when nowhere in particular.
        end: offset behind the last character.
    """

    kind: WarningKind
    detail: str
    field: str | None = None
    start: int | None = None
    end: int | None = None

    def shifted(self, offset: int) -> ExtractionWarning:
        """The same flag of a part that begins at `offset` of the whole text."""
        if self.start is None or self.end is None:
            return self
        return replace(self, start=self.start + offset, end=self.end + offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a field's value stands.

    Attributes:
        field: the field's name.
        quote: the text's own characters, `text[start:end]`.
        start: offset of the first character, in code points.
        end: offset behind the last character.
    """

    field: str
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionResult:
    """What became of one text.

    Attributes:
        status: how it ended.
        schema: name of the schema.
        schema_version: version of the schema.
        fields: every field of the schema; null where the text is silent or the value was dropped.
        evidence: where each value stands, in the order of the fields.
        warnings: what a reader should know.
        failure: why there is no record; None unless REFUSED or FAILED.
        provider: who answered, or the last who was asked.
        model: with which model.
        attempts: every provider call, in order, over all providers of the chain.
        fallbacks: providers that were given up, with the reason, in order.
        prompt_hash: identifies prompt version, rules, schema and examples.
        latency_s: from start to end, waits included, in seconds.
        cost_usd: list price of all attempts; None when a price is unknown.
        retry_after_s: when the first provider of the chain can be asked again, in seconds, for who
            waited for this result; None when no provider is to be waited for. Not stored.
        confidence: by field, how likely its value is right, null included, 0..1; fields of which
            nobody can tell are missing.
    """

    status: ExtractionStatus
    schema: str
    schema_version: int
    fields: Mapping[str, Value]
    evidence: tuple[Evidence, ...]
    warnings: tuple[ExtractionWarning, ...]
    failure: ExtractionFailure | None
    provider: str
    model: str
    attempts: tuple[Attempt, ...]
    fallbacks: tuple[tuple[str, FailureKind], ...]
    prompt_hash: str
    latency_s: float
    cost_usd: Decimal | None
    retry_after_s: float | None = None
    confidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all attempts, failed ones included."""
        return sum((attempt.usage for attempt in self.attempts), TokenUsage())

    @property
    def confidences(self) -> Mapping[str, float | None]:
        """The confidence of every field; None where nobody can tell."""
        return {name: self.confidence.get(name) for name in self.fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """A stored result.

    Attributes:
        id: its identity.
        text: what was read.
        result: what became of it.
        created_at: when it was stored, aware UTC.
    """

    id: ExtractionId
    text: str
    result: ExtractionResult
    created_at: datetime


def text_hash(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
