from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrypoints.up.state import StateDirectory, StateDirectoryError, default_state_directory


def test_secrets_are_drawn_once_and_kept(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    drawn = state.load_secrets()
    assert StateDirectory(tmp_path).load_secrets() == drawn
    assert len(drawn.secret_key) == 64
    assert len({drawn.database_password, drawn.queue_password, drawn.model_key}) == 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"secret_key": "x"}'])
def test_secrets_that_cannot_be_read_are_not_drawn_anew(tmp_path: Path, text: str) -> None:
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
