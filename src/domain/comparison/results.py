"""What came of a comparison: answers, enough to go on and to report without another call."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.comparison.contestants import OWN_MACHINES
from domain.comparison.model import AnswerId, ComparisonSpec, Contestant
from domain.errors import InvalidInput
from domain.extraction.calls import Attempt, FailureKind, PriceTable, TokenUsage
from domain.extraction.model import Evidence, ExtractionResult, ExtractionStatus, ExtractionWarning
from domain.extraction.schema import Value

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestantAnswer:
    """What one contestant made of one text, once.

    Attributes:
        contestant: its name.
        text_id: the text's.
        repeat: 0 for the answer that is judged; 1 and up for more of the same, which measure how
            far a contestant agrees with itself.
        status: how it ended.
        fields: every field of the schema; null where nothing was found.
        confidence: by field, how likely its value is right, 0..1; fields of which nobody can tell
            are missing.
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
    usage: TokenUsage = field(default_factory=TokenUsage)
    wasted: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: Decimal | None = None
    batch_cost_usd: Decimal | None = None
    confidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> AnswerId:
        """Which answer it is."""
        return AnswerId(self.contestant, self.text_id, self.repeat)

    @property
    def has_record(self) -> bool:
        """Whether there is a record to judge."""
        return self.status in {ExtractionStatus.VALID, ExtractionStatus.PARTIAL}


def answer_of(
    result: ExtractionResult,
    *,
    contestant: str,
    text_id: str,
    repeat: int = 0,
    windows: int = 1,
    prices: PriceTable | None = None,
) -> ContestantAnswer:
    """The answer that an extraction's result stands for.

    Args:
        result: of the text, by this contestant.
        contestant: its name.
        text_id: the text's.
        repeat: 0 for the answer that is judged.
        windows: pieces that a long text was read in: each has one answer that counts.
        prices: tell what the same calls cost in a batch; None where nobody knows.
    """
    answered = [attempt for attempt in result.attempts if attempt.outcome is None]
    batched = [replace(attempt, batched=True) for attempt in result.attempts]
    failed = len(answered) < len(result.attempts)
    has_record = result.status in {ExtractionStatus.VALID, ExtractionStatus.PARTIAL}
    used = answered[-windows:] if has_record else []
    # No attempt tells of the pauses between tries: they are what is left of the time.
    waited_s = sum(attempt.wait_s for attempt in result.attempts)
    provider_s = sum(attempt.latency_s for attempt in answered)
    return ContestantAnswer(
        contestant=contestant,
        text_id=text_id,
        repeat=repeat,
        status=result.status,
        fields=result.fields,
        confidence=result.confidence,
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
        batch_cost_usd=None if prices is None else prices.cost(batched),
    )


def _total(attempts: Iterable[Attempt]) -> TokenUsage:
    return sum((attempt.usage for attempt in attempts), TokenUsage())


