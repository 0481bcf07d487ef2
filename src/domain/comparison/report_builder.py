"""The report of a comparison, out of texts, contestants and what came of each."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Final

from domain.comparison import verdict as verdicts
from domain.comparison.agreement import agreement, alpha_between, consistency
from domain.comparison.bootstrap import DRAWS, Estimator, clusters_of, columns_of
from domain.comparison.judgements import Marked, mark, same
from domain.comparison.model import Contestant, LabelledText, Outcome
from domain.comparison.pairs import field_differences, perfect_differences
from domain.comparison.report import (
    Case,
    ComparisonReport,
    ContestantScore,
    Header,
    PairScore,
    Verdict,
)
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
from domain.extraction.schema import Schema
from ports.comparison import Statistics

DEFAULT_SEED: Final = 7


def build_report(
    *,
    dataset: str,
    schema: Schema,
    texts: Sequence[LabelledText],
    contestants: Sequence[Contestant],
    outcomes: Sequence[Outcome],
    statistics: Statistics,
    seed: int = DEFAULT_SEED,
    draws: int = DRAWS,
) -> ComparisonReport:
    """Judge all answers; the same input gives the same report.

    Compared are the texts that every contestant has answered, by the answer of repeat 0.

    Args:
        dataset: its name.
        schema: what the texts were read by.
        texts: of the dataset, each id once, with or without gold.
        contestants: at least one, each name once.
        outcomes: in any order, one for each contestant, text and repeat.
        statistics: tests and the bootstrap.
        seed: of the bootstrap (>= 0).
        draws: of the bootstrap (>= 1).

    Raises:
        InvalidInput: an id or name stands twice, an outcome belongs to none of them, or there is
            no text that every contestant has answered.
    """
    _check(texts, contestants, outcomes)
    answers = {(each.contestant, each.text_id): each for each in outcomes if each.repeat == 0}
    names = [contestant.name for contestant in contestants]
    compared = [t for t in texts if all((name, t.id) in answers for name in names)]
    if not compared:
        raise InvalidInput("There is no text that every contestant has answered.")
    clusters, clustered = clusters_of(compared)
    sheets = {
        name: [
            mark(schema, text, answers[name, text.id], cluster=clusters[text.id])
            for text in compared
        ]
        for name in names
    }
    golden = {
        name: [each for each in sheet if each.reply.perfect is not None]
        for name, sheet in sheets.items()
    }
    known = [each.cluster for each in golden[names[0]]]
    estimator = None
    if known:
        columns = columns_of(schema, golden)
        estimator = Estimator(columns, known, statistics, draws=draws, seed=seed)
    ids = {text.id for text in compared}
    kept = [each for each in outcomes if each.text_id in ids]
    scores = tuple(
        _score(
            schema,
            contestant,
            sheets[contestant.name],
            [each for each in kept if each.contestant == contestant.name],
            clusters,
            estimator,
            statistics,
        )
        for contestant in contestants
    )
    templates = len({text.template for text in compared} - {""})
    untold = sum(not text.template for text in compared)
    wordings = templates + untold if templates and not clustered else 0
    pairs = _pairs(schema, contestants, sheets, golden, clusters, estimator, statistics, wordings)
    return ComparisonReport(
        header=Header(
            dataset=dataset,
            dataset_hash=dataset_hash(compared),
            schema=schema.name,
            schema_version=schema.version,
            schema_hash=_hash(definition_of(schema)),
            texts=len(compared),
            left_out=len(texts) - len(compared),
            with_gold=len(known),
            templates=templates,
            strata=dict(Counter(stratum for text in compared for stratum in text.strata)),
            languages=dict(Counter(text.language for text in compared)),
            repeats=1 + max(each.repeat for each in kept),
            seed=seed,
            draws=draws,
            clustered=clustered,
            simulated=tuple(each.name for each in contestants if each.simulated),
        ),
        verdict=_headline(scores, pairs, len(compared), wordings),
        contestants=scores,
        pairs=pairs,
        alpha=_alpha(schema, sheets) if len(names) > 1 else {},
        cases=_cases(schema, sheets),
    )


def dataset_hash(texts: Sequence[LabelledText]) -> str:
    """SHA-256 over texts and labels, in their order, hexadecimal."""
    return _hash([asdict(text) for text in texts])


def _hash(document: object) -> str:
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check(
    texts: Sequence[LabelledText], contestants: Sequence[Contestant], outcomes: Sequence[Outcome]
) -> None:
    ids = Counter(text.id for text in texts)
    names = Counter(contestant.name for contestant in contestants)
    keys = Counter((each.contestant, each.text_id, each.repeat) for each in outcomes)
    for noun, counted in (("text", ids), ("contestant", names)):
        twice = [name for name, count in counted.items() if count > 1]
        if twice:
            raise InvalidInput(f"The {noun} {twice[0]!r} stands twice.")
    for (name, text_id, repeat), count in keys.items():
        if name not in names or text_id not in ids:
            raise InvalidInput(
                f"There is an outcome of contestant {name!r} on text {text_id!r}, and no such"
                f" {'text' if name in names else 'contestant'}."
            )
        if count > 1:
            raise InvalidInput(
                f"There are {count} outcomes of contestant {name!r} on text {text_id!r}, repeat"
                f" {repeat}."
            )


def _score(
    schema: Schema,
    contestant: Contestant,
    sheet: Sequence[Marked],
    outcomes: Sequence[Outcome],
    clusters: Mapping[str, int],
    estimator: Estimator | None,
    statistics: Statistics,
) -> ContestantScore:
    name = contestant.name
    return ContestantScore(
        contestant=contestant,
        funnel=funnel(schema, sheet),
        perfect=perfect_rate(sheet),
        macro_f1=macro_f1(name, schema, estimator) if estimator else None,
        micro_f1=micro_f1(name, estimator) if estimator else None,
        fields=field_scores(name, schema, sheet, estimator) if estimator else (),
        strata=stratum_scores(schema, sheet) if estimator else (),
        injection=injection(sheet, statistics),
        consistency=consistency(schema, outcomes, clusters),
        operations=operations(contestant, outcomes),
    )


def _pairs(
    schema: Schema,
    contestants: Sequence[Contestant],
    sheets: Mapping[str, Sequence[Marked]],
    golden: Mapping[str, Sequence[Marked]],
    clusters: Mapping[str, int],
    estimator: Estimator | None,
    statistics: Statistics,
    wordings: int,
) -> tuple[PairScore, ...]:
    couples = list(combinations(contestants, 2))
    both = [list(zip(golden[a.name], golden[b.name], strict=True)) for a, b in couples]
    perfect = perfect_differences(both, estimator, statistics) if estimator else []
    found = []
    for place, (first, second) in enumerate(couples):
        rows = zip(sheets[first.name], sheets[second.name], strict=True)
        agreed = agreement(schema, [(a.outcome, b.outcome) for a, b in rows], clusters)
        found.append(
            PairScore(
                first=first.name,
                second=second.name,
                perfect=perfect[place] if estimator else None,
                fields=field_differences(schema, both[place], estimator, statistics)
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


def _alpha(schema: Schema, sheets: Mapping[str, Sequence[Marked]]) -> Mapping[str, float | None]:
    rows = zip(*sheets.values(), strict=True)
    return alpha_between(schema, [[each.outcome for each in row] for row in rows])


def _cases(schema: Schema, sheets: Mapping[str, Sequence[Marked]]) -> tuple[Case, ...]:
    found = []
    for row in zip(*sheets.values(), strict=True):
        text = row[0].text
        if not (any(each.reply.perfect is False for each in row) or _differ(schema, row)):
            continue
        found.append(
            Case(
                text_id=text.id,
                text=text.text,
                language=text.language,
                template=text.template,
                strata=text.strata,
                gold=text.gold,
                spans=text.spans,
                attack=text.attack,
                replies=tuple(each.reply for each in row),
            )
        )
    return tuple(found)


def _differ(schema: Schema, row: Sequence[Marked]) -> bool:
    """Whether somebody has no record, or two records differ."""
    if any(not each.outcome.has_record for each in row):
        return True
    first = row[0].reply.cells
    return any(
        not same(field, first[place].value, other.reply.cells[place].value)
        for other in row[1:]
        for place, field in enumerate(schema.fields)
    )
