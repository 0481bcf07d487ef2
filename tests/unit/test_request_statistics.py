"""Requests are counted by forked processes in memory that they share."""

from __future__ import annotations

import os

from entrypoints.http.metrics import exposition, process_metrics, request_metrics
from entrypoints.http.protocol.statistics import (
    BUCKETS_S,
    OTHER,
    ProcessState,
    RequestStatistics,
)

USERS = ("GET", "/users")
STATE = ProcessState(pool_busy=2, pool_idle=1, pool_most=8, loop_lag_s=0.25)


def test_routes_that_nobody_asked_for_are_left_out() -> None:
    assert RequestStatistics([USERS], 2).figures() == []


def test_each_time_goes_into_the_first_bucket_that_it_does_not_exceed() -> None:
    statistics = RequestStatistics([USERS], 1)
    for elapsed_s in (0.0, BUCKETS_S[0], 0.006, BUCKETS_S[-1], 31.0):
        statistics.count(*USERS, 200, elapsed_s)
    (figures,) = statistics.figures()
    assert figures.times == [2, 1, *[0] * (len(BUCKETS_S) - 3), 1, 1]
    assert figures.sum_s == 0.0 + BUCKETS_S[0] + 0.006 + BUCKETS_S[-1] + 31.0
    assert figures.answers == {200: 5}


def test_what_no_route_takes_is_counted_together() -> None:
    statistics = RequestStatistics([USERS], 1)
    statistics.count("GET", None, 404, 0.1)
    statistics.count("BREW", "/users", 405, 0.1)
    (figures,) = statistics.figures()
    assert (figures.method, figures.route) == OTHER
    assert figures.answers == {404: 1, 405: 1}


def test_a_status_that_no_standard_knows_counts_as_broken_off() -> None:
    statistics = RequestStatistics([USERS], 1)
    statistics.count(*USERS, 299, 0.1)
    statistics.count(*USERS, 0, 0.1)
    assert statistics.figures()[0].answers == {0: 2}


def test_a_forked_process_counts_for_the_one_that_is_asked() -> None:
    statistics = RequestStatistics([USERS], 2)
    statistics.count(*USERS, 200, 0.1)
    child = os.fork()
    if child == 0:
        statistics.enter(1)
        statistics.count(*USERS, 200, 0.1)
        statistics.show(STATE)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert statistics.figures()[0].answers == {200: 2}
    assert statistics.processes() == {1: STATE}


def test_a_process_that_takes_the_place_of_another_goes_on_counting() -> None:
    statistics = RequestStatistics([USERS], 1)
    for _ in range(2):
        statistics.enter(0)
        statistics.count(*USERS, 201, 0.1)
    assert statistics.figures()[0].answers == {201: 2}


def test_a_process_that_ends_is_shown_no_more() -> None:
    statistics = RequestStatistics([USERS], 3)
    statistics.enter(2)
    statistics.show(STATE)
    assert statistics.processes() == {2: STATE}
    statistics.show(None)
    assert statistics.processes() == {}


def test_prometheus_reads_buckets_that_add_up() -> None:
    statistics = RequestStatistics([USERS], 1)
    statistics.count(*USERS, 200, 0.02)
    statistics.count(*USERS, 503, 60.0)
    statistics.show(STATE)
    metrics = [*request_metrics(statistics.figures()), *process_metrics(statistics.processes())]
    lines = [line for line in exposition(metrics).splitlines() if not line.startswith("#")]
    labels = 'method="GET",route="/users"'
    counted, timed = (
        f"storekeeper_http_{name}" for name in ("requests_total", "request_duration_seconds")
    )
    assert lines[:2] == [
        f'{counted}{{{labels},status="200"}} 1',
        f'{counted}{{{labels},status="503"}} 1',
    ]
    buckets = [line for line in lines if line.startswith(f"{timed}_bucket")]
    assert [line.rsplit(" ", 1)[1] for line in buckets] == ["0", "0", *["1"] * 10, "2"]
    assert buckets[-1] == f'{timed}_bucket{{{labels},le="+Inf"}} 2'
    assert f"{timed}_sum{{{labels}}} 60.02" in lines
    assert f"{timed}_count{{{labels}}} 2" in lines
    assert 'storekeeper_database_pool_connections{process="0",state="busy"} 2' in lines
    assert 'storekeeper_database_pool_limit{process="0"} 8' in lines
    assert 'storekeeper_event_loop_lag_seconds{process="0"} 0.25' in lines
