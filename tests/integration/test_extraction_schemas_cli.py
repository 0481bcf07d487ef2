"""`storekeeper extraction-schemas` over PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from entrypoints.cli.extraction_schemas import command

DEFINITION = {
    "name": "complaint",
    "description": "A complaint",
    "fields": [
        {"name": "order_number", "type": "string", "description": "Number of the order"},
        {
            "name": "wish",
            "type": "enum",
            "description": "What the customer wants",
            "choices": ["refund", "replacement"],
        },
    ],
}
Run = Callable[..., Result]


@pytest.fixture
def run(fresh_database_url: str, redis_url: str) -> Run:
    environment = {
        "DATABASE_URL": fresh_database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a secret of forty characters, for the tests",
    }

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(command, arguments, env=environment)

    return invoke


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_schema_goes_from_a_file_to_the_store_and_back(
    run: Run, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"complaint{suffix}"
    dump = json.dumps if suffix == ".json" else yaml.safe_dump
    file.write_text(dump(DEFINITION))
    assert run("put", str(file)).output == "complaint v1 stored\n"
    assert run("put", str(file)).output == "complaint v1 is unchanged\n"
    shown = run("show", "complaint")
    assert yaml.safe_load(shown.output) == {"version": 1, **DEFINITION}
    again = tmp_path / "again.yaml"
    again.write_text(shown.output)
    assert run("put", str(again)).output == "complaint v1 is unchanged\n"
    assert "complaint" in run("list").output
    assert run("delete", "complaint").exit_code == 0
    assert run("show", "complaint").exit_code == 1


def test_the_list_shows_what_is_built_in(run: Run) -> None:
    lines = run("list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["default", "order_message"]
    assert all("built in" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("fields: [", "is not YAML"),
        ("fields: []", "/name"),
        ("name: x\nfields: []", "/fields"),
        ("name: x\nfields: [{name: A, type: strin, description: d}]", "/fields/0/type"),
        ("- a", "/name"),
    ],
)
def test_a_bad_file_is_refused_with_every_place_and_nothing_is_stored(
    run: Run, tmp_path: Path, text: str, place: str
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.yaml"
    good.write_text(json.dumps(DEFINITION))
    bad.write_text(text)
    result = run("put", str(good), str(bad))
    assert result.exit_code == 1
    assert place in result.stderr
    assert "bad.yaml" in result.stderr
    assert "complaint" not in run("list").output


def test_a_built_in_schema_is_neither_changed_nor_deleted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "default.json"
    file.write_text(json.dumps(DEFINITION | {"name": "default"}))
    assert run("put", str(file)).exit_code == 1
    assert run("delete", "default").exit_code == 1
