"""`storekeeper jobs` over PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from click.testing import CliRunner, Result

from adapters.postgres.pool import PoolOptions, open_database
from domain.extraction.jobs.model import JobCaps, JobPriority, JobSpec
from entrypoints.cli.main import storekeeper
from tests.contracts.extraction_jobs import ASSIGNMENT
from tests.integration.extraction_jobs import jobs_in
from tests.integration.owners_database import execute

Run = Callable[..., Result]
Made = Callable[..., str]


@pytest.fixture
def run(fresh_database_url: str, redis_url: str) -> Run:
    def invoke(*arguments: str) -> Result:
        environment = {"DATABASE_URL": fresh_database_url, "REDIS_URL": redis_url}
        return CliRunner().invoke(storekeeper, arguments, env=environment)

    return invoke


@pytest.fixture
def made(fresh_database_url: str) -> Made:
    """Makes a job that waits for a worker, and says its number."""

    async def make(texts: int, spec: JobSpec, caps: JobCaps) -> str:
        async with open_database(fresh_database_url, PoolOptions(size=1)) as database:
            job = await jobs_in(database).job([f"text {n}" for n in range(texts)], spec, caps)
            return str(job.id)

    def job(texts: int = 2, spec: JobSpec = ASSIGNMENT, caps: JobCaps | None = None) -> str:
        return asyncio.run(make(texts, spec, caps or JobCaps()))

    return job


def done(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def test_jobs_are_listed_newest_first(run: Run, made: Made) -> None:
    assert done(run("jobs", "list")).stdout == ""
    assert "`storekeeper extract` makes one" in run("jobs", "list").stderr
    assert json.loads(run("jobs", "list", "--json").stdout) == {"jobs": []}
    first, second = made(2), made(3)
    done(run("jobs", "pause", first))
    heading, *lines = done(run("jobs", "list")).stdout.splitlines()
    assert heading.split() == ["ID", "STATUS", "DONE", "AGE", "REASON"]
    assert [line.split()[:3] for line in lines] == [
        [second, "running", "0/3"],
        [first, "paused", "0/2"],
    ]
    assert lines[1].endswith("requested: Somebody paused the job.")
    document = json.loads(run("jobs", "list", "--json").stdout)
    assert [job["id"] for job in document["jobs"]] == [int(second), int(first)]
    assert document["jobs"][0] == json.loads(run("jobs", "show", second, "--json").stdout)


def test_more_jobs_than_asked_for_are_mentioned(run: Run, made: Made) -> None:
    numbers = [made(1) for _ in range(3)]
    result = done(run("jobs", "list", "--limit", "2"))
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == numbers[:0:-1]
    assert result.stderr.endswith("There are more than 2; say --limit for more.\n")
    assert "more than" not in done(run("jobs", "list", "--limit", "3")).stderr


def test_a_job_is_shown_with_all_that_the_api_tells(run: Run, made: Made) -> None:
    job = made(
        spec=replace(ASSIGNMENT, priority=JobPriority.LOW),
        caps=JobCaps(max_cost_usd=Decimal("2.50")),
    )
    shown = dict(line.split(None, 1) for line in done(run("jobs", "show", job)).stdout.splitlines())
    assert shown["status"] == "running"
    assert shown["reason"] == "-"
    assert shown["schema"] == "default"
    assert shown["providers"] == "openai"
    assert shown["reuse"] == "yes"
    assert shown["priority"] == "low"
    assert shown["max_cost_usd"] == "2.5"
    assert shown["counts"].startswith("total 2, pending 2, running 0, valid 0")
    assert shown["results"] == f"/extraction-jobs/{job}/results"


def test_a_job_is_paused_resumed_and_cancelled_and_that_is_entered(run: Run, made: Made) -> None:
    job = made()
    said = "0 of 2 documents are done.\n"
    assert done(run("jobs", "pause", job)).stdout == f"Job {job} is paused: {said}"
    assert done(run("jobs", "pause", job)).stdout == f"Job {job} is paused: {said}"
    resumed = done(run("jobs", "resume", job, "--max-cost", "1.5", "--max-tokens", "900"))
    assert resumed.stdout == f"Job {job} is running: {said}"
    assert "No worker is alive: start `storekeeper worker`." in resumed.stderr
    shown = json.loads(run("jobs", "show", job, "--json").stdout)
    assert (shown["max_cost_usd"], shown["max_tokens"]) == (1.5, 900)
    cancelled = json.loads(done(run("jobs", "cancel", job, "--json")).stdout)
    assert (cancelled["status"], cancelled["counts"]["cancelled"]) == ("cancelled", 2)
    entries = [json.loads(line) for line in run("audit", "--json").stdout.splitlines()]
    assert all(entry["subject"].startswith("command:") for entry in entries)
    acts = [(entry["action"], entry["resource"]) for entry in reversed(entries)]
    assert acts == [
        ("extraction_job.pause", f"/extraction-jobs/{job}"),
        ("extraction_job.resume", f"/extraction-jobs/{job}"),
        ("extraction_job.cancel", f"/extraction-jobs/{job}"),
    ]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_job_that_has_ended_is_left_alone(run: Run, made: Made, command: str) -> None:
    job = made()
    done(run("jobs", "cancel", job))
    refused = run("jobs", command, job)
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"storekeeper jobs {command}: Job {job} is cancelled; it cannot {command}.\n"
    )


@pytest.mark.parametrize("command", ["show", "pause", "resume", "cancel"])
def test_an_unknown_job_is_said_with_the_way_to_find_one(run: Run, command: str) -> None:
    refused = run("jobs", command, "12345")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        f"storekeeper jobs {command}: There is no extraction job 12345."
        " `storekeeper jobs list` shows all there are.\n"
    )


@pytest.mark.parametrize("given", ["seven", "0", "1.5", "2147483648", "9" * 5000, "\uff11", ""])
def test_what_is_no_number_of_a_job_is_bad_usage(given: str) -> None:
    refused = CliRunner().invoke(storekeeper, ["jobs", "show", given])
    assert refused.exit_code == 2
    assert "is no job: write its number, as `storekeeper jobs list` shows it" in refused.stderr


def test_nothing_that_is_stored_drives_the_terminal(
    run: Run, made: Made, fresh_database_url: str
) -> None:
    job = made()
    asyncio.run(
        execute(
            fresh_database_url,
            "UPDATE extraction_jobs SET status = 'paused', reason_code = 'quota_exhausted',"
            " reason = E'no\\x1b[2J\\u009b31m\\u202equota\\r\\nJob 99 is completed'",
        )
    )
    for words in (("list",), ("show", job), ("list", "--json"), ("show", job, "--json")):
        output = done(run("jobs", *words)).stdout
        assert not set("\x1b\x9b\u202e\r") & set(output), words
        assert "\nJob 99" not in output
    assert json.loads(run("jobs", "show", job, "--json").stdout)["reason"]["detail"] == (
        "no\x1b[2J\x9b31m\u202equota\r\nJob 99 is completed"
    )
    assert "no\\x1b[2J\\x9b31m\\u202equota\\r\\nJob 99" in run("jobs", "list").stdout
