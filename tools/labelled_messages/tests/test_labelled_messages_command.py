"""The command writes the documented format, which the product reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.files.labelled_texts import read_labelled_texts
from domain.comparison.datasets.lines import line_of
from domain.comparison.report_builder import dataset_hash
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, RecordSchema
from labelled_messages.command import command
from labelled_messages.messages import messages


@pytest.mark.parametrize(
    ("options", "form", "schema"),
    [
        ([], "ndjson", ORDER_MESSAGE),
        (["--schema", "default", "--split", "dev", "--format", "csv"], "csv", DEFAULT),
    ],
)
def test_the_command_writes_a_file_and_says_what_is_in_it(
    tmp_path: Path, options: list[str], form: str, schema: RecordSchema
) -> None:
    out = tmp_path / "texts"
    arguments = ["--n", "30", "--seed", "2", "--out", str(out), *options]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    with out.open("rb") as file:
        texts = read_labelled_texts(file, schema, form=form)
    split = "dev" if options else None
    expected = [
        text for text in messages(30, seed=2, schema=schema.name) if split in (None, text.split)
    ]
    assert texts == expected
    assert f"{len(texts)} texts, SHA-256 {dataset_hash(texts)}" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    arguments = ["--n", "2", "--out", str(tmp_path / "no" / "texts")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_the_sample_in_the_docs_is_what_the_command_makes() -> None:
    sample = Path(__file__).parents[3] / "docs/samples/comparison/messages-sample.ndjson"
    content = "".join(line_of(text) for text in messages(20, seed=7))
    assert sample.read_text(encoding="utf-8") == content
    assert len(content.encode()) < 40_000


def test_the_texts_among_the_samples_of_the_shop_are_made_here_too() -> None:
    sample = Path(__file__).parents[3] / "docs/samples/texts.ndjson"
    content = "".join(line_of(text) for text in messages(9, seed=1))
    assert sample.read_text(encoding="utf-8") == content
