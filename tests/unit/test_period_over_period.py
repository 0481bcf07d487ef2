"""What entered a list, left it, or moved in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.insights.model import TopQuery
from domain.insights.period_over_period import RankChange, RankMovement, rank_changes

LISTS = st.lists(st.sampled_from("abcdefgh"), unique=True)


def ranked(queries: list[str]) -> list[TopQuery]:
    return [
        TopQuery(
            rank=rank, query=query, clicks=1, impressions=2, ctr=0.5, ctr_low=0.09, ctr_high=0.91
        )
        for rank, query in enumerate(queries, start=1)
    ]


def test_each_query_of_either_list_is_told_once() -> None:
    found = rank_changes(ranked(["lamp", "sofa", "rug"]), ranked(["lamp", "bed", "sofa", "chair"]))
    assert found == [
        RankChange(query="lamp", change=RankMovement.STAYED, rank=1, previous_rank=1),
        RankChange(query="sofa", change=RankMovement.MOVED, rank=2, previous_rank=3),
        RankChange(query="rug", change=RankMovement.ENTERED, rank=3, previous_rank=None),
        RankChange(query="bed", change=RankMovement.LEFT, rank=None, previous_rank=2),
        RankChange(query="chair", change=RankMovement.LEFT, rank=None, previous_rank=4),
    ]


@given(current=LISTS, previous=LISTS)
def test_the_changes_lead_from_one_list_to_the_other_and_back(
    current: list[str], previous: list[str]
) -> None:
    there = rank_changes(ranked(current), ranked(previous))
    back = rank_changes(ranked(previous), ranked(current))
    assert {each.query: (each.rank, each.previous_rank) for each in there} == {
        each.query: (each.previous_rank, each.rank) for each in back
    }
    assert [each.query for each in there if each.rank is not None] == current
    assert all((each.rank is None) == (each.change is RankMovement.LEFT) for each in there)
    assert all(
        (each.previous_rank is None) == (each.change is RankMovement.ENTERED) for each in there
    )
