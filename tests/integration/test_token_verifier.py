"""Tokens against keys of a real server: what is accepted, and every way that a token is forged."""

from __future__ import annotations

import hashlib
import hmac
import json
import string
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from adapters.tokens.jwks import JwksCache, open_client
from adapters.tokens.verifier import LARGEST_TOKEN, JwtVerifier, open_jwt_verifier
from domain.access.model import CallerKind
from domain.access.tokens import TokenFault
from domain.errors import NotAuthenticated
from tests.contracts.token_verifier import IssuedToken, TokenVerifierContract
from tests.fakes.system import StandingClock
from tests.integration.identity_provider import (
    EC,
    ED,
    ISSUER,
    OTHER_EC,
    P384,
    RSA,
    RULES,
    SCOPES,
    WEAK_RSA,
    IdentityProvider,
    PrivateKey,
    b64,
    b64_json,
    claims_at,
    header_for,
    identity_provider,
    public_jwk,
    sign,
    signed,
)


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as running:
        running.in_use = {"one": EC}
        running.previously_used = {"rsa": RSA, "ed": ED}
        yield running


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def now(clock: StandingClock) -> float:
    return clock.now().timestamp()


@pytest.fixture
async def verifier(provider: IdentityProvider, clock: StandingClock) -> AsyncIterator[JwtVerifier]:
    async with open_jwt_verifier(provider.url, RULES, clock) as opened:
        yield opened


async def fault_of(verifier: JwtVerifier, token: str) -> TokenFault:
    with pytest.raises(NotAuthenticated) as refused:
        await verifier.verify(token)
    assert str(refused.value) in {"The token is not accepted.", "The token has expired."}
    return TokenFault(refused.value.reason.removeprefix("token_"))


class TestJwtVerifier(TokenVerifierContract):
    @pytest.fixture
    def issued(self, provider: IdentityProvider, now: float) -> IssuedToken:
        scopes = {"storekeeper_scopes": ["records:read"]}
        return IssuedToken(text=provider.token(now, sub="ann", app_metadata=scopes))


@pytest.mark.parametrize(("private", "kid"), [(EC, "one"), (RSA, "rsa"), (ED, "ed")])
async def test_each_algorithm_is_accepted_with_a_key_of_its_own(
    verifier: JwtVerifier, now: float, private: PrivateKey, kid: str
) -> None:
    claims = claims_at(now, aud=["other", "authenticated"])
    caller = await verifier.verify(
        signed(private, b64_json(header_for(private, kid)), b64_json(claims))
    )
    assert caller.kind is CallerKind.TOKEN
    assert caller.subject == f"token:{claims['sub']}"
    assert caller.scopes == SCOPES


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_access_tokens_of_any_provider_say_what_they_are_or_nothing(
    verifier: JwtVerifier, now: float, typ: str | None
) -> None:
    header = {"alg": "ES256", "kid": "one", "x5t": "ignored", **({"typ": typ} if typ else {})}
    await verifier.verify(signed(EC, b64_json(header), b64_json(claims_at(now))))


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"typ": "dpop+jwt"}, TokenFault.TYPE),
        ({"typ": "logout+jwt"}, TokenFault.TYPE),
        ({"typ": "JWE"}, TokenFault.TYPE),
        ({"typ": None}, TokenFault.TYPE),
        ({"typ": ["JWT"]}, TokenFault.TYPE),
        ({"cty": "JWT"}, TokenFault.NESTED),
        ({"cty": "jwt"}, TokenFault.NESTED),
        ({"crit": ["exp"], "exp": 1}, TokenFault.CRITICAL_HEADER),
        ({"crit": []}, TokenFault.CRITICAL_HEADER),
        ({"crit": ["b64"], "b64": False}, TokenFault.CRITICAL_HEADER),
        ({"b64": False}, TokenFault.CRITICAL_HEADER),
        ({"jwk": public_jwk(EC, "one")}, TokenFault.EMBEDDED_KEY),
        ({"jku": "https://attacker.example/jwks.json"}, TokenFault.EMBEDDED_KEY),
        ({"x5u": "https://attacker.example/chain.pem"}, TokenFault.EMBEDDED_KEY),
        ({"x5c": ["MII"]}, TokenFault.EMBEDDED_KEY),
        ({"alg": None}, TokenFault.ALGORITHM),
        ({"alg": ["ES256"]}, TokenFault.ALGORITHM),
        ({"alg": "ES384"}, TokenFault.ALGORITHM),
        ({"alg": "ES256K"}, TokenFault.ALGORITHM),
        ({"alg": "PS256"}, TokenFault.ALGORITHM),
        ({"alg": "es256"}, TokenFault.ALGORITHM),
        ({"alg": "dir", "enc": "A256GCM"}, TokenFault.ALGORITHM),
        ({"alg": "RS256"}, TokenFault.UNKNOWN_KEY_ID),
        ({"kid": None}, TokenFault.NO_KEY_ID),
        ({"kid": ""}, TokenFault.NO_KEY_ID),
        ({"kid": 1}, TokenFault.NO_KEY_ID),
        ({"kid": ["one"]}, TokenFault.NO_KEY_ID),
        ({"kid": "k" * 257}, TokenFault.NO_KEY_ID),
        ({"kid": "../../../../dev/null"}, TokenFault.UNKNOWN_KEY_ID),
        ({"kid": "x' UNION SELECT 'key"}, TokenFault.UNKNOWN_KEY_ID),
        ({"kid": "one\n"}, TokenFault.UNKNOWN_KEY_ID),
        ({"kid": "\ud800"}, TokenFault.UNKNOWN_KEY_ID),
        ({"kid": "ONE"}, TokenFault.UNKNOWN_KEY_ID),
    ],
)
async def test_a_header_that_asks_for_more_or_less_is_refused(
    verifier: JwtVerifier, now: float, header: dict[str, Any], fault: TokenFault
) -> None:
    # Each is signed with the right key: nothing but the header speaks against it.
    token = signed(EC, b64_json(header_for(EC, "one") | header), b64_json(claims_at(now)))
    assert await fault_of(verifier, token) is fault


