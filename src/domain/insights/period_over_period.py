"""A period beside the one before it: which queries came into a list, left it, or moved in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.insights.model import InsightFreshness, PeriodInsights, TopQuery


class RankMovement(StrEnum):
    """What a query did in a list since the period before."""

    ENTERED = "entered"
    MOVED = "moved"
    STAYED = "stayed"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankChange:
    """One query of a list.

    Attributes:
        query: normalised.
        rank: 1 for the first; None when it left.
        previous_rank: None when it entered.
    """

    query: str
    change: RankMovement
    rank: int | None
    previous_rank: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankChanges:
    """What changed in the two lists; each in order of rank, then those that left."""

    top_queries: Sequence[RankChange]
    low_performance_queries: Sequence[RankChange]

    @classmethod
    def between(cls, current: PeriodInsights, previous: PeriodInsights) -> RankChanges:
        """What changed from `previous` to `current`."""
        return cls(
            top_queries=rank_changes(current.top_queries, previous.top_queries),
            low_performance_queries=rank_changes(
                current.low_performance_queries, previous.low_performance_queries
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodOverPeriod:
    """A period beside the period of the same length before it."""

    current: PeriodInsights
    previous: PeriodInsights
    rank_changes: RankChanges
    freshness: InsightFreshness


def rank_changes(current: Sequence[TopQuery], previous: Sequence[TopQuery]) -> Sequence[RankChange]:
    """What each query of either list did; each list in order of rank."""
    before = {each.query: each.rank for each in previous}
    now = {each.query for each in current}
    here = [
        RankChange(
            query=each.query,
            change=_change(each.rank, before.get(each.query)),
            rank=each.rank,
            previous_rank=before.get(each.query),
        )
        for each in current
    ]
    gone = [
        RankChange(query=query, change=RankMovement.LEFT, rank=None, previous_rank=rank)
        for query, rank in before.items()
        if query not in now
    ]
    return [*here, *gone]


def _change(rank: int, previous_rank: int | None) -> RankMovement:
    if previous_rank is None:
        return RankMovement.ENTERED
    return RankMovement.STAYED if rank == previous_rank else RankMovement.MOVED
