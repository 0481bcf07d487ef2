"""What the claims of a token say about who brings it, once its signature is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from domain.access.model import Caller, CallerKind, Scope
from domain.errors import NotAuthenticated

LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of an identity provider and of this machine may differ."""
LONGEST_SUBJECT: Final = 255

_LAST_SECOND: Final = 253_402_300_799  # of the year 9999: no later moment can be held
# What signs a person in, or ends or renews a session, is no access token (RFC 8725, section 3.11).
_OTHER_PURPOSES: Final = frozenset({"id", "refresh", "offline", "logout", "id_token"})
_PURPOSE_CLAIMS: Final = ("token_use", "token_type", "typ", "type")
# Claims that OpenID Connect gives to id and logout tokens alone, and the proof of possession of
# RFC 7800: a token bound to a key of its holder proves nothing without that key.
_FOREIGN_CLAIMS: Final = frozenset({"at_hash", "c_hash", "s_hash", "events", "cnf"})


class TokenFault(StrEnum):
    """Why a token is not accepted: for the log, never for who brings it."""

    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    ENCRYPTED = "encrypted"
    NESTED = "nested"
    ALGORITHM = "algorithm"
    CRITICAL_HEADER = "critical_header"
    EMBEDDED_KEY = "embedded_key"
    NO_KEY_ID = "no_key_id"
    UNKNOWN_KEY_ID = "unknown_key_id"
    SIGNATURE = "signature"
    TYPE = "type"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLAIM = "claim"
    """A claim is missing, or holds what it cannot hold."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_LATER = "issued_later"
    """Issued in the future."""
    NO_USER = "no_user"


def refusal(fault: TokenFault) -> NotAuthenticated:
    """The error for `fault`: its message tells an expired token from the rest, and nothing more."""
    expired = fault is TokenFault.EXPIRED
    message = "The token has expired." if expired else "The token is not accepted."
    return NotAuthenticated(message, reason=f"token_{fault}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeClaim:
    """Where a token names scopes.

    Attributes:
        name: of the claim; where no claim has it as it stands, its dots lead into objects, as
            `app_metadata.storekeeper_scopes` does.
        meanings: the scopes that a value of the claim means; None where values are scopes' names.
    """

    name: str
    meanings: Mapping[str, frozenset[Scope]] | None = None

    def scopes(self, claims: Mapping[str, object]) -> frozenset[Scope]:
        """What the claim allows: a string of values with blanks between, or a list of them.

        Values that mean nothing here allow nothing, and so does a claim of another form.
        """
        found = frozenset[Scope]()
        for value in self._values(claims):
            if self.meanings is not None:
                found |= self.meanings.get(value, frozenset())
            elif value in _SCOPES:
                found |= {Scope(value)}
        return found

    def _values(self, claims: Mapping[str, object]) -> Iterable[str]:
        claim: object = claims.get(self.name)
        if claim is None:
            claim = claims
            for step in self.name.split("."):
                claim = claim.get(step) if isinstance(claim, Mapping) else None
        if isinstance(claim, str):
            return claim.split()
        if isinstance(claim, list):
            return [value for value in claim if isinstance(value, str)]
        return []


_SCOPES: Final = frozenset(scope.value for scope in Scope)


def read_meanings(text: str) -> Mapping[str, frozenset[Scope]]:
    """Scopes by value of a claim, from `clerk=records:write,extract; owner=admin`.

    Raises:
        ValueError: an entry is not `value=scope,scope`, names no scope or stands twice; the message
            names it.
    """
    meanings: dict[str, frozenset[Scope]] = {}
    for entry in filter(None, map(str.strip, text.split(";"))):
        value, equals, names = (part.strip() for part in entry.partition("="))
        scopes = [name.strip() for name in names.split(",")]
        if not equals or not value or "" in scopes:
            raise ValueError(f"has {entry!r}, which is not value=scope,scope")
        if unknown := [name for name in scopes if name not in _SCOPES]:
            known = ", ".join(Scope)
            raise ValueError(f"has the scope {unknown[0]!r}, which is not known: {known}")
        if value in meanings:
            raise ValueError(f"has the value {value!r} twice")
        meanings[value] = frozenset(map(Scope, scopes))
    if not meanings:
        raise ValueError("is empty")
    return meanings


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTokenRules:
    """Whose tokens are accepted, and what they allow.

    Attributes:
        issuer: `iss`, letter by letter.
        audience: what `aud` must be or hold.
        scope_claim: where scopes are named.
    """

    issuer: str
    audience: str
    scope_claim: ScopeClaim

    def fault(self, claims: Mapping[str, Any], now: datetime) -> TokenFault | None:
        """What speaks against a token with these claims at `now` (aware); None if nothing does."""
        if claims.get("iss") != self.issuer:
            return TokenFault.ISSUER
        audience = claims.get("aud")
        if audience != self.audience and not (
            isinstance(audience, list) and self.audience in audience
        ):
            return TokenFault.AUDIENCE
        if _is_of_another_type(claims):
            return TokenFault.TYPE
        return self._fault_of_user(claims) or _fault_of_times(claims, now)

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Who brings a token with these claims, against which nothing speaks."""
        subject = claims["sub"]
        return Caller(
            kind=CallerKind.TOKEN,
            subject=f"token:{subject}",
            name=subject,
            scopes=self.scope_claim.scopes(claims),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    @staticmethod
    def _fault_of_user(claims: Mapping[str, Any]) -> TokenFault | None:
        """Supabase's `anon` key stands for nobody, and its anonymous users are anybody."""
        if claims.get("role") == "anon" or claims.get("is_anonymous", False) is not False:
            return TokenFault.NO_USER
        subject = claims.get("sub")
        if subject is None:
            return TokenFault.NO_USER
        good = isinstance(subject, str) and subject.isprintable() and not subject.isspace()
        return None if good and 0 < len(subject) <= LONGEST_SUBJECT else TokenFault.CLAIM


def _is_of_another_type(claims: Mapping[str, Any]) -> bool:
    purposes = (claims.get(name) for name in _PURPOSE_CLAIMS)
    return bool(_FOREIGN_CLAIMS & claims.keys()) or any(
        isinstance(purpose, str) and purpose.lower() in _OTHER_PURPOSES for purpose in purposes
    )


def _fault_of_times(claims: Mapping[str, Any], now: datetime) -> TokenFault | None:
    given = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if "exp" not in given or not all(map(_is_moment, given.values())):
        return TokenFault.CLAIM
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    if moment >= given["exp"] + leeway:
        return TokenFault.EXPIRED
    if moment < given.get("nbf", 0) - leeway:
        return TokenFault.NOT_YET_VALID
    if moment < given.get("iat", 0) - leeway:
        return TokenFault.ISSUED_LATER
    return None


def _is_moment(value: object) -> bool:
    """Whether it is a NumericDate of RFC 7519 that can be held, in seconds since 1970."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= _LAST_SECOND
    )
