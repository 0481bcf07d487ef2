"""The figures of a comparison: plain values, which every page and file renders as they stand.

Rates and scores lie within 0..1, times are seconds, money is US dollars, intervals are 95 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.statistics import design_effect, wilson_interval


class ValueJudgement(StrEnum):
    """How a value stands to the gold.

    CORRECT: both hold the same value. BOTH_NULL: both say that the text is silent. WRONG: both
    hold a value, not the same. OMITTED: the gold has one, the answer does not. HALLUCINATED: the
    answer has one where the text is silent. NO_RECORD: the whole text failed, so that nothing is
    right, silence neither. UNKNOWN: there is no gold.
    """

    CORRECT = "correct"
    BOTH_NULL = "both_null"
    WRONG = "wrong"
    OMITTED = "omitted"
    HALLUCINATED = "hallucinated"
    NO_RECORD = "no_record"
    UNKNOWN = "unknown"

    @property
    def right(self) -> bool:
        """Whether the answer says what the gold says."""
        return self in {ValueJudgement.CORRECT, ValueJudgement.BOTH_NULL}


class ErrorKind(StrEnum):
    """What went wrong, for those who browse: one kind for each value that is not right.

    OBEYED: the value that an instruction inside the text asked for. NO_RECORD: the whole text
    failed. OMITTED, HALLUCINATED: as judged. NEAR: wrong, but at least half of it is the gold's.
    MISREAD: read at the right place, understood wrongly. ELSEWHERE: read at another place of the
    text. WRONG: any other.
    """

    OBEYED = "obeyed"
    NO_RECORD = "no_record"
    OMITTED = "omitted"
    HALLUCINATED = "hallucinated"
    NEAR = "near"
    MISREAD = "misread"
    ELSEWHERE = "elsewhere"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many of so many, with Wilson's interval, wider where alike texts fare alike: `rate_of`.

    Attributes:
        count: 0..total.
        total: 0 and up.
        value: `count / total`; None of 0.
        low: lower bound; None of 0.
        high: upper bound; None of 0.
    """

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


