"""Logs of comparisons in memory and in files are what the port promises, and files survive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.files.comparison_log import FileComparisonResultLog, read_results
from domain.errors import Conflict, InvalidInput
from ports.comparison import ComparisonResultLog
from tests.comparisons import PROVENANCE, TEXTS, a_spec
from tests.contracts.comparison import ANSWER, ComparisonLogContract
from tests.fakes.comparison import MemoryComparisonResultLog


class TestMemoryComparisonLog(ComparisonLogContract):
    @pytest.fixture
    def log(self) -> ComparisonResultLog:
        return MemoryComparisonResultLog()


class TestFileComparisonLog(ComparisonLogContract):
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[ComparisonResultLog]:
        with FileComparisonResultLog(tmp_path / "new" / "results.ndjson") as log:
            yield log


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A file with a run and one answer."""
    path = tmp_path / "results.ndjson"
    with FileComparisonResultLog(path) as log:
        log.begin(a_spec(), PROVENANCE)
        log.append(ANSWER)
    return path


def damage(results: Path, line: str) -> str:
    results.write_text(results.read_text() + line + "\n")
    with pytest.raises(InvalidInput) as refused:
        read_results(results)
    (violation,) = refused.value.violations
    assert violation.pointer == str(results)
    return violation.detail


def test_a_last_line_that_a_killed_process_did_not_finish_is_dropped(results: Path) -> None:
    whole = results.read_bytes()
    results.write_bytes(whole + b'{"outcome": {"contestant": "lo')
    assert len(read_results(results).answers) == 1
    with FileComparisonResultLog(results) as log:
        found = log.read()
        assert found is not None
        assert len(found.answers) == 1
        log.append(ANSWER)
    assert results.read_bytes() == whole + whole.splitlines(keepends=True)[-1]


def test_texts_are_written_once_however_often_a_spec_is_gone_on_with(results: Path) -> None:
    with FileComparisonResultLog(results) as log:
        log.read()
        log.begin(a_spec(texts=TEXTS), PROVENANCE)
    kinds = [next(iter(json.loads(line))) for line in results.read_bytes().splitlines()]
    assert kinds == ["run", "text", "text", "outcome", "run", "text"]


def test_one_process_at_a_time_holds_the_file(results: Path) -> None:
    with (
        FileComparisonResultLog(results),
        pytest.raises(Conflict, match="held by another comparison"),
        FileComparisonResultLog(results),
    ):
        pass


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not JSON", "line 5: is not JSON"),
        ("[1]", "line 5: is none of a results file"),
        ('{"other": 1}', "line 5: is none of a results file"),
        ('{"outcome": {"contestant": "local"}}', "line 5: Object missing required field `text_id`"),
        ('{"run": {"format": "storekeeper-comparison/9"}}', "line 5: Invalid enum value"),
    ],
)
def test_a_line_that_is_not_of_such_a_file_is_named(results: Path, line: str, said: str) -> None:
    assert said in damage(results, line)


def test_a_schema_that_is_none_is_named(results: Path) -> None:
    head = json.loads(results.read_bytes().splitlines()[0])
    head["run"]["schema"] = {"name": "x"}
    assert damage(results, json.dumps(head)).startswith("line 5: 1 field is invalid")


def test_a_file_without_a_spec_is_refused(tmp_path: Path) -> None:
    results = tmp_path / "results.ndjson"
    results.write_text("")
    with pytest.raises(InvalidInput) as refused:
        read_results(results)
    assert refused.value.violations[0].detail == "is empty"
    assert "line 1: no line before it says what was asked" in damage(
        results, json.dumps({"text": {"id": "a", "text": "b", "gold": None}})
    )
