from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from adapters.valkey.request_limits import (
    LocalRequestLimiter,
    SharedRequestLimiter,
    ValkeyRequestLimiter,
)
from domain.access.limits import LARGEST_COST, RateLimit
from entrypoints.http.access.limits import COST, cost_of, limit_headers
from entrypoints.http.metrics import exposition, limit_metrics
from ports.access import LimitDecision, LimitState


def asked(method: str, query: str = "", **opt: Any) -> int:
    return cost_of(
        {
            "method": method,
            "query_string": query.encode(),
            "route_handler": SimpleNamespace(opt=opt),
        }
    )


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("", 1),
        ("limit=1", 1),
        ("limit=50&user_id=7", 1),
        ("user_id=7&limit=51", 2),
        ("limit=200", 4),
        ("limit=9999", 4),  # refused later, and not for less
        ("limit=", 1),
        ("limit=-1", 1),
        ("limit=two", 1),
        ("no_limit=200", 1),
        ("cursor=abc", 1),
        # Spellings that a list takes for the same.
        ("%6cimit=200", 4),
        ("limit=%32%30%30", 4),
        ("limit=" + "0" * 5000 + "200", 4),
        ("limit=000", 1),
        ("limit=1&limit=200", 4),  # refused later, and not for less
        ("limit=\u0662\u0660\u0660", 1),
    ],
)
def test_a_read_costs_one_unit_and_a_list_by_its_rows(query: str, cost: int) -> None:
    assert asked("GET", query) == cost


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_costs_two(method: str) -> None:
    assert asked(method, "limit=200", **{COST: None}) == 2


def test_what_a_route_states_holds() -> None:
    assert asked("GET", "limit=200", **{COST: LARGEST_COST}) == LARGEST_COST


def test_an_answer_says_how_each_limit_stands() -> None:
    allowance = LimitDecision(
        wait_s=None,
        states=[
            LimitState(
                limit=RateLimit(name="records-min", units=600, period_s=60, burst=100),
                left=40,
                full_s=5.2,
            ),
            LimitState(
                limit=RateLimit(name="records-day", units=5000, period_s=86_400, burst=500),
                left=499,
                full_s=17.28,
            ),
        ],
        held=9,
    )
    assert limit_headers(allowance) == [
        (b"ratelimit-policy", b'"records-min";q=100;w=10, "records-day";q=500;w=8640'),
        (b"ratelimit", b'"records-min";r=49;t=6, "records-day";r=500;t=18'),
    ]


async def test_metrics_say_whether_all_processes_count_together() -> None:
    class Away(ValkeyRequestLimiter):
        def __init__(self) -> None: ...

        async def lease(self, *args: Any, **kwargs: Any) -> Any:
            raise OSError

    limiter = SharedRequestLimiter(Away(), LocalRequestLimiter())
    limit = RateLimit(name="any", units=1, period_s=1, burst=1)
    assert "\nstorekeeper_rate_limits_shared 1\n" in exposition(limit_metrics(limiter))
    await limiter.take("key:1", [limit], 1)
    assert "\nstorekeeper_rate_limits_shared 0\n" in exposition(limit_metrics(limiter))
