"""What the answers took: time, tokens, money, tries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from domain.comparison.figures import Operations, Percentiles, rate_of
from domain.comparison.model import Contestant, Outcome
from domain.statistics import percentile

_HOUR_S: Final = 3600.0


def operations(contestant: Contestant, outcomes: Sequence[Outcome]) -> Operations:
    """The figures over all answers of one contestant, at least one, repeats included."""
    size = len(outcomes)
    latencies = sorted(each.latency_s for each in outcomes)
    failures = Counter(each.failure.value for each in outcomes if each.failure is not None)
    return Operations(
        answers=size,
        latency=_percentiles(outcomes, lambda each: each.latency_s),
        wait=_percentiles(outcomes, lambda each: each.waited_s),
        provider=_percentiles(outcomes, lambda each: each.provider_s),
        retries=_percentiles(outcomes, lambda each: each.retried_s),
        latency_quantiles_s=tuple(percentile(latencies, step / 100) for step in range(101)),
        input_tokens=sum(each.usage.input_tokens for each in outcomes),
        cached_tokens=sum(each.usage.cached_tokens for each in outcomes),
        output_tokens=sum(each.usage.output_tokens for each in outcomes),
        wasted_tokens=sum(each.wasted.total_tokens for each in outcomes),
        usd_per_1000=_per_1000([each.cost_usd for each in outcomes]),
        batch_usd_per_1000=_per_1000([each.batch_cost_usd for each in outcomes]),
        machine_usd_per_1000=_machine_usd_per_1000(contestant, outcomes),
        attempts_per_text=sum(each.attempts for each in outcomes) / size,
        reasks_per_text=sum(each.reasks for each in outcomes) / size,
        fallback=rate_of((place, each.fallbacks > 0) for place, each in enumerate(outcomes)),
        failures=dict(sorted(failures.items(), key=lambda entry: (-entry[1], entry[0]))),
    )


def _percentiles(outcomes: Sequence[Outcome], of: Callable[[Outcome], float]) -> Percentiles:
    values = [of(each) for each in outcomes]
    return Percentiles(
        p50=percentile(values, 0.5), p95=percentile(values, 0.95), p99=percentile(values, 0.99)
    )


def _per_1000(costs: Sequence[Decimal | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return float(sum(known, Decimal(0)) / len(costs) * 1000) if len(known) == len(costs) else None


def _machine_usd_per_1000(contestant: Contestant, outcomes: Sequence[Outcome]) -> float | None:
    """The machine's price for the time that it was busy: calls at once share it."""
    if contestant.machine_usd_per_hour is None:
        return None
    busy_s = sum(each.provider_s + each.retried_s for each in outcomes) / contestant.concurrency
    return busy_s / len(outcomes) * 1000 / _HOUR_S * contestant.machine_usd_per_hour
