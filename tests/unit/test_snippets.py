"""What the pages show is either tried by a test or says why not; here is what needs no server."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from entrypoints.settings import Settings, load_settings
from fake_provider.command import command as fake_provider
from labelled_messages.command import command as labelled_messages
from tests.reference_pages import PARTS, commands, part
from tests.shown_output import difference
from tests.snippets import (
    REASONS,
    ROOT,
    SHELL,
    Snippet,
    commands_of,
    pages,
    snippets_in,
    snippets_of,
    treatment,
)

SNIPPETS = [each for page in pages() for each in snippets_of(page)]
PROGRAMS: dict[str, click.Command] = {
    **{path: command for path, command, _ in commands()},
    "fake-llm-provider": fake_provider,
    "labelled-messages": labelled_messages,
}


def marked(kind: str) -> list[Snippet]:
    return [each for each in SNIPPETS if kind in each.marks]


def block(text: str, *, language: str = "console", before: str = "") -> list[Snippet]:
    return snippets_in(f"# Page\n\n{before}```{language}\n{text}\n```\n", "page.md")


def test_every_block_is_tried_or_says_why_not() -> None:
    ways = {
        "": "a picture",
        **dict.fromkeys([*SHELL, "python", "sql"], "run"),
        **dict.fromkeys(["json", "yaml", "toml", "csv"], "parsed"),
        "dotenv": "read as settings",
    }
    for each in SNIPPETS:
        if not each.marks and not each.made:
            assert each.language in ways, f"{each.place}: nothing tries a block of {each.language}"
            assert treatment(each) == ways[each.language], each.place


def test_a_picture_holds_no_command() -> None:
    for each in SNIPPETS:
        if not each.language and not re.search("[─│▼]", each.text):
            first = {line.split(" ")[0] for line in each.text.splitlines()}
            assert not first & {"$", "make", "curl", "psql", *PROGRAMS, "storekeeper"}, each.place


@pytest.mark.parametrize("snippet", marked("not run"), ids=lambda each: each.place)
def test_a_block_that_is_not_run_holds_what_its_reason_says(snippet: Snippet) -> None:
    reason = snippet.marks["not run"]
    assert reason in REASONS, f"{snippet.place}: {reason!r} is none of {sorted(REASONS)}"
    assert re.search(REASONS[reason], snippet.text), (
        f"{snippet.place}: nothing in it {reason}; take the comment away, and it is run"
    )


@pytest.mark.parametrize("reason", REASONS)
def test_no_reason_fits_what_needs_only_the_stack(reason: str) -> None:
    for text in (
        "storekeeper status",
        "curl --cacert $CA $URL/users --json '{}'",
        'psql "$DATABASE_URL" -c "SELECT 1"',
        "storekeeper extract messages.txt --from lines --out records.ndjson",
    ):
        assert not re.search(REASONS[reason], text), text


@pytest.mark.parametrize("snippet", marked("run by"), ids=lambda each: each.place)
def test_a_block_that_another_test_runs_is_named_there(snippet: Snippet) -> None:
    test = ROOT / snippet.marks["run by"]
    assert test.is_file(), snippet.place
    words = re.findall(r"[\w.-]+", test.read_text("utf-8"))
    assert Path(snippet.page).name in words, f"{test} does not name {snippet.page}"


def holds(whole: Any, part_of_it: Any) -> bool:
    """Whether one tree stands in another: some members of a mapping, some items of a list."""
    if isinstance(part_of_it, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], value) for key, value in part_of_it.items()
        )
    if isinstance(part_of_it, list):
        return isinstance(whole, list) and all(
            any(holds(there, each) for there in whole) for each in part_of_it
        )
    return bool(whole == part_of_it)


@pytest.mark.parametrize("snippet", marked("part of"), ids=lambda each: each.place)
def test_a_part_of_a_file_stands_in_it(snippet: Snippet) -> None:
    file = ROOT / snippet.marks["part of"]
    whole = list(yaml.safe_load_all(file.read_text("utf-8")))
    wanted = yaml.safe_load(snippet.text)
    assert any(holds(each, wanted) for each in whole), f"{snippet.place} is not in {file}"


@pytest.mark.parametrize(
    "snippet", [each for each in SNIPPETS if each.language in SHELL], ids=lambda each: each.place
)
def test_every_command_can_be_read_by_the_shell_and_by_the_program(snippet: Snippet) -> None:
    """Also of the blocks that are not run."""
    script = "\n".join(each.text for each in commands_of(snippet))
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, ""), snippet.place
    for command in commands_of(snippet):
        for words in calls(command.text):
            refused = refusal(words)
            assert refused is None, f"{snippet.page}:{command.line}: {refused}"


@pytest.mark.parametrize("page", pages())
def test_every_command_in_a_line_of_a_page_is_there(page: str) -> None:
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", (ROOT / page).read_text("utf-8"))
    for code in re.findall(r"`([^`\n]+)`", text):
        if re.match(r"(storekeeper|fake-llm-provider|labelled-messages) ", code):
            for words in calls(code):
                refused = refusal(words)
                assert refused is None, f"{page}: `{code}`: {refused}"


def calls(text: str) -> Iterator[list[str]]:
    """The words of each call of our programs in a command."""
    text = text.replace("\\\n", " ")
    for found in re.finditer(
        r"(?m)(?:^|[;|&()]|\b[A-Z_]+=\S*)\s*(?:[\w/.]*/bin/)?"
        r"((?:storekeeper|fake-llm-provider|labelled-messages) [^;|&\n)>]*)",
        text,
    ):
        if found[1].count("'") % 2 == 0 and found[1].count('"') % 2 == 0:
            yield shlex.split(found[1], comments=True)


def refusal(words: list[str]) -> str | None:
    """Why a program of ours does not know a command or an option; None where it does."""
    path, *rest = words
    if path == "storekeeper" and rest[:1] in (["--version"], ["--help"]):
        return None
    while path not in PROGRAMS:
        if not rest or not re.fullmatch(r"[a-z][a-z-]*", rest[0]):
            groups = any(name.startswith(f"{path} ") for name in PROGRAMS) or path == "storekeeper"
            return None if groups and not rest else f"`{path}` is no command"
        path = f"{path} {rest.pop(0)}"
    known = {name for each in PROGRAMS[path].params for name in (*each.opts, *each.secondary_opts)}
    for word in rest:
        if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known | {"--help", "-h"}:
            return f"`{path}` has no option {word}"
    return None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("storekeeper clicks prune --keep-days 90", True),
        ("storekeeper clicks prune --keep 90", False),
        ("storekeeper clicks shrink", False),
        ("storekeeper up -d", True),
        ("cd x && storekeeper nothing", False),
        ('DATABASE_URL="a" storekeeper db migrat', False),
        ("labelled-messages --seeds 7", False),
    ],
)
def test_a_wrong_command_or_option_is_found(text: str, known: bool) -> None:
    assert all(refusal(words) is None for words in calls(text)) is known


def test_what_is_made_from_the_code_is_as_the_code_makes_it() -> None:
    for (page, name), make in PARTS.items():
        assert part(page, name) == make().strip(), f"{page}: run `python -m tests.reference_pages`"


@pytest.mark.parametrize(
    "snippet",
    [each for each in SNIPPETS if each.language in {"json", "yaml", "toml", "csv", "cron"}],
    ids=lambda each: each.place,
)
def test_data_can_be_read(snippet: Snippet) -> None:
    text = snippet.text
    match snippet.language:
        case "json":
            try:
                assert json.loads(text)
            except json.JSONDecodeError:
                assert [json.loads(line) for line in text.splitlines()]
        case "yaml":
            assert all(isinstance(each, dict) for each in yaml.safe_load_all(text))
        case "toml":
            assert tomllib.loads(text)
        case "csv":
            head, *rows = csv.reader(io.StringIO(text))
            assert rows
            assert all(len(row) == len(head) for row in rows), snippet.place
        case _:
            for line in text.splitlines():
                if not line.startswith("#"):
                    *times, script = line.split(None, 5)
                    assert all(re.fullmatch(r"[\d*/,-]+", each) for each in times), line
                    assert all(refusal(words) is None for words in calls(script)), line


@pytest.mark.parametrize(
    "snippet",
    [each for each in SNIPPETS if each.language == "dotenv"],
    ids=lambda each: each.place,
)
def test_settings_of_a_page_are_settings(
    snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the page leaves out as comments too."""
    own = {
        "DATABASE_URL": "postgresql://shop@127.0.0.1/shop",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "SECRET_KEY": "x" * 32,
    }
    if "JWT_" in snippet.text:
        own |= {
            "JWT_JWKS_URL": "https://REF.example/jwks.json",
            "JWT_ISSUER": "https://REF.example",
            "JWT_AUDIENCE": "authenticated",
        }
    for each in snippets_of(snippet.page):
        if each.language == "yaml":
            (tmp_path / "models.yaml").write_text(each.text)
    text = re.sub(r"(?m)^#(?=[A-Z_]+=)", "", snippet.text)
    text = text.replace("/etc/storekeeper/prices.yaml", str(ROOT / "src/entrypoints/prices.yaml"))
    text = text.replace("…", "x")
    text = re.sub(r"sslrootcert=[\w.-]+", "sslrootcert=system", text)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(text)
    named = re.findall(r"(?m)^([A-Z_]+)=", text)
    assert named, snippet.place
    for name in named:
        assert name.lower() in Settings.model_fields, f"{snippet.place}: {name} is no setting"
        monkeypatch.delenv(name, raising=False)
    load_settings(**{name.lower(): value for name, value in own.items() if name not in named})


