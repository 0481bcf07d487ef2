"""What can be tried without a network of machines; the rest is in tests/integration/deployment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from several_machines.network import TrialFailed, run, wait_until
from several_machines.trial import texts


def test_it_says_where_it_must_be_started_and_that_it_was_skipped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "several_machines"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.startswith("several_machines: cannot run here: ")


def test_what_does_not_happen_is_told_in_its_own_words() -> None:
    with pytest.raises(TrialFailed, match="not within 0 s: nobody came"):
        wait_until(lambda: False, lambda: "nobody came", 0.0)


def test_what_has_happened_is_not_waited_for() -> None:
    assert wait_until(lambda: True, lambda: "nobody came", 0.0) >= 0


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(TrialFailed, match="No such file"):
        run("cat", "/nowhere/at-all")


def test_no_two_jobs_have_a_text_in_common() -> None:
    first, second = texts("one", 40), texts("two", 40)
    assert len(set(first)) == 40
    assert not set(first) & set(second)
