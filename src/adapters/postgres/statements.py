"""What SQLAlchemy Core builds: statements on users and orders, compiled once for asyncpg.

`sql/schema.sql` is the truth about the tables; here is what such statements name of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql import ClauseElement

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

# Numbered dollars, as asyncpg itself speaks.
_DIALECT = asyncpg_dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Statement:
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
