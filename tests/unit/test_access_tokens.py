from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.model import Caller, CallerKind, Scope
from domain.access.tokens import IdentityTokenRules, ScopeClaim, TokenFault, read_meanings, refusal
from tests.contracts.token_verifier import IssuedToken, TokenVerifierContract
from tests.fakes.system import StandingClock
from tests.fakes.tokens import MemoryTokenVerifier

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
T = int(NOW.timestamp())
RULES = IdentityTokenRules(
    issuer="https://i", audience="shop", scope_claim=ScopeClaim(name="scope")
)
CLAIMS: dict[str, Any] = {"iss": "https://i", "aud": "shop", "sub": "ann", "exp": T + 60}


class TestMemoryTokenVerifier(TokenVerifierContract):
    @pytest.fixture
    def clock(self) -> StandingClock:
        return StandingClock()

    @pytest.fixture
    def issued(self) -> IssuedToken:
        return IssuedToken(text="one.of.ann")

    @pytest.fixture
    def verifier(self, clock: StandingClock, issued: IssuedToken) -> MemoryTokenVerifier:
        caller = Caller(
            kind=CallerKind.TOKEN,
            subject="token:ann",
            name="ann",
            scopes=frozenset({Scope.RECORDS_READ}),
            expires_at=clock.now() + timedelta(hours=1),
        )
        return MemoryTokenVerifier(clock, {issued.text: caller})


def test_claims_become_a_caller() -> None:
    claims = CLAIMS | {"scope": "extract"}
    assert RULES.fault(claims, NOW) is None
    assert RULES.caller(claims) == Caller(
        kind=CallerKind.TOKEN,
        subject="token:ann",
        name="ann",
        scopes=frozenset({Scope.EXTRACT}),
        expires_at=NOW + timedelta(seconds=60),
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"iss": "https://i/"}, TokenFault.ISSUER),
        ({"iss": None}, TokenFault.ISSUER),
        ({"iss": ["https://i"]}, TokenFault.ISSUER),
        ({"aud": "shop2"}, TokenFault.AUDIENCE),
        ({"aud": None}, TokenFault.AUDIENCE),
        ({"aud": []}, TokenFault.AUDIENCE),
        ({"aud": ["other", 1, {"aud": "shop"}]}, TokenFault.AUDIENCE),
        ({"aud": {"shop": 1}}, TokenFault.AUDIENCE),
        ({"token_use": "id"}, TokenFault.TYPE),
        ({"typ": "Refresh"}, TokenFault.TYPE),
        ({"typ": "Offline"}, TokenFault.TYPE),
        ({"token_type": "refresh"}, TokenFault.TYPE),
        ({"at_hash": "x"}, TokenFault.TYPE),
        ({"events": {}}, TokenFault.TYPE),
        ({"cnf": {"jkt": "x"}}, TokenFault.TYPE),
        ({"role": "anon"}, TokenFault.NO_USER),
        ({"is_anonymous": True}, TokenFault.NO_USER),
        ({"is_anonymous": [1]}, TokenFault.NO_USER),
        ({"sub": None}, TokenFault.NO_USER),
        ({"sub": ""}, TokenFault.CLAIM),
        ({"sub": " "}, TokenFault.CLAIM),
        ({"sub": 7}, TokenFault.CLAIM),
        ({"sub": "a\nb"}, TokenFault.CLAIM),
        ({"sub": "\ud800"}, TokenFault.CLAIM),
        ({"sub": "a" * 256}, TokenFault.CLAIM),
        ({"exp": None}, TokenFault.CLAIM),
        ({"exp": True}, TokenFault.CLAIM),
        ({"exp": str(T + 60)}, TokenFault.CLAIM),
        ({"exp": 10**12}, TokenFault.CLAIM),
        ({"exp": -1}, TokenFault.CLAIM),
        ({"nbf": "0"}, TokenFault.CLAIM),
        ({"iat": False}, TokenFault.CLAIM),
        ({"exp": T - 30}, TokenFault.EXPIRED),
        ({"exp": 0}, TokenFault.EXPIRED),
        ({"nbf": T + 31}, TokenFault.NOT_YET_VALID),
        ({"iat": T + 31}, TokenFault.ISSUED_LATER),
    ],
)
def test_what_speaks_against_claims_is_named(changes: dict[str, Any], fault: TokenFault) -> None:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    assert RULES.fault(claims, NOW) is fault


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": T - 29},
        {"exp": T + 0.5},
        {"nbf": T + 30},
        {"iat": T + 30, "nbf": 0},
        {"aud": ["other", "shop"]},
        {"typ": "Bearer", "token_use": "access"},
        {"type": ["refresh"]},
        {"is_anonymous": False, "role": "authenticated"},
        {"sub": "ä" * 255},
    ],
)
def test_clocks_may_differ_by_half_a_minute_and_other_claims_may_be_there(
    changes: dict[str, Any],
) -> None:
    assert RULES.fault(CLAIMS | changes, NOW) is None


