"""`storekeeper compare` says what cannot be done before it asks anybody."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrypoints.cli.compare import command

_ENVIRONMENT = {"STATE_DIR": "none", "LLM_PROVIDER": "local", "REDIS_URL": "", "DATABASE_URL": ""}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--dataset=orders.ndjson",), 2, "give --providers and --dataset, or --replay"),
        (("--providers=local", "--dataset=no.ndjson"), 2, "'no.ndjson' does not exist"),
        (
            ("--providers=openai_compatible", "--dataset=orders.ndjson"),
            1,
            "'openai_compatible' is not configured",
        ),
        (
            ("--providers=regex", "--dataset=orders.ndjson", "--split=dev"),
            1,
            "no text of the dataset is in split 'dev'; its splits: test",
        ),
        (
            ("--providers=regex", "--dataset=orders.ndjson", "--schema=default"),
            1,
            "orders.ndjson line 1 has the unknown field 'customer'",
        ),
        (
            ("--providers=regex", "--dataset=orders.ndjson", "--simulated=openai"),
            1,
            "simulated names 'openai'; the providers are regex",
        ),
        (
            ("--providers=regex", "--dataset=orders.ndjson", "--schema=bad.yaml"),
            1,
            "fields is missing",
        ),
        (
            ("--providers=regex", "--dataset=orders.ndjson", "--schema=none.json"),
            1,
            "none.json: No such file or directory",
        ),
        (("--replay=orders.ndjson",), 1, "line 1: is none of a results file"),
        (
            ("--replay=orders.ndjson", "--dataset=orders.ndjson"),
            2,
            "--replay has no use for --dataset: the results file says what was asked",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    gold = {"customer": "Ann", "product": "oak chairs", "quantity": 2}
    line = json.dumps({"text": "Ann: 2 oak chairs", "gold": gold})
    (tmp_path / "orders.ndjson").write_text(line + "\n")
    (tmp_path / "bad.yaml").write_text("name: x\n")
    with chdir(tmp_path):
        result = CliRunner(env=_ENVIRONMENT).invoke(command, arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