def test_python_of_a_page_can_be_compiled() -> None:
    for each in SNIPPETS:
        if each.language == "python":
            assert ast.parse(each.text).body, each.place


@pytest.mark.parametrize(
    "comment",
    ["<!-- not run: needs Docker -->\n\nWords.\n", "<!-- figures vary -->\n\n## Next\n\n"],
)
def test_a_comment_that_stands_before_no_block_is_refused(comment: str) -> None:
    with pytest.raises(ValueError, match="stands before no code block"):
        block("$ true", before=comment)


def test_a_comment_of_another_kind_is_no_mark() -> None:
    assert block("$ true", before="<!-- norun: why -->\n")[0].marks == {}


def test_a_block_in_a_list_is_read_with_its_comment_and_its_line() -> None:
    text = "1. Do:\n\n   <!-- not run: needs Docker -->\n   ```sh\n   docker ps\n   ```\n"
    (found,) = snippets_in(text, "page.md")
    assert (found.text, found.line, found.marks["not run"]) == ("docker ps\n", 5, "needs Docker")


def test_commands_are_told_from_what_is_shown_after_them() -> None:
    (found,) = block(
        "$ curl -d \\\n    x\nanswer\n\nmore\n$ cat <<'END'\n$ a\nEND\n$ echo 'two\nlines'"
    )
    read = [(each.text, each.shown) for each in commands_of(found)]
    assert read == [
        ("curl -d \\\n    x", "answer\n\nmore"),
        ("cat <<'END'\n$ a\nEND", None),
        ("echo 'two\nlines'", None),
    ]


