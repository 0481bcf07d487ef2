"""Texts to tune with: true to their answers, and strangers to the set that judges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pytest

from domain.extraction.numbers import numbers_in
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, FieldType
from entrypoints.up.sample_data.catalogue import PRODUCTS
from entrypoints.up.sample_data.people import _PLACES
from labelled_messages.filling import PLACE
from labelled_messages.strata import Split, Stratum
from labelled_messages.training import attacks, vocabulary
from labelled_messages.training.examples import GRAMMARS, SMALL_TALK, TrainingExample, examples
from labelled_messages.values import FIRMS, FOREIGN
from labelled_messages.wordings.pools import POOLS


@pytest.fixture(scope="module")
def made() -> Sequence[TrainingExample]:
    return list(examples(1_500, seed=7))


def words_of(wording: str) -> list[str]:
    """The words of a wording, each value as `_`."""
    return re.findall(r"[^\W_]+|_", PLACE.sub("_", wording).casefold())


def stretches(wording: str, length: int) -> set[tuple[str, ...]]:
    """Words in a row, half of which at least are no values."""
    words = words_of(wording)
    rows = (tuple(words[at : at + length]) for at in range(len(words) - length + 1))
    return {row for row in rows if row.count("_") <= length // 2}


def parts() -> list[str]:
    composed = [part for grammar in GRAMMARS.values() for part in grammar.parts() if part]
    return [*composed, *SMALL_TALK, *attacks.wordings()]


def test_no_wording_to_be_judged_is_among_the_parts_nor_five_words_of_one_in_a_row() -> None:
    judged = POOLS[Split.TEST].wordings()
    seen = {stretch for wording in judged for stretch in stretches(wording, 5)}
    for part in parts():
        assert part not in judged
        assert not stretches(part, 5) & seen, part


def test_no_name_firm_or_good_of_the_judged_texts_is_learnt() -> None:
    names = {
        name.replace("_", " ").casefold()
        for place in _PLACES
        for both in (*place.given, *place.family)
        for name in both.split("|")
    }
    assert not {name.casefold() for name in vocabulary.names()} & names
    firms = {firm.casefold() for listed in FIRMS.values() for firm in listed}
    assert not {firm.casefold() for firm in vocabulary.firms()} & firms
    goods = {product.name.casefold() for product in PRODUCTS}
    goods |= {product.search.casefold() for product in PRODUCTS}
    goods |= {good.casefold() for listed in FOREIGN.values() for good in listed}
    for thing in vocabulary.goods():
        assert not any(thing.casefold() in good for good in goods), thing


def test_every_value_stands_in_its_text(made: Sequence[TrainingExample]) -> None:
    for example in made:
        for field in example.schema.fields:
            value = example.gold[field.name]
            if field.type is FieldType.STRING and value is not None:
                assert str(value) in example.text, example
            if field.type is FieldType.ENUM:
                assert value in (None, *field.choices)
            if field.type is FieldType.DATE and value is not None:
                assert re.fullmatch(r"20\d\d-\d\d-\d\d", str(value))


def test_numbers_are_read_as_they_were_said(made: Sequence[TrainingExample]) -> None:
    unread = 0
    counted = 0
    for example in made:
        for field in example.schema.fields:
            value = example.gold[field.name]
            if field.type is FieldType.INTEGER and value is not None:
                counted += 1
                unread += value not in {number.value for number in numbers_in(example.text)}
    # "Twice that" names no number; all others are to be read.
    assert counted > 800
    assert unread < counted * 0.04


def test_kinds_languages_and_records_come_in_their_shares(
    made: Sequence[TrainingExample],
) -> None:
    kinds = Counter(example.stratum for example in made)
    assert set(kinds) == set(Stratum) - {Stratum.MULTILINGUAL}
    assert all(count > len(made) * 0.02 for count in kinds.values()), kinds
    languages = Counter(example.language for example in made)
    assert set(languages) == set(GRAMMARS)
    assert 0.5 < languages["en"] / len(made) < 0.75
    schemas = Counter(example.schema.name for example in made)
    assert schemas[ORDER_MESSAGE.name] > schemas["record"] > schemas[DEFAULT.name] > 100
    assert len({tuple(field.name for field in example.schema.fields) for example in made}) > 100
    assert sum(None in example.gold.values() for example in made) > len(made) * 0.2


def test_every_record_can_be_asked_for(made: Sequence[TrainingExample]) -> None:
    for example in made:
        assert example.schema.violations() == []
        assert set(example.gold) == {field.name for field in example.schema.fields}


def test_an_attacked_text_is_followed_by_its_twin(made: Sequence[TrainingExample]) -> None:
    attacked = [n for n, each in enumerate(made[:-1]) if each.stratum is Stratum.INJECTION]
    assert attacked
    for nth in attacked:
        twin = made[nth + 1]
        assert twin.gold == made[nth].gold
        assert twin.text in made[nth].text


def test_texts_hold_no_unfilled_place(made: Sequence[TrainingExample]) -> None:
    known = {place for part in parts() for place in PLACE.findall(part)}
    for example in made:
        assert not known & set(PLACE.findall(example.text)), example.text


def test_the_same_seed_makes_the_same_examples() -> None:
    assert list(examples(40, seed=3)) == list(examples(40, seed=3))
    assert list(examples(40, seed=3)) != list(examples(40, seed=4))


def test_held_out_examples_ask_with_names_and_descriptions_of_their_own(
    made: Sequence[TrainingExample],
) -> None:
    learnt = {f.name for each in made for f in each.schema.fields}
    described = {f.description for each in made for f in each.schema.fields}
    for example in examples(150, seed=7, held_out=True):
        for field in example.schema.fields:
            assert field.name not in learnt
            assert field.description not in described


@pytest.mark.parametrize(
    ("thing", "several"),
    [
        ("mug", "mugs"),
        ("wine glass", "wine glasses"),
        ("battery", "batteries"),
        ("tray", "trays"),
        ("roll of tape", "rolls of tape"),
        ("box of screws", "boxes of screws"),
    ],
)
def test_the_thing_that_is_counted_takes_the_plural(thing: str, several: str) -> None:
    assert vocabulary.plural(thing) == several
