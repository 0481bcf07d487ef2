"""Benchmarks are chosen by letters and by groups, and each group has its page."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.benchmarks.groups import GROUPS, chosen
from tests.benchmarks.harness import ROOT


def test_without_a_choice_all_are_run_group_by_group() -> None:
    assert chosen(None) == {group.name: list(group.benchmarks) for group in GROUPS}


def test_letters_and_groups_are_chosen_and_run_in_their_order() -> None:
    insights = list(GROUPS[1].benchmarks)
    assert chosen("j, h,a") == {"extraction": ["a"], "insights": ["h", "j"]}
    assert chosen("insights,h") == {"insights": insights}


def test_what_there_is_not_is_named_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'z' is none of a, b, .*, and no group .extraction and"):
        chosen("a,z")


def test_each_letter_stands_for_one_benchmark() -> None:
    letters = Counter(letter for group in GROUPS for letter in group.benchmarks)
    assert max(letters.values()) == 1


def test_each_group_has_a_page_with_a_place_for_its_figures() -> None:
    for group in GROUPS:
        page = (ROOT / "docs" / "reference" / f"{group.page}.md").read_text("utf-8")
        assert page.count("<!-- measured: begin -->") == 1
        assert all(f"\n| {letter} |" in page for letter in group.benchmarks)
