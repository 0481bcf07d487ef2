"""What Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.extraction.activity import CallFigures, ExtractionActivity
from domain.extraction.calls import FailureKind
from domain.extraction.jobs.model import JobStatus
from domain.insights.click_rows import ClickImportTotals
from domain.insights.refresher import CATCH_UP, NIGHTLY
from domain.insights.run_history import FinishedRun, InsightState, RunHistory, RunOutcome
from entrypoints.http.metrics import (
    exposition,
    extraction_metrics,
    import_metrics,
    insight_metrics,
    provider_metrics,
)
from ports.language_models import GateState, ProviderStatus

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


def values(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_extraction_is_told_by_provider_model_and_outcome() -> None:
    calls = [
        CallFigures(provider="openai", model='m "1"\\', outcome=outcome, calls=n, latency_s=n / 2)
        for outcome, n in ((None, 3), (FailureKind.TIMEOUT, 1))
    ]
    activity = ExtractionActivity(
        calls=calls,
        cost_usd={("openai", 'm "1"\\'): Decimal("0.0125")},
        jobs={JobStatus.RUNNING: 2},
        open_texts=5,
        oldest_waiting_s=61.5,
        workers=1,
    )
    found = values(exposition(extraction_metrics(activity)))
    model = r'provider="openai",model="m \"1\"\\"'
    recent = "storekeeper_provider_recent"
    assert found[f'{recent}_calls{{{model},outcome="answer"}}'] == "3"
    assert found[f'{recent}_latency_seconds{{{model},outcome="timeout"}}'] == "0.5"
    assert found[f"{recent}_cost_dollars{{{model}}}"] == "0.0125"
    assert found['storekeeper_extraction_jobs{status="running"}'] == "2"
    assert found['storekeeper_extraction_jobs{status="failed"}'] == "0"
    assert found["storekeeper_extraction_open_texts"] == "5"
    assert found["storekeeper_extraction_oldest_waiting_seconds"] == "61.5"
    assert found["storekeeper_extraction_workers"] == "1"


def test_without_a_waiting_text_none_is_old() -> None:
    activity = ExtractionActivity(
        calls=[], cost_usd={}, jobs={}, open_texts=0, oldest_waiting_s=None, workers=0
    )
    found = values(exposition(extraction_metrics(activity)))
    assert found["storekeeper_extraction_oldest_waiting_seconds"] == "0"


def test_a_gate_waits_for_what_lasts_longer() -> None:
    state = GateState(
        gate_s=1.5,
        hinted=True,
        refusals=1,
        circuit_open=True,
        circuit_s=3.0,
        failures=4,
        quota_s=60.0,
        probes=0,
    )
    status = ProviderStatus(name="openai", model="m-1", state=state)
    found = values(exposition(provider_metrics([status])))
    labels = 'provider="openai",model="m-1"'
    assert found == {
        f"storekeeper_provider_circuit_open{{{labels}}}": "1",
        f"storekeeper_provider_gate_seconds{{{labels}}}": "60.0",
    }


def test_imported_rows_are_told_by_what_became_of_them() -> None:
    totals = ClickImportTotals(unfinished=1, accepted=20, rejected=3)
    assert values(exposition(import_metrics(totals))) == {
        "storekeeper_click_imports_unfinished": "1",
        'storekeeper_click_import_rows_total{outcome="accepted"}': "20",
        'storekeeper_click_import_rows_total{outcome="rejected"}': "3",
    }
