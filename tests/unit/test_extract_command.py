"""`storekeeper extract` refuses what makes no sense before it touches anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from entrypoints.cli.extract import command
from entrypoints.cli.insights import command as insights


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give FILES or --resume"),
        (["-", "--resume", "1"], "give FILES or --resume"),
        (["-", "--format", "parquet"], "name it by --out"),
        (["-", "--here", "--detach"], "exclude each other"),
        *(
            (["-", "--max-cost", given], "a number of US dollars")
            for given in ("much", "nan", "inf", "1_0", "1e400", "1e30", "\uff11", "")
        ),
        (["-", "--max-tokens", str(2**62 + 1)], "not in the range"),
        (["--resume", str(2**31)], "not in the range"),
        (["-", "--priority", "urgent"], "not one of 'low', 'normal', 'high'"),
        (["--resume", "1", "--priority", "high"], "a job keeps its priority"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("given", ["nan", "inf", "1_0", "1e400", "1.5", "-0.1"])
def test_a_share_is_a_finite_number_within_its_bounds(given: str) -> None:
    arguments = ["analyse", f"--low-percentile={given}"]
    result = CliRunner().invoke(insights, arguments)
    assert result.exit_code == 2
    assert "--low-percentile" in result.stderr
