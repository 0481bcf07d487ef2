from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.embedded.certificates import LocalCertificates
from adapters.llm.examination import LanguageModelExamination
from adapters.system.certificate import CertificateExamination
from domain.extraction.calls import FailureKind
from ports.examination import Finding
from ports.language_model import Finish
from tests.fakes.language_models import Said, ScriptedLanguageModel
from tests.fakes.system import StandingClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def certificates(tmp_path: Path) -> LocalCertificates:
    made = LocalCertificates(tmp_path / "tls")
    made.renew(["localhost"], now=NOW)
    return made


async def look(certificates: LocalCertificates, at: datetime = NOW) -> Finding:
    examination = CertificateExamination(
        certificates.cert_file, certificates.key_file, StandingClock(at)
    )
    (finding,) = await examination.findings()
    return finding


async def test_a_good_certificate_tells_its_last_day(certificates: LocalCertificates) -> None:
    finding = await look(certificates)
    assert finding.good
    assert finding.detail == "valid until 2027-04-02"


@pytest.mark.parametrize(("days", "says"), [(390, "valid until"), (398, "ended on")])
async def test_a_certificate_near_or_past_its_end_is_to_be_renewed(
    certificates: LocalCertificates, days: int, says: str
) -> None:
    finding = await look(certificates, NOW + timedelta(days=days))
    assert not finding.good
    assert finding.detail.startswith(says)
    assert "put a new one in its place" in finding.detail


async def test_a_key_of_another_certificate_is_noticed(
    certificates: LocalCertificates, tmp_path: Path
) -> None:
    other = LocalCertificates(tmp_path / "other")
    other.renew(["localhost"], now=NOW)
    shutil.copy(other.key_file, certificates.key_file)
    finding = await look(certificates)
    assert not finding.good
    assert "is not the key of" in finding.detail


@pytest.mark.parametrize(
    "damage", ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
async def test_a_file_that_is_no_certificate_is_named_by_its_setting(
    certificates: LocalCertificates, damage: str
) -> None:
    certificates.cert_file.write_text(damage)
    finding = await look(certificates)
    assert not finding.good
    assert finding.detail.startswith("TLS_CERT_FILE or TLS_KEY_FILE: ")


@pytest.mark.parametrize(
    ("said", "good", "detail"),
    [
        ('{"ready": true}', True, "scripted-1 answered"),
        (Finish.REFUSED, False, "scripted-1 answered, but refused"),
        (FailureKind.AUTH, False, "scripted-1: scripted auth"),
    ],
)
async def test_a_model_is_well_when_it_answers(said: Said, good: bool, detail: str) -> None:
    model = ScriptedLanguageModel([said])
    (finding,) = await LanguageModelExamination("openai", nullcontext(model)).findings()
    assert finding == Finding(subject="provider openai", good=good, detail=detail)
