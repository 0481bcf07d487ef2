"""The same texts for several providers, judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from storekeeper_client.calls import (
    JSON,
    Call,
    Page,
    Steps,
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

ReportForm: TypeAlias = Literal["html", "csv", "markdown"]

FORMS: Final[Mapping[ReportForm, str]] = {
    "html": "text/html",
    "csv": "text/csv",
    "markdown": "text/markdown",
}


class LabelledText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text of a dataset with what is known of it.

    Attributes:
        text: what a customer wrote.
        id: your own name for it.
        gold: the right value of each field; None where the text is silent.
        spans: where values stand: start, and end behind the last code point.
        strata: what makes it hard.
        language: its language.
        template: its wording.
        split: its part of the dataset.
        twin: id of the text that it is but for an attack.
        attack: what an instruction inside it wants.
    """

    text: str
    id: str | None = None
    gold: dict[str, Any] | None = None
    spans: dict[str, tuple[int, int]] | None = None
    strata: tuple[str, ...] | None = None
    language: str | None = None
    template: str | None = None
    split: str | None = None
    twin: str | None = None
    attack: dict[str, Any] | None = None


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers; `simulated` when a stand-in does."""

    name: str
    provider: str
    model: str
    prompt_hash: str
    simulated: bool


class ComparisonJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job behind a comparison, and how far it is.

    `status` is that of the job: `running`, `paused`, `failed`, `cancelled` or `completed`.
    """

    contestant: str
    repeat: int
    job: str
    status: str
    done: int
    total: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison as it stands.

    `status` is `running`, `stopped` (a job is paused or has failed; resumed, it goes on),
    `cancelled` or `completed`.
    """

    id: int
    status: str
    dataset: str
    schema: str
    schema_version: int
    texts: int
    repeats: int
    seed: int
    contestants: tuple[Contestant, ...]
    jobs: tuple[ComparisonJob, ...]
    answers: int
    answered: int
    created_at: Moment
    report: str


class Comparisons(Resource[D]):
    """`/comparisons`. Needs the scope `extract`."""

    @Listing
    def list(self, *, page_size: int | None = None) -> Call[Page[Comparison]]:
        """Comparisons, newest first.

        Args:
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(limit=page_size)
        return Call(method="GET", path="/comparisons", query=query, read=_COMPARISONS)

    @Operation
    def get(self, comparison_id: int) -> Call[Comparison]:
        """A comparison as it stands.

        Raises:
            NotFound: there is none.
        """
        return _comparison(comparison_id)

    @Operation
    def create(
        self,
        texts: Iterable[LabelledText | Mapping[str, Any]],
        *,
        providers: Iterable[str],
        schema: str | None = None,
        repeat: int | None = None,
        seed: int | None = None,
        dataset: str | None = None,
        machine_usd_per_hour: float | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Comparison]:
        """A new comparison, whose texts workers have read by each provider.

        Args:
            texts: 1..10000, each id once.
            providers: 1..8 of the configured ones, or `regex`, the baseline for orders.
            schema: name of the shape of the records; that of orders if not given.
            repeat: how often everything is asked, 1..20; once if not given.
            seed: of the resampling; 7 if not given.
            dataset: your name for the texts; `texts` if not given.
            machine_usd_per_hour: price of the machine of local and vLLM models.
            idempotency_key: your name for the request; one is made if not given.

        Raises:
            InvalidInput: `errors` names each bad member.
            RateLimited: too many requests, or the key's model budget of the day is used up.
        """
        values = members(
            providers=tuple(providers),
            texts=tuple(texts),
            schema=schema,
            repeat=repeat,
            seed=seed,
            dataset=dataset,
            machine_usd_per_hour=machine_usd_per_hour,
        )
        return Call(
            method="POST",
            path="/comparisons",
            headers={"Content-Type": JSON, **once(idempotency_key)},
            body=encoded(values),
            read=_COMPARISON,
        )

    @Operation
    def wait(self, comparison_id: int, *, timeout_s: float | None = None) -> Steps[Comparison]:
        """The comparison once it runs no longer; asked for as `ExtractionJobs.wait` does.

        Args:
            comparison_id: which.
            timeout_s: seconds to wait at most; for ever if not given.

        Raises:
            WaitTimedOut: it still runs.
            NotFound: there is none.
        """
        return until_ended(_comparison(comparison_id), timeout_s)

    @Operation
    def report(self, comparison_id: int) -> Call[dict[str, Any]]:
        """All figures of what is answered so far.

        Raises:
            NotFound: there is none.
            Conflict: no text is answered by all yet.
        """
        return Call(
            method="GET",
            path=path_of("comparisons", comparison_id, "report"),
            query=given(format="json"),
            read=_REPORT,
        )

    @Download
    def download_report(self, comparison_id: int, form: ReportForm) -> Call[None]:
        """The report for people, in pieces to be written one after the other. See `report`."""
        return Call(
            method="GET",
            path=path_of("comparisons", comparison_id, "report"),
            query=given(format=form),
            read=file_of(FORMS[form]),
        )

    @Operation
    def delete(self, comparison_id: int) -> Call[None]:
        """Remove a comparison; what is not asked yet is cancelled, its jobs stay.

        Raises:
            NotFound: there is none.
        """
        return Call(method="DELETE", path=path_of("comparisons", comparison_id), read=nothing)


_COMPARISON: Final = reads(Comparison)
_COMPARISONS: Final = page_reader(Comparison)
_REPORT: Final = reads(dict[str, Any])


def _comparison(comparison_id: int) -> Call[Comparison]:
    return Call(method="GET", path=path_of("comparisons", comparison_id), read=_COMPARISON)
