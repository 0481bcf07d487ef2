"""What is said of which figures, word for word."""

from __future__ import annotations

from typing import Any

from domain.comparison.figures import Estimate, PairAgreement, PerfectDifference
from domain.comparison.pairs import detectable_difference, texts_needed
from domain.comparison.report import VerdictKind
from domain.comparison.verdict import alone, judged, unjudged
from tests.comparisons import contestant, rate

A, B = contestant("a"), contestant("b")


def difference(
    both: int, first: int, second: int, neither: int, low: float, high: float, p_value: float
) -> PerfectDifference:
    size = both + first + second + neither
    discordance = (first + second) / size
    return PerfectDifference(
        both=both,
        only_first=first,
        only_second=second,
        neither=neither,
        difference=Estimate(value=(first - second) / size, low=low, high=high),
        p_value=p_value,
        p_holm=p_value,
        design_effect=1.0,
        detectable=detectable_difference(size, discordance),
        needed={each: texts_needed(each, discordance) for each in (0.03, 0.05)},
    )


def test_a_clear_win_is_said_with_its_interval() -> None:
    found = judged(A, B, difference(700, 110, 47, 143, 0.031, 0.094, 0.00000012))
    assert (found.kind, found.winner) == (VerdictKind.BETTER, "a")
    assert found.sentence == (
        "a is right on 6.3 more of 100 texts than b (95 % interval 3.1 to 9.4): every field is"
        " right on 81.0 % of 1,000 texts, against 74.7 % (exact McNemar p < 0.0001)."
    )


def test_the_second_may_win_and_the_correction_for_many_pairs_is_named() -> None:
    found = judged(A, B, difference(700, 47, 110, 143, -0.094, -0.031, 0.013), pairs=3)
    assert (found.kind, found.winner) == (VerdictKind.BETTER, "b")
    assert found.sentence == (
        "b is right on 6.3 more of 100 texts than a (95 % interval 3.1 to 9.4): every field is"
        " right on 81.0 % of 1,000 texts, against 74.7 % (exact McNemar p = 0.013 after"
        " Holm's correction for 3 pairs)."
    )


def test_a_tie_says_what_these_texts_would_show_and_how_many_a_small_difference_needs() -> None:
    found = judged(A, B, difference(170, 22, 17, 91, -0.023, 0.057, 0.52))
    assert (found.kind, found.winner) == (VerdictKind.NOT_DISTINGUISHABLE, None)
    assert found.sentence == (
        "a and b are not distinguishable on these 300 texts: a is right on 1.7 more of 100 (95 %"
        " interval of the difference -2.3 to 5.7; exact McNemar p = 0.52). A difference of 5.8"
        " points would show 4 times in 5; a 3-point difference needs about 1,130."
    )


def test_in_a_tie_the_second_may_be_ahead() -> None:
    found = judged(A, B, difference(170, 17, 22, 91, -0.057, 0.023, 0.52))
    assert "b is right on 1.7 more of 100 (95 % interval of the difference -2.3 to 5.7" in (
        found.sentence
    )


def test_equally_good_contestants_are_both_right_on_as_many() -> None:
    found = judged(A, B, difference(2000, 65, 65, 870, -0.008, 0.008, 1.0))
    assert found.sentence == (
        "a and b are not distinguishable on these 3,000 texts: both are right on 68.8 % (95 %"
        " interval of the difference -0.8 to 0.8; exact McNemar p = 1). A difference of 1.1 points"
        " would show 4 times in 5."
    )


def test_where_no_text_tells_them_apart_the_bound_is_that_of_nothing_found() -> None:
    found = judged(A, B, difference(200, 0, 0, 100, 0.0, 0.0, 1.0))
    assert found.kind is VerdictKind.NOT_DISTINGUISHABLE
    assert found.sentence == (
        "a and b are not distinguishable on these 300 texts: both are right on the same 66.7 %."
        " With 95 % certainty, no more than 1.0 of 100 texts are right for one of them alone."
    )


