from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.embedded.certificates import LocalCertificateAuthority
from adapters.llm.health import LanguageModelDiagnosticCheck
from adapters.system.health import CertificateDiagnosticCheck
from domain.extraction.calls import FailureKind
from ports.health import CheckResult
from ports.language_models import FinishReason
from tests.fakes.language_models import Said, ScriptedLanguageModel
from tests.fakes.system import StandingClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def certificates(tmp_path: Path) -> LocalCertificateAuthority:
    made = LocalCertificateAuthority(tmp_path / "tls")
    made.renew(["localhost"], now=NOW)
    return made


async def look(certificates: LocalCertificateAuthority, at: datetime = NOW) -> CheckResult:
    check = CertificateDiagnosticCheck(
        certificates.cert_file, certificates.key_file, StandingClock(at)
    )
    (result,) = await check.results()
    return result


async def test_a_good_certificate_tells_its_last_day(
    certificates: LocalCertificateAuthority,
) -> None:
    result = await look(certificates)
    assert result.good
    assert result.detail == "valid until 2027-04-02"


@pytest.mark.parametrize(("days", "says"), [(390, "valid until"), (398, "ended on")])
async def test_a_certificate_near_or_past_its_end_is_to_be_renewed(
    certificates: LocalCertificateAuthority, days: int, says: str
) -> None:
    result = await look(certificates, NOW + timedelta(days=days))
    assert not result.good
    assert result.detail.startswith(says)
    assert "put a new one in its place" in result.detail


async def test_a_key_of_another_certificate_is_noticed(
    certificates: LocalCertificateAuthority, tmp_path: Path
) -> None:
    other = LocalCertificateAuthority(tmp_path / "other")
    other.renew(["localhost"], now=NOW)
    shutil.copy(other.key_file, certificates.key_file)
    result = await look(certificates)
    assert not result.good
    assert "is not the key of" in result.detail


@pytest.mark.parametrize(
    "damage", ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
async def test_a_file_that_is_no_certificate_is_named_by_its_setting(
    certificates: LocalCertificateAuthority, damage: str
) -> None:
    certificates.cert_file.write_text(damage)
    result = await look(certificates)
    assert not result.good
    assert result.detail.startswith("TLS_CERT_FILE or TLS_KEY_FILE: ")


@pytest.mark.parametrize(
    ("said", "good", "detail"),
    [
        ('{"ready": true}', True, "scripted-1 answered"),
        (FinishReason.REFUSED, False, "scripted-1 answered, but refused"),
        (FailureKind.AUTH, False, "scripted-1: scripted auth"),
    ],
)
async def test_a_model_is_well_when_it_answers(said: Said, good: bool, detail: str) -> None:
    model = ScriptedLanguageModel([said])
    (result,) = await LanguageModelDiagnosticCheck("openai", nullcontext(model)).results()
    assert result == CheckResult(subject="provider openai", good=good, detail=detail)
