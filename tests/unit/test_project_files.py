"""What leads newcomers and forges into the project names what is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reference_pages import ROOT, commands

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PAGES = (
    "CONTRIBUTING.md",
    "SECURITY.md",
    ".github/pull_request_template.md",
    "docs/how-to/change-the-service.md",
    "docs/how-to/operate.md",
)

MADE = {
    "tests/contracts/stock.py",
    "tests/fakes/stock.py",
    "src/adapters/files/stock.py",
    "tests/unit/test_stock.py",
}
"""Files that a recipe has its reader make."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    return yaml.safe_load(read(name))


def targets() -> dict[str, list[str]]:
    """The targets of the Makefile with their commands."""
    found = re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", read("Makefile"), re.MULTILINE)
    return {name: [line.strip() for line in body.splitlines()] for name, body in found}


def code(page: str) -> list[str]:
    """What a page sets as code: between backticks, and the lines of its blocks."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    return lines + re.findall(r"`([^`\n]+)`", prose)


def test_every_forge_runs_the_one_script_and_nothing_else() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")["jobs"]["all"]
    steps = workflow["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert [step["uses"].split("@")[0] for step in steps if "uses" in step] == ["actions/checkout"]
    pipeline = read_yaml(".gitlab-ci.yml")
    assert pipeline.keys() == {"all"}
    assert pipeline["all"]["script"] == [".ci/run"]
    assert pipeline["all"]["image"] == workflow["container"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_hooks_before_a_commit_are_the_checks_of_make_check() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    checks = [line.replace("$(BIN)", ".venv/bin") for line in targets()["check"]]
    assert entries == [line.removesuffix(" --check") for line in checks]


def test_the_program_of_every_hook_is_installed_by_make_dev() -> None:
    for hook in read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]:
        program = Path(shlex.split(hook["entry"])[0])
        assert program.parent == Path(".venv/bin")
        assert os.access(Path(sys.executable).parent / program.name, os.X_OK), program
        assert hook["language"] == "system"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_for_issues_asks_under_labels_of_its_own(form: Path) -> None:
    held = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= held.keys()
    asked = [part["attributes"] for part in held["body"] if part["type"] != "markdown"]
    labels = [each.get("label") or each["options"][0]["label"] for each in asked]
    assert len(labels) == len(set(labels)) > 2


def test_there_is_a_form_for_bugs_and_one_for_ideas() -> None:
    assert [form.stem for form in FORMS] == ["bug", "idea"]


def test_the_container_of_editors_is_made_by_a_target_and_has_the_python_of_it() -> None:
    held = json.loads(read(".devcontainer/devcontainer.json"))
    make, target = held["postCreateCommand"].split()
    assert make == "make"
    assert target in targets()
    settings = held["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


@pytest.mark.parametrize("page", PAGES)
def test_every_target_that_a_page_names_is_there(page: str) -> None:
    for snippet in code(page):
        if not re.match(r"make [a-z]", snippet):
            continue
        named = [word for word in shlex.split(snippet, comments=True)[1:] if "=" not in word]
        assert named, snippet
        assert set(named) <= targets().keys(), snippet


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = [
        word.rstrip(":,.")
        for snippet in code(page)
        for word in re.split(r"[\s\"=]+", snippet)
        if re.match(r"\.?(src|sql|tests|tools|scripts|docs|infra|ci|devcontainer)/", word)
    ]
    missing = [name for name in named if not (ROOT / name).exists() and name not in MADE]
    assert missing == []
    if page == "CONTRIBUTING.md":
        assert len(named) > 15


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_is_there(page: str) -> None:
    known = {path for path, _, _ in commands()}
    for snippet in code(page):
        for named in re.findall(r"storekeeper(?: [a-z][a-z-]+)+", snippet):
            assert any(named == path or named.startswith(f"{path} ") for path in known), snippet
