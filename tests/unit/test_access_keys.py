from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.keys import (
    KEY_PATTERN,
    ApiKey,
    KeyEnvironment,
    key_digest,
    key_hint,
    new_key,
)
from domain.access.model import ApiKeyId, Caller, CallerKind, ModelBudget, Scope
from domain.errors import NotAuthenticated

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = ApiKey(
    id=ApiKeyId(12),
    hint="abcd",
    name="till",
    scopes=frozenset({Scope.RECORDS_WRITE}),
    networks=(),
    requests_per_minute=60,
    budget=ModelBudget(tokens=5),
    created_by="command:ann",
    created_at=NOW - timedelta(days=1),
    expires_at=NOW + timedelta(days=1),
)


def test_a_new_key_has_the_stated_form_and_is_found_by_its_digest() -> None:
    key = new_key(KeyEnvironment.LIVE, secrets.randbelow)
    assert re.fullmatch(KEY_PATTERN, key)
    assert (len(key), key[:9]) == (52, "stk_live_")
    assert key_digest(key) == hashlib.sha256(key.encode()).digest()
    assert key_hint(key) == key[-4:]


def test_the_checksum_is_that_of_the_crc32_of_what_precedes() -> None:
    key = new_key(KeyEnvironment.TEST, lambda _: 0)
    assert key == "stk_test_" + "0" * 37 + key[-6:]
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value = 0
    for character in key[-6:]:
        value = value * 62 + digits.index(character)

    assert value == zlib.crc32(key[:-6].encode())


@given(position=st.integers(0, 51), letter=st.sampled_from("0aZ_-é \n"))
def test_a_key_with_one_letter_changed_is_refused_without_a_look_up(
    position: int, letter: str
) -> None:
    key = new_key(KeyEnvironment.LIVE, lambda n: 7 % n)
    changed = key[:position] + letter + key[position + 1 :]
    if changed != key:
        with pytest.raises(NotAuthenticated) as refused:
            key_digest(changed)
        assert refused.value.reason in {"malformed_key", "wrong_checksum"}


def test_a_key_that_holds_gives_a_caller_with_its_rights() -> None:
    assert KEY.caller(now=NOW, address=None) == Caller(
        kind=CallerKind.KEY,
        subject="key:12",
        name="till",
        scopes=frozenset({Scope.RECORDS_WRITE}),
        key_id=ApiKeyId(12),
        requests_per_minute=60,
        budget=ModelBudget(tokens=5),
        expires_at=NOW + timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (replace(KEY, revoked_at=NOW), "revoked_key"),
        (replace(KEY, expires_at=NOW), "expired_key"),
        (replace(KEY, networks=(ip_network("10.0.0.0/8"),)), "other_network"),
    ],
)
def test_a_key_that_does_not_hold_is_refused_with_the_reason(key: ApiKey, reason: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        key.caller(now=NOW, address=ip_address("192.0.2.1"))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("11.0.0.1", False),
        ("::10.1.2.3", False),
        (None, False),
    ],
)
def test_networks_hold_ipv4_addresses_in_the_form_of_ipv6_too(
    address: str | None, accepted: bool
) -> None:
    key = replace(KEY, networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    given_address = None if address is None else ip_address(address)
    if accepted:
        assert key.caller(now=NOW, address=given_address).key_id == 12
    else:
        with pytest.raises(NotAuthenticated):
            key.caller(now=NOW, address=given_address)
