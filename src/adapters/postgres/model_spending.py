"""What keys spend on language models, counted by the statements that store its results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import asyncpg

from adapters.postgres.pool import SqlExecutor
from adapters.postgres.queries import load_queries
from domain.access.budgets import used_up
from domain.access.model import ApiKeyId, KeySpending, ModelBudget
from domain.extraction.jobs.model import JobSpending
from ports.access import ModelSpendingReader

_QUERIES: Final = load_queries("model_spending")
_PLACE: Final = re.compile(r"\$([0-9]+)")


class PostgresModelSpending(ModelSpendingReader):
    """A row a key and day."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def today(self, key_id: ApiKeyId) -> KeySpending:
        """See the port."""
        row = await _today(self._executor, key_id)
        return KeySpending() if row is None else _spent(row)


def with_spending(
    sql: str, args: Sequence[Any], key_id: ApiKeyId | None, spending: JobSpending
) -> tuple[str, Sequence[Any]]:
    """A statement and its arguments, with the count of what it stores the result of.

    One statement still, so one transaction. As it is without a key or a call.

    Args:
        sql: an INSERT, alone or behind WITH.
        args: its arguments.
        key_id: whose calls they were.
        spending: what they used.
    """
    if key_id is None or not spending.calls:
        return sql, args
    of_key = spending.of_key
    spent = _QUERIES["spend"].args(
        key_id=key_id,
        usd=of_key.usd,
        tokens=of_key.tokens,
        unpriced_calls=of_key.unpriced_calls,
    )
    return _with_spending(sql, len(args)), (*args, *spent)


@cache
def _with_spending(sql: str, args: int) -> str:
    spend = _PLACE.sub(lambda found: f"${int(found[1]) + args}", _QUERIES["spend"].sql)
    joined = ", " if sql.startswith("WITH ") else " "
    return f"WITH spent AS ({spend}){joined}{sql.removeprefix('WITH ')}"


async def budget_used_up(executor: SqlExecutor, key_id: ApiKeyId) -> str | None:
    """What of a key's budget is used up, in a sentence; None while there is some left."""
    row = await _today(executor, key_id)
    if row is None:
        return None
    budget = ModelBudget(usd=row["budget_usd"], tokens=row["budget_tokens"])
    return used_up(budget, _spent(row))


async def _today(executor: SqlExecutor, key_id: ApiKeyId) -> asyncpg.Record | None:
    query = _QUERIES["today"]
    return await executor.fetchrow(query.sql, *query.args(key_id=key_id))


def _spent(row: asyncpg.Record) -> KeySpending:
    return KeySpending(usd=row["usd"], tokens=row["tokens"], unpriced_calls=row["unpriced_calls"])
