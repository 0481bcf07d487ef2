"""Named statements are read from their files as they are written."""

from __future__ import annotations

import pytest

from adapters.postgres.queries import NamedParameterQuery, load_queries


def test_names_become_numbers_by_first_appearance_and_casts_and_comments_are_left() -> None:
    query = NamedParameterQuery(
        "SELECT :b::int, :a::text -- not :this\nWHERE x = :b AND y::date = '12:30'"
    )
    assert query.sql == "SELECT $1::int, $2::text \nWHERE x = $1 AND y::date = '12:30'"
    assert query.args(a="x", b=1, more=2) == (1, "x")
    with pytest.raises(KeyError):
        query.args(a="x")


def test_a_statement_holds_those_of_another_file_that_it_quotes() -> None:
    analyses, store = load_queries("insights"), load_queries("insight_store")
    for name in ("average_ctr_by_day", "top_queries", "low_performance_queries"):
        assert analyses[name].text in store["store_day"].text
    assert "@" not in store["store_day"].sql
    assert not any(query.sql.endswith(";") for query in analyses.values())


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.sql"):
        load_queries("nothing")
