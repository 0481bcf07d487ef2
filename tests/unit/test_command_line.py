"""What holds for every command: its help, its examples, its exit codes, `--json`, completion."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import storekeeper
from tests.reference_pages import ROOT, commands

COMMANDS = {path: command for path, command, _ in commands()}
PROGRAM = Path(sys.executable).with_name("storekeeper")

WITHOUT_JSON = {
    "storekeeper up": "runs on; `status --json` has its state",
    "storekeeper stop": "says one line",
    "storekeeper logs": "shows lines of other programs",
    "storekeeper reset": "says one line",
    "storekeeper serve": "runs on; LOG_FORMAT=json",
    "storekeeper worker": "runs on; LOG_FORMAT=json",
    "storekeeper extract": "results are NDJSON; `jobs show --json` has the job",
    "storekeeper models pull": "shows a progress; `models check --json` has the file",
    "storekeeper compare": "--out report.json",
    "storekeeper providers reopen": "says a line for each; `providers status --json`",
    "storekeeper extraction-schemas put": "says a line for each file",
    "storekeeper extraction-schemas delete": "says one line",
    "storekeeper clicks export": "--format ndjson",
    "storekeeper insights sql": "prints SQL",
    "storekeeper sample-data": "says one line",
    "storekeeper db migrate": "says a line for each; `db status --json`",
    "storekeeper db grant": "prints a setting",
    "storekeeper db dump": "says one line",
    "storekeeper db restore": "says a line for each; `db status --json`",
    "storekeeper psql": "is another program; --csv",
    "storekeeper health": "prints the JSON of the server",
    "storekeeper tls trust": "says a line for each; `tls status --json`",
    "storekeeper tls untrust": "says a line for each; `tls status --json`",
    "storekeeper webhooks enable": "says one line; `webhooks list --json` has the endpoint",
    "storekeeper webhooks disable": "says one line; `webhooks list --json` has the endpoint",
    "storekeeper webhooks delete": "says one line",
    "storekeeper docs": "serves pages",
    "storekeeper completion": "prints a script",
}
"""Commands that print neither a table nor a state, each with what it does instead."""


def groups() -> Iterator[tuple[str, click.Group]]:
    context = click.Context(storekeeper)
    for name in storekeeper.list_commands(context):
        command = storekeeper.get_command(context, name)
        if isinstance(command, click.Group):
            yield f"storekeeper {name}", command


def run(*arguments: str, **variables: str | None) -> Result:
    return CliRunner().invoke(storekeeper, arguments, env=variables)


def examples_of(command: click.Command) -> list[str]:
    found = re.search(r"\bExamples:\n((?:  .+\n?)+)", command.epilog or "")
    return [] if found is None else [line.strip() for line in found[1].splitlines()]


def calls_in(line: str) -> list[list[str]]:
    """The words of each call of `storekeeper` in a line for a shell."""
    # Within quotes, too, `$(...)` is a command.
    line = line.replace('"$(', "(").replace(')"', ")")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    calls: list[list[str]] = []
    call: list[str] | None = None
    for word in lexer:
        if word == "storekeeper":
            call = []
            calls.append(call)
        elif set(word) <= set("|&;<>()"):
            call = None
        elif call is not None:
            call.append(word)
    return calls


def parse(words: Sequence[str]) -> None:
    """Read the words as Click does before it runs a command."""
    with ExitStack() as opened:
        context = opened.enter_context(storekeeper.make_context("storekeeper", list(words)))
        command: click.Command = storekeeper
        while isinstance(command, click.Group):
            left = [*context._protected_args, *context.args]
            name, found, rest = command.resolve_command(context, left)
            assert found is not None, words
            command = found
            context = opened.enter_context(command.make_context(name, rest, parent=context))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_examples_that_can_be_typed_so(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = examples_of(COMMANDS[path])
    assert lines, f"{path} has no examples in its help"
    for line in lines:
        calls = calls_in(line)
        assert calls, line
        for call in calls:
            words = [re.sub(r"^~", str(tmp_path), word) for word in call]
            for word in words:  # input files have to be there
                if re.fullmatch(r"[\w/.-]+\.\w+", word):
                    Path(word).parent.mkdir(parents=True, exist_ok=True)
                    Path(word).touch()
            parse(words)
    own = [words for line in lines for words in calls_in(line)]
    named = path.split()[1:]
    assert any(words[: len(named)] == named for words in own), lines


def test_every_group_has_an_example() -> None:
    found = {path: examples_of(group) for path, group in groups()}
    assert len(found) >= 9
    assert all(found.values()), found


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_its_exit_codes_and_the_page_knows_them(path: str) -> None:
    said = re.search(r"Exit codes: (.+)\.$", COMMANDS[path].epilog or "", re.DOTALL)
    assert said is not None, path
    codes = [int(each.split()[0]) for each in said[1].split("; ") if each[0].isdigit()]
    assert codes[:3] == [0, 1, 2]
    page = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
              for code in row.split(",")}  # fmt: skip
    assert set(codes) <= listed


def test_every_command_that_prints_a_table_or_a_state_prints_it_as_json_too() -> None:
    lacking = {
        path
        for path, command in COMMANDS.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert lacking == WITHOUT_JSON.keys()


@pytest.mark.parametrize("path", COMMANDS)
def test_an_option_that_is_not_there_is_bad_usage_said_on_one_line(path: str) -> None:
    if path == "storekeeper psql":
        pytest.skip("psql's own options are passed on")
    result = run(*path.split()[1:], "--no-such-option")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("Error: No such option")


NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing"
AT_DATABASE = {
    "storekeeper jobs list": (),
    "storekeeper jobs show": ("1",),
    "storekeeper jobs pause": ("1",),
    "storekeeper jobs resume": ("1",),
    "storekeeper jobs cancel": ("1",),
    "storekeeper extract": ("texts.txt",),
    "storekeeper providers reopen": ("local",),
    "storekeeper extraction-schemas list": (),
    "storekeeper extraction-schemas show": ("x",),
    "storekeeper extraction-schemas put": ("schema.yaml",),
    "storekeeper extraction-schemas delete": ("x",),
    "storekeeper clicks import": ("clicks.csv",),
    "storekeeper clicks export": (),
    "storekeeper clicks prune": ("--keep-days", "9"),
    "storekeeper insights show": (),
    "storekeeper insights analyse": (),
    "storekeeper insights run": (),
    "storekeeper insights catch-up": (),
    "storekeeper sample-data": ("--users", "1", "--orders", "0", "--clicks", "0"),
    "storekeeper db migrate": (),
    "storekeeper db status": (),
    "storekeeper db grant": (),
    "storekeeper db dump": ("x.dump",),
    "storekeeper db restore": ("y.dump",),
    "storekeeper keys create": ("--name", "x", "--scopes", "admin"),
    "storekeeper keys list": (),
    "storekeeper keys show": ("1",),
    "storekeeper keys update": ("1", "--budget-usd", "1"),
    "storekeeper keys rotate": ("1",),
    "storekeeper keys revoke": ("1",),
    "storekeeper audit": (),
    "storekeeper webhooks create": ("https://erp.example/hooks",),
    "storekeeper webhooks list": (),
    "storekeeper webhooks enable": ("1",),
    "storekeeper webhooks disable": ("1",),
    "storekeeper webhooks delete": ("1",),
    "storekeeper webhooks rotate": ("1",),
    "storekeeper webhooks test": ("1",),
    "storekeeper webhooks deliveries": (),
    "storekeeper webhooks replay": ("msg_0b6c1f5e-9a3d-4c57-8f0e-2d1b7a94c3e6",),
}
"""Each command that works on the database, with what it needs."""
RESUMABLE = {
    "storekeeper clicks import",
    "storekeeper insights run",
    "storekeeper insights catch-up",
}


@pytest.mark.parametrize("path", AT_DATABASE)
def test_a_database_that_is_away_is_said_without_its_password(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("two lamps\n")
    Path("y.dump").touch()
    Path("clicks.csv").write_text("search_query,clicks,impressions,search_date\na,1,2,2026-11-01\n")
    Path("schema.yaml").write_text(
        "name: x\nfields: [{name: a, type: string, description: b, required: false}]\n"
    )
    result = run(
        *path.split()[1:],
        *AT_DATABASE[path],
        DATABASE_URL=NOWHERE,
        REDIS_URL="redis://127.0.0.1:1/0",
        SECRET_KEY="a secret of forty characters, for the tests",
    )
    assert result.exit_code == (75 if path in RESUMABLE else 1), result.output
    assert result.stderr.strip(), "nothing is said"
    assert "Traceback" not in result.output
    assert "secret@" not in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_job_is_stopped_whatever_the_settings_of_models_and_queue_are(word: str) -> None:
    result = run("jobs", word, "1", DATABASE_URL=NOWHERE, LLM_PROVIDER="openai", REDIS_URL=None)
    assert (result.exit_code, "The database cannot be reached" in result.stderr) == (1, True)


MISSING_FILE = {
    "storekeeper extract": ("nowhere.txt",),
    "storekeeper models check": ("nowhere.gguf",),
    "storekeeper compare": ("--providers", "regex", "--dataset", "nowhere.csv"),
    "storekeeper extraction-schemas put": ("nowhere.yaml",),
    "storekeeper clicks import": ("nowhere.csv",),
    "storekeeper db grant": ("--password-file", "nowhere"),
    "storekeeper db restore": ("nowhere.dump",),
    "storekeeper keys revoke": ("--token-from", "nowhere"),
}


@pytest.mark.parametrize("path", MISSING_FILE)
def test_a_file_that_is_missing_is_bad_usage_and_named(path: str) -> None:
    result = run(*path.split()[1:], *MISSING_FILE[path])
    assert result.exit_code == 2
    assert "nowhere" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


def plain(folder: Path, **variables: str) -> dict[str, str]:
    """An environment without settings; the state folder is in `folder`."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "STATE_DIR": f"{folder}/state",
            **variables}  # fmt: skip


