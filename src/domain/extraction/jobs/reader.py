"""How one document of a job is read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.extraction.calls import CallFailed
from domain.extraction.jobs.items import ClaimedItem, Halt, Settlement
from domain.extraction.jobs.model import Assignment, Cause, JobStatus, Reason
from domain.extraction.jobs.settlement import Patience, settle, settle_broken
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import Schema
from domain.extraction.service import ExtractionService
from ports.clock import Clock
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import Question
from ports.language_models import Answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the documents of an assignment are read here.

    Attributes:
        schema: what they become.
        chain: who is asked.
        question: what is asked; None when known answers do not count.
    """

    schema: Schema
    chain: tuple[str, ...]
    question: Question | None

    def key(self, text: str) -> bytes | None:
        """Identifies the question about `text`; None when it is asked anew each time."""
        if self.question is None:
            return None
        asked = repr((self.question, text)).encode(errors="surrogatepass")
        return hashlib.sha256(asked).digest()


class DocumentReader:
    """Reads documents by the extraction service.

    Args:
        extraction: asks the providers.
        schemas: knows the schemas.
        clock: says when.
        new_id: makes identities of results.
        chance: a number from 0 to 1.
        patience: how often a document is tried.
        deadline_s: longest time for one try, waits for rate limits included, in seconds.
    """

    def __init__(
        self,
        *,
        extraction: ExtractionService,
        schemas: ExtractionSchemaRepository,
        clock: Clock,
        new_id: Callable[[], UUID],
        chance: Callable[[], float],
        patience: Patience,
        deadline_s: float,
    ) -> None:
        self._extraction = extraction
        self._schemas = schemas
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._patience = patience
        self._deadline_s = deadline_s
        self._plans: dict[Assignment, Plan | Halt] = {}

    async def plan(self, assignment: Assignment) -> Plan | Halt:
        """How to read by `assignment`, or why that is not possible here."""
        if assignment not in self._plans:
            self._plans[assignment] = await self._plan(assignment)
        return self._plans[assignment]

    async def _plan(self, assignment: Assignment) -> Plan | Halt:
        try:
            chain = self._extraction.chain_for(",".join(assignment.providers))
            schema = await self._schemas.get(assignment.schema, assignment.schema_version)
        except InvalidInput as error:
            why = "; ".join(violation.detail for violation in error.violations)
            return _misconfigured(f"A provider of this job cannot be used by the worker: {why}.")
        except NotFound as error:
            return _misconfigured(str(error))
        question = None
        if assignment.reuse:
            question = Question(
                schema=schema.name,
                schema_version=schema.version,
                prompts=tuple(
                    (provider, self._extraction.prompt_hash(schema, provider)) for provider in chain
                ),
            )
        return Plan(schema=schema, chain=chain, question=question)

    async def read(
        self,
        item: ClaimedItem,
        plan: Plan,
        given: Mapping[str, Answer | CallFailed] | None = None,
    ) -> Settlement:
        """Ask for one document, or read what the first provider said to its `first_prompts`."""
        try:
            result = await self._extraction.extract(
                item.text,
                plan.schema,
                chain=plan.chain,
                deadline_s=self._deadline_s,
                given=given,
            )
        except Exception:  # noqa: BLE001 (one text that we fail at must not stop the others)
            _log.exception("document %s of job %s cannot be read", item.position, item.job_id)
            return settle_broken(item, patience=self._patience, chance=self._chance)
        extraction = Extraction(
            id=ExtractionId(self._new_id()),
            text=item.text,
            result=result,
            created_at=self._clock.now(),
        )
        return settle(
            item,
            extraction,
            patience=self._patience,
            chance=self._chance,
            question=plan.key(item.text),
        )


def _misconfigured(detail: str) -> Halt:
    return Halt(reason=Reason(code=Cause.MISCONFIGURED, detail=detail), status=JobStatus.FAILED)
