"""What a refused command says."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import InvalidInput, Violation
from entrypoints.cli.running import or_exit


def test_members_are_named_plainly_and_files_by_their_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mails.ndjson"
    file.touch()

    async def refused() -> None:
        raise InvalidInput.of(
            [
                Violation(pointer="/schema", detail="is not known"),
                Violation(pointer=str(file), detail="line 1 is not JSON"),
            ]
        )

    with pytest.raises(SystemExit) as ended:
        or_exit("compare", refused)
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"storekeeper compare: schema is not known\n{file} line 1 is not JSON\n"
    )