def test_alone_it_is_a_page_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom entrypoints.cli.main import storekeeper\n"
        "storekeeper([], standalone_mode=False)\n"
        "heavy = {'pydantic', 'pydantic_settings', 'litestar', 'asyncpg', 'sqlalchemy', 'rich',"
        " 'cryptography', 'redis'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=plain(tmp_path),
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "Nothing runs here yet." in told.stdout
    assert f"storekeeper up --state-dir {tmp_path}/state" in told.stdout
    assert "\x1b" not in told.stdout


def test_a_file_of_settings_that_cannot_be_read_is_bad_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("one two\n")
    result = run(STATE_DIR=str(tmp_path / "state"))
    assert (result.exit_code, ".env, line 1" in result.stderr) == (2, True)
    Path(".env").write_text("DATABASE_URL=postgresql://db/shop\n")
    result = run(STATE_DIR=str(tmp_path / "state"), DATABASE_URL=None)
    assert (result.exit_code, "storekeeper db migrate" in result.stdout) == (0, True)


@pytest.mark.parametrize("words", [(), ("up",), ("status",), ("jobs", "list"), ("tls", "status")])
def test_an_account_without_a_home_is_told_what_to_set(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    for name in ("STATE_DIR", "XDG_STATE_HOME", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    result = run(*words)
    assert result.exit_code == (2 if words == ("jobs", "list") else 1)
    assert "set STATE_DIR to a folder of its own, or HOME." in result.stderr


def test_a_group_alone_shows_its_help_as_bad_usage() -> None:
    for path, _ in groups():
        result = run(*path.split()[1:])
        assert (result.exit_code, "Examples:" in result.stderr) == (2, True), path


SHELLS = {
    "bash": """
        eval "$({program} completion bash)"
        COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        _storekeeper_completion {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        autoload -U compinit; compinit -u -d {folder}/dump
        {program} completion zsh > {folder}/_storekeeper; source {folder}/_storekeeper
        (( $+functions[_storekeeper_completion] )) || exit 9
        COMP_WORDS="{spaced}" COMP_CWORD={last} _STOREKEEPER_COMPLETE=zsh_complete {program}
    """,
    "fish": """
        {program} completion fish | source
        complete --do-complete "{spaced}"
    """,
}


def completed(shell: str, folder: Path, *words: str) -> str:
    """What a shell offers for the last of the words."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    link = folder / "storekeeper"
    if not link.exists():
        link.symlink_to(PROGRAM)
    script = SHELLS[shell].format(
        program="storekeeper",
        folder=folder,
        words=shlex.join(["storekeeper", *words]),
        spaced=" ".join(["storekeeper", *words]),
        last=len(words),
    )
    told = subprocess.run(
        [shell, "-c", script],
        check=False,
        cwd=folder,
        env=plain(folder, PATH=f"{folder}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "offered", "other"),
    [
        (("st",), {"status", "stop"}, "logs"),
        (("logs", "p"), {"postgres"}, "valkey"),
        (("status", "--j"), {"--json"}, "--state-dir"),
        (("completion", ""), {"bash", "zsh", "fish"}, "sh\n"),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    shell: str, words: Sequence[str], offered: set[str], other: str, tmp_path: Path
) -> None:
    said = completed(shell, tmp_path, *words)
    found = set(re.split(r"[\s,]+", said))
    assert offered <= found, said
    assert other not in found


def test_what_names_the_models_of_the_list_completes_them(tmp_path: Path) -> None:
    said = completed("bash", tmp_path, "models", "pull", "qw")
    assert "qwen" in said


def test_a_document_of_state_is_one_line_of_json(tmp_path: Path) -> None:
    result = run("status", "--json", "--state-dir", str(tmp_path))
    assert json.loads(result.stdout)["running"] is False
    assert result.stdout.count("\n") == 1
