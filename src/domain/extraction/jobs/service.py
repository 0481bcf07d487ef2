"""What people may do with extraction jobs."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection
from typing import Final

from domain.access.audit import acting_key
from domain.access.model import NO_BUDGET, ModelBudget
from domain.errors import InvalidInput, NotFound, Violation
from domain.extraction.jobs.items import MAX_DOCUMENT_ID, Document, ItemResult, ItemState
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobPriority,
    JobSpec,
    NewJob,
    ProviderMode,
)
from domain.extraction.service import ExtractionService, check_text
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import ExtractionJobRepository, WorkerWakeup
from ports.unit_of_work import UnitOfWorkFactory

_PAGE: Final = 500


class ExtractionJobService:
    """Makes jobs, pauses, resumes and cancels them.

    Args:
        jobs: where they are kept.
        open_unit: opens units of work for new ones.
        schemas: knows the schemas.
        extraction: knows the providers.
        wakeup: tells workers of new work.
        batch_providers: providers that can be asked in batches.
    """

    def __init__(
        self,
        *,
        jobs: ExtractionJobRepository,
        open_unit: UnitOfWorkFactory,
        schemas: ExtractionSchemaRepository,
        extraction: ExtractionService,
        wakeup: WorkerWakeup,
        batch_providers: Collection[str] = (),
    ) -> None:
        self._jobs = jobs
        self._open_unit = open_unit
        self._schemas = schemas
        self._extraction = extraction
        self._wakeup = wakeup
        self._batch_providers = batch_providers

    async def draft(
        self,
        *,
        schema: str,
        provider: str | None,
        reuse: bool = True,
        caps: JobCaps | None = None,
        mode: ProviderMode = ProviderMode.DIRECT,
        priority: JobPriority = JobPriority.NORMAL,
        budget: ModelBudget = NO_BUDGET,
    ) -> NewJob:
        """A job of whoever acts, whose schema version and providers are fixed from now on.

        Args:
            schema: name of a schema; its newest version is used.
            provider: a provider's name or a chain such as `openai,local`; None for the configured.
            reuse: whether known results of the same question answer documents.
            caps: what it may use.
            mode: how the first provider is asked.
            priority: how soon.
            budget: of who asks.

        Raises:
            InvalidInput: names each of schema, provider, mode and caps that cannot be used.
        """
        caps = caps or JobCaps()
        violations: list[Violation] = caps.violations()
        chain: tuple[str, ...] = ()
        version = 0
        try:
            chain = self._extraction.chain_for(provider)
            batched = mode is ProviderMode.BATCH
            violations += self._extraction.price_violations(chain, budget, batched=batched)
        except InvalidInput as error:
            violations.extend(error.violations)
        if mode is ProviderMode.BATCH and chain and chain[0] not in self._batch_providers:
            able = ", ".join(self._batch_providers) or "none that is configured"
            detail = f"{chain[0]} takes no batches here; first in the chain may be: {able}"
            violations.append(Violation(pointer="/mode", detail=detail))
        try:
            version = (await self._schemas.get(schema)).version
        except NotFound as error:
            violations.append(Violation(pointer="/schema", detail=str(error)))
        if violations:
            raise InvalidInput.of(violations)
        spec = JobSpec(
            schema=schema,
            schema_version=version,
            providers=chain,
            reuse=reuse,
            mode=mode,
            priority=priority,
        )
        return NewJob(spec=spec, caps=caps, key_id=acting_key())

    async def submit(self, draft: NewJob, documents: AsyncIterable[Document]) -> ExtractionJob:
        """Store a job of its own, and wake a worker.

        Raises:
            Exception: what `documents` raises; nothing is stored then.
        """
        async with self._open_unit() as unit:
            job = await unit.extraction_jobs.add(draft, documents)
            await unit.commit()
        await self._wakeup.wake()
        return job

    async def announce(self) -> None:
        """Wake a worker for a job that was stored in a unit of another."""
        await self._wakeup.wake()

    async def all_results(
        self, job_id: JobId, state: ItemState | None = None
    ) -> AsyncIterator[ItemResult]:
        """Every document of a job in its order, a page at a time; no transaction stays open.

        Raises:
            NotFound: no such job.
        """
        after = 0
        while page := await self._jobs.results(job_id, state=state, limit=_PAGE, after=after):
            for result in page:
                yield result
            after = page[-1].position

    async def apply(
        self, job_id: JobId, command: JobCommand, caps: JobCaps | None = None
    ) -> ExtractionJob:
        """Pause, resume or cancel a job; what is under way comes to its end, or goes back.

        Raises:
            InvalidInput: the caps cannot be used.
            NotFound: no such job.
            Conflict: its status does not allow this, or it would stop again at once by its caps.
        """
        if caps is not None and (violations := caps.violations()):
            raise InvalidInput.of(violations)
        job = await self._jobs.apply(job_id, command, caps)
        if command is JobCommand.RESUME:
            await self._wakeup.wake()
        return job


def check_document(document: Document, pointer: str) -> list[Violation]:
    """What is wrong with a document that stands at `pointer`; empty when nothing is."""
    violations = check_text(document.text, f"{pointer}/text")
    if document.id is not None and not 1 <= len(document.id) <= MAX_DOCUMENT_ID:
        detail = f"must have 1..{MAX_DOCUMENT_ID} characters"
        violations.append(Violation(pointer=f"{pointer}/id", detail=detail))
    if document.id is not None and not _plain(document.id):
        detail = "must not hold NUL or lone surrogates"
        violations.append(Violation(pointer=f"{pointer}/id", detail=detail))
    return violations


def _plain(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)
