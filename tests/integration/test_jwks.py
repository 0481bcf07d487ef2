"""The key set of an identity provider: rotated, revoked, gone, slow, huge and garbage."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tokens.health import JwksDiagnosticCheck
from adapters.tokens.jwks import LARGEST_SET, JwksCache, open_client
from adapters.tokens.keys import BadKeySet, read_key_set
from adapters.tokens.verifier import JwtVerifier
from domain.errors import JwksUnavailable, NotAuthenticated
from tests.fakes.system import StandingClock
from tests.integration.identity_provider import (
    EC,
    ED,
    OTHER_EC,
    P384,
    RSA,
    RULES,
    WEAK_RSA,
    IdentityProvider,
    b64_json,
    claims_at,
    header_for,
    http_answer,
    identity_provider,
    public_jwk,
    signed,
)


class Timer:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as running:
        yield running


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def now() -> float:
    return StandingClock().now().timestamp()


@pytest.fixture
async def jwks(provider: IdentityProvider, timer: Timer) -> AsyncIterator[JwksCache]:
    async with open_client() as client:
        opened = JwksCache(provider.url, client, timer)
        yield opened
        await opened.aclose()


@pytest.fixture
def verifier(jwks: JwksCache) -> JwtVerifier:
    return JwtVerifier(RULES, jwks, StandingClock())


async def is_accepted(verifier: JwtVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except NotAuthenticated:
        return False
    return True


async def until_asked(provider: IdentityProvider, times: int) -> None:
    async with asyncio.timeout(20):
        while provider.requests < times:
            await asyncio.sleep(0.001)


async def until_done(jwks: JwksCache) -> None:
    async with asyncio.timeout(20):
        while jwks._fetching is not None:
            await asyncio.sleep(0.001)


async def test_a_rotation_by_way_of_a_standby_key_refuses_nobody(
    verifier: JwtVerifier, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    before = provider.token(now)
    assert await is_accepted(verifier, before)
    provider.standby = {"two": RSA}
    timer.seconds += 60
    assert await is_accepted(verifier, before)
    provider.rotate()
    after = provider.token(now)
    # Known from its standby already: nobody is asked.
    assert await is_accepted(verifier, after)
    assert await is_accepted(verifier, before)
    assert provider.requests == 2
    provider.revoke()
    assert await is_accepted(verifier, before)
    timer.seconds += 59.9
    await is_accepted(verifier, before)
    timer.seconds += 0.1
    assert not await is_accepted(verifier, before)
    assert not await is_accepted(verifier, before)
    assert await is_accepted(verifier, after)


async def test_a_key_that_came_without_standby_is_found_at_its_first_token(
    verifier: JwtVerifier, provider: IdentityProvider, now: float
) -> None:
    assert await is_accepted(verifier, provider.token(now))
    provider.standby = {"two": OTHER_EC}
    provider.rotate()
    assert await is_accepted(verifier, provider.token(now))
    assert provider.requests == 2


async def test_unknown_keys_have_the_set_fetched_once_in_ten_seconds(
    verifier: JwtVerifier, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    def forged(kid: str) -> str:
        return signed(OTHER_EC, b64_json(header_for(EC, kid)), b64_json(claims_at(now)))

    for n in range(50):
        assert not await is_accepted(verifier, forged(f"unknown {n}"))
    assert provider.requests == 2
    timer.seconds += 9.9
    assert not await is_accepted(verifier, forged("unknown"))
    assert provider.requests == 2
    timer.seconds += 0.1
    provider.hold.clear()
    waiting = [
        asyncio.create_task(is_accepted(verifier, forged(f"unknown {n}"))) for n in range(50)
    ]
    await until_asked(provider, 3)
    # Others are not held up meanwhile.
    assert await is_accepted(verifier, provider.token(now))
    provider.hold.set()
    assert not any(await asyncio.gather(*waiting))
    assert provider.requests == 3


async def test_a_token_that_would_be_refused_anyway_has_nothing_fetched(
    verifier: JwtVerifier, provider: IdentityProvider, now: float
) -> None:
    assert await is_accepted(verifier, provider.token(now))
    header = b64_json(header_for(OTHER_EC, "unknown"))
    for changes in ({"iss": "https://other"}, {"exp": 5}, {"aud": "other"}, {"sub": None}):
        payload = b64_json(claims_at(now, **changes))
        assert not await is_accepted(verifier, signed(OTHER_EC, header, payload))
    assert provider.requests == 1


async def test_the_first_tokens_share_one_fetch_and_who_gives_up_does_not_end_it(
    verifier: JwtVerifier, provider: IdentityProvider, now: float
) -> None:
    provider.hold.clear()
    first, *others = [
        asyncio.create_task(is_accepted(verifier, provider.token(now, sub=f"user {n}")))
        for n in range(20)
    ]
    await until_asked(provider, 1)
    first.cancel()
    provider.hold.set()
    assert all(await asyncio.gather(*others))
    assert first.cancelled()
    assert provider.requests == 1


async def test_in_use_the_set_is_fetched_anew_beside_the_work(
    verifier: JwtVerifier, jwks: JwksCache, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    token = provider.token(now)
    assert await is_accepted(verifier, token)
    timer.seconds += 45
    provider.hold.clear()
    assert await is_accepted(verifier, token)  # though nobody answers
    await until_asked(provider, 2)
    provider.hold.set()
    await until_done(jwks)
    timer.seconds += 44.9
    assert await is_accepted(verifier, token)
    assert provider.requests == 2


FAILURES = {
    "500": http_answer(b"{}", "500 Internal Server Error"),
    "404": http_answer(b'{"keys":[]}', "404 Not Found"),
    "no content": http_answer(b"", "204 No Content"),
    "redirect": http_answer(b"", "302 Found", "Location: http://127.0.0.1:9/jwks.json"),
    "redirect to a file": http_answer(b"", "301 Moved", "Location: file:///etc/passwd"),
    "empty": http_answer(b""),
    "text": http_answer(b"<html>We'll be back soon</html>"),
    "not UTF-8": http_answer(b'{"keys":["\xff"]}'),
    "twice": http_answer(b'{"keys":[],"keys":[]}'),
    "a list": http_answer(b"[]"),
    "null": http_answer(b"null"),
    "no keys": http_answer(b'{"key":[]}'),
    "keys is none": http_answer(b'{"keys":null}'),
    "keys is an object": http_answer(b'{"keys":{"kty":"EC"}}'),
    "deep": http_answer(b"[" * 100_000),
    "many keys": http_answer(b'{"keys":[' + b",".join([b"{}"] * 101) + b"]}"),
    "huge": http_answer(b'{"keys":[]' + b" " * LARGEST_SET + b"}"),
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 5_000_000,
    "compressed": http_answer(gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip"),
    "cut": b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"keys":[]}',
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_the_last_good_set_outlives_every_failure(
    verifier: JwtVerifier,
    jwks: JwksCache,
    provider: IdentityProvider,
    timer: Timer,
    now: float,
    failure: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await is_accepted(verifier, provider.token(now))
    provider.answer = FAILURES[failure]
    for _ in range(30):
        timer.seconds += 60
        assert await is_accepted(verifier, provider.token(now, sub=f"at {timer.seconds}"))
        await until_done(jwks)
    assert provider.requests == 31
    (line,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert line.getMessage().startswith("JWT_JWKS_URL ")
    assert line.getMessage().endswith("; the last keys are kept")
    provider.answer = None
    provider.in_use = {"two": OTHER_EC}
    timer.seconds += 60
    await is_accepted(verifier, provider.token(now))
    await until_done(jwks)
    assert await is_accepted(verifier, provider.token(now))
    assert caplog.messages[-1] == "JWT_JWKS_URL answers again"


async def test_after_a_failure_nobody_waits_for_the_next_fetch(
    verifier: JwtVerifier, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    token = provider.token(now)
    assert await is_accepted(verifier, token)
    provider.answer = b""
    timer.seconds += 60
    assert await is_accepted(verifier, token)
    for _ in range(20):  # a pause, in which nobody is asked
        assert await is_accepted(verifier, token)
    assert provider.requests == 2
    timer.seconds += 10
    provider.hold.clear()
    assert await is_accepted(verifier, token)
    await until_asked(provider, 3)


async def test_without_a_set_tokens_cannot_be_checked_and_it_is_said_when_to_come_again(
    verifier: JwtVerifier, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    token = provider.token(now)
    provider.answer = http_answer(b"", "503 Service Unavailable")
    for waited, left in ((0.0, 10), (4.0, 6)):
        timer.seconds += waited
        with pytest.raises(JwksUnavailable) as refused:
            await verifier.verify(token)
        assert refused.value.retry_after_s == left
    assert provider.requests == 1
    provider.answer = None
    timer.seconds += 6
    assert await is_accepted(verifier, token)


async def test_a_set_is_not_trusted_longer_than_a_day_without_its_provider(
    verifier: JwtVerifier, jwks: JwksCache, provider: IdentityProvider, timer: Timer, now: float
) -> None:
    token = provider.token(now)
    assert await is_accepted(verifier, token)
    provider.answer = b""
    timer.seconds += 86_399
    assert await is_accepted(verifier, token)
    timer.seconds += 10
    for _ in range(2):
        with pytest.raises(JwksUnavailable):
            await verifier.verify(token)


async def test_a_server_that_never_finishes_is_not_waited_for(
    verifier: JwtVerifier,
    provider: IdentityProvider,
    now: float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("adapters.tokens.jwks.FETCH_TIMEOUT_S", 0.05)
    provider.hold.clear()
    with pytest.raises(JwksUnavailable):
        await verifier.verify(provider.token(now))
    assert "gave no whole answer within" in caplog.text


async def test_a_server_that_is_not_there_is_named_without_more(
    caplog: pytest.LogCaptureFixture, now: float
) -> None:
    async with identity_provider() as gone:
        token = gone.token(now)
    async with open_client() as client:
        jwks = JwksCache(gone.url, client, Timer())
        with pytest.raises(JwksUnavailable):
            await JwtVerifier(RULES, jwks, StandingClock()).verify(token)
    assert "cannot be reached (ConnectError); no token can be checked" in caplog.text


async def test_closing_ends_a_fetch_under_way(provider: IdentityProvider, now: float) -> None:
    provider.hold.clear()
    async with open_client() as client:
        jwks = JwksCache(provider.url, client, Timer())
        verifier = JwtVerifier(RULES, jwks, StandingClock())
        waiting = asyncio.create_task(verifier.verify(provider.token(now)))
        await until_asked(provider, 1)
        await jwks.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting


# What stands in a set


def unused(*keys: Any) -> list[str]:
    found = read_key_set(json.dumps({"keys": [*keys, public_jwk(EC, "good")]}).encode())
    assert list(found.keys) == [("good", "ES256")]  # a bad key takes no other with it
    return [key.why for key in found.unused]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (7, "is no object"),
        (None, "is no object"),
        ({}, "has no kid"),
        (public_jwk(OTHER_EC, None), "has no kid"),
        (public_jwk(OTHER_EC, ""), "has no kid"),
        (public_jwk(OTHER_EC, "k" * 257), "has no kid"),
        ({"kid": 7, "kty": "EC"}, "has no kid"),
        ({"kid": "a"}, "of a type or curve that is not used"),
        ({"kid": "a", "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, "of a type or curve"),
        ({"kid": "a", "kty": ["EC"]}, "of a type or curve"),
        ({"kid": "a", "kty": "oct", "k": "c2VjcmV0"}, "is a shared secret"),
        (public_jwk(P384, "a"), "of a type or curve"),
        (public_jwk(OTHER_EC, "a", crv="P-384"), "of a type or curve"),
        (public_jwk(OTHER_EC, "a", crv="secp256k1"), "of a type or curve"),
        (public_jwk(ED, "a", crv="X25519"), "of a type or curve"),
        (public_jwk(OTHER_EC, "a", x="AA", y="AA"), "is damaged"),
        (public_jwk(OTHER_EC, "a", x=""), "x is no number"),
        (public_jwk(OTHER_EC, "a", y=7), "y is no number"),
        (public_jwk(OTHER_EC, "a", y="a+b/"), "y is no number"),
        (public_jwk(OTHER_EC, "a", y="A"), "is damaged"),
        (public_jwk(ED, "a", x="AAAA"), "is damaged"),
        (public_jwk(WEAK_RSA, "a"), "RSA of 1024 bits; 2048 to 8192 are used"),
        (public_jwk(RSA, "a", n="_" * 1500), "RSA of 9000 bits"),
        (public_jwk(RSA, "a", n="AAAA"), "RSA of 0 bits"),
        (public_jwk(RSA, "a", n="A"), "is damaged"),
        (public_jwk(RSA, "a", e="Ag"), "is damaged"),
        (public_jwk(RSA, "a", e="AQ"), "is damaged"),
        (public_jwk(OTHER_EC, "a", use="enc"), "use is not sig"),
        (public_jwk(OTHER_EC, "a", use=["sig"]), "use is not sig"),
        (public_jwk(OTHER_EC, "a", key_ops=["deriveKey"]), "key_ops has no verify"),
        (public_jwk(OTHER_EC, "a", key_ops="verify"), "key_ops has no verify"),
        (public_jwk(OTHER_EC, "a", alg="HS256"), "alg is not ES256"),
        (public_jwk(RSA, "a", alg="PS256"), "alg is not RS256"),
        (public_jwk(RSA, "a", alg="RSA-OAEP"), "alg is not RS256"),
        (public_jwk(ED, "a", alg=None), "alg is not EdDSA"),
        (public_jwk(OTHER_EC, "a", d="AAAA"), "its private half is published"),
        (public_jwk(RSA, "a", dp="AAAA"), "its private half is published"),
    ],
)
def test_a_key_that_is_not_used_says_why_and_takes_no_other_with_it(key: Any, why: str) -> None:
    (said,) = unused(key)
    assert why in said


def test_two_keys_of_one_name_are_both_unused_unless_their_algorithms_tell_them_apart() -> None:
    assert unused(public_jwk(OTHER_EC, "a"), public_jwk(EC, "a")) == ["stands 2 times"]
    keys = [public_jwk(OTHER_EC, "a"), public_jwk(RSA, "a")]
    found = read_key_set(json.dumps({"keys": keys}).encode())
    assert set(found.keys) == {("a", "ES256"), ("a", "RS256")}


members = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("AQAB"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
names = st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "d"])


@given(
    st.sampled_from([EC, RSA, ED]),
    st.dictionaries(names, members),
)
def test_a_key_of_any_form_is_used_or_not_and_never_an_error(
    private: Any, changes: dict[str, Any]
) -> None:
    key = public_jwk(private, "a") | changes
    found = read_key_set(json.dumps({"keys": [key]}).encode())
    assert len(found.keys) + len(found.unused) == 1


@given(st.binary() | st.text().map(str.encode))
def test_a_document_of_any_form_is_a_set_or_not_and_never_another_error(document: bytes) -> None:
    with pytest.raises(BadKeySet):
        read_key_set(document)


# What `storekeeper doctor` says


async def test_the_doctor_names_the_keys_and_those_that_are_not_used(
    provider: IdentityProvider,
) -> None:
    provider.in_use = {"one": EC}
    provider.previously_used = {"two": RSA, "old": WEAK_RSA}
    (result,) = await JwksDiagnosticCheck(provider.url).results()
    assert result.good
    assert result.detail == (
        "ES256 'one', RS256 'two'; not used, 'old': RSA of 1024 bits; 2048 to 8192 are used"
    )


async def test_the_doctor_says_what_to_do_about_a_provider_of_shared_secrets(
    provider: IdentityProvider,
) -> None:
    provider.in_use = {}
    (result,) = await JwksDiagnosticCheck(provider.url).results()
    assert not result.good
    assert "JWT signing keys" in result.detail
    provider.answer = http_answer(b'{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}')
    none, exposed = await JwksDiagnosticCheck(provider.url).results()
    assert not none.good
    assert not exposed.good
    assert exposed.detail == "not used, 'a': is a shared secret, for all to see"
    assert "c2VjcmV0" not in none.detail + exposed.detail


async def test_the_doctor_says_what_the_server_answers(provider: IdentityProvider) -> None:
    provider.answer = FAILURES["redirect"]
    (result,) = await JwksDiagnosticCheck(provider.url).results()
    assert not result.good
    assert result.detail.startswith("JWT_JWKS_URL redirects")
