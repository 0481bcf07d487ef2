"""How near two values are: edit distance, and the best pairing of two lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

THRESHOLD: Final = 0.5
"""Texts that share less count as different altogether (ANLS, Biten et al. 2019)."""


def edit_distance(first: str, second: str) -> int:
    """Insertions, deletions and replacements that make one text the other (Levenshtein 1966).

    Counted for a whole column at a time, one bit a character (Myers 1999, Hyyrö 2003), on Python's
    unbounded integers.
    """
    if len(first) > len(second):
        first, second = second, first
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for index, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << index
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    # Whether a cell of the table of distances is one more, or one less, than the cell above it.
    more, less, distance = every, 0, len(first)
    for character in second:
        equal = places.get(character, 0)
        level = (((equal & more) + more) ^ more) | equal | less
        right_more, right_less = less | ~(level | more), level & more
        if right_more & last:
            distance += 1
        elif right_less & last:
            distance -= 1
        right_more, right_less = right_more << 1 | 1, right_less << 1
        more, less = (right_less | ~(level | right_more)) & every, right_more & level & every
    return distance


def text_similarity(first: str, second: str) -> float:
    """Normalised Levenshtein similarity, 0 below the threshold, 1 when equal."""
    if first == second:
        return 1.0
    longest = max(len(first), len(second))
    if min(len(first), len(second)) < THRESHOLD * longest:
        return 0.0  # at least the difference in length has to be inserted
    similarity = 1 - edit_distance(first, second) / longest
    return similarity if similarity >= THRESHOLD else 0.0


def best_pairing(scores: Sequence[Sequence[float]]) -> float:
    """The highest sum of scores when each row is paired with a column of its own.

    The Hungarian method (Kuhn 1955) by shortest augmenting paths with potentials; time grows as
    rows squared times columns.

    Args:
        scores: a rectangle, at least one row and at most as many rows as columns.
    """
    rows, columns = len(scores), len(scores[0])
    # Row and column 0 stand for "none": the search for a partner starts there.
    row_price, column_price = [0.0] * (rows + 1), [0.0] * (columns + 1)
    partner = [0] * (columns + 1)
    for row in range(1, rows + 1):
        partner[0] = row
        column = 0
        cheapest = [float("inf")] * (columns + 1)
        came_from = [0] * (columns + 1)
        done = [False] * (columns + 1)
        while partner[column]:
            done[column] = True
            step, following = float("inf"), 0
            at = partner[column]
            for each in range(1, columns + 1):
                if done[each]:
                    continue
                cost = -scores[at - 1][each - 1] - row_price[at] - column_price[each]
                if cost < cheapest[each]:
                    cheapest[each], came_from[each] = cost, column
                if cheapest[each] < step:
                    step, following = cheapest[each], each
            for each in range(columns + 1):
                if done[each]:
                    row_price[partner[each]] += step
                    column_price[each] -= step
                else:
                    cheapest[each] -= step
            column = following
        while column:
            partner[column] = partner[came_from[column]]
            column = came_from[column]
    return sum(scores[row - 1][column - 1] for column, row in enumerate(partner) if column and row)
