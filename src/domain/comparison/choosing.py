"""Which texts of a dataset are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from domain.comparison.model import LabelledText
from domain.errors import InvalidInput, Violation


def chosen(
    texts: Sequence[LabelledText], *, split: str | None, limit: int | None, seed: int
) -> tuple[LabelledText, ...]:
    """Texts in an order drawn by `seed`, so that any first part of them is a random sample.

    A text and its twins stand together: an attack counts only beside its clean twin. With the same
    seed, a higher limit adds texts and leaves the others in their places.

    Args:
        texts: of the dataset, each id once.
        split: only texts of this part; None for all.
        limit: at most so many (>= 1); None for all.
        seed: of the draw.

    Raises:
        InvalidInput: no text is left.
    """
    found = [text for text in texts if split is None or text.split == split]
    if not found:
        there = ", ".join(sorted({text.split for text in texts})) or "none"
        detail = f"no text of the dataset is in split {split!r}; its splits: {there}"
        raise InvalidInput.of([Violation(pointer="split", detail=detail)])

    def drawn(text: LabelledText) -> tuple[str, str]:
        group = text.twin or text.id
        return hashlib.sha256(f"{seed}\0{group}".encode()).hexdigest(), text.id

    return tuple(sorted(found, key=drawn)[:limit])
