"""What a comparison is made of: texts with known answers, who answered, and what came of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.extraction.calls import Attempt, FailureKind, Usage
from domain.extraction.model import Evidence, ExtractionResult, ExtractionStatus, ExtractionWarning
from domain.extraction.schema import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """One text of a dataset, with what a perfect reader finds in it where that is known.

    Attributes:
        id: its name within the dataset.
        text: what a customer wrote.
        gold: the right value by field, null where the text is silent; nobody knows the fields that
            it leaves out, and none when it is None.
        spans: by field, where the value stands: offsets in code points, `end` behind the last.
        strata: what makes it hard; a text may be in several.
        language: IETF tag.
        template: the wording that it was made from; texts of one template are alike, so that they
            are resampled together. Empty when it has none.
        split: `test`, or another part of the dataset.
        twin: id of the text that is the same but for an attack; None when it has none.
        attack: by field, the value that an instruction inside the text wants; None without one.
    """

    id: str
    text: str
    gold: Mapping[str, Value] | None
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    strata: tuple[str, ...] = ()
    language: str = "en"
    template: str = ""
    split: str = "test"
    twin: str | None = None
    attack: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Who answers: a model behind a provider, asked in one way.

    Attributes:
        name: unique within a comparison.
        provider: who is asked.
        model: with which model.
        prompt_hash: identifies prompt version, rules, schema and examples.
        parameters: what else decides its answers, such as temperature and concurrency.
        simulated: nobody's model answers, a stand-in does; every verdict says so.
        machine_usd_per_hour: what the machine costs that a local model runs on; None for an API.
        concurrency: calls at once, which share the machine (>= 1).
    """

    name: str
    provider: str
    model: str
    prompt_hash: str
    parameters: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    simulated: bool = False
    machine_usd_per_hour: float | None = None
    concurrency: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one contestant made of one text, once.

    Attributes:
        contestant: its name.
        text_id: the text's.
        repeat: 0 for the answer that is judged; 1 and up for more of the same, which measure how
            far a contestant agrees with itself.
        status: how it ended.
        fields: every field of the schema; null where nothing was found.
        evidence: where each value stands.
        warnings: what a reader should know.
        failure: why there is no record; None when there is one.
        attempts: calls to providers, failed ones included.
        reasks: answers that were not good enough, so that the model was asked again.
        fallbacks: providers that were given up.
        latency_s: from start to end, in seconds.
        waited_s: of it, waiting for permission to call.
        provider_s: of it, calls that were answered.
        retried_s: of it, calls that failed and the pauses after them.
        usage: tokens of all calls.
        wasted: those of them that no record came of: failed calls, answers asked again, everything
            when there is no record.
        cost_usd: list price of all calls; None when a price is unknown.
        batch_cost_usd: their price in a batch; None when the provider has no such price.
    """

    contestant: str
    text_id: str
    repeat: int = 0
    status: ExtractionStatus
    fields: Mapping[str, Value]
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[ExtractionWarning, ...] = ()
    failure: FailureKind | None = None
    attempts: int = 1
    reasks: int = 0
    fallbacks: int = 0
    latency_s: float = 0.0
    waited_s: float = 0.0
    provider_s: float = 0.0
    retried_s: float = 0.0
    usage: Usage = field(default_factory=Usage)
    wasted: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    batch_cost_usd: Decimal | None = None

    @property
    def has_record(self) -> bool:
        """Whether there is a record to judge."""
        return self.status in {ExtractionStatus.VALID, ExtractionStatus.PARTIAL}


def outcome_of(
    result: ExtractionResult,
    *,
    contestant: str,
    text_id: str,
    repeat: int = 0,
    windows: int = 1,
    batch_cost_usd: Decimal | None = None,
) -> Outcome:
    """The outcome that an extraction's result stands for.

    Args:
        result: of the text, by this contestant.
        contestant: its name.
        text_id: the text's.
        repeat: 0 for the answer that is judged.
        windows: pieces that a long text was read in: each has one answer that counts.
        batch_cost_usd: what the same calls cost in a batch.
    """
    answered = [attempt for attempt in result.attempts if attempt.outcome is None]
    failed = len(answered) < len(result.attempts)
    has_record = result.status in {ExtractionStatus.VALID, ExtractionStatus.PARTIAL}
    used = answered[-windows:] if has_record else []
    # No attempt tells of the pauses between tries: they are what is left of the time.
    waited_s = sum(attempt.wait_s for attempt in result.attempts)
    provider_s = sum(attempt.latency_s for attempt in answered)
    return Outcome(
        contestant=contestant,
        text_id=text_id,
        repeat=repeat,
        status=result.status,
        fields=result.fields,
        evidence=result.evidence,
        warnings=result.warnings,
        failure=None if result.failure is None else result.failure.kind,
        attempts=len(result.attempts),
        reasks=max(0, len(answered) - windows),
        fallbacks=len(result.fallbacks),
        latency_s=result.latency_s,
        waited_s=waited_s,
        provider_s=provider_s,
        retried_s=max(0.0, result.latency_s - waited_s - provider_s) if failed else 0.0,
        usage=result.usage,
        wasted=_less(result.usage, _total(used)),
        cost_usd=result.cost_usd,
        batch_cost_usd=batch_cost_usd,
    )


def _total(attempts: Iterable[Attempt]) -> Usage:
    return sum((attempt.usage for attempt in attempts), Usage())


def _less(all_of_it: Usage, part: Usage) -> Usage:
    return Usage(
        input_tokens=all_of_it.input_tokens - part.input_tokens,
        cached_tokens=all_of_it.cached_tokens - part.cached_tokens,
        output_tokens=all_of_it.output_tokens - part.output_tokens,
    )