@pytest.mark.parametrize("name", sorted({"".join(c) for c in product("nN", "oO", "nN", "eE")}))
@pytest.mark.parametrize("signature", ["", "AAAA"])
async def test_none_is_no_algorithm_in_any_letter_case(
    verifier: JwtVerifier, now: float, name: str, signature: str
) -> None:
    header = b64_json({"alg": name, "kid": "one", "typ": "JWT"})
    token = f"{header}.{b64_json(claims_at(now))}.{signature}"
    assert await fault_of(verifier, token) is TokenFault.ALGORITHM


def public_forms(private: PrivateKey, kid: str) -> list[bytes]:
    """A public key in the forms that libraries took for secrets."""
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), ssh, der, json.dumps(public_jwk(private, kid)).encode(), b""]


@pytest.mark.parametrize(("private", "kid"), [(RSA, "rsa"), (EC, "one")])
@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512", "ES256", "RS256"])
async def test_a_public_key_is_no_secret_to_sign_with(
    verifier: JwtVerifier, now: float, private: PrivateKey, kid: str, name: str
) -> None:
    signing = f"{b64_json({'alg': name, 'kid': kid, 'typ': 'JWT'})}.{b64_json(claims_at(now))}"
    for secret in public_forms(private, kid):
        mac = hmac.new(secret, signing.encode(), hashlib.sha256).digest()
        fault = await fault_of(verifier, f"{signing}.{b64(mac)}")
        assert fault in {TokenFault.ALGORITHM, TokenFault.SIGNATURE, TokenFault.UNKNOWN_KEY_ID}


@pytest.mark.parametrize(
    "private", [OTHER_EC, P384, RSA, ED], ids=["another key", "another curve", "RSA", "Ed25519"]
)
async def test_a_signature_of_another_key_is_none(
    verifier: JwtVerifier, now: float, private: PrivateKey
) -> None:
    signing = f"{b64_json(header_for(EC, 'one'))}.{b64_json(claims_at(now))}"
    token = f"{signing}.{b64(sign(private, signing.encode()))}"
    assert await fault_of(verifier, token) is TokenFault.SIGNATURE


async def test_signatures_of_nothing_are_none(verifier: JwtVerifier, now: float) -> None:
    signing = f"{b64_json(header_for(EC, 'one'))}.{b64_json(claims_at(now))}"
    good = sign(EC, signing.encode())
    der = EC.sign(signing.encode(), ECDSA(SHA256()))
    for bad in (b"", bytes(64), b"\xff" * 64, good[:63], good + b"\0", good[32:] + good[:32], der):
        assert await fault_of(verifier, f"{signing}.{b64(bad)}") is TokenFault.SIGNATURE