@pytest.mark.parametrize(
    ("name", "claims", "found"),
    [
        ("scope", {"scope": "records:read  extract"}, {Scope.RECORDS_READ, Scope.EXTRACT}),
        ("scope", {"scope": ["admin", 7, None, ["extract"]]}, {Scope.ADMIN}),
        ("scope", {"scope": "records:* ADMIN records"}, set()),
        ("scope", {"scope": {"admin": True}}, set()),
        ("scope", {"scope": True}, set()),
        ("scope", {}, set()),
        ("app.scopes", {"app": {"scopes": "extract"}}, {Scope.EXTRACT}),
        ("app.scopes", {"app": "extract"}, set()),
        ("app.scopes", {"app": [{"scopes": "extract"}]}, set()),
        ("https://shop.example/scopes", {"https://shop.example/scopes": ["admin"]}, {Scope.ADMIN}),
    ],
)
def test_scopes_come_from_the_named_claim_alone(
    name: str, claims: dict[str, Any], found: set[Scope]
) -> None:
    assert ScopeClaim(name=name).scopes(claims | {"role": "admin"}) == found


def test_values_of_a_claim_can_mean_scopes_and_then_name_none() -> None:
    meanings = read_meanings(" clerk = records:write, extract ;owner=admin; ")
    assert meanings == {
        "clerk": {Scope.RECORDS_WRITE, Scope.EXTRACT},
        "owner": {Scope.ADMIN},
    }
    claim = ScopeClaim(name="role", meanings=meanings)
    assert claim.scopes({"role": "clerk"}) == {Scope.RECORDS_WRITE, Scope.EXTRACT}
    assert claim.scopes({"role": ["owner", "admin", "insights:read"]}) == {Scope.ADMIN}
    assert claim.scopes({"role": "admin"}) == frozenset()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" ; ", "is empty"),
        ("clerk", "'clerk', which is not value=scope,scope"),
        ("=admin", "'=admin', which is not"),
        ("clerk=", "'clerk=', which is not"),
        ("clerk=extract,,admin", "which is not"),
        ("clerk=records", "the scope 'records', which is not known: records:read, records:write"),
        ("a=admin; a=extract", "the value 'a' twice"),
    ],
)
def test_meanings_that_cannot_be_read_are_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_meanings(text)


@pytest.mark.parametrize("fault", TokenFault)
def test_a_refusal_tells_its_caller_nothing_but_that_a_token_has_expired(
    fault: TokenFault,
) -> None:
    error = refusal(fault)
    expired = fault is TokenFault.EXPIRED
    assert str(error) == ("The token has expired." if expired else "The token is not accepted.")
    assert error.reason == f"token_{fault.value}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [*CLAIMS, "nbf", "iat", "scope", "typ", "type", "role", "is_anonymous", "cnf"]
)


@given(st.dictionaries(names, json_values))
def test_any_claims_are_judged_and_those_against_which_nothing_speaks_make_a_caller(
    changes: dict[str, Any],
) -> None:
    claims = CLAIMS | changes
    if RULES.fault(claims, NOW) is None:
        caller = RULES.caller(claims)
        assert caller.subject == f"token:{claims['sub']}"
        assert caller.expires_at is not None
        assert caller.expires_at > NOW - timedelta(seconds=30)
