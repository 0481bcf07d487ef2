"""What SQLAlchemy Core builds: statements on users and orders, compiled once for asyncpg.

`sql/schema.sql` is the truth about the tables; here is what such statements name of them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    all_,
    any_,
    bindparam,
    or_,
)
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql import ClauseElement

from domain.records.orders import OrderChanges, OrderDraft
from domain.records.users import UserChanges

_METADATA = MetaData()

users = Table(
    "users",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(255)),
    Column("email", String(255)),
    Column("created_at", DateTime),
    Column("version", Integer),
)

orders = Table(
    "orders",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer),
    Column("product_name", String(255)),
    Column("quantity", Integer),
    Column("order_date", DateTime),
    Column("version", Integer),
)

_VERSIONS = bindparam("versions", type_=ARRAY(Integer))
_NOT_VERSIONS = bindparam("not_versions", type_=ARRAY(Integer))


def as_versions_allow(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions of a write: what `version_args` says of the row's version."""
    return (
        or_(_VERSIONS.is_(None), table.c.version == any_(_VERSIONS)),
        table.c.version != all_(_NOT_VERSIONS),
    )


def version_args(
    if_version: Set[int] | None, unless_version: Set[int]
) -> dict[str, list[int] | None]:
    """The arguments of `as_versions_allow`."""
    return {
        "versions": None if if_version is None else list(if_version),
        "not_versions": list(unless_version),
    }


def members_of(values: UserChanges | OrderDraft | OrderChanges) -> Sequence[str]:
    """The names of the members that are given."""
    return [each for each in values.__slots__ if getattr(values, each) is not None]


# Numbered dollars, as asyncpg itself speaks.
_DIALECT = asyncpg_dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class CompiledStatement:
    """A statement with named parameters.

    Attributes:
        sql: the text, with `$1`, `$2`, ...
    """

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        self._constants: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def args(self, **values: Any) -> tuple[Any, ...]:
        """The arguments in the order of the text.

        Raises:
            KeyError: a parameter of the statement has no value.
        """
        known = self._constants | values
        return tuple(known[name] for name in self._names)
