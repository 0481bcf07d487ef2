"""The public keys in a JWK Set (RFC 7517) that tokens are checked with, and why not the others."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from domain.strict_json import NotStrictJson, printable, read_json

MOST_KEYS: Final = 100
LONGEST_KEY_ID: Final = 256

_RSA_BITS: Final = range(2048, 8193)  # below it is weak (NIST SP 800-131A), above it is slow
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


class BadKeySet(Exception):
    """A document is no JWK Set; the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key of an identity provider.

    Attributes:
        key_id: its `kid`.
        algorithm: the only one that it is used with: ES256, RS256 or EdDSA.
        thumbprint: of RFC 7638; two keys are equal if this and the two above are.
        key: what signatures are checked with.
    """

    key_id: str
    algorithm: str
    thumbprint: str
    key: Key = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableSigningKey:
    """A key that no token is checked with.

    Attributes:
        name: its `kid` in quotes, or that it has none.
        why: a few words.
        exposed: whether the set shows what nobody but the provider may know.
    """

    name: str
    why: str
    exposed: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The keys of a JWK Set.

    Attributes:
        keys: by `kid` and algorithm.
        unused: the others, as they stand there.
    """

    keys: Mapping[tuple[str, str], SigningKey]
    unused: tuple[UnusableSigningKey, ...]


def read_key_set(document: bytes) -> KeySet:
    """The keys of a JWK Set; one that cannot be used takes no other with it.

    Raises:
        BadKeySet: it is no JSON object with an array `keys` of at most 100.
    """
    try:
        found = read_json(document)
    except NotStrictJson as error:
        raise BadKeySet(str(error)) from None
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list):
        raise BadKeySet("is no JWK Set: it has no array `keys`")
    if len(members) > MOST_KEYS:
        raise BadKeySet(f"has {len(members)} keys; {MOST_KEYS} are read at most")
    usable: list[SigningKey] = []
    unused: list[UnusableSigningKey] = []
    for member in members:
        try:
            usable.append(_signing_key(member))
        except _Unusable as why:
            unused.append(
                UnusableSigningKey(name=_name_of(member), why=str(why), exposed=why.exposed)
            )
    named = Counter((key.key_id, key.algorithm) for key in usable)
    unused += [
        UnusableSigningKey(name=repr(printable(name)), why=f"stands {count} times")
        for (name, _), count in named.items()
        if count > 1
    ]
    # Which of two keys of one name is meant nobody can say: neither is used.
    keys = {pair: key for key in usable if named[pair := (key.key_id, key.algorithm)] == 1}
    return KeySet(keys=keys, unused=tuple(unused))


class _Unusable(Exception):
    """A key that no token is checked with."""

    def __init__(self, why: str, *, exposed: bool = False) -> None:
        super().__init__(why)
        self.exposed = exposed


def _name_of(member: object) -> str:
    name = member.get("kid") if isinstance(member, dict) else None
    return repr(printable(name)) if isinstance(name, str) else "without kid"


def _signing_key(jwk: object) -> SigningKey:
    """The key that `jwk` is.

    Raises:
        _Unusable: it is none that we use.
    """
    if not isinstance(jwk, dict):
        raise _Unusable("is no object")
    key_id = jwk.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        raise _Unusable("has no kid that a token could name")
    if jwk.get("kty") == "oct":
        raise _Unusable("is a shared secret, for all to see", exposed=True)
    if _PRIVATE & jwk.keys():
        raise _Unusable("its private half is published; revoke it", exposed=True)
    if jwk.get("use", "sig") != "sig":
        raise _Unusable("use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unusable("key_ops has no verify")
    algorithm, key = _material(jwk)
    if jwk.get("alg", algorithm) != algorithm:
        raise _Unusable(f"alg is not {algorithm}, the only one for such a key")
    return SigningKey(key_id=key_id, algorithm=algorithm, thumbprint=key.thumbprint(), key=key)


def _material(jwk: Mapping[str, Any]) -> tuple[str, Key]:
    """The algorithm and the key that the members of its type say, and none besides."""
    kty, crv = jwk.get("kty"), jwk.get("crv")
    try:
        if kty == "EC" and crv == "P-256":
            point = {name: _text(jwk, name) for name in ("x", "y")}
            return "ES256", ECKey.import_key({"kty": "EC", "crv": "P-256", **point})
        if kty == "OKP" and crv == "Ed25519":
            point = {"x": _text(jwk, "x")}
            return "EdDSA", OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", **point})
        if kty == "RSA":
            numbers = {name: _text(jwk, name) for name in ("n", "e")}
            bits = int.from_bytes(_decoded(numbers["n"])).bit_length()
            if bits not in _RSA_BITS:
                raise _Unusable(
                    f"RSA of {bits} bits; {_RSA_BITS.start} to {_RSA_BITS.stop - 1} are used"
                )
            return "RS256", RSAKey.import_key({"kty": "RSA", **numbers})
    except (JoseError, ValueError, TypeError) as error:
        raise _Unusable("is damaged") from error
    raise _Unusable("is of a type or curve that is not used: EC P-256, RSA and Ed25519 are")


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        raise _Unusable(f"{name} is no number in base64url")
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise _Unusable("is damaged") from None
