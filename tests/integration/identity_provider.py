"""An identity provider on a loopback port: keys in the states that Supabase gives them, and tokens.

Signatures are made by cryptography, not by the library that checks them.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from domain.access.model import Scope
from domain.access.tokens import IdentityTokenRules, ScopeClaim

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

ISSUER: Final = "https://ref.supabase.example/auth/v1"
AUDIENCE: Final = "authenticated"
RULES: Final = IdentityTokenRules(
    issuer=ISSUER,
    audience=AUDIENCE,
    scope_claim=ScopeClaim(name="app_metadata.storekeeper_scopes"),
)
SCOPES: Final = frozenset({Scope.RECORDS_WRITE, Scope.EXTRACT})
SETTINGS: Final = {
    "jwt_issuer": ISSUER,
    "jwt_audience": AUDIENCE,
    "jwt_scope_claim": "app_metadata.storekeeper_scopes",
}

EC: Final = ec.generate_private_key(ec.SECP256R1())
OTHER_EC: Final = ec.generate_private_key(ec.SECP256R1())
P384: Final = ec.generate_private_key(ec.SECP384R1())
RSA: Final = rsa.generate_private_key(65537, 2048)
WEAK_RSA: Final = rsa.generate_private_key(65537, 1024)  # noqa: S505 (it has to be refused)
ED: Final = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_json(value: object) -> str:
    """JSON in base64url."""
    return b64(json.dumps(value).encode())


def _number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


def public_jwk(private: PrivateKey, kid: str | None, **more: object) -> dict[str, Any]:
    """The public half as a JWK."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        numbers, size = private.public_key().public_numbers(), (private.key_size + 7) // 8
        crv = {256: "P-256", 384: "P-384"}[private.key_size]
        point = {"x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        return {"kty": "EC", "crv": crv, **point, **named, **more}
    if isinstance(private, rsa.RSAPrivateKey):
        public = private.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(public.n), "e": _number(public.e), **named, **more}
    x = b64(private.public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, **named, **more}


def algorithm_of(private: PrivateKey) -> str:
    """The algorithm of RFC 7518 for a key."""
    if isinstance(private, rsa.RSAPrivateKey):
        return "RS256"
    return "EdDSA" if isinstance(private, ed25519.Ed25519PrivateKey) else "ES256"


def sign(private: PrivateKey, message: bytes) -> bytes:
    """A signature as JWS writes it."""
    if isinstance(private, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(SHA256())))
        size = (private.key_size + 7) // 8
        return r.to_bytes(size) + s.to_bytes(size)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, padding.PKCS1v15(), SHA256())
    return private.sign(message)


def signed(private: PrivateKey, header: str, payload: str) -> str:
    """A token of two segments as they are."""
    return f"{header}.{payload}.{b64(sign(private, f'{header}.{payload}'.encode()))}"


def header_for(private: PrivateKey, kid: str, **more: object) -> dict[str, Any]:
    """The header of a token as Supabase writes it."""
    return {"alg": algorithm_of(private), "kid": kid, "typ": "JWT", **more}


def claims_at(now: float, **changes: object) -> dict[str, Any]:
    """Claims of a user's access token as Supabase writes them; a change to None takes one away."""
    claims = {
        "iss": ISSUER,
        "sub": "8ccaa7af-909f-44e7-84cb-67cdccb56be6",
        "aud": AUDIENCE,
        "exp": int(now) + 3600,
        "iat": int(now),
        "email": "clerk@shop.example",
        "phone": "",
        "app_metadata": {"provider": "email", "storekeeper_scopes": "records:write extract"},
        "user_metadata": {"storekeeper_scopes": "admin"},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(now)}],
        "session_id": "4b938a09-5372-4177-a314-cfa292099ea2",
        "is_anonymous": False,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


@dataclass
class IdentityProvider:
    """Publishes keys, and counts who asks.

    Attributes:
        url: of its JWK Set.
        standby, in_use, previously_used: its keys by `kid`; those are published, revoked ones not.
        answer: whole HTTP answer in place of the set.
        hold: while it is not set, nobody is answered.
        requests: how often the set was asked for.
    """

    url: str = ""
    standby: dict[str, PrivateKey] = field(default_factory=dict)
    in_use: dict[str, PrivateKey] = field(default_factory=lambda: {"one": EC})
    previously_used: dict[str, PrivateKey] = field(default_factory=dict)
    answer: bytes | None = None
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0

    def rotate(self) -> None:
        """As the dashboard's button does: the standby key signs from now on."""
        self.previously_used |= self.in_use
        self.in_use, self.standby = self.standby, {}

    def revoke(self) -> None:
        """Trust what was used before no longer."""
        self.previously_used = {}

    def token(self, now: float, **changes: object) -> str:
        """A user's token, signed with the key in use."""
        ((kid, private),) = self.in_use.items()
        header = b64_json(header_for(private, kid))
        return signed(private, header, b64_json(claims_at(now, **changes)))

    def document(self) -> Mapping[str, Any]:
        """The JWK Set."""
        published = self.standby | self.in_use | self.previously_used
        more = {"use": "sig", "key_ops": ["verify"], "ext": True}
        return {
            "keys": [
                public_jwk(private, kid, alg=algorithm_of(private), **more)
                for kid, private in published.items()
            ]
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await self.hold.wait()
            body = json.dumps(self.document()).encode()
            writer.write(self.answer if self.answer is not None else http_answer(body))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asked has left
        finally:
            writer.close()


def http_answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    """A provider that answers, for as long as the block runs."""
    provider = IdentityProvider()
    provider.hold.set()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider.url = f"http://127.0.0.1:{port}/auth/v1/.well-known/jwks.json"
    try:
        yield provider
    finally:
        provider.hold.set()
        server.close()
        await server.wait_closed()
