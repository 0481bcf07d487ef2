from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import (
    MAX_LENGTH,
    closest,
    inert_cell,
    label_problem,
    plain_cell,
    storable_problem,
    suggestion,
)

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(storable)
def test_any_text_without_nul_and_lone_surrogates_can_be_stored(text: str) -> None:
    assert storable_problem(text) is None
    assert text.encode().decode() == text


@given(storable, storable)
def test_a_nul_anywhere_is_named(before: str, after: str) -> None:
    problem = storable_problem(f"{before}\0{after}")
    assert problem is not None
    assert "NUL" in problem


@given(storable, st.characters(categories=["Cs"]), storable)
def test_a_lone_surrogate_anywhere_is_named(before: str, surrogate: str, after: str) -> None:
    problem = storable_problem(before + surrogate + after)
    assert problem is not None
    assert "surrogate" in problem


@given(st.text(st.sampled_from(" \t\n\r\v\f\x85\xa0\u2003\u3000"), max_size=300))
def test_a_name_is_not_blank_whatever_the_kind_of_blank(blank: str) -> None:
    assert label_problem(blank) == "must not be blank"


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        min_size=1,
        max_size=MAX_LENGTH,
    ).filter(str.strip)
)
def test_a_name_of_up_to_255_characters_is_right(name: str) -> None:
    assert label_problem(name) is None


def test_the_longest_name_counts_characters_not_bytes() -> None:
    assert label_problem("😀" * MAX_LENGTH) is None
    assert label_problem("x" * (MAX_LENGTH + 1)) == "must have at most 255 characters, has 256"


def test_a_name_that_cannot_be_stored_is_refused() -> None:
    assert label_problem("a\0") == "must not hold a NUL character"
    assert label_problem("a\ud800") == "must not hold a lone surrogate"


odd = st.text(
    st.sampled_from("' =+-@\t\r\n\ufeff\u00a0\u200b\uff1d\uff0b\uff0d\uff20x1"), max_size=6
)


@given(st.text() | odd)
def test_no_cell_is_a_formula_and_none_is_lost(text: str) -> None:
    cell = inert_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell in {text, f"'{text}"}
    assert plain_cell(cell) == text


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b")
@pytest.mark.parametrize(
    "before",
    ["", " ", "\u00a0", "\ufeff", "\u200b", "\u2060", "\u3000", "\x00", "\x1f", "'", " ' "],
)
def test_a_formula_behind_what_cannot_be_seen_is_led_by_an_apostrophe(
    sign: str, before: str
) -> None:
    text = f"{before}{sign}1+1"
    assert inert_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "'tis", "a=b", " x-ray", "1-2", "☎ +49", "\u200b"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert inert_cell(text) == plain_cell(text) == text


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("emial", ("email", "name"), "did you mean email?"),
        ("zip", ("email", "name"), "known are email, name"),
        ("zip", (), "known are none"),
    ],
)
def test_a_name_that_is_not_known_is_answered_by_the_closest_or_by_all(
    name: str, known: tuple[str, ...], meant: str
) -> None:
    assert suggestion(name, known) == meant


def test_how_like_a_name_has_to_be_is_the_callers_to_say() -> None:
    assert closest("clicked", ["clicks"], likeness=0.5) == "clicks"
    assert closest("clicked", ["clicks"], likeness=0.9) is None
    assert suggestion("emial", ["email"], repr) == "did you mean 'email'?"
