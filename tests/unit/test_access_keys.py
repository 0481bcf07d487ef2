from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.keys import (
    KEY_PATTERN,
    ApiKey,
    ApiKeyDraft,
    KeyEnvironment,
    KeyState,
    draft_violations,
    key_digest,
    key_hint,
    key_network,
    key_networks,
    new_key,
)
from domain.access.model import ApiKeyId, Caller, CallerKind, ModelBudget, Scope
from domain.errors import NotAuthenticated

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = ApiKey(
    id=ApiKeyId(12),
    hint="abcd",
    name="till",
    environment=KeyEnvironment.LIVE,
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


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, KeyState.ACTIVE),
        (replace(KEY, expires_at=None), KeyState.ACTIVE),
        (replace(KEY, replaced_by=ApiKeyId(13)), KeyState.REPLACED),
        (replace(KEY, expires_at=NOW, replaced_by=ApiKeyId(13)), KeyState.EXPIRED),
        (replace(KEY, expires_at=NOW, revoked_at=NOW), KeyState.REVOKED),
        (replace(KEY, revoked_at=NOW + timedelta(seconds=1)), KeyState.ACTIVE),
    ],
)
def test_a_key_is_active_until_it_is_replaced_expired_or_revoked(
    key: ApiKey, state: KeyState
) -> None:
    assert key.state(NOW) is state


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 203.0.113.7 ", "203.0.113.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0:0::1", "2001:db8::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_read_in_the_form_in_which_addresses_are_compared(
    written: str, network: str
) -> None:
    assert key_network(written) == ip_network(network)


@pytest.mark.parametrize(
    "written",
    [
        *("", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "010.0.0.1"),
        *(
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "10.0.0.0/8,11.0.0.0/8",
            "256.0.0.1",
            "2001:db8::g",
        ),
        *("\u0661\u0660.0.0.0/8", "10.0.0.0 /8", "*"),
    ],
)
def test_what_is_no_network_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no network: .*10\.0\.0\.0/8"):
        key_network(written)


def test_an_address_inside_of_a_network_is_refused_with_both_that_may_be_meant() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/24 .*10\.0\.0\.5 for the one address"):
        key_network("10.0.0.5/24")


def test_networks_are_kept_once_each_and_every_bad_one_is_named() -> None:
    networks, faults = key_networks(["10.0.0.0/8", "here", "10.0.0.0/8", "10.0.0.1/8"])
    assert networks == (ip_network("10.0.0.0/8"),)
    assert [fault.pointer for fault in faults] == ["/networks/1", "/networks/3"]


def test_more_than_a_hundred_networks_are_refused() -> None:
    _, faults = key_networks([f"10.0.0.{number}" for number in range(101)])
    assert [fault.pointer for fault in faults] == ["/networks"]


DRAFT = ApiKeyDraft(
    name="Kasse Süd",
    environment=KeyEnvironment.LIVE,
    scopes=frozenset({Scope.RECORDS_READ}),
    budget=ModelBudget(usd=Decimal("0.5"), tokens=0),
    expires_at=NOW + timedelta(days=366),
    created_by="local",
)


def test_a_sound_draft_has_no_faults() -> None:
    assert draft_violations(DRAFT, now=NOW) == []
    assert draft_violations(replace(DRAFT, expires_at=None), now=NOW) == []


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (replace(DRAFT, name=""), "/name"),
        (replace(DRAFT, name="   "), "/name"),
        (replace(DRAFT, name="x" * 101), "/name"),
        (replace(DRAFT, name="till\x1b[2J"), "/name"),
        (replace(DRAFT, name="till\nadmin"), "/name"),
        (replace(DRAFT, name="ti\u202ell"), "/name"),
        (replace(DRAFT, name="ti\ud800ll"), "/name"),
        (replace(DRAFT, scopes=frozenset()), "/scopes"),
        (replace(DRAFT, requests_per_minute=0), "/requests_per_minute"),
        (replace(DRAFT, requests_per_minute=1_000_001), "/requests_per_minute"),
        (replace(DRAFT, budget=ModelBudget(usd=Decimal(-1))), "/budget/usd"),
        (replace(DRAFT, budget=ModelBudget(tokens=10**15 + 1)), "/budget/tokens"),
        (replace(DRAFT, expires_at=NOW), "/expires_at"),
        (replace(DRAFT, expires_at=NOW + timedelta(days=366, seconds=1)), "/expires_at"),
    ],
)
def test_what_a_key_cannot_have_is_named(draft: ApiKeyDraft, pointer: str) -> None:
    assert [fault.pointer for fault in draft_violations(draft, now=NOW)] == [pointer]


def test_all_faults_of_a_draft_are_named_at_once() -> None:
    draft = replace(DRAFT, name="", scopes=frozenset(), expires_at=NOW)
    found = [fault.pointer for fault in draft_violations(draft, now=NOW)]
    assert found == ["/name", "/scopes", "/expires_at"]


@pytest.mark.parametrize(
    ("given", "implied"),
    [
        (Scope.ADMIN, set(Scope)),
        (Scope.RECORDS_WRITE, {Scope.RECORDS_WRITE, Scope.RECORDS_READ}),
        (Scope.INSIGHTS_WRITE, {Scope.INSIGHTS_WRITE, Scope.INSIGHTS_READ}),
        *((each, {each}) for each in (Scope.RECORDS_READ, Scope.INSIGHTS_READ, Scope.EXTRACT)),
    ],
)
def test_admin_implies_every_scope_and_writing_implies_reading(
    given: Scope, implied: set[Scope]
) -> None:
    caller = replace(KEY, scopes=frozenset({given})).caller(now=NOW, address=None)
    assert {scope for scope in Scope if caller.may(scope)} == implied
