"""API keys: their form, and when one lets a caller in.

A key is `stk_<environment>_`, 37 random characters of base62 (220 bits) and 6 characters of
base62 of the CRC32 of all that precedes: 52 characters with `live` or `test`. A typo or a find of
a secret scanner is told from a key without a look-up. What is stored is its SHA-256: 220 random
bits need no slow hash, and no secret of ours whose rotation would end every key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
)
from typing import Final, TypeAlias
from unicodedata import category
from zlib import crc32

from domain.access.model import ApiKeyId, BudgetChanges, Caller, CallerKind, ModelBudget, Scope
from domain.errors import NotAuthenticated, Violation
from domain.text import label_problem

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

DEFAULT_LIFETIME: Final = timedelta(days=90)
MAX_LIFETIME: Final = timedelta(days=366)
MAX_NAME_LENGTH: Final = 100
MAX_NETWORKS: Final = 100
MAX_REQUESTS_PER_MINUTE: Final = 1_000_000
MAX_USD: Final = 1_000_000_000
MAX_TOKENS: Final = 1_000_000_000_000_000

_NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", re.ASCII)


class KeyEnvironment(StrEnum):
    """What a key is for, as everybody who sees one can read; it changes no right."""

    LIVE = "live"
    TEST = "test"


class KeyState(StrEnum):
    """How a key stands."""

    ACTIVE = "active"
    REPLACED = "replaced"
    """Accepted still, beside the key that a rotation made in its place."""
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyDraft:
    """A key that is to be stored.

    Attributes:
        name: for people; 1..100 characters, not blank, none that a terminal would obey. Keys may
            share one.
        environment: what it is for.
        scopes: one at least.
        networks: from which it is accepted; empty for any.
        requests_per_minute: a limit of its own, 1..1,000,000; None for the one of the settings.
        budget: what it may spend on language models, up to 1e9 US dollars and 1e15 tokens a day.
        expires_at: aware UTC; None for never.
        created_by: the subject of who made it.
    """

    name: str
    environment: KeyEnvironment
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
        name, environment, scopes, networks, requests_per_minute, budget, expires_at, created_by:
            see `ApiKeyDraft`.
        created_at: aware UTC.
        last_used_at: to the minute; None before its first use.
        revoked_at: since when it is refused; None while it is not.
        replaced_by: the key that a rotation made in its place.
        holder: who calls with it, once that is allowed; made here, once for many requests.
    """

    id: ApiKeyId
    hint: str
    name: str
    environment: KeyEnvironment
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
    holder: Caller = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        holder = Caller(
            kind=CallerKind.KEY,
            subject=f"key:{self.id}",
            name=self.name,
            scopes=self.scopes,
            key_id=self.id,
            requests_per_minute=self.requests_per_minute,
            budget=self.budget,
            expires_at=self.expires_at,
        )
        object.__setattr__(self, "holder", holder)  # as frozen dataclasses set theirs

    def caller(self, *, now: datetime, address: Address | None) -> Caller:
        """Who calls with this key.

        Args:
            now: aware UTC.
            address: where the request comes from; None when that is unknown, which is in no
                network.

        Raises:
            NotAuthenticated: the key is revoked or expired, or not accepted from there.
        """
        state = self.state(now)
        if state is KeyState.REVOKED:
            raise NotAuthenticated(
                "This key was revoked. Ask who gave it to you for another.", reason="revoked_key"
            )
        if state is KeyState.EXPIRED:
            raise NotAuthenticated(
                "This key has expired. Ask who gave it to you for another.", reason="expired_key"
            )
        if self.networks and not is_within(address, self.networks):
            raise NotAuthenticated(
                "This key is not accepted from this address. Call from a network that it is for, or"
                " ask for another key.",
                reason="other_network",
            )
        return self.holder

    def state(self, now: datetime) -> KeyState:
        """How it stands; a key that was revoked stays so when it expires."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        return KeyState.ACTIVE if self.replaced_by is None else KeyState.REPLACED


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
    return text_digest(key)


# In a busy process OpenSSL takes 10 us for it, and each request asks. Of texts up to 8 KB, as the
# middleware lets through, 8 MB may be kept.
@lru_cache(maxsize=1024)
def text_digest(text: str) -> bytes:
    """The SHA-256 of what may be a key, 32 bytes, whatever its form."""
    return hashlib.sha256(text.encode(errors="replace")).digest()


def key_hint(key: str) -> str:
    """The last characters of a key, by which a person knows it again."""
    return key[-_HINT_CHARACTERS:]


def key_network(text: str) -> Network:
    """The network that a text names: `10.0.0.0/8`, `2001:db8::/32`, or one address.

    IPv4 networks written as IPv6 are those of IPv4.

    Raises:
        ValueError: it names none; says what to write in its place.
    """
    interface = _interface(text.strip())
    if interface is None:
        raise ValueError(
            "is no network: write an address such as 203.0.113.7, or a network such as"
            " 10.0.0.0/8 or 2001:db8::/32"
        )
    network: Network = interface.network
    if interface.ip != network.network_address:
        raise ValueError(
            f"names an address inside of a network: write {network} for all of the network, or"
            f" {interface.ip} for the one address"
        )
    first = network.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped is not None and network.prefixlen >= 96:
        return IPv4Network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def _interface(written: str) -> IPv4Interface | IPv6Interface | None:
    if not _NETWORK.fullmatch(written):
        return None
    try:
        return ip_interface(written)
    except ValueError:
        return None


def key_networks(texts: Sequence[str]) -> tuple[tuple[Network, ...], list[Violation]]:
    """The networks that texts name, each once, and what is wrong with the others."""
    found: dict[Network, None] = {}
    faults = []
    for place, text in enumerate(texts):
        try:
            found[key_network(text)] = None
        except ValueError as error:
            faults.append(Violation(pointer=f"/networks/{place}", detail=str(error)))
    if len(found) > MAX_NETWORKS:
        detail = f"must have at most {MAX_NETWORKS} networks, has {len(found)}"
        faults.append(Violation(pointer="/networks", detail=detail))
    return tuple(found), faults


def draft_violations(draft: ApiKeyDraft, *, now: datetime) -> list[Violation]:
    """What is wrong with a key that is to be stored; its networks are right by their type."""
    faults = {
        "name": key_name_problem(draft.name),
        "scopes": None if draft.scopes else "must have one scope at least",
        "requests_per_minute": _range_problem(
            draft.requests_per_minute, 1, MAX_REQUESTS_PER_MINUTE
        ),
        "expires_at": _expiry_problem(draft.expires_at, now),
    }
    return [
        *(
            Violation(pointer=f"/{place}", detail=detail)
            for place, detail in faults.items()
            if detail is not None
        ),
        *budget_violations(draft.budget),
    ]


def budget_violations(budget: ModelBudget | BudgetChanges) -> list[Violation]:
    """What is wrong with the amounts of a budget."""
    faults = {
        "/budget/usd": _range_problem(budget.usd, 0, MAX_USD),
        "/budget/tokens": _range_problem(budget.tokens, 0, MAX_TOKENS),
    }
    return [
        Violation(pointer=place, detail=detail)
        for place, detail in faults.items()
        if detail is not None
    ]


def key_name_problem(name: str) -> str | None:
    """Why a key cannot have this name; None when it can."""
    if len(name) > MAX_NAME_LENGTH:
        return f"must have at most {MAX_NAME_LENGTH} characters, has {len(name)}"
    if any(category(character) in {"Cc", "Cf", "Zl", "Zp"} for character in name):
        return "must not hold control or invisible characters"
    return label_problem(name)


def _range_problem(value: Decimal | int | None, least: int, most: int) -> str | None:
    if value is None or least <= value <= most:
        return None
    return f"must be in {least}..{most}"


def _expiry_problem(expires_at: datetime | None, now: datetime) -> str | None:
    if expires_at is None:
        return None
    if expires_at <= now:
        return "must be in the future"
    if expires_at > now + MAX_LIFETIME:
        return f"must be within {MAX_LIFETIME.days} days, or never"
    return None


def _checksum(start: str) -> str:
    number = crc32(start.encode("ascii"))
    digits = ""
    for _ in range(_CHECK_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
