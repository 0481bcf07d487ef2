"""`/metrics`: what Prometheus scrapes.

Figures of runs, jobs, calls and imports are read from the database, so that each process answers
the same, and one that was just started knows what ran before it. Requests are counted by all
processes of a server together. Whether callers' limits are counted together is as the process that
answers saw it last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal

from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from domain.access.model import Scope
from domain.errors import QueueUnavailable
from domain.extraction.activity import ACTIVITY_WINDOW, ExtractionActivity
from domain.extraction.jobs.model import JobStatus
from domain.insights.click_rows import ClickImportTotals
from domain.insights.refresher import TASKS, InsightRefresher
from domain.insights.run_history import InsightState, RunHistory, RunOutcome
from domain.webhooks.model import WebhookFigures
from entrypoints.http.protocol.operations import get
from entrypoints.http.protocol.statistics import (
    BUCKETS_S,
    ProcessState,
    RequestStatistics,
    RouteFigures,
)
from ports.access import RequestLimiter
from ports.click_files import ClickImportRepository
from ports.extraction_jobs import ExtractionActivityReader
from ports.language_models import ProviderGates, ProviderStatus
from ports.webhooks import WebhookDeliveryRepository

_MEDIA: Final = "text/plain; version=0.0.4"
_GATES_TIMEOUT_S: Final = 1.0
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSample:
    """One value.

    Attributes:
        suffix: what follows the name of the metric, for the parts of a histogram.
    """

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; without a sample it says nothing yet.

    Attributes:
        meaning: one line, with the unit.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    samples: Sequence[MetricSample]


def exposition(metrics: Sequence[Metric]) -> str:
    """The text format 0.0.4 of Prometheus."""
    return "".join(line + "\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        labels = ",".join(
            f'{name}="{value.translate(_ESCAPES)}"' for name, value in sample.labels.items()
        )
        name = metric.name + sample.suffix
        yield f"{name}{f'{{{labels}}}' if labels else ''} {sample.value!r}"


def request_metrics(figures: Sequence[RouteFigures]) -> Sequence[Metric]:
    """What is to be watched of requests."""
    return [
        Metric(
            name="storekeeper_http_requests_total",
            kind="counter",
            meaning="Requests that were answered since the server started, by method, route and"
            " status; the client of status 0 left before.",
            samples=[
                MetricSample(
                    value=count,
                    labels={"method": each.method, "route": each.route, "status": str(status)},
                )
                for each in figures
                for status, count in each.answers.items()
            ],
        ),
        Metric(
            name="storekeeper_http_request_duration_seconds",
            kind="histogram",
            meaning="Seconds from the head of a request to the end of its answer.",
            samples=[sample for each in figures for sample in _histogram(each)],
        ),
    ]


def _histogram(figures: RouteFigures) -> Iterator[MetricSample]:
    labels = {"method": figures.method, "route": figures.route}
    ends = (*map(str, BUCKETS_S), "+Inf")
    counts = list(accumulate(figures.times))
    for end, count in zip(ends, counts, strict=True):
        yield MetricSample(value=count, labels={**labels, "le": end}, suffix="_bucket")
    yield MetricSample(value=figures.sum_s, labels=labels, suffix="_sum")
    yield MetricSample(value=counts[-1], labels=labels, suffix="_count")


def process_metrics(states: Mapping[int, ProcessState]) -> Sequence[Metric]:
    """What is to be watched of the processes of this server."""
    return [
        Metric(
            name="storekeeper_database_pool_connections",
            kind="gauge",
            meaning="Database connections of each process that are busy or idle.",
            samples=[
                MetricSample(value=value, labels={"process": str(number), "state": name})
                for number, state in states.items()
                for name, value in (("busy", state.pool_busy), ("idle", state.pool_idle))
            ],
        ),
        Metric(
            name="storekeeper_database_pool_limit",
            kind="gauge",
            meaning="Database connections that each process may have.",
            samples=[
                MetricSample(value=state.pool_most, labels={"process": str(number)})
                for number, state in states.items()
            ],
        ),
        Metric(
            name="storekeeper_event_loop_lag_seconds",
            kind="gauge",
            meaning="The longest that the event loop of each process was late in the last minute.",
            samples=[
                MetricSample(value=state.loop_lag_s, labels={"process": str(number)})
                for number, state in states.items()
            ],
        ),
    ]


def extraction_metrics(activity: ExtractionActivity) -> Sequence[Metric]:
    """What is to be watched of extraction."""
    oldest_s = activity.oldest_waiting_s
    minutes = round(ACTIVITY_WINDOW.total_seconds() / 60)
    outcomes = [
        (
            {
                "provider": each.provider,
                "model": each.model,
                "outcome": "answer" if each.outcome is None else each.outcome.value,
            },
            each,
        )
        for each in activity.calls
    ]
    return [
        Metric(
            name="storekeeper_extraction_jobs",
            kind="gauge",
            meaning="Extraction jobs, by status.",
            samples=[
                MetricSample(value=activity.jobs.get(status, 0), labels={"status": status.value})
                for status in JobStatus
            ],
        ),
        Metric(
            name="storekeeper_extraction_open_texts",
            kind="gauge",
            meaning="Texts of running jobs that are not at their end.",
            samples=[MetricSample(value=activity.open_texts)],
        ),
        Metric(
            name="storekeeper_extraction_oldest_waiting_seconds",
            kind="gauge",
            meaning="Age of the oldest running job with a text that nobody reads yet; 0 without"
            " one.",
            samples=[MetricSample(value=0 if oldest_s is None else oldest_s)],
        ),
        Metric(
            name="storekeeper_extraction_workers",
            kind="gauge",
            meaning="Workers that are alive.",
            samples=[MetricSample(value=activity.workers)],
        ),
        Metric(
            name="storekeeper_provider_recent_calls",
            kind="gauge",
            meaning=f"Calls of the extractions of the last {minutes} minutes, by provider, model"
            " and outcome.",
            samples=[MetricSample(value=each.calls, labels=labels) for labels, each in outcomes],
        ),
        Metric(
            name="storekeeper_provider_recent_latency_seconds",
            kind="gauge",
            meaning="Seconds that these calls took, all together.",
            samples=[
                MetricSample(value=each.latency_s, labels=labels) for labels, each in outcomes
            ],
        ),
        Metric(
            name="storekeeper_provider_recent_cost_dollars",
            kind="gauge",
            meaning=f"US dollars that the extractions of the last {minutes} minutes cost, those"
            " without a price left out.",
            samples=[
                MetricSample(value=float(cost), labels={"provider": provider, "model": model})
                for (provider, model), cost in activity.cost_usd.items()
            ],
        ),
    ]


def provider_metrics(gates: Sequence[ProviderStatus]) -> Sequence[Metric]:
    """What is to be watched of the gates of providers; nothing while Valkey is away."""
    stands = [({"provider": each.name, "model": each.model}, each.state) for each in gates]
    return [
        Metric(
            name="storekeeper_provider_circuit_open",
            kind="gauge",
            meaning="1 while a provider is taken for broken and is not asked.",
            samples=[
                MetricSample(value=int(state.circuit_open), labels=labels)
                for labels, state in stands
            ],
        ),
        Metric(
            name="storekeeper_provider_gate_seconds",
            kind="gauge",
            meaning="How long calls wait because the provider refused some, or its quota is used"
            " up.",
            samples=[
                MetricSample(value=max(state.gate_s, state.quota_s), labels=labels)
                for labels, state in stands
            ],
        ),
    ]


def import_metrics(totals: ClickImportTotals) -> Sequence[Metric]:
    """What is to be watched of imports of searches."""
    return [
        Metric(
            name="storekeeper_click_imports_unfinished",
            kind="gauge",
            meaning="Imports of files whose last row is not read yet.",
            samples=[MetricSample(value=totals.unfinished)],
        ),
        Metric(
            name="storekeeper_click_import_rows_total",
            kind="counter",
            meaning="Rows of files that went into the log of searches, and those that did not.",
            samples=[
                MetricSample(value=totals.accepted, labels={"outcome": "accepted"}),
                MetricSample(value=totals.rejected, labels={"outcome": "rejected"}),
            ],
        ),
    ]


def insight_metrics(state: InsightState) -> Sequence[Metric]:
    """What is to be watched of the insights."""
    success, newest = state.last_success, state.newest_run
    histories = {task: state.histories.get(task, RunHistory()) for task in TASKS}
    return [
        Metric(
            name="storekeeper_insights_last_success_timestamp_seconds",
            kind="gauge",
            meaning="When a run last left no day undone, in seconds since 1970.",
            samples=[MetricSample(value=success.finished_at.timestamp())] if success else [],
        ),
        Metric(
            name="storekeeper_insights_pending_days",
            kind="gauge",
            meaning="Days up to yesterday whose insight is missing or stale.",
            samples=[MetricSample(value=state.pending_days)],
        ),
        Metric(
            name="storekeeper_insights_last_duration_seconds",
            kind="gauge",
            meaning="How long the newest run took, whatever its outcome.",
            samples=[MetricSample(value=newest.duration_s)] if newest else [],
        ),
        Metric(
            name="storekeeper_insights_runs_total",
            kind="counter",
            meaning="Runs that have ended, by task and outcome.",
            samples=[
                MetricSample(
                    value=history.counts.get(outcome, 0),
                    labels={"task": task, "outcome": outcome.value},
                )
                for task, history in histories.items()
                for outcome in RunOutcome
            ],
        ),
    ]


def limit_metrics(limiter: RequestLimiter) -> Sequence[Metric]:
    """What is to be watched of the callers' limits."""
    return [
        Metric(
            name="storekeeper_rate_limits_shared",
            kind="gauge",
            meaning="1 while all processes count requests together, 0 while each does alone since"
            " Valkey does not answer.",
            samples=[MetricSample(value=int(limiter.is_shared()))],
        )
    ]


