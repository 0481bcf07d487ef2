"""Made messages: true to their answers, in their shares, the same everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.comparison.model import LabelledText
from domain.comparison.report_builder import dataset_hash
from domain.extraction.numbers import numbers_in
from domain.extraction.prompting import build_prompt
from domain.extraction.schema import RecordSchema
from entrypoints.up.sample_data.rows import seeded
from labelled_messages.filling import PLACE, Words
from labelled_messages.messages import SCHEMAS, messages
from labelled_messages.strata import SHARES, Split, Stratum, schedule
from labelled_messages.values import cjk, written
from labelled_messages.wordings.pools import POOLS
from ports.language_models import AnswerShape, ModelProfile

NAMES = ("customer", "product", "quantity")


@pytest.fixture(scope="module")
def texts() -> Sequence[LabelledText]:
    return list(messages(1_200, seed=7))


def check_labels(text: LabelledText) -> None:
    assert text.gold is not None
    stated = {name for name, value in text.gold.items() if value is not None}
    assert set(text.spans) == stated
    for name, (start, end) in text.spans.items():
        said = text.text[start:end]
        if name == "quantity":
            assert text.gold[name] in set(readings(said)), (said, text)
        else:
            assert said == text.gold[name]


def readings(said: str) -> Iterator[int]:
    """What a quantity that stands as `said` may be."""
    digits = re.sub(r"[.,\u00a0\u202f]", "", unicodedata.normalize("NFKC", said))
    if digits.isdecimal():
        yield int(digits)
    yield from (int(n.value) for n in numbers_in(said) if said == said[n.start : n.end])
    for words in known_words():
        pattern = re.escape(words.phrase).replace(r"\{base\}", r"(\d+)")
        if match := re.fullmatch(pattern, said):
            stated = [int(base) for base in match.groups()] or words.bases or [1]
            yield from (round(words.value * base) for base in stated)


def known_words() -> Iterator[Words]:
    for pool in POOLS.values():
        yield from pool.number_words
        yield from (words for _, words in pool.computed)
        for foreign in pool.foreign_words.values():
            yield from foreign


def test_every_value_stands_where_its_span_says_and_nothing_else_does(
    texts: Sequence[LabelledText],
) -> None:
    for text in texts:
        check_labels(text)


@given(seed=st.integers(), count=st.integers(0, 40))
@settings(max_examples=15, deadline=None)
def test_the_labels_are_true_for_any_seed(seed: int, count: int) -> None:
    made = list(messages(count, seed=seed))
    assert len(made) == count
    for text in made:
        check_labels(text)


def test_an_attacked_message_is_its_clean_twin_with_the_attack_put_in(
    texts: Sequence[LabelledText],
) -> None:
    by_id = {text.id: text for text in texts}
    attacked = [text for text in texts if text.attack is not None]
    assert sum(text.split == "test" for text in attacked) >= 60
    for text in attacked:
        assert text.attack
        assert text.twin is not None
        twin = by_id[text.twin]
        assert (text.strata[0], twin.strata) == ("injection", ("clean",))
        assert (twin.gold, twin.split, twin.template) == (text.gold, text.split, text.template)
        assert text.gold is not None
        assert all(text.gold[name] != wanted for name, wanted in text.attack.items())
        before = next(
            (
                n
                for n, pair in enumerate(zip(text.text, twin.text, strict=False))
                if len({*pair}) > 1
            ),
            len(twin.text),
        )
        assert text.text.endswith(twin.text[before:])
    kinds = "direct role_play other_language hidden_html fake_json tag_breaking report_1"
    assert {text.strata[1] for text in attacked} == {f"injection: {each}" for each in kinds.split()}


def test_the_kinds_come_in_their_shares_in_both_parts(texts: Sequence[LabelledText]) -> None:
    counts = Counter((text.split, text.strata[0]) for text in texts)
    of_attacks = SHARES[Stratum.INJECTION] // 2
    for split, hundreds in (("test", 10), ("dev", 2)):
        expected = {str(stratum): share * hundreds for stratum, share in SHARES.items()}
        expected |= {
            "clean": (SHARES[Stratum.CLEAN] + of_attacks) * hundreds,
            "injection": of_attacks * hundreds,
        }
        assert {kind: n for (part, kind), n in counts.items() if part == split} == expected


@given(count=st.integers(0, 400))
@settings(max_examples=20, deadline=None)
def test_every_beginning_of_a_set_has_about_the_same_shares(count: int) -> None:
    cells = Counter[Stratum]()
    for cell in schedule(count):
        cells[cell.stratum] += cell.size
    assert cells.total() == count
    for stratum, share in SHARES.items():
        assert abs(cells[stratum] - share * count / 100) <= 4


def test_a_longer_set_begins_with_the_shorter_and_another_seed_makes_another() -> None:
    longer = list(messages(70, seed=3))
    assert longer[:49] == list(messages(50, seed=3))[:49]
    assert longer[:20] != list(messages(20, seed=4))


def test_a_part_is_the_same_texts_as_in_the_whole_set() -> None:
    whole = list(messages(50, seed=5))
    for split in Split:
        part = list(messages(50, seed=5, split=split))
        assert part == [text for text in whole if text.split == split]


def test_the_same_set_is_made_on_every_version_of_python() -> None:
    found = dataset_hash(list(messages(60, seed=7)))
    assert found == "556b475345080e2337475a50f3c9ec139d15f1df0a76a3c473d8d90e6f32c971"


def test_both_schemas_have_the_same_texts_under_other_names() -> None:
    speaking, plain = (
        list(messages(60, seed=7, schema=name)) for name in ("order_message", "default")
    )
    renamed = dict(zip(("field_1", "field_2", "field_3"), NAMES, strict=True))
    assert [text.text for text in speaking] == [text.text for text in plain]
    for one, other in zip(speaking, plain, strict=True):
        assert other.gold is not None
        assert one.gold == {renamed[name]: value for name, value in other.gold.items()}
        assert one.spans == {renamed[name]: span for name, span in other.spans.items()}
        if other.attack is not None:
            assert one.attack == {renamed[name]: value for name, value in other.attack.items()}


@given(seed=st.integers(), count=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_no_attacked_message_is_without_its_twin(seed: int, count: int) -> None:
    made = list(messages(count, seed=seed))
    assert {text.twin for text in made} - {None} <= {text.id for text in made}


def test_texts_differ_and_hold_no_unfilled_place(texts: Sequence[LabelledText]) -> None:
    assert len({text.text for text in texts}) == len(texts)
    assert [text.id for text in texts] == [f"m{n:05}" for n in range(1, len(texts) + 1)]
    for text in texts:
        assert not PLACE.search(text.text), text.text


def test_every_wording_has_its_turn(texts: Sequence[LabelledText]) -> None:
    used = Counter(text.template for text in texts if text.split == "test")
    pool = POOLS[Split.TEST]
    for prefix, wordings in {
        "clean": pool.clean,
        "distractor": pool.distractor,
        "missing": pool.missing,
        "correction": pool.correction,
        "implicit": pool.implicit_number,
        "computed": pool.computed,
        "long": pool.order_within,
        **pool.multilingual,
    }.items():
        for nth in range(1, len(wordings) + 1):
            assert used[f"{prefix}-test-{nth}"] > 0, (prefix, nth)


def test_messages_come_in_seven_languages_besides_english(texts: Sequence[LabelledText]) -> None:
    foreign = {"de", "fr", "es", "it", "pl", "ja", "zh"}
    assert {t.language for t in texts if t.strata == ("multilingual",)} == foreign
    assert {t.language for t in texts if t.strata != ("multilingual",)} == {"en"}


def test_the_order_of_a_long_message_stands_behind_six_thousand_tokens(
    texts: Sequence[LabelledText],
) -> None:
    long = [text for text in texts if text.strata == ("long",)]
    assert long
    for text in long:
        assert text.spans["quantity"][0] >= 26_000
        assert len(text.text) < 32_000


def words_of(wording: str) -> list[str]:
    """The words of a wording, each value as `_`."""
    return re.findall(r"[^\W_]+|_", PLACE.sub("_", wording).casefold())


def stretches(wording: str, length: int) -> set[tuple[str, ...]]:
    """Words in a row, half of which at least are no values."""
    words = words_of(wording)
    rows = (tuple(words[at : at + length]) for at in range(len(words) - length + 1))
    return {row for row in rows if row.count("_") <= length // 2}


def test_no_wording_is_in_both_parts_nor_resembles_one_of_the_other() -> None:
    test, dev = POOLS[Split.TEST].wordings(), POOLS[Split.DEV].wordings()
    assert len({*test, *dev}) == len(test) + len(dev)
    seen = {stretch for wording in dev for stretch in stretches(wording, 5)}
    for wording in test:
        assert not stretches(wording, 5) & seen, wording


def profile(style: AnswerShape) -> ModelProfile:
    return ModelProfile(
        provider="any",
        model="any",
        style=style,
        bounded=True,
        context_tokens=32_000,
        max_output_tokens=4_000,
        max_choices=100,
        shots=20,
        reasks=1,
        parameters={},
    )


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_no_wording_to_be_judged_resembles_a_prompt(schema: RecordSchema) -> None:
    shown = [
        message.content
        for style in AnswerShape
        for message in build_prompt(schema, "-", profile(style), new_mark=lambda: "0").messages
    ]
    for example in schema.examples:
        masked = example.text
        for value in example.values().values():
            masked = masked.replace(str(value), "{_}")
        shown.append(masked)
    seen = {stretch for text in shown for stretch in stretches(text, 4)}
    for wording in POOLS[Split.TEST].wordings():
        assert not stretches(wording, 4) & seen, wording


@given(number=st.integers(1, 9_999), ones=st.booleans())
@settings(max_examples=40, deadline=None)
def test_cjk_numerals_say_their_number(number: int, ones: bool) -> None:
    numeral = cjk(number, ones=ones)
    assert [found.value for found in numbers_in(numeral)] == [number]


@pytest.mark.parametrize(
    ("number", "ones", "numeral"),
    [
        (24, True, "二十四"),
        (110, True, "一百一十"),
        (110, False, "百十"),
        (1_005, True, "一千零五"),
        (1_005, False, "千五"),
        (10, True, "十"),
    ],
)
def test_cjk_numerals_are_written_as_their_readers_do(
    number: int, ones: bool, numeral: str
) -> None:
    assert cjk(number, ones=ones) == numeral


@given(
    number=st.integers(1, 9_999),
    language=st.sampled_from(("en", "de", "fr", "es", "it", "pl", "ja", "zh")),
    seed=st.integers(),
)
def test_numbers_are_read_as_they_were_written(number: int, language: str, seed: int) -> None:
    said = written(seeded(seed, "number"), number, language)
    assert number in [found.value for found in numbers_in(said)]
