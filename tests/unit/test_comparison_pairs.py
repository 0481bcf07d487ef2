"""How many texts a difference needs, and Holm's correction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.comparison.pairs import detectable_difference, holm, texts_needed


@pytest.mark.parametrize(
    ("difference", "discordance", "texts"),
    [
        # (1.95996 sqrt(.13) + .84162 sqrt(.13 - .0009))^2 / .0009
        (0.03, 0.13, 1132),
        # (1.95996 sqrt(.15) + .84162 sqrt(.15 - .0025))^2 / .0025
        (0.05, 0.15, 469),
        # Fewer pairs cannot differ than the difference: d = 0.05, (1.95996 sqrt(.05)
        # + .84162 sqrt(.0475))^2 / .0025
        (0.05, 0.0, 155),
        # All of them on one side: (1.95996 + 0)^2
        (1.0, 1.0, 4),
    ],
)
def test_texts_needed_are_those_of_the_formula(
    difference: float, discordance: float, texts: int
) -> None:
    assert texts_needed(difference, discordance) == texts


@given(texts=st.integers(10, 10_000), discordance=st.floats(0.001, 1))
def test_the_detectable_difference_is_the_smallest_for_which_the_texts_suffice(
    texts: int, discordance: float
) -> None:
    found = detectable_difference(texts, discordance)
    if found is None:
        assert texts_needed(discordance, discordance) > texts
    else:
        assert texts_needed(found, discordance) <= texts
        assert texts_needed(found * 0.99, discordance) >= texts - 1


def test_where_nothing_differs_no_difference_can_be_detected() -> None:
    assert detectable_difference(1000, 0.0) is None
    assert detectable_difference(20, 0.1) is None


def test_holms_steps_are_those_worked_out_by_hand() -> None:
    # Sorted .01, .02, .03, .04 times 4, 3, 2, 1, never falling.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.01, 0.5, 0.9]) == pytest.approx([0.03, 1.0, 1.0])
    assert holm([]) == []
