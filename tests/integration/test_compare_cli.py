"""`storekeeper compare` as a process, over the real SDKs and the fake provider; no store runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.embedded.installation import free_port
from adapters.files.comparison_log import read_results
from fake_provider.testing import FakeInThread, running_fake

_PATIENCE_S = 120
TEXTS = 24


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs. Ref. {number * 7 % 10}"


def gold_of(number: int) -> dict[str, Any]:
    return {"customer": f"Ann{number} Lee", "product": "oak chairs", "quantity": number + 2}


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({text_of(n): gold_of(n) for n in range(TEXTS)})
        yield provider


class Command:
    """Runs the command in a folder of its own, with no settings but the fake provider's."""

    def __init__(self, folder: Path, fake: FakeInThread) -> None:
        self.folder = folder
        lines = [
            json.dumps({"id": f"m{n}", "text": text_of(n), "gold": gold_of(n)}) + "\n"
            for n in range(TEXTS)
        ]
        (folder / "orders.ndjson").write_text("".join(lines))
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"} or "COV" in k}
        self.env = {
            **kept,
            "STATE_DIR": str(folder / "none"),
            "LLM_CONCURRENCY": "4",
            "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "a-key",
            "OPENAI_BASE_URL": fake.openai_base_url,
            "GEMINI_API_KEY": "a-key",
            "GEMINI_BASE_URL": fake.gemini_base_url,
        }

    @property
    def results(self) -> Path | None:
        """The only results file; None while there is none."""
        return next(self.folder.glob("comparison/*results.ndjson"), None)

    @asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[Process]:
        """A process that is killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "entrypoints.cli.main", "compare", *arguments),
            cwd=self.folder,
            env=self.env,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        async with self.started(*arguments) as process, asyncio.timeout(_PATIENCE_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def until_answers(self, count: int) -> None:
        """Wait until the results file holds so many outcomes."""
        async with asyncio.timeout(_PATIENCE_S):
            while self.results is None or self.results.read_bytes().count(b'{"outcome"') < count:
                await asyncio.sleep(0.02)

    @property
    def outcomes(self) -> int:
        """Outcomes in the results file, each question once."""
        assert self.results is not None
        return len(read_results(self.results).answers)


@pytest.fixture
def compare(tmp_path: Path, fake: FakeInThread) -> Command:
    return Command(tmp_path, fake)


WHOLE = ("--providers=openai,gemini,once=openai?reasks=0,regex", "--dataset=orders.ndjson")
SHORT = ("--providers=openai,gemini,regex", "--dataset=orders.ndjson", "--out=comparison/short.csv")


async def test_a_comparison_ends_in_four_reports_and_is_rebuilt_without_a_call(
    compare: Command, fake: FakeInThread
) -> None:
    code, out, err = await compare.run(*WHOLE)
    assert code == 0, err
    assert "simulated" in out
    folder = compare.folder / "comparison"
    names = ["report.csv", "report.html", "report.json", "report.md", "results.ndjson"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert "<title>Simulation: " in (folder / "report.html").read_text()
    report = json.loads((folder / "report.json").read_text())
    assert report["header"]["simulated"] == ["openai", "gemini", "once"]
    perfect = {each["contestant"]["name"]: each["perfect"] for each in report["contestants"]}
    assert perfect["openai"]["count"] == TEXTS
    assert [each["operations"]["answers"] for each in report["contestants"]] == [TEXTS] * 4

    calls = len(fake.entries)
    code, _, err = await compare.run("--replay=comparison/results.ndjson", "--out=again")
    assert code == 0, err
    assert len(fake.entries) == calls
    for name in names[:4]:
        assert (compare.folder / "again" / name).read_bytes() == (folder / name).read_bytes()

    arguments = ("--replay=comparison/results.ndjson", "--providers=regex,openai", "--out=two.md")
    code, _, err = await compare.run(*arguments)
    assert code == 0, err
    assert "# Simulation: regex and openai on 24 texts" in (compare.folder / "two.md").read_text()


async def test_a_killed_comparison_goes_on_and_asks_nothing_twice(
    compare: Command, fake: FakeInThread
) -> None:
    async with compare.started(*SHORT) as process:
        await compare.until_answers(10)
        process.kill()
    known = compare.outcomes
    assert known >= 10
    code, _, err = await compare.run(*SHORT)
    assert code == 0, err
    assert compare.outcomes == 3 * TEXTS
    # Besides the answers, at most what was under way when it was killed was paid for.
    await fake.idle()
    assert 2 * TEXTS <= len(fake.entries) <= 2 * TEXTS + 4


async def test_an_interrupted_comparison_says_how_to_go_on(compare: Command) -> None:
    async with compare.started(*SHORT) as process, asyncio.timeout(_PATIENCE_S):
        await compare.until_answers(1)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert "Interrupted: " in err.decode()
    assert "answers are missing. The same command goes on with them" in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_refused_key_stops_its_contestant_and_is_named(
    compare: Command, fake: FakeInThread
) -> None:
    compare.env["OPENAI_BASE_URL"] = f"{fake.url}/nowhere"
    code, _, err = await compare.run("--providers=openai,regex", "--dataset=orders.ndjson")
    assert code == 3
    assert "openai: " in err
    assert f"{TEXTS} of {2 * TEXTS} answers are missing" in err
    assert compare.outcomes == TEXTS


async def test_a_server_that_is_not_there_is_named_before_anything_is_asked(
    compare: Command, fake: FakeInThread
) -> None:
    there = compare.env["OPENAI_BASE_URL"]
    compare.env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{free_port()}/v1"
    declared = (*SHORT, "--simulated=openai")
    code, _, err = await compare.run(*declared)
    assert code == 1
    assert "storekeeper compare: openai: nothing answers at http://127.0.0.1:" in err
    assert "(connection refused). Look at OPENAI_BASE_URL" in err
    assert not fake.entries

    gone = compare.env["OPENAI_BASE_URL"]
    compare.env["OPENAI_BASE_URL"] = there
    code, _, err = await compare.run(*declared)
    assert code == 0, err
    # Who has answered everything need not be there any more.
    compare.env["OPENAI_BASE_URL"] = gone
    code, _, err = await compare.run(*declared)
    assert code == 0, err
