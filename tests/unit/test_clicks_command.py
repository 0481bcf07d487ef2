"""`storekeeper clicks` refuses what makes no sense before it touches anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from entrypoints.cli.clicks import command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "-", "--column", "query=q"], "NAME is one of search_query, clicks"),
        (["import", "-", "--column", "clicks="], "give NAME=COLUMN"),
        (["import", "-", "--column", "clicks"], "give NAME=COLUMN"),
        (["import", "-", "--delimiter", ",,"], "--delimiter is one character"),
        (["import", "-", "--delimiter", '"'], "--delimiter is one character"),
        (["import", "-", "--delimiter", ""], "--delimiter is one character"),
        (["export", "--format", "parquet"], "name one by --out"),
        (["export", "--format", "parquet", "--out", "a.gz"], "name one by --out"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
