"""A close look at the keys of the identity provider."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.tokens.jwks import JwksUnusable, fetch_key_set, open_client
from domain.strict_json import printable
from ports.health import CheckResult, DiagnosticCheck


class JwksDiagnosticCheck(DiagnosticCheck):
    """Can be fetched, and holds keys that tokens can be checked with.

    Args:
        url: of the JWK Set.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        async with open_client() as client:
            try:
                found = await fetch_key_set(client, self._url)
            except JwksUnusable as error:
                return [_result(good=False, detail=f"JWT_JWKS_URL {error}")]
        exposed = [
            _result(good=False, detail=f"not used, {key}") for key in found.unused if key.exposed
        ]
        others = [f"not used, {key}" for key in found.unused if not key.exposed]
        if found.keys:
            names = [
                f"{key.algorithm} {printable(key.key_id)!r}"
                for _, key in sorted(found.keys.items())
            ]
            return [_result(good=True, detail="; ".join([", ".join(names), *others])), *exposed]
        remedy = (
            "JWT_JWKS_URL has no key that can be used: have the provider sign with ES256, RS256 or"
            " EdDSA (with Supabase: Project settings, JWT signing keys)"
        )
        return [_result(good=False, detail="; ".join([remedy, *others])), *exposed]


def _result(*, good: bool, detail: str) -> CheckResult:
    return CheckResult(subject="token keys", good=good, detail=detail)
