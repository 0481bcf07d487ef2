"""Which days a run computes, and what becomes of it when some fail."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest

from adapters.system.health import InsightDiagnosticCheck
from domain.errors import DatabaseBusy, DatabaseUnavailable, InvalidInput, NotFound
from domain.insights.model import FIRST_DAY, LAST_DAY, RankingRules, SearchClickRow, StoredInsight
from domain.insights.refresher import CATCH_UP, NIGHTLY, InsightRefresher
from domain.insights.run_history import (
    DailySchedule,
    DayOutcome,
    DayResult,
    FinishedRun,
    RefreshReport,
    RunHistory,
    RunOutcome,
)
from domain.insights.service import InsightService
from tests.contracts.insights import row
from tests.fakes.insights import (
    MemorySearchAnalyser,
    MemorySearchClickWriter,
    MemorySearchInsightRepository,
)
from tests.fakes.system import MemoryScheduledRunRepository, StandingClock

NIGHT = datetime(2026, 11, 22, 0, 20, tzinfo=UTC)
TODAY = NIGHT.date()
YESTERDAY = TODAY - timedelta(days=1)
DOWN = DatabaseUnavailable("The database cannot be reached.", retry_after_s=5)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


class FailingStore(MemorySearchInsightRepository):
    """Raises what it is told to for a day, and notes which days were asked for."""

    def __init__(self, rows: list[SearchClickRow]) -> None:
        super().__init__(rows)
        self.failures: dict[date, Exception] = {}
        self.asked: list[date] = []

    async def compute(self, day: date, rules: RankingRules, *, now: datetime) -> StoredInsight:
        self.asked.append(day)
        if day in self.failures:
            raise self.failures[day]
        return await super().compute(day, rules, now=now)


class FailingRuns(MemoryScheduledRunRepository):
    """Is away when it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.writes = True

    async def record(self, run: FinishedRun) -> None:
        if not self.writes:
            raise DOWN
        await super().record(run)

    async def histories(self) -> Mapping[str, RunHistory]:
        if not self.reads:
            raise DOWN
        return await super().histories()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    refresher: InsightRefresher
    log: MemorySearchClickWriter
    store: FailingStore
    runs: FailingRuns
    clock: StandingClock


@pytest.fixture
def shop() -> Shop:
    clock = StandingClock(NIGHT)
    rows: list[SearchClickRow] = []
    store, runs = FailingStore(rows), FailingRuns()
    return Shop(
        refresher=InsightRefresher(
            service=InsightService(
                insights=store, analyser=MemorySearchAnalyser(rows), clock=clock
            ),
            insights=store,
            runs=runs,
            schedule=DailySchedule(at=time(0, 20)),
            clock=clock,
        ),
        log=MemorySearchClickWriter(clock, rows),
        store=store,
        runs=runs,
        clock=clock,
    )


def days_of(report: RefreshReport) -> list[date]:
    return [each.day for each in report.days]


async def test_the_nightly_run_stores_the_last_three_days_and_not_today(shop: Shop) -> None:
    await shop.log.append([row("lamp", 1, 2, TODAY), row("lamp", 1, 4, YESTERDAY)])
    report = await shop.refresher.refresh()
    assert days_of(report) == [ago(3), ago(2), ago(1)]
    assert (await shop.store.get(YESTERDAY)).overall_ctr == 0.25
    with pytest.raises(NotFound):
        await shop.store.get(TODAY)


async def test_every_day_that_was_missed_is_made_up_for(shop: Shop) -> None:
    days = [ago(back) for back in range(33, 3, -1)]
    await shop.log.append([row("lamp", 1, 2, day) for day in days])
    assert days_of(await shop.refresher.refresh()) == [*days, ago(3), ago(2), ago(1)]
    assert days_of(await shop.refresher.refresh()) == [ago(3), ago(2), ago(1)]


async def test_days_without_rows_are_stored_for_all_the_time_since_the_last_run(
    shop: Shop,
) -> None:
    await shop.refresher.refresh()
    shop.clock.advance(timedelta(days=30))
    report = await shop.refresher.refresh()
    assert days_of(report) == [YESTERDAY + timedelta(days=n) for n in range(1, 31)]
    shop.clock.advance(timedelta(days=3000))
    assert len((await shop.refresher.refresh()).days) == 366


