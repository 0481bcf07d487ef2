"""The whole report: what is compared, what is refused, what stands at the top."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.model import ComparisonSpec, Contestant, LabelledText
from domain.comparison.pairs import texts_needed
from domain.comparison.report import ComparisonReport, VerdictKind
from domain.comparison.report_builder import build_report, dataset_hash
from domain.comparison.results import ComparisonResults, ContestantAnswer, answers_by_key
from domain.errors import InvalidInput
from domain.extraction.calls import FailureKind
from domain.extraction.schema import Value
from tests.comparisons import PROVENANCE, SCHEMA, answer, contestant, failed, text

STATISTICS = ScipyStatistics()
GOLD: Mapping[str, Value] = {"customer": "Nina", "quantity": 3}


def report(
    texts: Sequence[LabelledText],
    contestants: Sequence[Contestant],
    answers: Sequence[ContestantAnswer],
    **members: Any,
) -> ComparisonReport:
    spec = ComparisonSpec(
        dataset="mine",
        schema=SCHEMA,
        texts=tuple(texts),
        contestants=tuple(contestants),
        repeats=1,
        seed=members.pop("seed", 7),
    )
    results = ComparisonResults(spec=spec, provenance=PROVENANCE, answers=answers_by_key(answers))
    return build_report(results, STATISTICS, **({"draws": 500} | members))


def crowd(**rates: float) -> tuple[list[LabelledText], list[Contestant], list[ContestantAnswer]]:
    """300 texts of 30 wordings, and contestants that are right as often as `rates` say."""
    rng = random.Random(5)
    texts = [text(str(n), GOLD, template=f"t{n % 30}", strata=("clean",)) for n in range(300)]
    answers = [
        answer(each.id, name, customer="Nina", quantity=3 if rng.random() < rate else 4)
        for name, rate in rates.items()
        for each in texts
    ]
    return texts, [contestant(name) for name in rates], answers


def test_three_contestants_are_scored_compared_and_ranked() -> None:
    found = report(*crowd(weak=0.3, good=0.9, fair=0.6))
    assert [score.contestant.name for score in found.contestants] == ["weak", "good", "fair"]
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("weak", "good"),
        ("weak", "fair"),
        ("good", "fair"),
    ]
    assert (found.verdict.kind, found.verdict.winner) == (VerdictKind.BETTER, "good")
    assert "than fair" in found.verdict.sentence  # the runner-up, not the weakest
    assert "after Holm's correction for 3 pairs" in found.verdict.sentence
    header = found.header
    assert (header.texts, header.with_gold, header.templates) == (300, 300, 30)
    assert (header.clustered, header.repeats, header.draws, header.seed) == (True, 1, 500, 7)
    assert (header.strata, header.languages) == ({"clean": 300}, {"en": 300})
    assert len(header.dataset_hash) == len(header.schema_hash) == 64


def test_a_pair_is_split_text_by_text() -> None:
    texts = [text(str(n), GOLD) for n in range(4)]
    given = {"a": (3, 3, 3, 4), "b": (3, 4, 4, 4)}
    answers = [
        answer(str(n), name, customer="Nina", quantity=value)
        for name, values in given.items()
        for n, value in enumerate(values)
    ]
    pair = report(texts, [contestant("a"), contestant("b")], answers).pairs[0]
    perfect = pair.perfect
    assert perfect is not None
    assert (perfect.both, perfect.only_first, perfect.only_second, perfect.neither) == (1, 2, 0, 1)
    assert perfect.difference.value == pytest.approx(0.5)
    assert (perfect.p_value, perfect.p_holm, perfect.detectable) == (0.5, 0.5, None)
    # (1.95996 sqrt(.5) + .84162 sqrt(.4991))^2 / .0009 = 4358.1
    assert perfect.needed[0.03] == 4359
    customer, quantity = pair.fields
    assert (customer.accuracy.value, customer.f1.value, customer.p_holm) == (0.0, 0.0, 1.0)
    assert (quantity.only_first, quantity.only_second) == (2, 0)
    assert quantity.accuracy.value == pytest.approx(0.5)
    assert quantity.f1.value == pytest.approx(3 / 4 - 1 / 4)
    assert (quantity.p_value, quantity.p_holm) == (0.5, 1.0)
    assert pair.verdict.kind is VerdictKind.TOO_FEW


def test_wordings_that_suit_one_of_two_call_for_more_texts() -> None:
    texts = [text(str(n), GOLD, template=f"t{n % 20}") for n in range(200)]
    answers = [
        answer(each.id, name, customer="Nina", quantity=3 if n % 20 in right else 4)
        for name, right in (("a", {0, 1, 2, 3}), ("b", {2, 3, 4, 5}))
        for n, each in enumerate(texts)
    ]
    perfect = report(texts, [contestant("a"), contestant("b")], answers).pairs[0].perfect
    assert perfect is not None
    # Twenty wordings are all that there is: 40 differing texts in clusters of ten.
    assert (perfect.only_first, perfect.only_second) == (20, 20)
    assert perfect.design_effect == pytest.approx(10)
    assert perfect.needed[0.05] == pytest.approx(10 * texts_needed(0.05, 0.2), abs=1)
    assert perfect.detectable is None  # twenty would show nothing


def test_the_same_input_gives_the_same_report_and_another_seed_only_other_intervals() -> None:
    given = crowd(a=0.7, b=0.6)
    first, again, other = report(*given), report(*given), report(*given, seed=8)
    assert first == again != other
    assert first.contestants[0].perfect == other.contestants[0].perfect


def test_the_hash_of_a_dataset_knows_its_labels() -> None:
    one = dataset_hash([text("1", GOLD)])
    assert one == dataset_hash([text("1", dict(reversed(list(GOLD.items()))))])
    assert one != dataset_hash([text("1", {**GOLD, "quantity": 4})])
    assert one != dataset_hash([text("1")])


def test_texts_that_somebody_has_not_answered_are_left_out() -> None:
    texts = [text("1", GOLD), text("2", GOLD), text("3", GOLD)]
    answers = [
        answer("1", "a", customer="Nina", quantity=3),
        answer("2", "a", customer="Nina", quantity=3),
        answer("1", "b", customer="Nina", quantity=3),
        answer("2", "b", repeat=1, customer="Nina", quantity=3),
    ]
    found = report(texts, [contestant("a"), contestant("b")], answers)
    assert (found.header.texts, found.header.left_out, found.header.repeats) == (1, 2, 1)
    assert [score.operations.answers for score in found.contestants] == [1, 1]


def test_without_gold_there_are_agreement_and_cases_and_no_scores() -> None:
    texts = [text(str(n)) for n in range(3)]
    answers = [answer(str(n), "a", quantity=n) for n in range(3)]
    answers += [answer(str(n), "b", quantity=n) for n in range(2)]
    answers += [answer(str(n), "c", quantity=9) for n in range(3)]
    answers.append(failed("2", FailureKind.TIMEOUT, "b"))
    found = report(texts, [contestant(name) for name in "abc"], answers)
    assert found.verdict.kind is VerdictKind.NO_GOLD
    # Of all pairs, a and c agree on nothing; b and c neither, but stand behind.
    assert found.verdict.sentence.startswith("a and c give the same record on 0 of 3 texts")
    score = found.contestants[0]
    assert (score.perfect, score.macro_f1, score.micro_f1, score.fields) == (None, None, None, ())
    assert (score.strata, found.pairs[0].perfect, found.pairs[0].fields) == ((), None, ())
    assert found.pairs[0].agreement[-1].agreement.count == 2
    assert list(found.alpha) == ["customer", "quantity"]
    assert [case.text_id for case in found.cases] == ["0", "1", "2"]


def test_cases_are_what_somebody_got_wrong_failed_or_read_differently() -> None:
    texts = [text("right", GOLD), text("wrong", GOLD), text("lost"), text("apart"), text("same")]
    both = {"right": (3, 3), "wrong": (4, 4), "apart": (1, 2), "same": (1, 1)}
    answers = [
        answer(text_id, name, customer="Nina", quantity=value)
        for text_id, values in both.items()
        for name, value in zip("ab", values, strict=True)
    ]
    answers += [failed("lost", FailureKind.TIMEOUT, name) for name in "ab"]
    found = report(texts, [contestant("a"), contestant("b")], answers)
    assert [case.text_id for case in found.cases] == ["wrong", "lost", "apart"]
    wrong = found.cases[0]
    assert (wrong.text, wrong.gold) == ("Text wrong", GOLD)
    assert [reply.contestant for reply in wrong.replies] == ["a", "b"]
    assert found.header.with_gold == 2


def test_one_contestant_is_scored_alone() -> None:
    answers = [answer("1", customer="Nina", quantity=3), answer("2")]
    found = report([text("1", GOLD), text("2")], [contestant("a")], answers)
    assert found.verdict.kind is VerdictKind.ALONE
    assert (found.pairs, found.alpha, found.cases) == ((), {}, ())


def test_repeats_are_the_noise_floor_and_are_not_judged() -> None:
    answers = [
        answer("1", repeat=repeat, customer="Nina", quantity=value)
        for repeat, value in enumerate((3, 4))
    ]
    found = report([text("1", GOLD)], [contestant("a", simulated=True)], answers)
    score = found.contestants[0]
    assert score.perfect is not None
    assert (score.perfect.count, score.operations.answers) == (1, 2)
    assert [row.agreement.count for row in score.consistency] == [1, 0, 0]
    assert (found.header.repeats, found.header.simulated) == (2, ("a",))


def test_few_wordings_are_named_in_the_verdict() -> None:
    texts, contestants, answers = crowd(a=0.9, b=0.3)
    same = [text(each.id, each.gold, template="one") for each in texts]
    found = report(same, contestants, answers)
    assert (found.header.clustered, found.header.templates) == (False, 1)
    assert "All texts come from 1 wording" in found.verdict.sentence
    mixed = [*same[:298], *texts_without_template(2)]
    assert "All texts come from 3 wordings" in report(mixed, contestants, answers).verdict.sentence


def texts_without_template(count: int) -> list[LabelledText]:
    return [text(str(299 - place), GOLD) for place in range(count)]


@pytest.mark.parametrize(
    ("texts", "names", "answers", "message"),
    [
        (["1", "1"], "a", [], "The text '1' stands twice."),
        (["1"], "aa", [], "The contestant 'a' stands twice."),
        (
            ["1"],
            "a",
            [("b", "1")],
            "There is an outcome of contestant 'b' on text '1', and no such contestant.",
        ),
        (
            ["1"],
            "a",
            [("a", "2")],
            "There is an outcome of contestant 'a' on text '2', and no such text.",
        ),
        (
            ["1"],
            "a",
            [("a", "1"), ("a", "1")],
            "There are 2 outcomes of contestant 'a' on text '1', repeat 0.",
        ),
        (
            ["1", "2"],
            "ab",
            [("a", "1"), ("b", "2")],
            "There is no text that every provider has answered.",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    texts: list[str], names: str, answers: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        report(
            [text(each) for each in texts],
            [contestant(name) for name in names],
            [answer(text_id, name) for name, text_id in answers],
        )
    assert str(caught.value) == message
