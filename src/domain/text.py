"""Rules for short texts that people type: names of users and products, and names misspelt."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from difflib import get_close_matches

MAX_LENGTH = 255


def storable_problem(value: str) -> str | None:
    """Why PostgreSQL could not store `value` as text, or None when it can."""
    if "\x00" in value:
        return "must not hold a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "must not hold a lone surrogate"
    return None


def label_problem(value: str) -> str | None:
    """Why `value` cannot be a name, or None when it can: 1..255 characters, not blank."""
    if not value.strip():
        return "must not be blank"
    if len(value) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters, has {len(value)}"
    return storable_problem(value)


def closest(name: str, known: Collection[str], *, likeness: float = 0.6) -> str | None:
    """The known name that is most like `name`; None when none is like it.

    Args:
        name: as it was typed.
        known: names that there are.
        likeness: the least that counts, 0..1, of what `difflib` calls the ratio.
    """
    return next(iter(get_close_matches(name, known, n=1, cutoff=likeness)), None)


def suggestion(name: str, known: Collection[str], quoted: Callable[[str], str] = str) -> str:
    """What may be meant by a name that is not known."""
    close = closest(name, known)
    if close is not None:
        return f"did you mean {quoted(close)}?"
    return f"known are {', '.join(known) or 'none'}"


def inert_cell(text: str) -> str:
    """`text` for a cell that a spreadsheet reads: what it may run as a formula is led by `'`.

    That is a text that begins with `=`, `+`, `-` or `@`, in whatever width, and behind whatever
    blanks, apostrophes and invisible characters, or with a tab or the end of a line.
    """
    return f"'{text}" if _is_formula(text) else text


def plain_cell(cell: str) -> str:
    """The text of which `inert_cell` made `cell`."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    for character in text:
        if character in "\t\r\n" or unicodedata.normalize("NFKC", character) in {*"=+-@"}:
            return True
        invisible = character.isspace() or unicodedata.category(character) in {"Cc", "Cf"}
        if not (invisible or character == "'"):
            return False
    return False
