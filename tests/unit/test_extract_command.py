"""`storekeeper extract` refuses what makes no sense before it touches anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from entrypoints.cli.extract import command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give FILES or --resume"),
        (["a.txt", "--resume", "1"], "give FILES or --resume"),
        (["-", "--format", "parquet"], "name it by --out"),
        (["-", "--here", "--detach"], "exclude each other"),
        *(
            (["-", "--max-cost", given], "a number of US dollars")
            for given in ("much", "nan", "inf", "1_0", "1e400", "1e30", "\uff11", "")
        ),
        (["-", "--max-tokens", str(2**62 + 1)], "not in the range"),
        (["--resume", str(2**31)], "not in the range"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