async def test_no_letter_of_a_signature_stands_for_another(
    verifier: JwtVerifier, provider: IdentityProvider, now: float
) -> None:
    # The last letter of 86 holds two bits; the other four could be anything.
    token = provider.token(now)
    await verifier.verify(token)
    for letter in set(string.ascii_letters + string.digits + "-_") - {token[-1]}:
        assert await fault_of(verifier, token[:-1] + letter) is TokenFault.SIGNATURE


def _twice(segment: dict[str, Any], name: str, value: object) -> str:
    """JSON with a member that stands twice, the right one last."""
    return b64(f'{{"{name}":{json.dumps(value)},{json.dumps(segment)[1:]}'.encode())


@pytest.mark.parametrize(
    "segments",
    [
        lambda h, c: (_twice(h, "alg", "none"), b64_json(c)),
        lambda h, c: (b64_json(h), _twice(c, "sub", "owner")),
        lambda h, c: (b64_json([h]), b64_json(c)),
        lambda h, c: (b64_json(h), b64_json([c])),
        lambda h, _: (b64_json(h), b64(b"\xff")),
        lambda h, _: (b64_json(h), b64(b"")),
        lambda h, _: (b64_json(h), b64(b"[" * 5000)),
        lambda _, c: (b64(b'{"a":' * 300 + b"1" + b"}" * 300), b64_json(c)),
        lambda h, c: (b64_json(h), b64(json.dumps(c).replace("3600", "NaN").encode()[:-1])),
        lambda h, c: (b64_json(h), b64(json.dumps(c).encode("utf-16"))),
        lambda h, c: (b64_json(h) + "=", b64_json(c)),
        lambda h, c: (b64_json(h) + "\n", b64_json(c)),
        lambda h, c: (" " + b64_json(h), b64_json(c)),
        lambda h, c: (b64_json(h), b64_json(c) + "+/"),
        lambda h, c: (b64_json(h), b64_json(c) + "ä"),
        lambda h, c: (b64_json(h), b64_json(c) + "٣"),
        lambda h, c: (b64_json(h), b64_json(c) + ".e30"),
        lambda h, _: (b64_json(h), ""),
        lambda _, c: ("A", b64_json(c)),
    ],
)
async def test_what_can_be_read_in_two_ways_is_not_read(
    verifier: JwtVerifier, now: float, segments: Callable[[Any, Any], tuple[str, str]]
) -> None:
    header, payload = segments(header_for(EC, "one"), claims_at(now))
    token = f"{header}.{payload}.{b64(sign(EC, f'{header}.{payload}'.encode()))}"
    assert await fault_of(verifier, token) is TokenFault.MALFORMED


async def test_an_encrypted_and_a_detached_token_are_refused(
    verifier: JwtVerifier, now: float
) -> None:
    assert await fault_of(verifier, "a.b.c.d.e") is TokenFault.ENCRYPTED
    header = b64_json(header_for(EC, "one"))
    assert await fault_of(verifier, signed(EC, header, "")) is TokenFault.MALFORMED


async def test_a_token_has_a_largest_size(verifier: JwtVerifier, now: float) -> None:
    def of_size(pad: int) -> str:
        claims = claims_at(now, pad="x" * pad)
        return signed(EC, b64_json(header_for(EC, "one")), b64_json(claims))

    pad = (LARGEST_TOKEN - len(of_size(0))) * 3 // 4
    while len(of_size(pad)) > LARGEST_TOKEN:
        pad -= 1
    assert LARGEST_TOKEN - 3 < len(of_size(pad)) <= LARGEST_TOKEN
    await verifier.verify(of_size(pad))
    assert await fault_of(verifier, of_size(pad + 3)) is TokenFault.OVERSIZED
    assert await fault_of(verifier, "a" * 10_000_000) is TokenFault.OVERSIZED


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"iss": "https://other.supabase.example/auth/v1"}, TokenFault.ISSUER),
        ({"iss": f"{ISSUER}/"}, TokenFault.ISSUER),
        ({"aud": "other"}, TokenFault.AUDIENCE),
        ({"aud": ["other"]}, TokenFault.AUDIENCE),
        ({"exp": 1_000_000_000}, TokenFault.EXPIRED),
        ({"nbf": 4_000_000_000}, TokenFault.NOT_YET_VALID),
        ({"iat": 4_000_000_000}, TokenFault.ISSUED_LATER),
        ({"role": "anon", "sub": None}, TokenFault.NO_USER),
        ({"role": "service_role", "sub": None}, TokenFault.NO_USER),
        ({"is_anonymous": True}, TokenFault.NO_USER),
        ({"at_hash": "x", "nonce": "y"}, TokenFault.TYPE),
    ],
)
async def test_claims_count_only_under_a_right_signature(
    verifier: JwtVerifier, now: float, changes: dict[str, Any], fault: TokenFault
) -> None:
    header, payload = b64_json(header_for(EC, "one")), b64_json(claims_at(now, **changes))
    assert await fault_of(verifier, signed(EC, header, payload)) is fault
    assert await fault_of(verifier, signed(OTHER_EC, header, payload)) is TokenFault.SIGNATURE


