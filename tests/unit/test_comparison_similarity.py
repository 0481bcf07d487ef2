"""Edit distance and best pairing, against the plain methods that define them."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.comparison.similarity import best_pairing, edit_distance, text_similarity

WORDS = st.text(alphabet="abcé漢 ", max_size=90)


def by_table(first: str, second: str) -> int:
    """Levenshtein's table, cell by cell (Wagner and Fischer 1974)."""
    above = list(range(len(second) + 1))
    for row, one in enumerate(first, start=1):
        line = [row]
        for column, other in enumerate(second, start=1):
            swap = above[column - 1] + (one != other)
            line.append(min(swap, above[column] + 1, line[-1] + 1))
        above = line
    return above[-1]


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("a", "a", 0)],
)
def test_known_distances(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


@given(first=WORDS, second=WORDS)
def test_the_distance_is_that_of_the_table(first: str, second: str) -> None:
    assert edit_distance(first, second) == by_table(first, second)


@given(first=WORDS, second=WORDS)
def test_similarity_is_what_the_distance_leaves_of_the_longer_text(first: str, second: str) -> None:
    left = 1 - by_table(first, second) / max(len(first), len(second), 1)
    assert text_similarity(first, second) == (left if left >= 0.5 else 0.0)


SQUARES = st.integers(1, 5).flatmap(
    lambda rows: st.integers(rows, 5).flatmap(
        lambda columns: st.lists(
            st.lists(st.floats(0, 1), min_size=columns, max_size=columns),
            min_size=rows,
            max_size=rows,
        )
    )
)


@given(scores=SQUARES)
def test_no_other_pairing_scores_more(scores: list[list[float]]) -> None:
    best = max(
        sum(row[column] for row, column in zip(scores, chosen, strict=True))
        for chosen in permutations(range(len(scores[0])), len(scores))
    )
    assert best_pairing(scores) == pytest.approx(best)


def test_the_greedy_pairing_is_not_the_best() -> None:
    # Taking 0.9 first leaves 0.0; 0.8 and 0.7 together are more.
    assert best_pairing([[0.9, 0.8], [0.7, 0.0]]) == pytest.approx(1.5)
