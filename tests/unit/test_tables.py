from __future__ import annotations

import os
import sys
from datetime import timedelta

import pytest

from entrypoints.cli.tables import age_of, echo_columns

ROWS = [("ID", "WHY"), ("12", "it was paused"), ("7", "")]


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    echo_columns(ROWS)
    assert capsys.readouterr().out == "ID  WHY\n12  it was paused\n7\n"


def test_a_narrow_terminal_gets_the_beginning_of_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb") as screen:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("COLUMNS", "10")
        echo_columns(ROWS)
        monkeypatch.undo()
        shown = [screen.readline().decode() for _ in ROWS]
    assert shown == ["ID  WHY\r\n", "12  it wa…\r\n", "7\r\n"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_an_age_is_told_in_its_greatest_unit(seconds: float, said: str) -> None:
    assert age_of(timedelta(seconds=seconds)) == said