def test_a_handful_of_texts_that_differ_cannot_tell() -> None:
    found = judged(A, B, difference(250, 3, 0, 47, -0.001, 0.02, 0.25))
    assert found.sentence.endswith(
        "So few unrelated texts are right for one of them alone that no test could tell them apart."
    )


def test_interval_and_test_must_agree_before_a_winner_is_named() -> None:
    for figures in (
        difference(170, 26, 13, 91, 0.003, 0.09, 0.053),
        difference(170, 26, 13, 91, -0.003, 0.09, 0.043),
    ):
        found = judged(A, B, figures)
        assert found.winner is None
        assert found.sentence.endswith(
            " Interval and exact test do not say the same, so that nothing is claimed."
        )


def test_few_texts_are_called_too_few() -> None:
    found = judged(A, B, difference(10, 5, 2, 3, -0.1, 0.4, 0.45))
    assert (found.kind, found.winner) == (VerdictKind.TOO_FEW, None)
    assert found.sentence == (
        "Too few texts to tell a and b apart: of 20, a is right on 15, b on 12. A 5-point"
        " difference needs about 1,100 texts."
    )


def test_a_difference_that_few_texts_show_all_the_same_is_said() -> None:
    found = judged(A, B, difference(0, 20, 0, 0, 1.0, 1.0, 2 / 2**20))
    assert (found.kind, found.winner) == (VerdictKind.BETTER, "a")


def test_every_verdict_on_a_simulated_provider_says_so() -> None:
    one, other = contestant("a", simulated=True), contestant("b", simulated=True)
    figures = difference(700, 110, 47, 143, 0.031, 0.094, 0.0001)
    single = " The provider of a is simulated: this says nothing about a real one."
    assert judged(one, B, figures).sentence.endswith(single)
    assert judged(B, one, figures).sentence.endswith(single)
    assert judged(one, other, figures).sentence.endswith(
        " The providers of a and b are simulated: this says nothing about real ones."
    )
    assert alone(one, rate(1, 2), 2).sentence.endswith(single)
    assert unjudged(one, B, agreed(3, 4)).sentence.endswith(single)


def test_few_wordings_hold_for_texts_like_these_alone() -> None:
    figures = difference(700, 110, 47, 143, 0.031, 0.094, 0.0001)
    assert judged(A, B, figures, wordings=4).sentence.endswith(
        " All texts come from 4 wordings, so that this holds for texts like these alone."
    )
    assert " 1 wording," in judged(A, B, figures, wordings=1).sentence


def agreed(count: int, total: int) -> PairAgreement:
    return PairAgreement(field=None, agreement=rate(count, total), anls=None, kappa=None)


def test_without_gold_agreement_is_all_that_is_said() -> None:
    found = unjudged(A, B, agreed(240, 300))
    assert (found.kind, found.winner) == (VerdictKind.NO_GOLD, None)
    assert found.sentence == (
        "a and b give the same record on 240 of 300 texts (80.0 %, 95 % interval 75.1 to 84.1)."
        " Without gold, nothing says which of them is right."
    )


def test_without_gold_and_without_records_there_is_nothing_to_say() -> None:
    assert unjudged(A, B, agreed(0, 0)).sentence == (
        "a and b have no text of which both give a record. Without gold, nothing says which of them"
        " is right."
    )


def test_one_contestant_is_told_of_alone() -> None:
    found = alone(A, rate(189, 300), 300)
    assert (found.kind, found.winner) == (VerdictKind.ALONE, None)
    assert found.sentence == ("a is right on 63.0 % of 300 texts (95 % interval 57.4 to 68.3).")
    assert alone(A, None, 1, wordings=3).sentence == (
        "a read 1 text; without gold and without a second provider nothing says how well."
    )


def test_a_lead_of_nought_has_no_sign() -> None:
    figures: Any = difference(2000, 65, 65, 870, -0.0001, 0.0, 1.0)
    assert "0.0 to 0.0" in judged(A, B, figures).sentence
