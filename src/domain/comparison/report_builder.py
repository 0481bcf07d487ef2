"""The report of a comparison, out of texts, contestants and what came of each."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

from domain.comparison import verdict as verdicts
from domain.comparison.agreement import agreement, alpha_between, consistency
from domain.comparison.bootstrap import DRAWS, BootstrapEstimator, clusters_of, columns_of
from domain.comparison.judgements import Observation, observation_of, same
from domain.comparison.model import AnswerId, ComparisonSpec, Contestant, LabelledText
from domain.comparison.pairs import field_differences, perfect_differences
from domain.comparison.reliability import reliability
from domain.comparison.report import (
    ComparedText,
    ComparisonReport,
    ContestantScore,
    PairScore,
    ReportHeader,
    Verdict,
)
from domain.comparison.results import ComparisonResults, ContestantAnswer
from domain.comparison.scores import (
    field_scores,
    funnel,
    injection,
    macro_f1,
    micro_f1,
    operations,
    perfect_rate,
    stratum_scores,
)
from domain.errors import InvalidInput
from domain.extraction.definition import definition_of
from domain.extraction.schema import RecordSchema
from ports.comparison import Statistics


def build_report(
    results: ComparisonResults, statistics: Statistics, *, draws: int = DRAWS
) -> ComparisonReport:
    """Judge all answers; the same input gives the same report.

    Compared are the texts that every provider has answered, by the answer of repeat 0.

    Args:
        results: of at least one contestant; texts with or without gold.
        statistics: tests and the bootstrap.
        draws: of the bootstrap (>= 1).

    Raises:
        InvalidInput: an id or name stands twice, an answer belongs to none of them, a confidence
            is no probability, or there is no text that every provider has answered.
    """
    spec = results.spec
    _check(results)
    names = [contestant.name for contestant in spec.contestants]
    compared = [
        text
        for text in spec.texts
        if all(AnswerId(name, text.id, 0) in results.answers for name in names)
    ]
    if not compared:
        raise InvalidInput("There is no text that every provider has answered.")
    clusters, clustered = clusters_of(compared)
    observations = {
        name: [
            observation_of(
                spec.schema,
                text,
                results.answers[AnswerId(name, text.id, 0)],
                cluster=clusters[text.id],
            )
            for text in compared
        ]
        for name in names
    }
    golden = {
        name: [each for each in rows if each.judged.perfect is not None]
        for name, rows in observations.items()
    }
    known = [each.cluster for each in golden[names[0]]]
    estimator = None
    if known:
        columns = columns_of(spec.schema, golden)
        estimator = BootstrapEstimator(columns, known, statistics, draws=draws, seed=spec.seed)
    ids = {text.id for text in compared}
    kept = [each for each in results.answers.values() if each.text_id in ids]
    scores = tuple(
        _score(
            spec.schema,
            contestant,
            observations[contestant.name],
            [each for each in kept if each.contestant == contestant.name],
            clusters,
            estimator,
            statistics,
        )
        for contestant in spec.contestants
    )
    templates = len({text.template for text in compared} - {""})
    untold = sum(not text.template for text in compared)
    wordings = templates + untold if templates and not clustered else 0
    pairs = _pairs(spec, observations, golden, clusters, estimator, statistics, wordings)
    return ComparisonReport(
        provenance=results.provenance,
        header=ReportHeader(
            dataset=spec.dataset,
            dataset_hash=dataset_hash(compared),
            schema=spec.schema.name,
            schema_version=spec.schema.version,
            schema_hash=_hash(definition_of(spec.schema)),
            texts=len(compared),
            left_out=len(spec.texts) - len(compared),
            with_gold=len(known),
            templates=templates,
            strata=dict(Counter(stratum for text in compared for stratum in text.strata)),
            languages=dict(Counter(text.language for text in compared)),
            repeats=1 + max(each.repeat for each in kept),
            seed=spec.seed,
            draws=draws,
            clustered=clustered,
            simulated=tuple(each.name for each in spec.contestants if each.simulated),
        ),
        verdict=_headline(scores, pairs, len(compared), wordings),
        contestants=scores,
        pairs=pairs,
        alpha=_alpha(spec.schema, observations) if len(names) > 1 else {},
        cases=_cases(spec.schema, observations),
    )


def dataset_hash(texts: Sequence[LabelledText]) -> str:
    """SHA-256 over texts and labels, in their order, hexadecimal."""
    return _hash([asdict(text) for text in texts])


def _hash(document: object) -> str:
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check(results: ComparisonResults) -> None:
    ids = Counter(text.id for text in results.spec.texts)
    names = Counter(contestant.name for contestant in results.spec.contestants)
    for noun, counted in (("text", ids), ("contestant", names)):
        twice = [name for name, count in counted.items() if count > 1]
        if twice:
            raise InvalidInput(f"The {noun} {twice[0]!r} stands twice.")
    for key in results.answers:
        if key.contestant not in names or key.text_id not in ids:
            raise InvalidInput(
                f"There is an outcome of contestant {key.contestant!r} on text {key.text_id!r},"
                f" and no such {'text' if key.contestant in names else 'contestant'}."
            )
    for key, answer in results.answers.items():
        for name, confidence in answer.confidence.items():
            if not 0.0 <= confidence <= 1.0:
                raise InvalidInput(
                    f"The confidence of {key.contestant!r} in {name!r} of text {key.text_id!r} is"
                    f" {confidence}; it must be 0..1."
                )


def _score(
    schema: RecordSchema,
    contestant: Contestant,
    observations: Sequence[Observation],
    answers: Sequence[ContestantAnswer],
    clusters: Mapping[str, int],
    estimator: BootstrapEstimator | None,
    statistics: Statistics,
) -> ContestantScore:
    name = contestant.name
    return ContestantScore(
        contestant=contestant,
        funnel=funnel(schema, observations),
        perfect=perfect_rate(observations),
        macro_f1=macro_f1(name, schema, estimator) if estimator else None,
        micro_f1=micro_f1(name, estimator) if estimator else None,
        fields=field_scores(name, schema, observations, estimator) if estimator else (),
        strata=stratum_scores(schema, observations) if estimator else (),
        injection=injection(observations, statistics),
        reliability=reliability(name, observations, estimator) if estimator else None,
        consistency=consistency(schema, answers, clusters),
        operations=operations(contestant, answers),
    )


def _pairs(
    spec: ComparisonSpec,
    observations: Mapping[str, Sequence[Observation]],
    golden: Mapping[str, Sequence[Observation]],
    clusters: Mapping[str, int],
    estimator: BootstrapEstimator | None,
    statistics: Statistics,
    wordings: int,
) -> tuple[PairScore, ...]:
    couples = list(combinations(spec.contestants, 2))
    both = [list(zip(golden[a.name], golden[b.name], strict=True)) for a, b in couples]
    perfect = perfect_differences(both, estimator, statistics) if estimator else []
    found = []
    for place, (first, second) in enumerate(couples):
        rows = zip(observations[first.name], observations[second.name], strict=True)
        agreed = agreement(spec.schema, [(a.answer, b.answer) for a, b in rows], clusters)
        found.append(
            PairScore(
                first=first.name,
                second=second.name,
                perfect=perfect[place] if estimator else None,
                fields=field_differences(spec.schema, both[place], estimator, statistics)
                if estimator
                else (),
                agreement=agreed,
                verdict=verdicts.judged(
                    first, second, perfect[place], pairs=len(couples), wordings=wordings
                )
                if estimator
                else verdicts.unjudged(first, second, agreed[-1]),
            )
        )
    return tuple(found)


def _headline(
    scores: Sequence[ContestantScore], pairs: Sequence[PairScore], texts: int, wordings: int
) -> Verdict:
    """Of the best two by perfect records; without gold, of the two that agree least."""
    if not pairs:
        only = scores[0]
        return verdicts.alone(only.contestant, only.perfect, texts, wordings=wordings)
    if scores[0].perfect is None:
        return min(pairs, key=lambda pair: pair.agreement[-1].agreement.value or 0.0).verdict
    ranked = sorted(scores, key=lambda score: -(score.perfect.count if score.perfect else 0))
    best = {score.contestant.name for score in ranked[:2]}
    return next(pair for pair in pairs if {pair.first, pair.second} == best).verdict


def _alpha(
    schema: RecordSchema, observations: Mapping[str, Sequence[Observation]]
) -> Mapping[str, float | None]:
    rows = zip(*observations.values(), strict=True)
    return alpha_between(schema, [[each.answer for each in row] for row in rows])


def _cases(
    schema: RecordSchema, observations: Mapping[str, Sequence[Observation]]
) -> tuple[ComparedText, ...]:
    found = []
    for row in zip(*observations.values(), strict=True):
        text = row[0].text
        if not (any(each.judged.perfect is False for each in row) or _differ(schema, row)):
            continue
        found.append(
            ComparedText(
                text_id=text.id,
                text=text.text,
                language=text.language,
                template=text.template,
                strata=text.strata,
                gold=text.gold,
                spans=text.spans,
                attack=text.attack,
                replies=tuple(each.judged for each in row),
            )
        )
    return tuple(found)


def _differ(schema: RecordSchema, row: Sequence[Observation]) -> bool:
    """Whether somebody has no record, or two records differ."""
    if any(not each.answer.has_record for each in row):
        return True
    first = row[0].judged.cells
    return any(
        not same(field, first[place].value, other.judged.cells[place].value)
        for other in row[1:]
        for place, field in enumerate(schema.fields)
    )
