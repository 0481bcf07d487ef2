"""How far answers agree, with one another and with themselves; no gold is needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from operator import and_
from statistics import fmean
from typing import Final

from domain.comparison.figures import PairAgreement, SelfConsistency, rate_of
from domain.comparison.judgements import category, same, similarity
from domain.comparison.results import ContestantAnswer
from domain.extraction.schema import FieldType, RecordSchema

_ENUMERATED: Final = {FieldType.ENUM, FieldType.BOOLEAN}

Pair = tuple[ContestantAnswer, ContestantAnswer]


def cohens_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Agreement beyond chance of two who name categories (Cohen 1960).

    Args:
        pairs: what the two said of each item.

    Returns:
        At most 1; None for no items, and when both always say one and the same.
    """
    if not pairs:
        return None
    size = len(pairs)
    firsts, seconds = (Counter(side) for side in zip(*pairs, strict=True))
    observed = sum(first == second for first, second in pairs) / size
    expected = sum(count * seconds[name] for name, count in firsts.items()) / size**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorffs_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Agreement beyond chance of any number of observers, nominal data (Krippendorff 2011).

    Args:
        units: for each item, what was said of it, in any order; who said nothing is left out.

    Returns:
        At most 1; None when all that was said is one and the same, or no item has two values.
    """
    counts = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = Counter()
    disagreement = 0.0
    for count in counts:
        said = count.total()
        totals.update(count)
        disagreement += (said**2 - sum(n**2 for n in count.values())) / (said - 1)
    size = totals.total()
    by_chance = size**2 - sum(n**2 for n in totals.values())
    return 1 - disagreement * (size - 1) / by_chance if by_chance else None


def agreement(
    schema: RecordSchema, pairs: Sequence[Pair], clusters: Mapping[str, int]
) -> tuple[PairAgreement, ...]:
    """How far two contestants give the same answers: by field, then the whole record.

    Args:
        schema: whose fields are compared.
        pairs: their answers to the same texts; counted are those where both have a record.
        clusters: by text id, the number of the texts that are like it.
    """
    both = [pair for pair in pairs if all(answer.has_record for answer in pair)]
    texts = len({first.text_id for first, _ in both})
    places = [clusters[first.text_id] for first, _ in both]
    whole = [True] * len(both)
    found = []
    for field in schema.fields:
        values = [(a.fields.get(field.name), b.fields.get(field.name)) for a, b in both]
        equal = [same(field, a, b) for a, b in values]
        whole = [*map(and_, whole, equal)]
        named = []
        if field.type in _ENUMERATED and not field.many:
            named = [(category(field, a), category(field, b)) for a, b in values]
        found.append(
            PairAgreement(
                field=field.name,
                agreement=rate_of(zip(places, equal, strict=True), texts=texts),
                anls=fmean(similarity(field, a, b) for a, b in values) if both else None,
                kappa=cohens_kappa(named),
            )
        )
    found.append(
        PairAgreement(
            field=None,
            agreement=rate_of(zip(places, whole, strict=True), texts=texts),
            anls=fmean(each.anls or 0.0 for each in found) if both else None,
            kappa=None,
        )
    )
    return tuple(found)


def consistency(
    schema: RecordSchema, answers: Iterable[ContestantAnswer], clusters: Mapping[str, int]
) -> tuple[SelfConsistency, ...]:
    """How far a contestant agrees with itself, by field, then the whole record.

    Args:
        schema: whose fields are compared.
        answers: all of one contestant; counted are those with a record.
        clusters: by text id, the number of the texts that are like it.

    Returns:
        Empty when no text has two records.
    """
    by_text: defaultdict[str, list[ContestantAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.has_record:
            by_text[answer.text_id].append(answer)
    repeated = [rounds for rounds in by_text.values() if len(rounds) > 1]
    if not repeated:
        return ()
    pairs = [pair for rounds in repeated for pair in combinations(rounds, 2)]
    found = []
    for row in agreement(schema, pairs, clusters):
        names = [[_category(schema, row.field, answer) for answer in rounds] for rounds in repeated]
        found.append(
            SelfConsistency(
                field=row.field,
                agreement=row.agreement,
                anls=row.anls,
                alpha=krippendorffs_alpha(names),
            )
        )
    return tuple(found)


def alpha_between(
    schema: RecordSchema, answers: Sequence[Sequence[ContestantAnswer]]
) -> Mapping[str, float | None]:
    """Krippendorff's alpha over all contestants, by field.

    Args:
        schema: whose fields are compared.
        answers: for each text, the answer of every contestant; those without a record are missing
            data.
    """
    return {
        field.name: krippendorffs_alpha(
            [
                [category(field, one.fields.get(field.name)) for one in text if one.has_record]
                for text in answers
            ]
        )
        for field in schema.fields
    }


def _category(schema: RecordSchema, name: str | None, answer: ContestantAnswer) -> Hashable:
    return tuple(
        category(field, answer.fields.get(field.name))
        for field in schema.fields
        if name in (None, field.name)
    )
