"""Tokens checked by joserfc, against keys that are fetched beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from adapters.tokens.jwks import JwksCache, open_client
from adapters.tokens.keys import LONGEST_KEY_ID, SigningKey
from domain.access.model import Caller
from domain.access.tokens import LEEWAY, IdentityTokenRules, TokenFault, refusal
from domain.strict_json import NotStrictJson, read_json
from ports.access import TokenVerifier
from ports.clock import Clock

ALGORITHMS: Final = ("ES256", "RS256", "EdDSA")
LARGEST_TOKEN: Final = 8192
"""Characters of a token."""
MOST_CHECKED: Final = 10_000
"""Tokens that are remembered as checked."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]*")
# RFC 9068 for access tokens, RFC 7519 for all; many providers write none.
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_EMBEDDED: Final = frozenset({"jwk", "jku", "x5u", "x5c"})
_SEGMENTS: Final = 3
_ENCRYPTED_SEGMENTS: Final = 5


class _Algorithms(jws.JWSRegistry):
    """The algorithms that are allowed, whatever joserfc recommends or warns of.

    It warns at each use of the name EdDSA, which RFC 9864 deprecates and providers still write.
    """

    max_header_length = LARGEST_TOKEN

    def get_alg(self, name: str) -> Any:
        """See `JWSRegistry`."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY: Final = _Algorithms(strict_check_header=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckedToken:
    """A token that was accepted: with which key, and until when it may be."""

    caller: Caller
    key: SigningKey
    until: float


class JwtVerifier(TokenVerifier):
    """Checks tokens that an identity provider signed.

    A token that was checked is accepted again without a look at its signature, until it expires or
    its key leaves the provider's set.

    Args:
        rules: whose tokens are accepted, and what they allow.
        jwks: the provider's keys.
        clock: tells the present time.
    """

    def __init__(self, rules: IdentityTokenRules, jwks: JwksCache, clock: Clock) -> None:
        self._rules = rules
        self._jwks = jwks
        self._clock = clock
        self._checked: OrderedDict[bytes, _CheckedToken] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """See the port."""
        if len(token) > LARGEST_TOKEN:
            raise refusal(TokenFault.OVERSIZED)
        if not token.isascii():
            raise refusal(TokenFault.MALFORMED)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._checked.get(digest)
        if known is not None:
            return await self._again(digest, known)
        header, claims = _read(token)
        algorithm, key_id = _named(header)
        fault = self._rules.fault(claims, self._clock.now())
        # A token that would be refused with any key is not worth asking the provider for one.
        key = await self._jwks.key(key_id, algorithm, look=fault is None)
        if key is None:
            raise refusal(TokenFault.UNKNOWN_KEY_ID)
        if not _is_signed(token, key):
            raise refusal(TokenFault.SIGNATURE)
        if fault is not None:
            raise refusal(fault)
        caller = self._rules.caller(claims)
        until = claims["exp"] + LEEWAY.total_seconds()
        self._checked[digest] = _CheckedToken(caller=caller, key=key, until=until)
        if len(self._checked) > MOST_CHECKED:
            self._checked.popitem(last=False)
        return caller

    async def _again(self, digest: bytes, known: _CheckedToken) -> Caller:
        """The caller of a token that was accepted before, if it still is."""
        if self._clock.now().timestamp() >= known.until:
            self._checked.pop(digest, None)
            raise refusal(TokenFault.EXPIRED)
        key = await self._jwks.key(known.key.key_id, known.key.algorithm, look=False)
        if key != known.key:
            self._checked.pop(digest, None)
            raise refusal(TokenFault.UNKNOWN_KEY_ID)
        self._checked[digest] = known
        self._checked.move_to_end(digest)
        return known.caller


@asynccontextmanager
async def open_jwt_verifier(
    url: str, rules: IdentityTokenRules, clock: Clock
) -> AsyncIterator[JwtVerifier]:
    """A verifier, for as long as the block runs; nothing is fetched before the first token."""
    async with open_client() as client:
        jwks = JwksCache(url, client, time.monotonic)
        try:
            yield JwtVerifier(rules, jwks, clock)
        finally:
            await jwks.aclose()


def _read(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims, of which nothing is to be believed yet.

    joserfc reads the header too: read here first, what it would take for granted is refused, such
    as a member that stands twice, and nesting that exhausts the stack.
    """
    segments = token.split(".")
    if len(segments) == _ENCRYPTED_SEGMENTS:
        raise refusal(TokenFault.ENCRYPTED)
    if len(segments) != _SEGMENTS or not all(map(_SEGMENT.fullmatch, segments)):
        raise refusal(TokenFault.MALFORMED)
    header, claims = map(_object, segments[:2])
    return header, claims


def _object(segment: str) -> Mapping[str, Any]:
    try:
        found = read_json(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, NotStrictJson):
        raise refusal(TokenFault.MALFORMED) from None
    if not isinstance(found, dict):
        raise refusal(TokenFault.MALFORMED)
    return found


def _named(header: Mapping[str, Any]) -> tuple[str, str]:
    """The algorithm and the key that a token names, of a header that asks for nothing else."""
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if algorithm not in ALGORITHMS:
        raise refusal(TokenFault.ALGORITHM)
    if "crit" in header or "b64" in header:
        raise refusal(TokenFault.CRITICAL_HEADER)
    if _EMBEDDED & header.keys():
        raise refusal(TokenFault.EMBEDDED_KEY)
    if "cty" in header:
        raise refusal(TokenFault.NESTED)
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise refusal(TokenFault.TYPE)
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        raise refusal(TokenFault.NO_KEY_ID)
    return str(algorithm), key_id


def _is_signed(token: str, key: SigningKey) -> bool:
    try:
        jws.deserialize_compact(token, key.key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError):
        return False
    return True
