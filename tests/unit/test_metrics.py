"""What Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.insights.refresher import CATCH_UP, NIGHTLY
from domain.insights.run_history import FinishedRun, InsightState, RunHistory, RunOutcome
from entrypoints.http.metrics import exposition, insight_metrics

START = datetime(2026, 11, 22, 0, 20, tzinfo=UTC)


def state(**histories: RunHistory) -> InsightState:
    return InsightState(
        histories=histories,
        pending_days=2,
        next_run_at=START + timedelta(days=1),
        now=START + timedelta(hours=1),
    )


def run(task: str, outcome: RunOutcome, minute: int) -> FinishedRun:
    at = START + timedelta(minutes=minute)
    end = at + timedelta(seconds=1.5)
    error = None if outcome is RunOutcome.DONE else "why"
    return FinishedRun(task=task, started_at=at, finished_at=end, outcome=outcome, error=error)


def test_before_the_first_run_there_is_no_time_of_one_and_every_count_is_0() -> None:
    text = exposition(insight_metrics(state()))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[0] == "storekeeper_insights_pending_days 2"
    assert len(lines) == 7
    assert all(line.endswith(" 0") for line in lines[1:])


def test_the_whole_text_after_some_runs() -> None:
    done = RunOutcome.DONE
    text = exposition(
        insight_metrics(
            state(
                **{
                    NIGHTLY: RunHistory(newest={done: run(NIGHTLY, done, 0)}, counts={done: 7}),
                    CATCH_UP: RunHistory(
                        newest={RunOutcome.FAILED: run(CATCH_UP, RunOutcome.FAILED, 30)},
                        counts={RunOutcome.FAILED: 1},
                    ),
                }
            )
        )
    )
    assert text == (
        "# HELP storekeeper_insights_last_success_timestamp_seconds"
        " When a run last left no day undone, in seconds since 1970.\n"
        "# TYPE storekeeper_insights_last_success_timestamp_seconds gauge\n"
        "storekeeper_insights_last_success_timestamp_seconds 1795306801.5\n"
        "# HELP storekeeper_insights_pending_days"
        " Days up to yesterday whose insight is missing or stale.\n"
        "# TYPE storekeeper_insights_pending_days gauge\n"
        "storekeeper_insights_pending_days 2\n"
        "# HELP storekeeper_insights_last_duration_seconds"
        " How long the newest run took, whatever its outcome.\n"
        "# TYPE storekeeper_insights_last_duration_seconds gauge\n"
        "storekeeper_insights_last_duration_seconds 1.5\n"
        "# HELP storekeeper_insights_runs_total Runs that have ended, by task and outcome.\n"
        "# TYPE storekeeper_insights_runs_total counter\n"
        'storekeeper_insights_runs_total{task="insights_nightly",outcome="done"} 7\n'
        'storekeeper_insights_runs_total{task="insights_nightly",outcome="partly_failed"} 0\n'
        'storekeeper_insights_runs_total{task="insights_nightly",outcome="failed"} 0\n'
        'storekeeper_insights_runs_total{task="insights_catch_up",outcome="done"} 0\n'
        'storekeeper_insights_runs_total{task="insights_catch_up",outcome="partly_failed"} 0\n'
        'storekeeper_insights_runs_total{task="insights_catch_up",outcome="failed"} 1\n'
    )
