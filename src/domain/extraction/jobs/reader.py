"""How one document of a job is read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.extraction.calls import ModelCallFailed, names_of
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, JobConsequence
from domain.extraction.jobs.model import JobSpec, JobStatus, ReasonCode, StatusReason
from domain.extraction.jobs.settlement import RetryPolicy, settle, settle_broken
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import RecordSchema
from domain.extraction.service import ExtractionService
from ports.clock import Clock
from ports.extraction import ExtractionSchemaRepository
from ports.extraction_jobs import CacheKey
from ports.language_models import Answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionPlan:
    """How the documents of a spec are read here.

    Attributes:
        schema: what they become.
        chain: who is asked.
        cache_query: what is looked up; None when known answers do not count.
    """

    schema: RecordSchema
    chain: tuple[str, ...]
    cache_query: CacheKey | None

    def key(self, text: str) -> bytes | None:
        """Identifies what is asked of `text`; None when it is asked anew each time."""
        if self.cache_query is None:
            return None
        asked = repr((self.cache_query, text)).encode(errors="surrogatepass")
        return hashlib.sha256(asked).digest()


class DocumentExtractor:
    """Reads documents by the extraction service.

    Args:
        extraction: asks the providers.
        schemas: knows the schemas.
        clock: says when.
        new_id: makes identities of results.
        chance: a number from 0 to 1.
        retry_policy: how often a document is tried.
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
        retry_policy: RetryPolicy,
        deadline_s: float,
    ) -> None:
        self._extraction = extraction
        self._schemas = schemas
        self._clock = clock
        self._new_id = new_id
        self._chance = chance
        self._retry_policy = retry_policy
        self._deadline_s = deadline_s
        self._plans: dict[JobSpec, ExtractionPlan | JobConsequence] = {}

    async def plan(self, spec: JobSpec) -> ExtractionPlan | JobConsequence:
        """How to read by `spec`, or why that is not possible here."""
        if spec not in self._plans:
            self._plans[spec] = await self._plan(spec)
        return self._plans[spec]

    async def _plan(self, spec: JobSpec) -> ExtractionPlan | JobConsequence:
        try:
            chain = self._extraction.chain_for(",".join(spec.providers))
            schema = await self._schemas.get(spec.schema, spec.schema_version)
        except InvalidInput as error:
            why = "; ".join(violation.detail for violation in error.violations)
            return _misconfigured(f"A provider of this job cannot be used by the worker: {why}.")
        except NotFound as error:
            return _misconfigured(str(error))
        query = None
        if spec.reuse:
            query = CacheKey(
                schema=schema.name,
                schema_version=schema.version,
                prompts=tuple(
                    (name, self._extraction.prompt_hash(schema, provider))
                    for provider in chain
                    for name in names_of(provider)
                ),
            )
        return ExtractionPlan(schema=schema, chain=chain, cache_query=query)

    async def read(
        self,
        item: ClaimedItem,
        plan: ExtractionPlan,
        given: Mapping[str, Answer | ModelCallFailed] | None = None,
    ) -> ItemSettlement:
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
            return settle_broken(item, retry_policy=self._retry_policy, chance=self._chance)
        extraction = Extraction(
            id=ExtractionId(self._new_id()),
            text=item.text,
            result=result,
            created_at=self._clock.now(),
        )
        return settle(
            item,
            extraction,
            retry_policy=self._retry_policy,
            chance=self._chance,
            cache_key=plan.key(item.text),
        )


def _misconfigured(detail: str) -> JobConsequence:
    return JobConsequence(
        reason=StatusReason(code=ReasonCode.MISCONFIGURED, detail=detail), status=JobStatus.FAILED
    )
