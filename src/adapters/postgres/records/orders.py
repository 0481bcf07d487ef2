"""Orders in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import UTC, datetime
from functools import cache
from typing import Final

import asyncpg
from sqlalchemy import (
    DateTime,
    Integer,
    String,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from adapters.postgres.audit import with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import SqlExecutor
from adapters.postgres.records.statements import (
    CompiledStatement,
    as_versions_allow,
    members_of,
    orders,
    version_args,
)
from domain.errors import AppError, InvalidInput, NotFound, PreconditionFailed, UnknownUser
from domain.records.orders import (
    ORDER_DATE_IS_FIXED,
    USER_DOES_NOT_EXIST,
    Order,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    OrderId,
)
from ports.records import OrderRepository

_DATE = bindparam("order_date", type_=DateTime)
_THIS = (orders.c.id == bindparam("order_id"), *as_versions_allow(orders))
_INSERT = CompiledStatement(
    insert(orders)
    .values(
        user_id=bindparam("user_id"),
        product_name=bindparam("product_name"),
        quantity=bindparam("quantity"),
        order_date=func.coalesce(_DATE, func.localtimestamp()),
    )
    .returning(orders)
)
_SELECT = CompiledStatement(select(orders).where(orders.c.id == bindparam("order_id")))
_UPDATE = CompiledStatement(
    update(orders)
    .values(
        user_id=func.coalesce(bindparam("new_user_id", type_=Integer), orders.c.user_id),
        product_name=func.coalesce(bindparam("new_product", type_=String), orders.c.product_name),
        quantity=func.coalesce(bindparam("new_quantity", type_=Integer), orders.c.quantity),
    )
    .where(*_THIS, or_(_DATE.is_(None), orders.c.order_date == _DATE))
    .returning(orders)
)
_DELETE = CompiledStatement(delete(orders).where(*_THIS).returning(orders.c.id))
_PATH: Final = "'/orders/' || id"


class PostgresOrderRepository(OrderRepository):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def add(self, draft: OrderDraft) -> Order:
        """See the port."""
        arguments = _INSERT.args(
            user_id=draft.user_id,
            product_name=draft.product_name,
            quantity=draft.quantity,
            order_date=_naive_utc(draft.order_date),
        )
        sql, args = with_entry(_INSERT.sql, arguments, "order.create", _PATH, members_of(draft))
        with on_constraint(_USER_CONSTRAINT):
            row = await self._executor.fetchrow(sql, *args)
        assert row is not None  # an INSERT returns its row or raises
        return _order(row)

    async def get(self, order_id: OrderId) -> Order:
        """See the port."""
        row = await self._executor.fetchrow(_SELECT.sql, *_SELECT.args(order_id=order_id))
        if row is None:
            raise _missing(order_id)
        return _order(row)

    async def change(
        self,
        order_id: OrderId,
        changes: OrderChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> Order:
        """See the port."""
        arguments = _UPDATE.args(
            order_id=order_id,
            new_user_id=changes.user_id,
            new_product=changes.product_name,
            new_quantity=changes.quantity,
            order_date=_naive_utc(changes.order_date),
            **version_args(if_version, unless_version),
        )
        sql, args = with_entry(_UPDATE.sql, arguments, "order.change", _PATH, members_of(changes))
        with on_constraint(_USER_CONSTRAINT):
            row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise await self._why_not(order_id, if_version, unless_version, changes.order_date)
        return _order(row)

    async def delete(
        self,
        order_id: OrderId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """See the port."""
        arguments = _DELETE.args(
            order_id=order_id,
            **version_args(if_version, unless_version),
        )
        sql, args = with_entry(_DELETE.sql, arguments, "order.delete", _PATH)
        if await self._executor.fetchval(sql, *args) is None:
            raise await self._why_not(order_id, if_version, unless_version)

    async def page(
        self, filtered: OrderFilter, *, limit: int, before: OrderId | None = None
    ) -> Sequence[Order]:
        """See the port."""
        values = {
            "user_id": filtered.user_id,
            "product_name": filtered.product_name,
            "since": _naive_utc(filtered.since),
            "until": _naive_utc(filtered.until),
            "before": before,
        }
        given = {name: value for name, value in values.items() if value is not None}
        statement = _page(frozenset(given))
        rows = await self._executor.fetch(statement.sql, *statement.args(limit=limit, **given))
        return [_order(row) for row in rows]

    async def _why_not(
        self,
        order_id: OrderId,
        if_version: Set[int] | None,
        unless_version: Set[int],
        order_date: datetime | None = None,
    ) -> AppError:
        """Why a conditional write touched no row."""
        row = await self._executor.fetchrow(_SELECT.sql, *_SELECT.args(order_id=order_id))
        if row is None:
            return _missing(order_id)
        version = row["version"]
        allowed = (if_version is None or version in if_version) and version not in unless_version
        if allowed and order_date is not None and row["order_date"] != _naive_utc(order_date):
            return InvalidInput.of([ORDER_DATE_IS_FIXED])
        return PreconditionFailed(f"Order {order_id} is now in version {version}.")


@cache
def _page(given: frozenset[str]) -> CompiledStatement:
    conditions = {
        "user_id": orders.c.user_id == bindparam("user_id"),
        "product_name": orders.c.product_name == bindparam("product_name"),
        "since": orders.c.order_date >= bindparam("since"),
        "until": orders.c.order_date < bindparam("until"),
        "before": orders.c.id < bindparam("before"),
    }
    return CompiledStatement(
        select(orders)
        .where(*(condition for name, condition in conditions.items() if name in given))
        .order_by(orders.c.id.desc())
        .limit(bindparam("limit"))
    )


def _naive_utc(moment: datetime | None) -> datetime | None:
    """As a TIMESTAMP column holds it."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _order(row: asyncpg.Record) -> Order:
    order_date = row["order_date"]
    return Order(
        id=row["id"],
        user_id=row["user_id"],
        product_name=row["product_name"],
        quantity=row["quantity"],
        order_date=None if order_date is None else order_date.replace(tzinfo=UTC),
        version=row["version"],
    )


def _missing(order_id: OrderId) -> NotFound:
    return NotFound(f"There is no order {order_id}.")


def _unknown_user() -> UnknownUser:
    return UnknownUser(
        "The order names a user that does not exist.", violations=[USER_DOES_NOT_EXIST]
    )


_USER_CONSTRAINT = {"orders_user_id_fkey": _unknown_user}
