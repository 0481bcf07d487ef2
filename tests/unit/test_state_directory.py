from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.up.state import (
    StateDirectory,
    StateDirectoryError,
    default_state_directory,
    write_private,
)


def test_secrets_are_drawn_once_and_kept(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    drawn = state.load_secrets()
    assert StateDirectory(tmp_path).load_secrets() == drawn
    assert len(drawn.secret_key) == 64
    assert len({drawn.database_password, drawn.queue_password, drawn.model_key}) == 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"secret_key": "x"}'])
def test_secrets_that_cannot_be_read_are_not_drawn_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").touch(mode=0o600)
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(StateDirectoryError, match=r"secrets\.json cannot be read"):
        StateDirectory(tmp_path).load_secrets()
    assert (tmp_path / "secrets.json").read_text() == text


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = StateDirectory(tmp_path), StateDirectory(tmp_path)
    first.acquire()
    with pytest.raises(StateDirectoryError, match=rf"process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_folder_is_chosen_by_state_dir_then_by_the_account() -> None:
    assert default_state_directory({"STATE_DIR": "/somewhere"}) == Path("/somewhere")
    chosen = default_state_directory({"XDG_STATE_HOME": "/home/ada/state"})
    expected = "/var/lib/storekeeper" if os.geteuid() == 0 else "/home/ada/state/storekeeper"
    assert chosen == Path(expected)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_nothing_is_made_for_others_to_change_and_secrets_are_for_us_alone(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "above" / "state")
    state.acquire()
    state.load_secrets()
    write_private(state.env_file, "A='b'\n")
    made = [tmp_path / "above", *(tmp_path / "above").rglob("*")]
    assert {each.name for each in made} == {"above", "state", "lock", "secrets.json", "env"}
    for each in made:
        assert not each.stat().st_mode & 0o022, each
    for name in ("secrets.json", "env"):
        assert (state.path / name).stat().st_mode & 0o777 == 0o600
    state.release()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o1777])
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    link = tmp_path / "link"
    link.symlink_to(folder)
    for path in (folder, link):
        with pytest.raises(StateDirectoryError, match="chmod go-w"):
            StateDirectory(path).acquire()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_secrets_that_others_may_read_or_change_are_not_used(tmp_path: Path, mode: int) -> None:
    StateDirectory(tmp_path).load_secrets()
    (tmp_path / "secrets.json").chmod(mode)
    with pytest.raises(StateDirectoryError, match=r"chmod 600 .*secrets\.json"):
        StateDirectory(tmp_path).load_secrets()


def test_a_private_file_replaces_whatever_stood_in_its_way(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    (tmp_path / f".env.{os.getpid()}").symlink_to(elsewhere)
    write_private(tmp_path / "env", "ours")
    assert (tmp_path / "env").read_text() == "ours"
    assert not (tmp_path / "env").is_symlink()
    assert elsewhere.read_text() == "theirs"