def _less(all_of_it: TokenUsage, part: TokenUsage) -> TokenUsage:
    return TokenUsage(
        input_tokens=all_of_it.input_tokens - part.input_tokens,
        cached_tokens=all_of_it.cached_tokens - part.cached_tokens,
        output_tokens=all_of_it.output_tokens - part.output_tokens,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where answers come from: it stays when their report is made again.

    Attributes:
        program: version of the program that asked.
        asked_at: when the first question was asked, aware UTC.
        command: what makes these figures anew.
    """

    program: str
    asked_at: datetime
    command: str


def compare_command(options: Mapping[str, object]) -> str:
    """The command line of `storekeeper compare` with these options; those that are None left out.

    What stands in it must not name the folders of this machine.
    """
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return shlex.join(["storekeeper", "compare", *given])


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonResults:
    """What was asked and what came so far; a report is made of it alone.

    Attributes:
        spec: what was asked, all times that it was gone on with taken together.
        provenance: by which program, when.
        answers: what came, by key.
    """

    spec: ComparisonSpec
    provenance: Provenance
    answers: Mapping[AnswerId, ContestantAnswer] = field(default_factory=dict)

    def missing(self, spec: ComparisonSpec) -> list[AnswerId]:
        """What `spec` asks and nobody has answered yet, in its order."""
        return [key for key in spec.answer_ids() if key not in self.answers]


def answers_by_key(
    answers: Iterable[ContestantAnswer],
) -> Mapping[AnswerId, ContestantAnswer]:
    """Answers by what they answer.

    Raises:
        InvalidInput: there are two answers to one question.
    """
    given = list(answers)
    for (name, text_id, repeat), count in Counter(answer.key for answer in given).items():
        if count > 1:
            raise InvalidInput(
                f"There are {count} outcomes of contestant {name!r} on text {text_id!r}, repeat"
                f" {repeat}."
            )
    return {answer.key: answer for answer in given}


def resume_obstacles(before: ComparisonSpec, now: ComparisonSpec) -> list[str]:
    """Why `now` cannot go on with what `before` began; empty when it can.

    It may add contestants, texts and repeats, and drop contestants. What was asked already must be
    what would be asked now: else figures of different things would stand side by side.
    """
    found = []
    if before.schema != now.schema:
        found.append(
            f"it was made with the schema {before.schema.name!r} version {before.schema.version},"
            f" whose definition is not that of {now.schema.name!r} version {now.schema.version}"
        )
    found += _other_texts(before, now)
    known = {contestant.name: contestant for contestant in before.contestants}
    for contestant in now.contestants:
        other = known.get(contestant.name)
        if other is not None and (changed := list(_changes(other, contestant))):
            found.append(
                f"{contestant.name!r} is not who it was: {', '.join(changed)};"
                f" give the new one another name"
            )
    return found


def resumed(
    before: ComparisonResults, spec: ComparisonSpec, provenance: Provenance
) -> ComparisonResults:
    """The answers of `before` under `spec`, with the contestants that it does not name behind.

    They were asked for when the first of them was.
    """
    named = {contestant.name for contestant in spec.contestants}
    others = [each for each in before.spec.contestants if each.name not in named]
    return ComparisonResults(
        spec=replace(
            spec,
            contestants=(*spec.contestants, *others),
            repeats=max(before.spec.repeats, spec.repeats),
        ),
        provenance=replace(provenance, asked_at=before.provenance.asked_at),
        answers=before.answers,
    )


def of_contestants(results: ComparisonResults, names: Sequence[str]) -> ComparisonResults:
    """The part that is about `names`, in their order."""
    by_name = {contestant.name: contestant for contestant in results.spec.contestants}
    return replace(
        results,
        spec=replace(results.spec, contestants=tuple(by_name[name] for name in names)),
        answers={key: answer for key, answer in results.answers.items() if key.contestant in names},
    )


def restated(
    results: ComparisonResults, *, machine_usd_per_hour: float | None, simulated: Collection[str]
) -> ComparisonResults:
    """The same answers with more said about who gave them.

    Args:
        results: what came.
        machine_usd_per_hour: price of the machine of models that run on one's own; None leaves
            what was said.
        simulated: contestants whose provider is a stand-in, beside those that are known to be.
    """

    def stated(contestant: Contestant) -> Contestant:
        own = contestant.provider in OWN_MACHINES and machine_usd_per_hour is not None
        return replace(
            contestant,
            machine_usd_per_hour=machine_usd_per_hour if own else contestant.machine_usd_per_hour,
            simulated=contestant.simulated or contestant.name in simulated,
        )

    spec = replace(results.spec, contestants=tuple(map(stated, results.spec.contestants)))
    return replace(results, spec=spec)


def _other_texts(before: ComparisonSpec, now: ComparisonSpec) -> Iterator[str]:
    mine = {text.id: text for text in now.texts}
    changed = [text.id for text in before.texts if mine.get(text.id, text) != text]
    if changed:
        yield (
            f"{len(changed)} of its texts have other words or labels now"
            f" ({_listed(changed)}): the dataset is another one"
        )
    gone = [text.id for text in before.texts if text.id not in mine]
    if len(gone) == len(before.texts):
        yield f"none of its {len(gone)} texts is in this dataset"
    elif gone:
        yield (
            f"{len(gone)} of its {len(before.texts)} texts are not chosen now"
            f" ({_listed(gone)}): a run may only grow"
        )


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _changes(before: Contestant, now: Contestant) -> Iterator[str]:
    """How two contestants of one name differ, the price of the machine aside."""
    for name in ("provider", "model", "prompt_hash", "concurrency", "simulated"):
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            yield f"{name} {old} became {new}"
    for name in sorted({*before.parameters, *now.parameters}):
        old, new = before.parameters.get(name), now.parameters.get(name)
        if old != new:
            yield f"{name} {old} became {new}"
