"""What a comparison report says: one tree of plain values, which every page and file renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.comparison.figures import (
    ErrorKind,
    Estimate,
    FieldDifference,
    FieldScore,
    FunnelStage,
    InjectionScore,
    OperationalFigures,
    PairAgreement,
    PerfectDifference,
    Rate,
    ReliabilityScore,
    SelfConsistency,
    StratumScore,
    ValueJudgement,
)
from domain.comparison.model import Contestant
from domain.comparison.results import Provenance
from domain.extraction.model import ExtractionWarning
from domain.extraction.schema import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHeader:
    """What the figures are of; the same header and seed give the same report.

    Attributes:
        dataset: its name.
        dataset_hash: SHA-256 over its texts and labels.
        schema: name of the schema.
        schema_version: its version.
        schema_hash: SHA-256 over its definition.
        texts: texts that were compared: those that every provider has answered.
        left_out: texts that somebody has not answered yet.
        with_gold: those of them whose right answer is known.
        templates: wordings that they were made from; 0 when they were not.
        strata: texts by stratum.
        languages: texts by language.
        repeats: answers of each contestant to each text, 1 and up.
        seed: of the bootstrap.
        draws: of the bootstrap.
        clustered: whether texts of one template were resampled together.
        simulated: contestants whose provider is a stand-in.
    """

    dataset: str
    dataset_hash: str
    schema: str
    schema_version: int
    schema_hash: str
    texts: int
    left_out: int
    with_gold: int
    templates: int
    strata: Mapping[str, int]
    languages: Mapping[str, int]
    repeats: int
    seed: int
    draws: int
    clustered: bool
    simulated: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestantScore:
    """All figures of one contestant.

    Attributes:
        contestant: who.
        funnel: sent, parsed, valid, grounded, correct; the last is missing without gold.
        perfect: texts with every field right; None without gold.
        macro_f1: mean of the fields' F1.
        micro_f1: F1 over the values of all fields together.
        fields: in the schema's order; empty without gold.
        strata: by stratum, then by language; empty without gold.
        injection: None when no text is attacked.
        reliability: of its confidence; None when it states none, and without gold.
        consistency: by field, then the record; empty without repeats.
        operations: time, tokens, money.
    """

    contestant: Contestant
    funnel: tuple[FunnelStage, ...]
    perfect: Rate | None
    macro_f1: Estimate | None
    micro_f1: Estimate | None
    fields: tuple[FieldScore, ...]
    strata: tuple[StratumScore, ...]
    injection: InjectionScore | None
    reliability: ReliabilityScore | None
    consistency: tuple[SelfConsistency, ...]
    operations: OperationalFigures


class VerdictKind(StrEnum):
    """What the figures allow to be said."""

    BETTER = "better"
    NOT_DISTINGUISHABLE = "not_distinguishable"
    TOO_FEW = "too_few"
    NO_GOLD = "no_gold"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One conclusion in words.

    Attributes:
        kind: its class.
        winner: the better contestant; None unless BETTER.
        sentence: for readers, with its interval; never more than the figures carry.
    """

    kind: VerdictKind
    winner: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """Two contestants on the same texts.

    Attributes:
        first: name.
        second: name.
        perfect: perfect records; None without gold.
        fields: in the schema's order; empty without gold.
        agreement: by field, then the record.
        verdict: what follows.
    """

    first: str
    second: str
    perfect: PerfectDifference | None
    fields: tuple[FieldDifference, ...]
    agreement: tuple[PairAgreement, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedValue:
    """One contestant's value of one field of one text, judged.

    Attributes:
        field: its name.
        value: as it came.
        judgement: how it stands to the gold.
        error: what went wrong; None when it is right or nobody knows.
        similarity: to the gold (ANLS*); None without gold.
        spans: where the contestant found it, offsets in code points, `end` behind the last.
        confidence: how likely the contestant says that it is right, 0..1; None when it does not.
    """

    field: str
    value: Value
    judgement: ValueJudgement
    error: ErrorKind | None
    similarity: float | None
    spans: tuple[tuple[int, int], ...]
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer:
    """One contestant's answer to one text, each value of it judged.

    Attributes:
        contestant: name.
        status: how it ended.
        failure: why there is no record; None when there is one.
        perfect: every field right; None without gold.
        cells: in the schema's order.
        warnings: what a reader should know.
    """

    contestant: str
    status: str
    failure: str | None
    perfect: bool | None
    cells: tuple[JudgedValue, ...]
    warnings: tuple[ExtractionWarning, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedText:
    """A text that somebody got wrong or that contestants read differently.

    Attributes:
        text_id: its id.
        text: in full.
        language: IETF tag.
        template: the wording that it was made from.
        strata: what makes it hard.
        gold: the right values; None when nobody knows.
        spans: where they stand.
        attack: what an instruction inside the text wants; None without one.
        replies: in the contestants' order.
    """

    text_id: str
    text: str
    language: str
    template: str
    strata: tuple[str, ...]
    gold: Mapping[str, Value] | None
    spans: Mapping[str, tuple[int, int]]
    attack: Mapping[str, Value] | None
    replies: tuple[JudgedAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """The whole report.

    Attributes:
        provenance: where it comes from.
        header: what was compared.
        verdict: the one conclusion that stands at the top.
        contestants: one score each, in the order in which they were given.
        pairs: every two contestants.
        alpha: by field, Krippendorff's alpha over all contestants; null when all answers are the
            same value, empty for one contestant.
        cases: what to look at, in the dataset's order; texts that all read perfectly are left out.
    """

    provenance: Provenance
    header: ReportHeader
    verdict: Verdict
    contestants: tuple[ContestantScore, ...]
    pairs: tuple[PairScore, ...]
    alpha: Mapping[str, float | None]
    cases: tuple[ComparedText, ...]
