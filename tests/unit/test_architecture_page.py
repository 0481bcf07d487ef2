"""The page that leads through the house names rooms, arrows and files that are there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def test_the_picture_shows_the_rooms_and_arrows_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")
    redrawn = runpy.run_path(str(ROOT / "scripts" / "architecture.py"))["redrawn"]
    assert redrawn(page) == page, "run `make architecture`"


def test_every_file_that_a_walk_names_is_there() -> None:
    named = re.findall(
        r"`((?:src|sql|tests|tools|scripts)/[^`]*)`", PAGE.read_text(encoding="utf-8")
    )
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_an_arrow_is_left_out_where_others_lead_there() -> None:
    shortest = runpy.run_path(str(ROOT / "scripts" / "architecture.py"))["shortest"]
    assert shortest({("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d")}) == {
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
    }