def test_output_without_a_command_and_a_command_without_an_end_are_refused() -> None:
    with pytest.raises(ValueError, match=r"page\.md:4: output before a command"):
        commands_of(block("answer")[0])
    with pytest.raises(ValueError, match="has no end"):
        commands_of(block("$ echo 'two")[0])


SHOWN = '{"id":1001,"created_at":"2026-11-22T22:45:48.855889Z","name":"Nora"}'


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (SHOWN, SHOWN.replace("22:45:48.855889", "01:02:03.4")),
        (
            '{"id":"b913329e-…","status":"valid",…}',
            '{"id":"df22c745-848e-4f85-a386-ec84c5d94128","status":"valid","n":1}',
        ),
        ("first\n…\nlast", "first\nlast"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast"),
        ("job 1: 0/3 done\ndone", "job 1: 1/3 done\njob 1: 2/3 done\ndone"),
        ("Dumped (740,082 bytes).", "Dumped (1 bytes)."),
    ],
)
def test_output_agrees_that_differs_in_ids_and_times_alone(shown: str, printed: str) -> None:
    assert difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (SHOWN, SHOWN.replace("1001", "1002")),
        (SHOWN, SHOWN.replace("Nora", "Ben")),
        (SHOWN, ""),
        ("first\nlast", "first\nsecond\nlast"),
        ("first", "first\nsecond"),
        ("first\n…\nlast", "first\nsecond"),
        ('{"status":"valid",…}', '{"status":"partial","x":1}'),
        ("2026-11-20  stored", "2026-11-21  stored"),
        ("3 valid, 0 failed", "2 valid, 1 failed"),
    ],
)
def test_output_that_differs_in_more_is_told_with_the_line(shown: str, printed: str) -> None:
    told = difference(shown, printed)
    assert told is not None
    assert told.startswith("the page shows:\n")


def test_where_figures_vary_words_and_columns_still_count() -> None:
    shown = "Top\n│ rug │ 5 │ 50.0% │\n│ mat │ 4 │ 40.0% │\nrows 546, blank 0"
    assert (
        difference(shown, "Top\n│ cup, blue │ 7 │ 9% │\nrows 1, blank 0", figures_vary=True) is None
    )
    assert difference(shown, "Top\nrows 1, blank 0", figures_vary=True) is not None
    assert difference(shown, shown.replace("blank", "empty"), figures_vary=True) is not None
    assert difference(shown, shown.replace("546", "547")) is not None