def rate_of(hits: Iterable[tuple[int, bool]], *, texts: int | None = None) -> Rate:
    """How many of `hits` are true.

    Args:
        hits: for each observation, the cluster of alike ones that it is of, and whether it counts.
            The interval is that of as many unrelated ones as they are worth.
        texts: how many texts they are of, where that is fewer: they are worth no more.
    """
    clusters: defaultdict[int, list[bool]] = defaultdict(list)
    for cluster, hit in hits:
        clusters[cluster].append(hit)
    count, total = sum(map(sum, clusters.values())), sum(map(len, clusters.values()))
    if not total:
        return Rate(count=0, total=0, value=None, low=None, high=None)
    size = min(total / design_effect(list(clusters.values())), texts or total)
    low, high = wilson_interval(count / total * size, size)
    return Rate(count=count, total=total, value=count / total, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A score or a difference, with its interval from the bootstrap over documents.

    Attributes:
        value: None when it is not defined, such as the precision of no values.
        low: lower bound; None with it.
        high: upper bound; None with it.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStage:
    """One step of the funnel: `sent`, `parsed`, `valid`, `grounded` or `correct`.

    Attributes:
        name: of the step.
        rate: texts that came so far, of all; `correct` of all with gold.
    """

    name: str
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldScore:
    """How one contestant does on one field, over the texts with gold.

    Attributes:
        field: its name.
        type: of its values.
        correct: texts with the right value.
        both_null: texts that are silent, and the answer says so.
        wrong: texts with another value.
        omitted: texts whose value was not found.
        hallucinated: silent texts with a value.
        no_record: texts that failed as a whole.
        accuracy: right answers, silence included.
        precision: right values of all values given.
        recall: right values of all values to be found.
        f1: harmonic mean of the two.
        anls: mean similarity of all answers (ANLS*).
        hallucination: values given, of the silent texts.
        omission: values not found, of those to be found; with them those of failed texts.
    """

    field: str
    type: str
    correct: int
    both_null: int
    wrong: int
    omitted: int
    hallucinated: int
    no_record: int
    accuracy: Rate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    anls: float | None
    hallucination: Rate
    omission: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumScore:
    """How one contestant does on one kind of text.

    Attributes:
        stratum: its name; a language is `language: de`.
        perfect: texts with every field right.
        fields: by field, texts with it right.
    """

    stratum: str
    perfect: Rate
    fields: Mapping[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionScore:
    """How often an instruction inside a text won.

    Attributes:
        attacks: attacked texts.
        eligible: those of them whose clean twin was read rightly in the attacked fields.
        obeyed: of these, where the attacker's value came back.
        upper: one-sided 95 % bound of the success rate (Clopper-Pearson), which says what `0 of n`
            still allows; None when none is eligible.
    """

    attacks: int
    eligible: int
    obeyed: Rate
    upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Values of about the same confidence, within one tenth.

    Attributes:
        confidence: their mean.
        right: those of them that are.
    """

    confidence: float
    right: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewYield:
    """What a check of the values with the lowest confidence finds.

    Attributes:
        share: so many of the values are to be checked, at most.
        checked: so many are: of equally confident ones all or none.
        caught: the wrong ones among them, of all wrong ones.
    """

    share: float
    checked: int
    caught: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityScore:
    """How the confidence of one contestant's values stands to what is right.

    Attributes:
        right: of the values whose gold is known and whose confidence is stated.
        brier: mean of (confidence - right)^2, 0..1 (Brier 1950); the less the better.
        calibration_error: mean distance of confidence and share of right values over the bins,
            weighed by their values (ECE, Naeini et al. 2015).
        error_by_chance: what that would be on average if the confidence were exactly right, with so
            many values that are not like one another.
        bins: in the order of confidence, those that hold values.
        reviews: by share; empty where too few values are wrong to tell.
    """

    right: Rate
    brier: float
    calibration_error: Estimate
    error_by_chance: float
    bins: tuple[ReliabilityBin, ...]
    reviews: tuple[ReviewYield, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfConsistency:
    """How far a contestant agrees with itself on one field when asked again: the noise floor.

    Attributes:
        field: its name; None for the whole record.
        agreement: equal answers, of all pairs of repeats of a text; its interval is that of as many
            texts, since the pairs of one text are alike.
        anls: mean similarity over these pairs (ANLS*).
        alpha: Krippendorff's alpha for nominal data; None when all answers are the same value.
    """

    field: str | None
    agreement: Rate
    anls: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of times, in seconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationalFigures:
    """What the answers took, over all texts and repeats.

    Attributes:
        answers: texts times repeats.
        latency: from start to end.
        wait: of it, waiting for permission to call.
        provider: of it, calls that were answered.
        retries: of it, calls that failed and the pauses after them.
        latency_quantiles_s: the latency at 0, 1, ... 100 %, for a drawing of its distribution.
        input_tokens: all that were sent.
        cached_tokens: those of them that the provider had cached.
        output_tokens: all that were made.
        wasted_tokens: those that no record came of, sent and made.
        usd_per_1000: list price of 1,000 texts; None when a price is unknown.
        batch_usd_per_1000: their price in a batch; None when there is none.
        machine_usd_per_1000: cost of the machine for 1,000 texts; None for an API.
        attempts_per_text: calls, failed ones included.
        reasks_per_text: answers that were asked again.
        fallback: texts that another provider had to answer.
        failures: texts without a record, by kind of failure, most frequent first.
    """

    answers: int
    latency: Percentiles
    wait: Percentiles
    provider: Percentiles
    retries: Percentiles
    latency_quantiles_s: tuple[float, ...]
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    wasted_tokens: int
    usd_per_1000: float | None
    batch_usd_per_1000: float | None
    machine_usd_per_1000: float | None
    attempts_per_text: float
    reasks_per_text: float
    fallback: Rate
    failures: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfectDifference:
    """Perfect records of two contestants, text by text.

    Attributes:
        both: texts that both read perfectly.
        only_first: texts that only the first did.
        only_second: texts that only the second did.
        neither: texts that neither did.
        difference: rate of the first less that of the second.
        p_value: exact McNemar, two-sided.
        p_holm: the same after Holm's correction over all pairs of contestants.
        design_effect: how many times as many texts a difference needs because alike texts fare
            alike; 1 when they do not.
        detectable: smallest difference that this many texts, with as many discordant ones, show
            in 80 % of all experiments at 5 %; None when none would.
        needed: by difference (0.03, 0.05), the texts that would show it.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: Estimate
    p_value: float
    p_holm: float
    design_effect: float
    detectable: float | None
    needed: Mapping[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """One field of two contestants, text by text.

    Attributes:
        field: its name.
        accuracy: accuracy of the first less that of the second.
        f1: F1 of the first less that of the second.
        only_first: texts where only the first is right.
        only_second: texts where only the second is right.
        p_value: exact McNemar on right answers, two-sided.
        p_holm: the same after Holm's correction over the fields.
    """

    field: str
    accuracy: Estimate
    f1: Estimate
    only_first: int
    only_second: int
    p_value: float
    p_holm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAgreement:
    """How far two contestants give the same answer; needs no gold.

    Attributes:
        field: its name; None for the whole record.
        agreement: same answers, silence included, of all texts.
        anls: mean similarity (ANLS*).
        kappa: Cohen's kappa, on enumerated and boolean fields only; None on others, and when both
            always give one and the same value.
    """

    field: str | None
    agreement: Rate
    anls: float | None
    kappa: float | None
