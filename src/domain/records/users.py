"""Users: who they are and what may be said of them. No I/O, no clock, no ports."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType

from domain.errors import Violation
from domain.text import label_problem

UserId = NewType("UserId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user as stored.

    Attributes:
        id: 1..2,147,483,647, given by the database.
        name: 1..255 characters, not blank, as typed.
        email: as typed; unique by its `mailbox`.
        created_at: aware UTC; None in a row that another program wrote without it.
        version: 1 and up, one more with every change.
    """

    id: UserId
    name: str
    email: str
    created_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDraft:
    """A user who is to be stored."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanges:
    """What is to change; None leaves a member as it is."""

    name: str | None = None
    email: str | None = None


def mailbox(address: str) -> str:
    """The mailbox that an address names; the function `mailbox` of the database gives the same.

    In lower case, each letter by itself, with composed letters; the domain in the letters of its
    own script, whether it came so or as Punycode (RFC 3492).
    """
    local, at, domain = address.rpartition("@")
    domain = _lower("NFKC", domain).replace("\u3002", ".")
    return _lower("NFC", local) + at + ".".join(map(_label, domain.split(".")))


def _label(label: str) -> str:
    """One label of a domain name, in lower case, as people read it."""
    if not label.startswith("xn--"):
        return label
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    return label if decoded.isascii() else _lower("NFC", decoded)


def _lower(form: Literal["NFC", "NFKC"], text: str) -> str:
    letters = unicodedata.normalize(form, text)
    lowered = "".join("i" if letter == "\u0130" else letter.lower() for letter in letters)
    return unicodedata.normalize(form, lowered)


def name_violations(members: Mapping[str, object]) -> list[Violation]:
    """What is wrong with `name` among well-typed members; absent or None is right."""
    name = members.get("name")
    problem = label_problem(name) if isinstance(name, str) else None
    return [] if problem is None else [Violation(pointer="/name", detail=problem)]