def webhook_metrics(figures: WebhookFigures) -> Sequence[Metric]:
    """What is to be watched of webhooks."""
    return [
        Metric(
            name="storekeeper_webhook_deliveries",
            kind="gauge",
            meaning="Deliveries of webhooks that are kept, by status.",
            samples=[
                MetricSample(value=count, labels={"status": status.value})
                for status, count in figures.deliveries.items()
            ],
        ),
        Metric(
            name="storekeeper_webhook_endpoints_disabled",
            kind="gauge",
            meaning="Endpoints to which nothing is sent, because they failed or were gone.",
            samples=[MetricSample(value=figures.disabled)],
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What all metrics are made of: by a scrape, and by the page that lists them."""

    requests: Sequence[RouteFigures]
    processes: Mapping[int, ProcessState]
    extraction: ExtractionActivity
    providers: Sequence[ProviderStatus]
    insights: InsightState
    imports: ClickImportTotals
    webhooks: WebhookFigures
    limiter: RequestLimiter


def every_metric(figures: Figures) -> Sequence[Metric]:
    """All that is scraped."""
    return [
        *request_metrics(figures.requests),
        *process_metrics(figures.processes),
        *extraction_metrics(figures.extraction),
        *provider_metrics(figures.providers),
        *insight_metrics(figures.insights),
        *import_metrics(figures.imports),
        *webhook_metrics(figures.webhooks),
        *limit_metrics(figures.limiter),
    ]


@get(
    "/metrics",
    scope=Scope.INSIGHTS_READ,
    tags=["health"],
    returns=str,
    media=_MEDIA,
    example="# HELP storekeeper_insights_pending_days ...\n",
)
async def metrics(
    insight_refresher: NamedDependency[SkipValidation[InsightRefresher]],
    request_limiter: NamedDependency[SkipValidation[RequestLimiter]],
    request_statistics: NamedDependency[SkipValidation[RequestStatistics]],
    extraction_activity: NamedDependency[SkipValidation[ExtractionActivityReader]],
    provider_gates: NamedDependency[SkipValidation[ProviderGates]],
    click_imports: NamedDependency[SkipValidation[ClickImportRepository]],
    webhook_deliveries: NamedDependency[SkipValidation[WebhookDeliveryRepository]],
) -> Response[bytes]:
    """What Prometheus scrapes.

    503 while the database is away: a scrape that fails is noticed.
    """
    figures = Figures(
        requests=request_statistics.figures(),
        processes=request_statistics.processes(),
        extraction=await extraction_activity.activity(ACTIVITY_WINDOW),
        providers=await _known(provider_gates),
        insights=await insight_refresher.state(),
        imports=await click_imports.totals(),
        webhooks=await webhook_deliveries.figures(),
        limiter=request_limiter,
    )
    text = exposition(every_metric(figures))
    return Response(text.encode(), media_type=_MEDIA)


async def _known(gates: ProviderGates) -> Sequence[ProviderStatus]:
    """How the providers stand; nothing where what the processes share does not answer."""
    try:
        async with asyncio.timeout(_GATES_TIMEOUT_S):
            return await gates.all()
    except (QueueUnavailable, TimeoutError):
        return ()
