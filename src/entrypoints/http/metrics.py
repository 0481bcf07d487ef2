"""`/metrics`: what Prometheus scrapes.

Figures of runs are read from the database, so that each process answers the same, and one that was
just started knows what ran before it. Whether requests are counted together is as the process that
answers saw it last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from domain.access.model import Scope
from domain.insights.refresher import TASKS, InsightRefresher
from domain.insights.run_history import InsightState, RunHistory, RunOutcome
from domain.webhooks.model import WebhookFigures
from entrypoints.http.protocol.operations import get
from ports.access import RequestLimiter
from ports.webhooks import WebhookDeliveryRepository

_MEDIA: Final = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSample:
    """One value; its labels are plain words, which need no escape."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; without a sample it says nothing yet.

    Attributes:
        meaning: one line, with the unit.
    """

    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    samples: Sequence[MetricSample]


def exposition(metrics: Sequence[Metric]) -> str:
    """The text format 0.0.4 of Prometheus."""
    return "".join(line + "\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
        yield f"{metric.name}{f'{{{labels}}}' if labels else ''} {sample.value!r}"


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

    insights: InsightState
    webhooks: WebhookFigures
    limiter: RequestLimiter


def every_metric(figures: Figures) -> Sequence[Metric]:
    """All that is scraped."""
    return [
        *insight_metrics(figures.insights),
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
    webhook_deliveries: NamedDependency[SkipValidation[WebhookDeliveryRepository]],
) -> Response[bytes]:
    """What Prometheus scrapes.

    503 while the database is away: a scrape that fails is noticed.
    """
    figures = Figures(
        insights=await insight_refresher.state(),
        webhooks=await webhook_deliveries.figures(),
        limiter=request_limiter,
    )
    text = exposition(every_metric(figures))
    return Response(text.encode(), media_type=_MEDIA)
