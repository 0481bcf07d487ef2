from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrypoints.cli.main import storekeeper
from entrypoints.private_files import exposure
from entrypoints.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "server.key"
    path.touch(mode=0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_file_of_ours_and_of_its_group_is_private(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert exposure(file) is None


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666, 0o777])
def test_a_file_that_everybody_may_read_is_named_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    link = file.with_name("link.key")
    link.symlink_to(file)
    for path in (file, link):
        why = exposure(path)
        assert (
            why == f"Every account of this machine may read or change {path}: `chmod 600 {path}`."
        )


def test_a_group_may_read_and_not_write(file: Path) -> None:
    file.chmod(0o660)
    assert exposure(file) == f"The group of {file} may change it: `chmod 600 {file}`."


@as_root
@pytest.mark.parametrize(("uid", "name"), [(65534, "nobody"), (54321, "54321")])
def test_a_file_of_another_account_is_named_with_the_account(
    file: Path, uid: int, name: str
) -> None:
    os.chown(file, uid, -1)
    why = exposure(file)
    assert why is not None
    assert why.startswith(f"{file} belongs to the account {name}, which may read and change it")


def test_what_is_not_there_exposes_nothing(tmp_path: Path) -> None:
    assert exposure(tmp_path / "nothing") is None
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert exposure(tmp_path / "link") is None


@pytest.mark.parametrize(
    ("line", "mode", "warned"),
    [
        ("DATABASE_URL=postgresql://shop:x@127.0.0.1:9/shop", 0o644, True),
        ("DATABASE_URL=postgresql://shop:x@127.0.0.1:9/shop", 0o600, False),
        ("PORT=8443", 0o644, False),
        ("SECRET_KEY=", 0o644, False),
    ],
)
def test_a_file_of_settings_is_looked_at_where_it_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, mode: int, warned: bool
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"{line}\n")
    (tmp_path / ".env").chmod(mode)
    said = CliRunner().invoke(storekeeper, ["db", "status"]).output
    assert ("Warning: Every account of this machine may read" in said) is warned
    assert ("chmod 600" in said) is warned
