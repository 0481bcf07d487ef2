"""SQLAlchemy Core statements, compiled once to text and arguments for asyncpg."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql import ClauseElement

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
