"""Extraction jobs as in production: PostgreSQL, Valkey, and workers as processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from domain.extraction.jobs.items import Document, ItemResult, ItemState
from domain.extraction.jobs.model import ExtractionJob, JobCommand, JobId, JobStatus
from entrypoints.container.services import Container, open_container
from entrypoints.settings import Settings
from fake_provider.testing import FakeProcess
from tests.benchmarks import stores
from tests.benchmarks.corpus import message
from tests.benchmarks.harness import MODEL, ROOT

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = 1000


class Worker:
    """A worker process of ours.

    Args:
        process: `storekeeper worker`.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def rss_mb(self) -> float:
        """Resident memory (Linux)."""
        return self._memory_mb("VmRSS")

    def peak_rss_mb(self) -> float:
        """Its greatest so far (Linux)."""
        return self._memory_mb("VmHWM")

    def _memory_mb(self, name: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        kilobytes = next(line for line in status.splitlines() if line.startswith(name))
        return int(kilobytes.split()[1]) / 1024

    def cpu_s(self) -> float:
        """Processor time so far, user and system (Linux)."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def kill(self) -> None:
        """As by `kill -9`."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """As by Ctrl-C."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


class JobStack:
    """What jobs need, over stores of its own that start empty.

    Args:
        environment: of the workers.
        runner: runs the coroutines of this process.
        container: over the stores.
    """

    def __init__(
        self, environment: dict[str, str], runner: asyncio.Runner, container: Container
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._container = container
        self._workers: list[Worker] = []

    def submit(self, first: int, count: int) -> JobId:
        """Make a job of these messages."""

        async def documents() -> AsyncIterator[Document]:
            for number in range(first, first + count):
                yield Document(text=message(number).text, id=str(number))

        async def make() -> JobId:
            service = self._container.extraction_job_service()
            draft = await service.draft(schema="order_message", provider="openai")
            return (await service.submit(draft, documents())).id

        return self._runner.run(make())

    def start_worker(self) -> Worker:
        """One more worker."""
        process = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.cli.main", "worker"],
            cwd=ROOT,
            env={**os.environ, **self._environment},
        )
        worker = Worker(process)
        self._workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        """All of them."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def job(self, job_id: JobId) -> ExtractionJob:
        """How it stands."""
        return self._runner.run(self._container.extraction_jobs().get(job_id))

    def resume(self, job_id: JobId) -> None:
        """Let it go on."""
        self._runner.run(self._container.extraction_job_service().apply(job_id, JobCommand.RESUME))

    def wait_until(
        self,
        job_id: JobId,
        enough: Callable[[ExtractionJob], bool],
        *,
        timeout_s: float,
        every_s: float = 0.1,
    ) -> ExtractionJob:
        """Wait for a job to stand as `enough` wants it.

        Raises:
            TimeoutError: it did not get there in time.
        """
        until = time.monotonic() + timeout_s
        while not enough(job := self.job(job_id)):
            if time.monotonic() > until:
                raise TimeoutError(f"job {job_id} stands at {job.counts} after {timeout_s:.0f} s")
            time.sleep(every_s)
        return job

    def right(self, job_id: JobId) -> int:
        """How many documents of a job ended with the right record."""

        async def count() -> int:
            found, after = 0, 0
            jobs = self._container.extraction_jobs()
            while page := await jobs.results(job_id, limit=_PAGE, after=after):
                found += sum(_is_right(each) for each in page)
                after = page[-1].position
            return found

        return self._runner.run(count())


def completed(job: ExtractionJob) -> bool:
    """Whether all documents are done."""
    return job.status is JobStatus.COMPLETED


def _is_right(each: ItemResult) -> bool:
    if each.state is not ItemState.VALID or each.document_id is None or each.extraction is None:
        return False
    expected, fields = message(int(each.document_id)), each.extraction.result.fields
    return (fields["customer"], fields["product"], fields["quantity"]) == (
        expected.customer,
        expected.product,
        expected.quantity,
    )


@contextmanager
def job_stack(
    fake: FakeProcess, *, concurrency: int, call_timeout_s: float = 30.0, lease_s: float = 15.0
) -> Iterator[JobStack]:
    """Stores, and a container over them; workers are started by whoever wants some.

    Args:
        fake: who is asked.
        concurrency: documents that a worker reads at once.
        call_timeout_s: longest wait for one answer, in seconds.
        lease_s: after so long others take over what a dead worker had, in seconds.
    """
    with ExitStack() as stack:
        environment = {
            "DATABASE_URL": stack.enter_context(stores.postgres()),
            "REDIS_URL": stack.enter_context(stores.valkey()),
            "SECRET_KEY": "x" * 32,
            "LLM_PROVIDER": "openai",
            "LLM_CONCURRENCY": str(concurrency),
            "LLM_TIMEOUT_S": str(call_timeout_s),
            "JOB_LEASE_S": str(lease_s),
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": fake.openai_base_url,
            "OPENAI_MODEL": MODEL,
            "LOG_LEVEL": "error",
            "PYTHONPATH": str(ROOT / "src"),
        }
        names = {name.lower(): value for name, value in environment.items()}
        settings = Settings(_env_file=None, **names)  # type: ignore[call-arg, arg-type]
        runner = stack.enter_context(asyncio.Runner())
        opening = open_container(settings)
        container = runner.run(opening.__aenter__())
        stack.callback(lambda: runner.run(opening.__aexit__(None, None, None)))
        jobs = JobStack(environment, runner, container)
        stack.callback(jobs.stop_workers)
        yield jobs
