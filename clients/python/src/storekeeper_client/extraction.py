"""Texts that become records: one now, or many by workers; and the shapes of those records."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from storekeeper_client.calls import (
    JSON,
    NDJSON,
    Call,
    Lines,
    Page,
    Steps,
    conditions,
    encoded,
    file_of,
    given,
    members,
    nothing,
    once,
    page_reader,
    path_of,
    reads,
)
from storekeeper_client.errors import Moment
from storekeeper_client.resources import D, Download, Listing, Operation, Resource
from storekeeper_client.waiting import until_ended

ProviderMode: TypeAlias = Literal["direct", "batch"]
JobPriority: TypeAlias = Literal["low", "normal", "high"]
ItemState: TypeAlias = Literal[
    "pending", "running", "valid", "partial", "refused", "failed", "cancelled"
]
FieldType: TypeAlias = Literal["string", "integer", "number", "boolean", "date", "enum"]
ResultForm: TypeAlias = Literal["ndjson", "csv", "parquet"]

FORMS: Final[Mapping[ResultForm, str]] = {
    "ndjson": NDJSON,
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of all calls to providers, failed ones included."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value stands: offsets into the text in code points, `end` behind the last."""

    field: str
    quote: str
    start: int
    end: int


class ExtractionWarning(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader of a result should know.

    `kind` is `embedded_instruction` (the text speaks to the model), `contradiction` (it states a
    second value), `ungrounded` (a value did not stand in it and was dropped) or `invalid_value`
    (a value broke the schema's rules and was dropped).
    """

    kind: str
    field: str | None
    detail: str
    start: int | None
    end: int | None


class ExtractionFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no record."""

    kind: str
    detail: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a provider; `outcome` is None when an answer came."""

    provider: str
    model: str
    outcome: str | None
    input_tokens: int
    output_tokens: int
    wait_ms: int
    latency_ms: int


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """A provider that was given up, and why."""

    provider: str
    reason: str


class Extraction(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a text.

    `status` is `valid`, `partial` (a field had to be dropped; the warnings name it), `refused`
    (the model declined the text) or `failed` (`failure` says why). `confidence` is how likely the
    value of each field is right, 0 to 1, and None where nobody can tell.
    """

    id: UUID
    status: str
    schema: str
    schema_version: int
    fields: dict[str, Any]
    confidence: dict[str, float | None]
    evidence: tuple[Evidence, ...]
    warnings: tuple[ExtractionWarning, ...]
    failure: ExtractionFailure | None
    provider: str
    model: str
    attempts: int
    attempt_log: tuple[Attempt, ...]
    fallbacks: tuple[Fallback, ...]
    usage: Usage
    cost_usd: float | None
    latency_ms: int
    prompt_hash: str
    text: str
    created_at: Moment


class Extractions(Resource[D]):
    """`/extractions`. Needs the scope `extract`."""

    @Operation
    def create(
        self,
        text: str,
        *,
        schema: str | None = None,
        provider: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Extraction]:
        """A text, read now; takes seconds.

        Args:
            text: what a customer wrote, 1..200000 characters.
            schema: name of the shape of the record; `default` if not given.
            provider: who reads, or a list that falls back in order: `openai,local`.
            idempotency_key: your name for the request; one is made if not given.

        Raises:
            InvalidInput: `errors` names each bad member.
            RateLimited: too many requests, or the key's model budget of the day is used up.
            Unavailable: no provider answered usably; `problem.provider` says which and why.
        """
        return Call(
            method="POST",
            path="/extractions",
            headers={"Content-Type": JSON, **once(idempotency_key)},
            body=encoded(members(text=text, schema=schema, provider=provider)),
            read=_EXTRACTION,
        )

    @Operation
    def get(self, extraction_id: UUID | str) -> Call[Extraction]:
        """A stored result.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("extractions", extraction_id), read=_EXTRACTION)


_EXTRACTION: Final = reads(Extraction)


class FieldDefinition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of a record.

    `type` is `string`, `integer`, `number`, `boolean`, `date` or `enum` (one of `choices`);
    `pattern` is a regular expression, `minimum` and `maximum` bound numbers.
    """

    name: str
    type: str
    description: str
    list: bool = False
    nullable: bool = True
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 200
    max_items: int = 20
    choices: tuple[str, ...] = ()
    examples: tuple[str | int | float | bool, ...] = ()


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A text with its record, shown to models that learn from examples."""

    text: str
    record: dict[str, Any]


class ExtractionSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a record, in its newest version."""

    name: str
    version: int
    built_in: bool
    description: str
    fields: tuple[FieldDefinition, ...]
    examples: tuple[Example, ...] = ()


class ExtractionSchemas(Resource[D]):
    """`/extraction-schemas`. Needs the scope `extract`."""

    @Listing
    def list(self) -> Call[Page[ExtractionSchema]]:
        """All schemas by name, each in its newest version."""
        return Call(method="GET", path="/extraction-schemas", read=_SCHEMAS)

    @Operation
    def get(self, name: str) -> Call[ExtractionSchema]:
        """A schema in its newest version.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("extraction-schemas", name), read=_SCHEMA)

    @Operation
    def put(
        self,
        name: str,
        *,
        fields: Iterable[FieldDefinition | Mapping[str, Any]],
        description: str = "",
        examples: Iterable[Example | Mapping[str, Any]] = (),
        if_match: Literal["*"] | None = None,
        if_none_match: Literal["*"] | None = None,
    ) -> Call[ExtractionSchema]:
        """Define a schema; a definition that differs becomes its next version.

        Args:
            name: letters, digits and `_`.
            fields: one at least, in their order.
            description: what the record is.
            examples: texts with their records.
            if_match: `*` to change one that exists, and make none.
            if_none_match: `*` to make a new one, and change none.

        Raises:
            InvalidInput: `errors` names each bad place of the definition.
            PreconditionFailed: it exists, or does not, as `if_none_match` or `if_match` asked.
            Conflict: it is built in.
        """
        definition = {
            "description": description,
            "fields": list_of(fields),
            "examples": list_of(examples),
        }
        return Call(
            method="PUT",
            path=path_of("extraction-schemas", name),
            headers={
                "Content-Type": JSON,
                **conditions(if_match=if_match, if_none_match=if_none_match),
            },
            body=encoded(definition),
            read=_SCHEMA,
        )

    @Operation
    def delete(self, name: str) -> Call[None]:
        """Delete a schema that no result names.

        Raises:
            NotFound: there is none.
            Conflict: `schema_in_use`.
        """
        return Call(method="DELETE", path=path_of("extraction-schemas", name), read=nothing)


list_of: Final = list
"""Inside a class whose method is called `list`."""

_SCHEMA: Final = reads(ExtractionSchema)
_SCHEMAS: Final = page_reader(ExtractionSchema)


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text of a job, with your own name for it."""

    text: str
    id: str | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is as it is: a code to act on, and a sentence with the remedy."""

    code: str
    detail: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Documents by state; they add up to `total`."""

    total: int
    pending: int
    running: int
    valid: int
    partial: int
    refused: int
    failed: int
    cancelled: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands.

    `status` is `running`, `paused` (until it is resumed, or a budget is there again: see `reason`),
    `failed` (as it is configured no document can be done; it can be resumed after the repair),
    `cancelled` or `completed`. `mode` is `direct` or `batch`, `priority` is `low`, `normal` or
    `high`. `reused` documents were answered by stored results; until `waits_until` a provider asked
    for a pause.
    """

    id: int
    status: str
    reason: Reason | None
    schema: str
    schema_version: int
    providers: tuple[str, ...]
    reuse: bool
    mode: str
    priority: str
    key_id: int | None
    max_cost_usd: float | None
    max_tokens: int | None
    counts: Counts
    reused: int
    calls: int
    usage: Usage
    cost_usd: float
    unpriced_calls: int
    rate_per_s: float | None
    eta_s: float | None
    waits_until: Moment | None
    created_at: Moment
    finished_at: Moment | None
    results: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a job with what became of it; what `reused` answered costs nothing again.

    `status` is `pending` or `running`, or at its end `valid`, `partial`, `refused`, `failed` or
    `cancelled`.
    """

    position: int
    id: str | None
    status: str
    reason: Reason | None
    failed_attempts: int
    reused: bool
    finished_at: Moment | None
    extraction_id: str | None
    schema: str | None
    schema_version: int | None
    fields: dict[str, Any] | None
    confidence: dict[str, float | None] | None
    evidence: tuple[Evidence, ...]
    warnings: tuple[ExtractionWarning, ...]
    provider: str | None
    model: str | None
    prompt_hash: str | None
    calls: int | None
    usage: Usage | None
    cost_usd: float | None
    latency_ms: int | None


class ExtractionJobs(Resource[D]):
    """`/extraction-jobs`. Needs the scope `extract`."""

    @Listing
    def list(self, *, page_size: int | None = None) -> Call[Page[Job]]:
        """Jobs, newest first.

        Args:
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(limit=page_size)
        return Call(method="GET", path="/extraction-jobs", query=query, read=_JOBS)

    @Operation
    def get(self, job_id: int) -> Call[Job]:
        """A job as it stands.

        Raises:
            NotFound: there is none.
        """
        return _job(job_id)

    @Operation
    def create(
        self,
        documents: Iterable[str | Document] | AsyncIterable[str | Document],
        *,
        schema: str | None = None,
        provider: str | None = None,
        reuse: bool | None = None,
        mode: ProviderMode | None = None,
        priority: JobPriority | None = None,
        max_cost_usd: float | None = None,
        max_tokens: int | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Job]:
        """A new job; all documents are taken or none. They are sent as lines while they are made.

        The service stores all before it answers: give `RetryPolicy` more time for many thousands.

        Args:
            documents: texts, or texts with your own names. What can be gone through again, such as
                a list, is, where the request has to be sent again; anything else, such as a
                generator, is written to a temporary file first. Asynchronous ones are for
                `AsyncClient`.
            schema: name of the shape of the records; `default` if not given.
            provider: who reads, or a list that falls back in order: `openai,local`.
            reuse: whether a stored result of the same text, schema, prompt and model answers; it
                does if not given.
            mode: `batch` asks OpenAI or Gemini by their batch API, within 24 hours and for less.
            priority: how soon it is read, before your other jobs.
            max_cost_usd: the job pauses once it used so much.
            max_tokens: likewise.
            idempotency_key: your name for the request; one is made if not given.

        Raises:
            InvalidInput: `errors` names bad options, and the first bad lines.
            RateLimited: too many requests, or the key's model budget of the day is used up.
            TypeError: `documents` is one text.
        """
        if isinstance(documents, str | bytes):
            raise TypeError("documents is one text: put it into a list.")
        query = given(
            schema=schema,
            provider=provider,
            reuse=reuse,
            mode=mode,
            priority=priority,
            max_cost_usd=max_cost_usd,
            max_tokens=max_tokens,
        )
        return Call(
            method="POST",
            path="/extraction-jobs",
            query=query,
            headers={"Content-Type": NDJSON, **once(idempotency_key)},
            body=Lines(documents),
            read=_JOB,
        )

    @Operation
    def wait(self, job_id: int, *, timeout_s: float | None = None) -> Steps[Job]:
        """The job once it runs no longer: completed, cancelled, failed or paused.

        It is asked for ever more seldom, at most every 15 seconds, and sooner where it says that it
        will be done.

        Args:
            job_id: which.
            timeout_s: seconds to wait at most; for ever if not given.

        Raises:
            WaitTimedOut: it still runs.
            NotFound: there is none.
            ConnectionFailed, Unavailable: the service was away for longer than the policy's
                `deadline_s`; the job is not touched by that, and can be waited for again.
        """
        return until_ended(_job(job_id), timeout_s)

    @Listing
    def results(
        self, job_id: int, *, status: ItemState | None = None, page_size: int | None = None
    ) -> Call[Page[Item]]:
        """The documents in their order with what became of them, while the job runs too.

        Args:
            job_id: which.
            status: only those that stand so.
            page_size: rows of one request, 1..200; 50 if not given.

        Raises:
            NotFound: there is none.
        """
        return Call(
            method="GET",
            path=path_of("extraction-jobs", job_id, "results"),
            query=given(status=status, limit=page_size),
            headers={"Accept": JSON},
            read=_ITEMS,
        )

    @Download
    def download_results(
        self, job_id: int, form: ResultForm, *, status: ItemState | None = None
    ) -> Call[None]:
        """All results as a file, in pieces to be written one after the other.

        Args:
            job_id: which.
            form: `parquet` needs the extra of that name on the server.
            status: only documents that stand so.

        Raises:
            NotFound: there is none.
            ConnectionFailed: it broke off: begin again.
        """
        return Call(
            method="GET",
            path=path_of("extraction-jobs", job_id, "results"),
            query=given(status=status),
            headers={"Accept": FORMS[form]},
            read=file_of(FORMS[form]),
        )

    @Operation
    def pause(self, job_id: int) -> Call[Job]:
        """Pause a job: what is under way comes to its end, nothing more is begun.

        Raises:
            NotFound: there is none.
            Conflict: it has failed or ended.
        """
        path = path_of("extraction-jobs", job_id, "pause")
        return Call(method="POST", path=path, read=_JOB)

    @Operation
    def resume(
        self, job_id: int, *, max_cost_usd: float | None = None, max_tokens: int | None = None
    ) -> Call[Job]:
        """Resume a job that was paused or failed.

        Args:
            job_id: which.
            max_cost_usd: the new cap; as it was if not given.
            max_tokens: likewise.

        Raises:
            NotFound: there is none.
            Conflict: it has ended, or would stop again at once by its caps.
        """
        caps = members(max_cost_usd=max_cost_usd, max_tokens=max_tokens)
        return Call(
            method="POST",
            path=path_of("extraction-jobs", job_id, "resume"),
            headers={"Content-Type": JSON} if caps else {},
            body=encoded(caps) if caps else None,
            read=_JOB,
        )

    @Operation
    def cancel(self, job_id: int) -> Call[Job]:
        """Cancel a job: what is under way is given up, what is done stays.

        Raises:
            NotFound: there is none.
            Conflict: it is completed.
        """
        return Call(method="DELETE", path=path_of("extraction-jobs", job_id), read=_JOB)


_JOB: Final = reads(Job)
_JOBS: Final = page_reader(Job)
_ITEMS: Final = page_reader(Item)


def _job(job_id: int) -> Call[Job]:
    return Call(method="GET", path=path_of("extraction-jobs", job_id), read=_JOB)
