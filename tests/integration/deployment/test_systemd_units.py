"""The units of infra/systemd, as systemd itself reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "infra" / "systemd"
SERVICES = sorted(unit.name for unit in UNITS.glob("*.service"))
INSTALLED = "/opt/storekeeper/bin/storekeeper"
HERE = str(Path(sys.executable).with_name("storekeeper"))
WORST_EXPOSURE = 1.1
"""What docs/how-to/deploy-systemd.md promises; 10 is a service without any of it."""


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("there is no systemd-analyze on this machine (Debian: systemd)")
    return found


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the command as it is installed here, and an instance of the template."""
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.timer"), *UNITS.glob("*.target")]:
        name = unit.name.replace("@.", "@1.")
        (tmp_path / name).write_text(unit.read_text("utf-8").replace(INSTALLED, HERE))
    return tmp_path


def verified(analyze: str, units: Path) -> str:
    files = sorted(str(unit) for unit in units.iterdir() if unit.is_file())
    done = subprocess.run(
        [analyze, "verify", "--man=no", *files], check=False, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_systemd_finds_nothing_wrong_with_the_units(analyze: str, units: Path) -> None:
    assert verified(analyze, units) == ""


def test_systemd_would_find_what_is_wrong_with_them(analyze: str, units: Path) -> None:
    serve = units / "storekeeper-serve.service"
    serve.write_text(serve.read_text("utf-8").replace("PrivateTmp=yes", "PrivateTemp=yes"))
    assert "PrivateTemp" in verified(analyze, units)


def test_systemd_accepts_the_addition_for_tls(analyze: str, units: Path) -> None:
    addition = units / "storekeeper-serve.service.d"
    addition.mkdir()
    shutil.copy(UNITS / "storekeeper-serve-tls.conf", addition / "tls.conf")
    assert verified(analyze, units) == ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_as_little_exposed_as_the_docs_say(
    analyze: str, units: Path, service: str
) -> None:
    done = subprocess.run(
        [
            *(analyze, "security", "--offline=yes", "--no-pager"),
            str(units / service.replace("@.", "@1.")),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= WORST_EXPOSURE


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_secret_in_its_unit(service: str) -> None:
    text = (UNITS / service).read_text("utf-8")
    settings = r"^EnvironmentFile=/etc/storekeeper/(storekeeper|owner)\.env$"
    assert re.search(settings, text, re.MULTILINE)
    assert "Environment=" not in text
