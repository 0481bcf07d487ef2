"""Thousands of requests made from the OpenAPI document, every answer held against it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.access.model import Scope
from tests.integration.api import serving, settings_for
from tests.integration.keys import FUZZING_KEY_ID, make_key

ROOT = Path(__file__).parents[2]
CASES_OF_AN_OPERATION = 50
FEWEST_CASES = 2000
PATIENCE_S = 1200  # a quiet machine takes one minute
# It would run a language model for each case; `test_extractions_http.py` tests it.
EXCLUDED = "extract"

SAMPLES = """
INSERT INTO users (name, email) SELECT 'Ann', 'ann.' || n || '@example.com'
FROM generate_series(1, 40) AS n;
INSERT INTO orders (user_id, product_name, quantity) SELECT n, 'oak chair', n
FROM generate_series(1, 40) AS n;
INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
SELECT 'wool ' || n % 7, n % 3, 3, '2026-11-01'::date + n FROM generate_series(0, 20) AS n;
"""

# So that chance does not hit upon the key, and what follows links is kept from it.
OWN_KEY = f"ALTER TABLE api_keys ALTER COLUMN id RESTART WITH {FUZZING_KEY_ID}"


async def test_every_answer_is_one_that_the_document_states(
    fresh_database_url: str,
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(SAMPLES)
    await connection.execute(OWN_KEY)
    await connection.close()
    key = await make_key(fresh_database_url, Scope.ADMIN)
    settings = settings_for(fresh_database_url, redis_url, rate_limits="off")
    async with serving(settings, tmp_path) as api:
        api.headers["Authorization"] = f"Bearer {key}"
        document = (await api.get("/schema/openapi.json")).json()
        code, output = await run_schemathesis(f"{api.base_url}/schema/openapi.json", tmp_path, key)
    report = json.loads((tmp_path / "report.json").read_text())
    counts, phases = report["test_cases"], report["phases"]
    with capsys.disabled():
        print(  # noqa: T201
            f"\nSchemathesis: {counts['generated']} cases of {report['operations']['tested']}"
            f" operations in {report['running_time']:.0f} s, {counts['unique_failures']} failures"
        )
    assert (code, report["exit_code"], report["complete"]) == (0, 0, True), output
    assert {name: phase["status"] for name, phase in phases.items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    stated = sum(len(methods) for methods in document["paths"].values())
    assert report["operations"]["tested"] == stated - 1
    assert counts["generated"] > FEWEST_CASES
    assert (counts["with_failures"], counts["errored"]) == (0, 0)
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def run_schemathesis(url: str, directory: Path, key: str) -> tuple[int, str]:
    """Exit code and output of its command line."""
    arguments: dict[str, Any] = {
        "--tls-verify": directory / "ca.pem",
        "--max-examples": CASES_OF_AN_OPERATION,
        "--exclude-operation-id": EXCLUDED,
        "--report-json-path": directory / "report.json",
        "--header": f"Authorization: Bearer {key}",
    }
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--no-color"),
        *("--config-file", "tests/integration/schemathesis.toml", "run", url),
        *(str(word) for pair in arguments.items() for word in pair),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode()
