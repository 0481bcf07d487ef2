"""`make demo` as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.stack import COMMAND_PATIENCE_S, environment


def test_the_demonstration_walks_all_three_jobs_and_leaves_samples(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "demo", "walk", "--out", str(tmp_path / "out")],
        cwd=tmp_path,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_PATIENCE_S,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    kept = {
        name: json.loads((tmp_path / "out" / f"{name}.json").read_text())
        for name in ("records", "refusals", "extractions", "insights")
    }
    statuses = [step["status"] for step in kept["refusals"]]
    assert statuses == [422, 409, 422, 409, 404, 422, 204, 204]
    assert kept["records"][0]["answer"] == kept["records"][1]["answer"], "a retry makes no second"
    fields = kept["extractions"][0]["answer"]["fields"]
    assert set(fields) == {"field_1", "field_2", "field_3"}
    assert kept["insights"][1]["answer"]["impressions"] > 0
    assert "Everything is well." in (tmp_path / "out" / "doctor.txt").read_text()
    assert "Top queries" in (tmp_path / "out" / "insights.txt").read_text()