async def test_a_user_gets_no_scope_from_what_they_may_change_themselves(
    verifier: JwtVerifier, provider: IdentityProvider, now: float
) -> None:
    token = provider.token(now, app_metadata={"provider": "email"})  # user_metadata says admin
    caller = await verifier.verify(token)
    assert caller.scopes == frozenset()


async def test_a_checked_token_is_not_checked_again_and_ends_when_it_expires(
    verifier: JwtVerifier, provider: IdentityProvider, clock: StandingClock, now: float
) -> None:
    token = provider.token(now)
    caller = await verifier.verify(token)
    assert await verifier.verify(token) is caller
    assert provider.requests == 1
    clock.advance(timedelta(seconds=3600 + 29))
    assert await verifier.verify(token) is caller
    clock.advance(timedelta(seconds=1))
    assert await fault_of(verifier, token) is TokenFault.EXPIRED
    assert await fault_of(verifier, token) is TokenFault.EXPIRED


async def test_tokens_that_were_checked_are_forgotten_when_there_are_too_many(
    verifier: JwtVerifier,
    provider: IdentityProvider,
    now: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.tokens.verifier.MOST_CHECKED", 2)
    first, second, third = (provider.token(now, sub=name) for name in ("a", "b", "c"))
    callers = [await verifier.verify(token) for token in (first, second)]
    assert await verifier.verify(first) is callers[0]  # used again, and so the younger
    await verifier.verify(third)
    assert await verifier.verify(first) is callers[0]
    again = await verifier.verify(second)
    assert again == callers[1]
    assert again is not callers[1]


@pytest.fixture(scope="module")
async def lasting() -> AsyncIterator[tuple[JwtVerifier, str]]:
    clock = StandingClock()
    async with identity_provider() as running, open_client() as client:
        jwks = JwksCache(running.url, client, time.monotonic)
        verifier = JwtVerifier(RULES, jwks, clock)
        token = running.token(clock.now().timestamp())
        await verifier.verify(token)
        yield verifier, token
        await jwks.aclose()


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_no_token_that_was_changed_anywhere_is_accepted(
    lasting: tuple[JwtVerifier, str], data: st.DataObject
) -> None:
    verifier, token = lasting
    at = data.draw(st.integers(0, len(token) - 1))
    kept = data.draw(st.integers(0, 3))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n"
    put = data.draw(st.text(st.sampled_from(letters) | st.characters(), max_size=3))
    changed = token[:at] + put + token[at + kept :]
    if changed != token:
        await fault_of(verifier, changed)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text() | st.from_regex(r"\A[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2}\Z"))
async def test_no_text_is_accepted_and_none_is_too_odd(
    lasting: tuple[JwtVerifier, str], text: str
) -> None:
    await fault_of(lasting[0], text)


members = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "cty", "crit", "b64", "zip", "jwk"]), members
    ),
    claims=st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub"]), members),
)
async def test_header_and_claims_of_any_form_are_judged_without_another_error(
    lasting: tuple[JwtVerifier, str], header: dict[str, Any], claims: dict[str, Any]
) -> None:
    now = StandingClock().now().timestamp()
    head = b64_json(header_for(EC, "one") | header)
    token = signed(OTHER_EC, head, b64_json(claims_at(now) | claims))
    await fault_of(lasting[0], token)


async def test_a_weak_key_signs_nothing(provider: IdentityProvider, clock: StandingClock) -> None:
    provider.previously_used = {"weak": WEAK_RSA}
    now = clock.now().timestamp()
    token = signed(WEAK_RSA, b64_json(header_for(WEAK_RSA, "weak")), b64_json(claims_at(now)))
    async with open_jwt_verifier(provider.url, RULES, clock) as verifier:
        assert await fault_of(verifier, token) is TokenFault.UNKNOWN_KEY_ID
