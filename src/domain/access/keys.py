"""API keys: their form, and when one lets a caller in.

A key is `stk_<environment>_`, 37 random characters of base62 (220 bits) and 6 characters of
base62 of the CRC32 of all that precedes: 52 characters with `live` or `test`. A typo or a find of
a secret scanner is told from a key without a look-up. What is stored is its SHA-256: 220 random
bits need no slow hash, and no secret of ours whose rotation would end every key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias
from zlib import crc32

from domain.access.model import ApiKeyId, Caller, CallerKind, ModelBudget, Scope
from domain.errors import NotAuthenticated

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

KEY_START: Final = "stk_"
"""What every key begins with, and no token."""

KEY_PATTERN: Final = r"stk_(live|test)_[0-9A-Za-z]{43}"
"""For secret scanners; the last 6 characters are a checksum."""

_KEY: Final = re.compile(KEY_PATTERN)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS: Final = 37
_CHECK_CHARACTERS: Final = 6
_HINT_CHARACTERS: Final = 4


class KeyEnvironment(StrEnum):
    """What a key is for, as everybody who sees one can read; it changes no right."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyDraft:
    """A key that is to be stored.

    Attributes:
        name: 1..255 characters, not blank, for people.
        scopes: one at least.
        networks: from which it is accepted; empty for any.
        requests_per_minute: a limit of its own, > 0; None for the one of the settings.
        budget: what it may spend on language models.
        expires_at: aware UTC; None for never.
        created_by: the subject of who made it.
    """

    name: str
    scopes: frozenset[Scope]
    networks: tuple[Network, ...] = ()
    requests_per_minute: int | None = None
    budget: ModelBudget = field(default_factory=ModelBudget)
    expires_at: datetime | None = None
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as stored, without its secret.

    Attributes:
        id: 1 and up, given by the database.
        hint: the last 4 characters of the key, by which a person knows it again.
        name, scopes, networks, requests_per_minute, budget, expires_at, created_by: see
            `ApiKeyDraft`.
        created_at: aware UTC.
        last_used_at: to the minute; None before its first use.
        revoked_at: since when it is refused; None while it is not.
        replaced_by: the key that a rotation made in its place.
    """

    id: ApiKeyId
    hint: str
    name: str
    scopes: frozenset[Scope]
    networks: tuple[Network, ...]
    requests_per_minute: int | None
    budget: ModelBudget
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: ApiKeyId | None = None

    def caller(self, *, now: datetime, address: Address | None) -> Caller:
        """Who calls with this key.

        Args:
            now: aware UTC.
            address: where the request comes from; None when that is unknown, which is in no
                network.

        Raises:
            NotAuthenticated: the key is revoked or expired, or not accepted from there.
        """
        if self.revoked_at is not None and self.revoked_at <= now:
            raise NotAuthenticated("This key was revoked.", reason="revoked_key")
        if self.expires_at is not None and self.expires_at <= now:
            raise NotAuthenticated("This key has expired.", reason="expired_key")
        if self.networks and not is_within(address, self.networks):
            raise NotAuthenticated(
                "This key is not accepted from this address.", reason="other_network"
            )
        return Caller(
            kind=CallerKind.KEY,
            subject=f"key:{self.id}",
            name=self.name,
            scopes=self.scopes,
            key_id=self.id,
            requests_per_minute=self.requests_per_minute,
            budget=self.budget,
            expires_at=self.expires_at,
        )


def is_within(address: Address | None, networks: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address written as IPv6 does too."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in networks)


def new_key(environment: KeyEnvironment, draw: Callable[[int], int]) -> str:
    """A key that nobody has.

    Args:
        environment: what it is for.
        draw: a number of 0..n-1 for n, as `secrets.randbelow` does.
    """
    body = "".join(_DIGITS[draw(len(_DIGITS))] for _ in range(_RANDOM_CHARACTERS))
    start = f"{KEY_START}{environment}_{body}"
    return start + _checksum(start)


def key_digest(key: str) -> bytes:
    """The SHA-256 of a key, 32 bytes, under which it is stored and found.

    Raises:
        NotAuthenticated: it has not the form of a key, or its checksum is wrong.
    """
    if _KEY.fullmatch(key) is None:
        raise NotAuthenticated(
            "This is not a key: it has not the form stk_live_ or stk_test_ and 43 letters and"
            " digits. Copy it again.",
            reason="malformed_key",
        )
    if _checksum(key[:-_CHECK_CHARACTERS]) != key[-_CHECK_CHARACTERS:]:
        raise NotAuthenticated(
            "This is not a key: its last characters do not fit the others. Copy it again.",
            reason="wrong_checksum",
        )
    return hashlib.sha256(key.encode("ascii")).digest()


def key_hint(key: str) -> str:
    """The last characters of a key, by which a person knows it again."""
    return key[-_HINT_CHARACTERS:]


def _checksum(start: str) -> str:
    number = crc32(start.encode("ascii"))
    digits = ""
    for _ in range(_CHECK_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
