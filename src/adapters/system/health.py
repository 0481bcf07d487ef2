"""A close look at what belongs to no other technology: certificate, search insights."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from domain.errors import AppError
from domain.insights.refresher import InsightRefresher
from ports.clock import Clock
from ports.health import CheckResult, DiagnosticCheck

_SOON: Final = timedelta(days=14)


class CertificateDiagnosticCheck(DiagnosticCheck):
    """Readable, belongs to its key, not about to end.

    Args:
        cert_file: the chain, PEM, the server's own certificate first.
        key_file: its private key, PEM.
        clock: tells the present time.
    """

    def __init__(self, cert_file: Path, key_file: Path, clock: Clock) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self._clock = clock

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            certificate = x509.load_pem_x509_certificates(self._cert_file.read_bytes())[0]
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            return [_result(good=False, detail=f"TLS_CERT_FILE or TLS_KEY_FILE: {error}")]
        if key.public_key() != certificate.public_key():
            detail = f"{self._key_file} is not the key of {self._cert_file}"
            return [_result(good=False, detail=detail)]
        ends = certificate.not_valid_after_utc
        left = ends - self._clock.now()
        good = left > _SOON
        remedy = "" if good else ": put a new one in its place, then send SIGHUP to `serve`"
        detail = f"{'valid until' if left > timedelta() else 'ended on'} {ends:%Y-%m-%d}{remedy}"
        return [_result(good=good, detail=detail)]


class InsightDiagnosticCheck(DiagnosticCheck):
    """Runs succeed, and lately."""

    def __init__(self, refresher: InsightRefresher) -> None:
        self._refresher = refresher

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            state = await self._refresher.state()
        except AppError as error:
            return [CheckResult(subject="search insights", good=False, detail=f"unknown: {error}")]
        due = f"{state.pending_days} days pending, next run at {state.next_run_at:%Y-%m-%d %H:%M}Z"
        remedy = "Look at the worker's log, or run `storekeeper insights catch-up`."
        problem = state.problem
        detail = due if problem is None else f"{problem} {remedy}"
        return [CheckResult(subject="search insights", good=problem is None, detail=detail)]


def _result(*, good: bool, detail: str) -> CheckResult:
    return CheckResult(subject="certificate", good=good, detail=detail)
