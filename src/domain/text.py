"""Rules for short texts that people type: names of users and products."""

from __future__ import annotations

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


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def inert_cell(text: str) -> str:
    """`text` for a cell that a spreadsheet reads: what it would run as a formula is led by `'`."""
    return f"'{text}" if text.startswith(_FORMULA) else text