async def test_what_was_there_already_is_told_from_what_is_new(shop: Shop) -> None:
    await shop.refresher.refresh()
    shop.clock.advance(timedelta(minutes=1))
    await shop.log.append([row("lamp", 1, 2, YESTERDAY)])
    report = await shop.refresher.refresh()
    assert [each.outcome for each in report.days] == [
        DayOutcome.UNCHANGED,
        DayOutcome.UNCHANGED,
        DayOutcome.STORED,
    ]


async def test_rows_that_come_late_are_counted_by_the_next_look(shop: Shop) -> None:
    await shop.log.append([row("lamp", 1, 2, ago(3)), row("lamp", 1, 2, ago(40))])
    await shop.refresher.refresh()
    await shop.log.append([row("lamp", 0, 2, ago(3)), row("lamp", 0, 2, ago(40))])
    assert days_of(await shop.refresher.catch_up()) == [ago(40), ago(3)]
    assert (await shop.store.get(ago(3))).overall_ctr == 0.25
    assert (await shop.store.get(ago(40))).overall_ctr == 0.25


async def test_a_row_of_the_far_past_or_future_costs_one_day_at_most(shop: Shop) -> None:
    days = [date.min, FIRST_DAY, LAST_DAY, date.max]
    await shop.log.append([row("lamp", 1, 2, day) for day in days])
    assert days_of(await shop.refresher.refresh()) == [FIRST_DAY, ago(3), ago(2), ago(1)]


async def test_catching_up_finds_nothing_to_do_once_the_nightly_run_is_done(shop: Shop) -> None:
    await shop.refresher.refresh()
    shop.clock.advance(timedelta(hours=23, minutes=59))
    report = await shop.refresher.catch_up()
    assert (report.run.task, report.days) == (CATCH_UP, [])
    assert report.run.outcome is RunOutcome.DONE


async def test_catching_up_computes_what_is_missing_and_no_more(shop: Shop) -> None:
    await shop.refresher.refresh()
    await shop.log.append([row("lamp", 1, 2, ago(9))])
    assert days_of(await shop.refresher.catch_up()) == [ago(9)]


@pytest.mark.parametrize("since", [timedelta(days=1), timedelta(days=-2)])
async def test_catching_up_is_the_nightly_run_if_that_was_missed_or_the_clock_was_set_back(
    shop: Shop, since: timedelta
) -> None:
    await shop.refresher.refresh()
    shop.clock.advance(since)
    report = await shop.refresher.catch_up()
    assert report.run.task == NIGHTLY
    assert len(report.days) == 3


async def test_a_nightly_run_that_failed_is_due_still(shop: Shop) -> None:
    shop.store.failures[ago(2)] = DatabaseBusy("No connection was free.", retry_after_s=1)
    assert (await shop.refresher.refresh()).run.outcome is RunOutcome.PARTLY_FAILED
    shop.store.failures.clear()
    report = await shop.refresher.catch_up()
    assert (report.run.task, report.run.outcome) == (NIGHTLY, RunOutcome.DONE)


