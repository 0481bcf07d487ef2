"""What every log of searches, with the insights made from it, holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import NotFound
from domain.insights.model import (
    DEFINITION_VERSION,
    Period,
    PeriodInsights,
    RankBy,
    RankingRules,
    SearchClickRow,
    StoredInsight,
)
from ports.insights import (
    SearchAnalyser,
    SearchClickPruner,
    SearchClickWriter,
    SearchInsightRepository,
)
from tests.contracts.contract import Contract

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 22, 0, 20, tzinfo=UTC)
ALL = RankingRules(min_impressions=1, top=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searches:
    """One store that starts empty.

    Attributes:
        write: writes rows, and insights, as another program would.
    """

    log: SearchClickWriter
    analysis: SearchAnalyser
    insights: SearchInsightRepository
    retention: SearchClickPruner
    write_rows: Callable[[Sequence[SearchClickRow]], Awaitable[None]]
    write_insight: Callable[[StoredInsight], Awaitable[None]]


def row(
    query: str | None,
    clicks: int | None,
    impressions: int | None,
    day: date | None = DAY,
    rate: float | None = None,
) -> SearchClickRow:
    """One row."""
    return SearchClickRow(
        search_query=query,
        clicks=clicks,
        impressions=impressions,
        search_date=day,
        click_through_rate=rate,
    )


def foreign(day: date, version: int | None = None) -> StoredInsight:
    """An insight of another program, or of an older version of this one, that holds no lists."""
    return StoredInsight(
        insight_date=day,
        average_ctr=0.5,
        overall_ctr=None,
        clicks=None,
        impressions=None,
        source_rows=None,
        distinct_queries=None,
        blank_rows=None,
        impossible_rows=None,
        contradicting_rows=None,
        top_queries=None,
        low_performance_queries=None,
        definition_version=version,
        computed_at=None,
    )


async def analysed(
    searches: Searches, rules: RankingRules = ALL, period: Period | None = None
) -> PeriodInsights:
    """The analysis of one day, unless a period is given."""
    return await searches.analysis.analyse(period or Period.of_day(DAY), rules)


class SearchesContract(Contract):
    """A suite over `searches`."""

    @pytest.fixture
    def searches(self) -> Searches:
        raise NotImplementedError


class AnalyserContract(SearchesContract):
    async def test_the_average_of_a_day_is_the_mean_of_its_rows_with_the_ratio_of_sums_beside_it(
        self, searches: Searches
    ) -> None:
        # By hand: (1/1 + 0/999) / 2 = 0.5; (1 + 0) / (1 + 999) = 0.001.
        await searches.log.append([row("lamp", 1, 1), row("lamp", 0, 999)])
        (day,) = (await analysed(searches)).days
        assert (day.clicks, day.impressions, day.source_rows) == (1, 1000, 2)
        assert day.average_ctr == 0.5
        assert day.overall_ctr == 0.001

    async def test_the_average_of_a_period_is_that_of_its_rows_and_not_of_its_days(
        self, searches: Searches
    ) -> None:
        # By hand: (1/1 + 0/2 + 0/3) / 3 = 0.333...; the mean of the days would be 0.5.
        late = DAY + timedelta(days=2)
        await searches.log.append(
            [row("lamp", 1, 1), row("lamp", 0, 2, late), row("sofa", 0, 3, late)]
        )
        found = await analysed(searches, period=Period(first=DAY, last=late))
        assert found.average_ctr == pytest.approx(1 / 3, abs=1e-11)
        assert found.overall_ctr == 1 / 6
        assert (found.clicks, found.impressions, found.source_rows) == (1, 6, 3)

    async def test_distinct_queries_are_counted_by_their_key(self, searches: Searches) -> None:
        await searches.log.append([row("Lamp", 1, 2), row(" lamp", 0, 0), row("sofa", 0, 0)])
        (day,) = (await analysed(searches)).days
        assert day.distinct_queries == 2

    async def test_without_rows_the_rate_is_none_and_the_lists_are_empty(
        self, searches: Searches
    ) -> None:
        found = await analysed(searches)
        assert [(day.average_ctr, day.overall_ctr, day.source_rows) for day in found.days] == [
            (None, None, 0)
        ]
        assert (found.average_ctr, found.overall_ctr) == (None, None)
        assert (*found.top_queries, *found.low_performance_queries) == ()

    async def test_without_impressions_the_rate_is_none_and_without_clicks_it_is_zero(
        self, searches: Searches
    ) -> None:
        shown = DAY + timedelta(days=1)
        await searches.log.append([row("sofa", 0, 0), row("sofa", 0, 7, shown)])
        found = await analysed(searches, period=Period(first=DAY, last=shown))
        assert [day.average_ctr for day in found.days] == [None, 0.0]
        assert [day.overall_ctr for day in found.days] == [None, 0.0]
        assert [day.source_rows for day in found.days] == [1, 1]

    async def test_a_row_without_impressions_is_in_no_mean(self, searches: Searches) -> None:
        await searches.log.append([row("sofa", 1, 2), row("sofa", 0, 0)])
        (day,) = (await analysed(searches)).days
        assert (day.average_ctr, day.source_rows, day.rated_rows) == (0.5, 2, 1)

    async def test_every_day_of_the_period_is_there_and_no_other(self, searches: Searches) -> None:
        before, after = DAY - timedelta(days=1), DAY + timedelta(days=3)
        await searches.log.append([row("a", 1, 1, before), row("a", 1, 2), row("b", 1, 4, after)])
        await searches.write_rows([row("c", 1, 1, None)])
        found = await analysed(searches, period=Period(first=DAY, last=after - timedelta(days=1)))
        assert [day.day for day in found.days] == [DAY + timedelta(days=n) for n in range(3)]
        assert [day.clicks for day in found.days] == [1, 0, 0]
        assert [query.query for query in found.top_queries] == ["a"]

    async def test_spellings_of_one_query_meet(self, searches: Searches) -> None:
        spellings = [
            "Crème brûlée",
            "  crème   BRÛLÉE ",
            "cre\u0300me bru\u0302le\u0301e",
            "crème\u00a0brûlée",
            "crème\tbrûlée\n",
            "crème\u2028brûlée",
            "\uff43rème\u3000brûlée",
        ]
        await searches.log.append([row(each, 1, 10) for each in spellings])
        (query,) = (await analysed(searches)).top_queries
        assert (query.query, query.clicks, query.impressions) == ("crème brûlée", 7, 70)

    async def test_other_scripts_fold_too_and_different_queries_stay_apart(
        self, searches: Searches
    ) -> None:
        await searches.log.append(
            [
                row("ΣΊΣΥΦΟΣ", 1, 10),
                row("σίσυφοσ", 1, 10),
                row("НАСТОЛЬНАЯ лампа", 1, 10),
                row("настольная ЛАМПА", 1, 10),
                row("STRASSE", 1, 10),
                row("straße", 1, 10),
                row("ウールブランケット", 1, 10),
                row("ｳｰﾙﾌﾞﾗﾝｹｯﾄ", 1, 10),
                row("İstanbul", 1, 10),
                row("istanbul", 1, 10),
            ]
        )
        found = await analysed(searches)
        assert {query.query: query.clicks for query in found.top_queries} == {
            "σίσυφοσ": 2,
            "настольная лампа": 2,
            "strasse": 1,
            "straße": 1,
            "ウールブランケット": 2,
            "istanbul": 2,
        }

    async def test_rows_that_make_no_sense_are_left_out_and_counted(
        self, searches: Searches
    ) -> None:
        blank = [row(None, 1, 2), row("", 1, 2), row(" \t\u3000\u2029", None, 2)]
        impossible = [
            row("lamp", None, 2),
            row("lamp", 1, None),
            row("lamp", None, None),
            row("lamp", 3, 2),
            row("lamp", -1, 2),
            row("lamp", -2, -1),
            row("lamp", 2_147_483_647, 1),
        ]
        await searches.write_rows(
            [*blank, *impossible, row("lamp", 1, 2), row("lamp", 9, 9, None), row(None, 1, 1, None)]
        )
        found = await analysed(searches)
        (day,) = found.days
        assert (day.clicks, day.impressions, day.distinct_queries) == (1, 2, 1)
        assert (day.source_rows, day.blank_rows, day.impossible_rows) == (1, 3, len(impossible))
        assert (day.contradicting_rows, day.anomalies) == (0, len(impossible))
        assert (found.blank_rows, found.anomalies, found.undated_rows) == (3, len(impossible), 2)
        assert [(query.query, query.clicks) for query in found.top_queries] == [("lamp", 1)]

    async def test_rows_whose_stored_rate_is_not_theirs_are_counted_twice_over(
        self, searches: Searches
    ) -> None:
        fitting = [
            row("lamp", 1, 4, rate=0.25),
            row("lamp", 1, 3, rate=0.33),
            row("lamp", 1, 4),
            row("lamp", 0, 0),
        ]
        contradicting = [
            row("lamp", 1, 4, rate=0.26),
            row("lamp", 1, 4, rate=25.0),
            row("lamp", 1, 4, rate=float("nan")),
            row("lamp", 0, 0, rate=0.0),
            row("lamp", 0, 0, rate=float("inf")),
        ]
        left_out = [row("lamp", 5, 4, rate=1.0), row(None, 1, 4, rate=0.9)]
        await searches.write_rows([*fitting, *contradicting, *left_out])
        (day,) = (await analysed(searches)).days
        # By their counts: 3 of the first four rows are rated, and 3 of the next five.
        assert (day.clicks, day.impressions, day.source_rows) == (6, 23, 9)
        assert (day.contradicting_rows, day.impossible_rows, day.anomalies) == (5, 1, 6)

    async def test_sums_go_beyond_an_integer_column(self, searches: Searches) -> None:
        most = 2_147_483_647
        await searches.log.append([row("sofa", most, most)] * 3)
        (day,) = (await analysed(searches)).days
        assert (day.clicks, day.average_ctr, day.overall_ctr) == (3 * most, 1.0, 1.0)

    async def test_one_of_one_beats_forty_of_a_hundred_unless_the_lower_bound_is_asked_for(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("lucky", 1, 1), row("steady", 40, 100)])
        by_wilson = await analysed(searches, replace(ALL, rank_by=RankBy.CTR_LOW))
        by_rate = await analysed(searches)
        assert [query.query for query in by_wilson.top_queries] == ["steady", "lucky"]
        assert [query.query for query in by_rate.top_queries] == ["lucky", "steady"]
        # Wilson's interval of 40/100 and of 1/1, from the formula by hand.
        steady, lucky = by_wilson.top_queries
        assert (steady.ctr_low, steady.ctr_high) == pytest.approx((0.30940, 0.49800), abs=1e-5)
        assert (lucky.ctr_low, lucky.ctr_high) == pytest.approx((0.20654, 1.0), abs=1e-5)

    async def test_queries_below_the_fewest_impressions_are_not_ranked(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("rare", 19, 19), row("enough", 1, 20)])
        found = await analysed(searches, RankingRules())
        assert [query.query for query in found.top_queries] == ["enough"]

    async def test_ties_go_to_more_clicks_and_then_to_the_query_that_sorts_first(
        self, searches: Searches
    ) -> None:
        await searches.log.append(
            [row("b", 1, 2), row("Z", 1, 2), row("é", 1, 2), row("a", 1, 2), row("more", 2, 4)]
        )
        found = await analysed(searches)
        assert [query.query for query in found.top_queries] == ["more", "a", "b", "z", "é"]
        assert [query.rank for query in found.top_queries] == [1, 2, 3, 4, 5]

    async def test_no_more_than_asked_for_are_ranked(self, searches: Searches) -> None:
        await searches.log.append([row(f"q{n}", n, 100) for n in range(9)])
        found = await analysed(searches, RankingRules())
        assert [query.query for query in found.top_queries] == ["q8", "q7", "q6", "q5", "q4"]

    async def test_low_performers_are_shown_often_and_surely_below_the_baseline(
        self, searches: Searches
    ) -> None:
        # By hand: baseline (300+1+40+1) / (1000+1000+200+50) = 342/2250 = 0.152; the 75th
        # percentile of 50, 200, 1000, 1000 is 1000. Lost: 1000 x 0.152 - 1 = 151.
        await searches.log.append(
            [
                row("good", 300, 1000),
                row("bad", 1, 1000),
                row("fair", 40, 200),
                row("rare and bad", 1, 50),
            ]
        )
        found = await analysed(searches)
        (low,) = found.low_performance_queries
        assert (low.rank, low.query, low.clicks, low.impressions) == (1, "bad", 1, 1000)
        assert low.ctr == 0.001
        assert low.lost_clicks == pytest.approx(151.0)
        assert low.ctr_high < 0.152
        (day,) = found.days
        (at,) = (await searches.analysis.history("bad", found.period)).days
        counts = [low.rank, low.clicks, low.impressions, day.clicks, day.source_rows, at.clicks]
        counts += [at.impressions, found.top_queries[0].clicks, found.undated_rows]
        assert {type(count) for count in counts} == {int}
        rates = [low.ctr, low.lost_clicks, low.ctr_low, day.average_ctr, day.overall_ctr, at.ctr]
        assert {type(rate) for rate in rates} == {float}

    async def test_a_low_rate_that_may_be_chance_is_no_low_performer(
        self, searches: Searches
    ) -> None:
        # 0 of 100: Wilson's upper bound is 0.037, above the baseline of 3/200.
        await searches.log.append([row("few", 0, 100), row("other", 3, 100)])
        assert (await analysed(searches)).low_performance_queries == []

    async def test_the_most_lost_clicks_come_first_and_the_list_ends(
        self, searches: Searches
    ) -> None:
        rows = [row("good", 9000, 10000)] + [row(f"bad{n:02}", 0, 500 + n) for n in range(30)]
        await searches.log.append(rows)
        rules = replace(ALL, low_percentile=0.0)
        found = (await analysed(searches, rules)).low_performance_queries
        assert [low.query for low in found] == [f"bad{n:02}" for n in range(29, 9, -1)]
        lost = [low.lost_clicks for low in found]
        assert lost == sorted(lost, reverse=True)

    async def test_a_query_is_followed_through_a_period_in_whatever_spelling(
        self, searches: Searches
    ) -> None:
        days = [DAY + timedelta(days=n) for n in range(5)]
        await searches.log.append(
            [
                row("Wool  Blanket", 40, 60, days[0]),
                row("wool blanket", 0, 40, days[0]),
                row("wool blanket", 0, 0, days[1]),
                row("blanket", 1, 1, days[1]),
                row("wool blanket", 0, 100, days[3]),
                row("wool blanket", 9, 9, days[4]),
            ]
        )
        await searches.write_rows([row("wool blanket", 3, 2, days[2])])
        period = Period(first=days[0], last=days[3])
        found = await searches.analysis.history(" WOOL blanket", period)
        assert (found.query, found.period) == ("wool blanket", period)
        assert [
            (each.day, each.searches, each.clicks, each.impressions) for each in found.days
        ] == [
            (days[0], 2, 40, 100),
            (days[1], 1, 0, 0),
            (days[2], 0, 0, 0),
            (days[3], 1, 0, 100),
        ]
        assert [each.ctr for each in found.days] == [0.4, None, None, 0.0]
        # Wilson's interval of 40/100 and of 0/100, from the formula by hand.
        assert [each.ctr_low for each in found.days] == [
            pytest.approx(0.30940, abs=1e-5),
            None,
            None,
            0.0,
        ]
        assert [each.ctr_high for each in found.days] == [
            pytest.approx(0.49800, abs=1e-5),
            None,
            None,
            pytest.approx(0.03699, abs=1e-5),
        ]

    async def test_a_key_is_found_as_it_is_shown(self, searches: Searches) -> None:
        # In lower case alone do T and its diaeresis make one letter.
        await searches.log.append([row("T\u0308isch", 1, 2), row("\u1e97isch", 1, 2)])
        found = await analysed(searches)
        (query,) = found.top_queries
        assert (query.query, query.clicks) == ("\u1e97isch", 2)
        history = await searches.analysis.history(query.query, found.period)
        assert [each.clicks for each in history.days] == [2]


class InsightRepositoryContract(SearchesContract):
    async def test_a_day_is_stored_as_the_analysis_of_it_says(self, searches: Searches) -> None:
        await searches.log.append([row("good", 300, 1000), row("bad", 1, 1000)])
        await searches.write_rows([row(None, 1, 1), row("bad", 2, 1), row("bad", 0, 0, rate=0.1)])
        stored = await searches.insights.compute(DAY, RankingRules(), now=NOW)
        found = await analysed(searches, RankingRules())
        (day,) = found.days
        assert await searches.insights.get(DAY) == stored
        assert (stored.insight_date, stored.computed_at) == (DAY, NOW)
        assert (stored.average_ctr, stored.overall_ctr) == (day.average_ctr, day.overall_ctr)
        assert (stored.clicks, stored.impressions) == (301, 2000)
        assert (stored.source_rows, stored.distinct_queries) == (3, 2)
        assert (stored.blank_rows, stored.impossible_rows) == (1, 1)
        assert (stored.contradicting_rows, stored.anomalies) == (1, 2)
        assert (stored.definition_version, stored.problems) == (DEFINITION_VERSION, ())
        assert stored.top_queries == found.top_queries
        assert [query.query for query in found.top_queries] == ["good", "bad"]
        assert stored.low_performance_queries == found.low_performance_queries
        (low,) = found.low_performance_queries
        assert (low.rank, low.query, low.clicks, low.impressions) == (1, "bad", 1, 1000)

    async def test_a_day_without_rows_is_stored_as_such(self, searches: Searches) -> None:
        stored = await searches.insights.compute(DAY, RankingRules(), now=NOW)
        assert (stored.average_ctr, stored.overall_ctr) == (None, None)
        assert (stored.clicks, stored.impressions, stored.source_rows) == (0, 0, 0)
        assert (stored.top_queries, stored.low_performance_queries) == ([], [])

    async def test_computing_again_changes_nothing_until_the_figures_do(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("lamp", 1, 2)])
        first = await searches.insights.compute(DAY, RankingRules(), now=NOW)
        again = await searches.insights.compute(DAY, RankingRules(), now=NOW + timedelta(hours=1))
        assert again == first
        await searches.log.append([row("lamp", 1, 2)])
        late = NOW + timedelta(days=1)
        changed = await searches.insights.compute(DAY, RankingRules(), now=late)
        assert (changed.clicks, changed.computed_at) == (2, late)
        assert await searches.insights.page(limit=9) == [changed]

    async def test_four_that_compute_one_day_at_once_store_one_row(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("lamp", 1, 2)])
        stored = await asyncio.gather(
            *(searches.insights.compute(DAY, RankingRules(), now=NOW) for _ in range(4))
        )
        assert await searches.insights.page(limit=9) == [stored[0]]
        assert stored[1:] == stored[:-1]

    async def test_a_day_that_was_never_stored_is_not_found(self, searches: Searches) -> None:
        with pytest.raises(NotFound, match="2026-11-20"):
            await searches.insights.get(DAY)

    async def test_pages_go_from_the_newest_day_back_within_the_bounds(
        self, searches: Searches
    ) -> None:
        days = [DAY + timedelta(days=n) for n in range(6)]
        for day in days:
            await searches.insights.compute(day, RankingRules(), now=NOW)

        async def page(**bounds: date) -> list[date]:
            found = await searches.insights.page(limit=3, **bounds)
            return [insight.insight_date for insight in found]

        assert await page() == [days[5], days[4], days[3]]
        assert await page(before=days[3]) == [days[2], days[1], days[0]]
        assert await page(before=days[0]) == []
        assert await page(first=days[1], last=days[2]) == [days[2], days[1]]
        assert await page(first=days[1], last=days[4], before=days[2]) == [days[1]]

    async def test_days_with_rows_and_without_insight_are_to_be_computed(
        self, searches: Searches
    ) -> None:
        days = [DAY - timedelta(days=n) for n in (40, 3, 2, 1, 0)]
        rows = [row("lamp", 1, 2, day) for day in days for _ in range(3)]
        await searches.write_rows([*rows, row("lamp", 1, 2, None), row(None, None, None, days[2])])
        await searches.write_rows([row("lamp", 1, 2, day) for day in (date.min, date.max)])
        await searches.insights.compute(days[1], RankingRules(), now=NOW)
        until = days[3]
        assert await searches.insights.days_to_compute(until) == [days[0], days[2], days[3]]
        assert await searches.insights.days_to_compute(until, since=days[2]) == days[2:4]
        assert await searches.insights.days_to_compute(days[0] - timedelta(days=1)) == []

    async def test_a_day_whose_rows_have_changed_since_is_due_again(
        self, searches: Searches
    ) -> None:
        days = [DAY - timedelta(days=n) for n in (2, 1, 0)]
        await searches.write_rows([row("lamp", 1, 2, day) for day in days])
        await searches.write_insight(foreign(days[2]))
        for day in days[:2]:
            await searches.insights.compute(day, RankingRules(), now=NOW)
        assert await searches.insights.days_to_compute(DAY) == []
        await searches.write_rows([row(None, 0, 0, days[0]), row("sofa", 0, 9, days[2])])
        assert await searches.insights.days_to_compute(DAY) == [days[0]]
        await searches.insights.compute(days[0], RankingRules(), now=NOW)
        assert await searches.insights.days_to_compute(DAY) == []

    async def test_the_latest_computation_of_a_period_is_told(self, searches: Searches) -> None:
        later = NOW + timedelta(hours=1)
        await searches.insights.compute(DAY, RankingRules(), now=later)
        await searches.insights.compute(DAY + timedelta(days=1), RankingRules(), now=NOW)
        await searches.insights.compute(DAY + timedelta(days=2), RankingRules(), now=later)
        await searches.write_insight(foreign(DAY + timedelta(days=3)))

        async def latest(first: int, last: int) -> datetime | None:
            period = Period(first=DAY + timedelta(days=first), last=DAY + timedelta(days=last))
            return await searches.insights.last_computed(period)

        assert await latest(0, 1) == later
        assert await latest(1, 1) == NOW
        assert await latest(3, 9) is None

    async def test_an_insight_of_another_program_is_left_and_one_of_an_old_definition_is_not(
        self, searches: Searches
    ) -> None:
        other, old = DAY - timedelta(days=2), DAY - timedelta(days=1)
        await searches.write_insight(foreign(other))
        await searches.write_insight(foreign(old, version=DEFINITION_VERSION - 1))
        await searches.log.append([row("lamp", 1, 2, day) for day in (other, old)])
        assert await searches.insights.days_to_compute(DAY) == [old]
        assert await searches.insights.get(other) == foreign(other)
        computed = await searches.insights.compute(other, RankingRules(), now=NOW)
        assert (computed.overall_ctr, computed.definition_version) == (0.5, DEFINITION_VERSION)


class ClickWriterContract(SearchesContract):
    async def test_appending_says_how_many_and_nothing_for_nothing(
        self, searches: Searches
    ) -> None:
        assert await searches.log.append([row("lamp", 1, 2), row("lamp", 1, 2)]) == 2
        assert await searches.log.append([]) == 0
        (day,) = (await analysed(searches)).days
        assert day.source_rows == 2

    async def test_a_query_is_kept_whatever_its_characters(self, searches: Searches) -> None:
        for query in ("'; DROP TABLE users; --", "😀" * 255, 'a "b" {c}', "\\N", "NULL"):
            await searches.log.append([row(query, 1, 10)])
        found = await analysed(searches)
        assert len(found.top_queries) == 5


class PrunerContract(SearchesContract):
    async def test_every_figure_stays_when_the_rows_go(self, searches: Searches) -> None:
        after = DAY + timedelta(days=1)
        await searches.log.append([row("good", 300, 1000), row("Bad", 1, 1000), row("good", 0, 0)])
        await searches.log.append([row("good", 4, 9, after)])
        await searches.write_rows([row(None, 1, 1), row("bad", 9, 1), row("bad", 1, 10, rate=0.9)])
        period = Period(first=DAY, last=after)
        stored = await searches.insights.compute(DAY, RankingRules(), now=NOW)
        found = await analysed(searches, period=period)
        history = await searches.analysis.history("bad", period)
        late = NOW + timedelta(days=1)
        assert await searches.retention.days_with_rows(after) == [DAY]
        assert await searches.retention.prune(DAY, RankingRules(), now=late) == 6
        assert await searches.retention.days_with_rows(after + timedelta(days=1)) == [after]
        assert await analysed(searches, period=period) == found
        assert await searches.analysis.history("bad", period) == history
        assert await searches.insights.get(DAY) == stored
        assert await searches.insights.days_to_compute(DAY) == []
        assert await searches.insights.compute(DAY, RankingRules(), now=late) == stored

    async def test_rows_that_come_later_are_counted_beside_those_that_are_gone(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("lamp", 1, 2)])
        await searches.retention.prune(DAY, RankingRules(), now=NOW)
        await searches.log.append([row("LAMP", 1, 2), row("sofa", 0, 4)])
        assert await searches.insights.days_to_compute(DAY) == [DAY]
        (day,) = (await analysed(searches)).days
        assert (day.clicks, day.impressions, day.distinct_queries) == (2, 8, 2)
        late = NOW + timedelta(days=1)
        assert (await searches.insights.compute(DAY, RankingRules(), now=late)).clicks == 2
        assert await searches.retention.days_with_rows(DAY + timedelta(days=1)) == [DAY]
        assert await searches.retention.prune(DAY, RankingRules(), now=late) == 2
        assert await searches.retention.prune(DAY, RankingRules(), now=late) == 0
        (day,) = (await analysed(searches)).days
        assert (day.clicks, day.impressions, day.distinct_queries) == (2, 8, 2)
        assert [query.query for query in (await analysed(searches)).top_queries] == ["lamp", "sofa"]

    async def test_a_day_that_was_not_computed_is_computed_before_its_rows_go(
        self, searches: Searches
    ) -> None:
        await searches.log.append([row("lamp", 1, 2)])
        await searches.retention.prune(DAY, RankingRules(), now=NOW)
        assert (await searches.insights.get(DAY)).clicks == 1
        assert await searches.insights.days_to_compute(DAY) == []

    async def test_a_day_without_rows_gives_up_none(self, searches: Searches) -> None:
        await searches.write_rows([row("lamp", 1, 2, None), row("lamp", 1, 2, date.min)])
        assert await searches.retention.days_with_rows(date.max) == []
        assert await searches.retention.prune(DAY, RankingRules(), now=NOW) == 0
        assert (await searches.insights.get(DAY)).source_rows == 0
        assert (await analysed(searches)).undated_rows == 1
