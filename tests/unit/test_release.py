"""A release names one number everywhere, and its licences are looked at; the rest runs for real."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.reference_pages import ROOT


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program, on a copy of the files that it writes."""
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "CHANGELOG.md", *module.NUMBERED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_every_file_names_the_number_of_the_project(release: ModuleType) -> None:
    assert release.current_version().count(".") == 2


def test_a_file_that_names_another_number_is_told(release: ModuleType) -> None:
    (release.ROOT / release.NUMBERED[0]).write_text("image: storekeeper:0.0.7")
    with pytest.raises(release.ReleaseError, match=release.NUMBERED[0]):
        release.current_version()


def test_a_new_number_stands_everywhere_and_has_its_section(release: ModuleType) -> None:
    before = release.current_version()
    with pytest.raises(release.ReleaseError, match="make release VERSION"):
        release.check_changelog("99.0.1")
    release.set_version("99.0.1")
    assert release.current_version() == "99.0.1"
    release.check_changelog("99.0.1")
    changes = (release.ROOT / "CHANGELOG.md").read_text()
    assert changes.index("## [Unreleased]") < changes.index("## [99.0.1] - 2")
    for name in release.NUMBERED:
        text = (ROOT / name).read_text()
        assert (release.ROOT / name).read_text().count("99.0.1") == text.count(before)


def test_a_release_without_a_word_of_what_is_new_is_refused(release: ModuleType) -> None:
    release.set_version("99.0.1")
    with pytest.raises(release.ReleaseError, match="say what is new"):
        release.set_version("99.0.2")


@pytest.mark.parametrize("arguments", [["1.2"], ["v1.2.3"], ["1.2.3", "more"]])
def test_wrong_use_is_told(
    release: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main(arguments) == 2
    assert "make release VERSION=1.2.3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("licences", "allowed"),
    [
        ([{"license": {"id": "MIT"}}], True),
        ([{"expression": "GPL-3.0-only OR MIT"}], True),
        ([{"license": {"name": "License :: OSI Approved :: BSD License"}}], True),
        ([{"expression": "AGPL-3.0-only"}], False),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "GPL-2.0-only"}}], False),
        ([{"license": {"name": "Proprietary"}}], False),
        ([], False),
    ],
)
def test_a_package_whose_licence_is_not_known_to_allow_it_stops_the_release(
    release: ModuleType, licences: list[dict[str, Any]], allowed: bool
) -> None:
    bill = release.ROOT / "bill.json"
    bill.write_text(json.dumps({"components": [{"name": "lamp", "licenses": licences}]}))
    if allowed:
        release.check_licences(bill)
    else:
        with pytest.raises(release.ReleaseError, match="lamp"):
            release.check_licences(bill)
