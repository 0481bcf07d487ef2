"""`storekeeper models`, as far as it asks nobody: what is known, and which names are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.embedded.model_hub import (
    KNOWN_AS_OF,
    KNOWN_MODELS,
    HubFile,
    find_source,
    read_source,
)
from domain.errors import Unavailable
from entrypoints.cli.main import storekeeper
from entrypoints.cli.models import _Progress
from tests.gguf_files import GgufBytes


def listed(state: Path, *words: str) -> str:
    done = CliRunner().invoke(storekeeper, ["models", "list", "--state-dir", str(state), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_each_known_model_has_a_name_a_file_and_a_licence_of_its_own() -> None:
    names = [known.name for known in KNOWN_MODELS]
    assert len(set(names)) == len(names)
    files = {str(known.source) for known in KNOWN_MODELS}
    assert len(files) == len(names)
    assert [known.name for known in KNOWN_MODELS if known.measured] == ["smollm2-135m"]
    for known in KNOWN_MODELS:
        assert known.licence
        assert known.memory_bytes > known.file_bytes > 0


def test_the_list_is_dated_says_what_it_rests_on_and_marks_what_is_here(tmp_path: Path) -> None:
    known = next(each for each in KNOWN_MODELS if each.name == "qwen3-0.6b")
    assert known.source is not None
    file = known.source.inside(tmp_path / "models")
    file.parent.mkdir(parents=True)
    GgufBytes().write(file)
    other = GgufBytes().write(tmp_path / "models" / "by-hand.gguf")
    lines = listed(tmp_path).splitlines()
    assert lines[0].split()[:2] == ["NAME", "SIZE"]
    for each, line in zip(KNOWN_MODELS, lines[1:], strict=False):
        assert line.startswith(each.name)
        assert each.licence in line
        assert ("measured: " if each.measured else "by report: ") in line
        assert str(each.source or "-") in line
    assert str(other) in lines
    assert lines[-1].startswith(f"As of {KNOWN_AS_OF}.")
    told = json.loads(listed(tmp_path, "--json"))
    here = {each["name"] for each in told["models"] if each["here"]}
    assert "qwen3-0.6b" in here
    assert here <= {"qwen3-0.6b", "smollm2-135m"}
    assert told["others"] == [str(other)]
    assert told["as_of"] == KNOWN_AS_OF


def test_a_file_is_named_by_the_list_by_its_place_or_by_its_page() -> None:
    wanted = HubFile(repository="Qwen/Qwen3-4B-GGUF", file="Qwen3-4B-Q4_K_M.gguf")
    for words in (
        "qwen3-4b",
        "Qwen3-4B",
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        "https://hub.example/Qwen/Qwen3-4B-GGUF/blob/main/Qwen3-4B-Q4_K_M.gguf",
        "https://hub.example/Qwen/Qwen3-4B-GGUF/resolve/main/Qwen3-4B-Q4_K_M.gguf?download=true",
    ):
        assert find_source(words) == wanted
    assert read_source("a/b/q4/c.gguf") == HubFile(repository="a/b", file="q4/c.gguf")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a",
        "a/b",
        "a/b/c",
        "a/b/c.bin",
        "a/b/../c.gguf",
        "/a/b/c.gguf",
        "a/b/.gguf",
        "a//c.gguf",
    ],
)
def test_what_names_no_file_is_refused(words: str) -> None:
    with pytest.raises(Unavailable, match=r"known model|comes with"):
        find_source(words)


def test_a_file_can_be_checked_whatever_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may name a file that is still to come, or a provider without its key."""
    monkeypatch.setenv("LOCAL_LLM_FILE", str(tmp_path / "to-come.gguf"))
    monkeypatch.setenv("LLM_PROVIDER", "openai")
    (tmp_path / "bad.gguf").write_text("<html>")
    done = CliRunner().invoke(storekeeper, ["models", "check", str(tmp_path / "bad.gguf")])
    assert done.exit_code == 1
    assert "a web page" in done.output
    done = CliRunner().invoke(storekeeper, ["models", "check"])
    assert done.exit_code == 2
    assert "LOCAL_LLM_FILE: is not a file" in done.output


def test_progress_is_a_line_now_and_then_where_nobody_looks_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = _Progress()
    for done in range(0, 1001, 5):
        progress("m.gguf", done * 1_000_000, 1_000_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "m.gguf: 1.0 GB of 1.0 GB (100 %)"