async def test_a_day_that_fails_does_not_stop_the_others(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.store.failures = {
        ago(3): DatabaseBusy("No connection was free.", retry_after_s=1),
        ago(2): ZeroDivisionError("inside"),
    }
    told: list[DayResult] = []
    with caplog.at_level(logging.INFO):
        report = await shop.refresher.refresh(told.append)
    assert (
        told
        == report.days
        == [
            DayResult(day=ago(3), outcome=DayOutcome.FAILED, error="No connection was free."),
            DayResult(day=ago(2), outcome=DayOutcome.FAILED, error="A defect; see the log."),
            DayResult(day=ago(1), outcome=DayOutcome.STORED),
        ]
    )
    assert report.outage is None
    assert report.run.outcome is RunOutcome.PARTLY_FAILED
    assert report.run.error == f"{ago(3)} (1 more failed): No connection was free."
    assert "ZeroDivisionError" in caplog.text
    line = caplog.records[-1]
    assert (line.levelname, line.getMessage()) == ("ERROR", "insights_nightly: partly_failed")
    assert vars(line)["failed"] == 2
    assert vars(line)["first"] == ago(3)


async def test_an_outage_stops_the_run_and_leaves_the_rest_for_the_next(shop: Shop) -> None:
    shop.store.failures[ago(2)] = DOWN
    report = await shop.refresher.refresh()
    assert [each.outcome for each in report.days] == [
        DayOutcome.STORED,
        DayOutcome.NOT_REACHED,
        DayOutcome.NOT_REACHED,
    ]
    assert shop.store.asked == [ago(3), ago(2)]
    assert report.outage is DOWN
    assert (report.run.outcome, report.run.error) == (RunOutcome.PARTLY_FAILED, str(DOWN))


@pytest.mark.parametrize("what", ["refresh", "catch_up"])
async def test_an_outage_from_the_start_is_a_run_that_failed(shop: Shop, what: str) -> None:
    shop.runs.reads = False
    report: RefreshReport = await getattr(shop.refresher, what)()
    assert (report.run.outcome, report.outage, report.days) == (RunOutcome.FAILED, DOWN, [])
    shop.runs.reads = True
    assert (await shop.runs.histories())[NIGHTLY].counts == {RunOutcome.FAILED: 1}


async def test_a_run_that_cannot_be_written_down_is_worth_another_try(shop: Shop) -> None:
    shop.runs.writes = False
    report = await shop.refresher.refresh()
    assert report.outage is DOWN
    assert len(report.days) == 3
    assert await shop.runs.histories() == {}


async def test_days_of_ones_own_choice_are_computed_and_not_taken_for_a_run_by_the_clock(
    shop: Shop,
) -> None:
    report = await shop.refresher.compute([ago(7), ago(9)])
    assert days_of(report) == [ago(9), ago(7)]
    assert await shop.runs.histories() == {}


async def test_a_day_that_has_not_begun_is_refused_before_anything_is_done(shop: Shop) -> None:
    with pytest.raises(InvalidInput):
        await shop.refresher.compute([YESTERDAY, TODAY + timedelta(days=1)])
    assert shop.store.asked == []


async def test_nothing_is_wrong_where_nothing_was_ever_to_be_done(shop: Shop) -> None:
    state = await shop.refresher.state()
    assert (state.problem, state.last_success, state.last_success_age_s) == (None, None, None)
    assert state.newest_run is None
    assert state.next_run_at == NIGHT + timedelta(days=1)


async def test_days_that_wait_for_a_first_run_are_a_problem(shop: Shop) -> None:
    await shop.log.append([row("lamp", 1, 2, ago(9))])
    assert (await shop.refresher.state()).problem == "1 day pending, and no run yet."


async def test_a_failure_is_a_problem_until_a_later_success(shop: Shop) -> None:
    shop.store.failures[YESTERDAY] = DatabaseBusy("No connection was free.", retry_after_s=1)
    await shop.refresher.refresh()
    failed = "The last run, at 2026-11-22 00:20:00Z, failed: 2026-11-21: No connection was free."
    assert (await shop.refresher.state()).problem == failed
    shop.store.failures.clear()
    shop.clock.advance(timedelta(minutes=30))
    await shop.refresher.catch_up()
    state = await shop.refresher.state()
    assert state.problem is None
    assert state.last_failure is not None
    assert state.last_success_age_s == 0


async def test_a_success_is_believed_for_a_day_and_two_hours(shop: Shop) -> None:
    await shop.refresher.refresh()
    shop.clock.advance(timedelta(hours=26))
    assert (await shop.refresher.state()).problem is None
    await shop.log.append([row("lamp", 1, 2, ago(9)), row("lamp", 1, 2, ago(8))])
    shop.clock.advance(timedelta(seconds=1))
    expected = "2 days pending; no run has succeeded since 2026-11-22 00:20:00Z."
    assert (await shop.refresher.state()).problem == expected


async def test_the_doctor_says_what_is_wrong_and_what_to_do(shop: Shop) -> None:
    (finding,) = await InsightDiagnosticCheck(shop.refresher).results()
    assert finding.good
    assert finding.detail == "0 days pending, next run at 2026-11-23 00:20Z"
    await shop.log.append([row("lamp", 1, 2, ago(9))])
    (finding,) = await InsightDiagnosticCheck(shop.refresher).results()
    assert not finding.good
    assert finding.detail.startswith("1 day pending, and no run yet. Look at")
    shop.runs.reads = False
    (finding,) = await InsightDiagnosticCheck(shop.refresher).results()
    assert finding.detail == "unknown: The database cannot be reached."
