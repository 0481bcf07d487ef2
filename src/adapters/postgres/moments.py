"""Days and times between PostgreSQL and Python.

PostgreSQL's reach from 4713 BC to the year 294276 and to infinity, Python's from the year 1 to
9999. What Python cannot hold comes as None. asyncpg's own codecs end the whole statement over such
a value, after it may have been committed, and take infinity for the last day that there is.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

_FIRST: Final = datetime(2000, 1, 1)  # noqa: DTZ001 (what TIMESTAMP counts from has no zone)
_FIRST_UTC: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_ORDINAL: Final = _FIRST.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)


async def tell_moments(connection: asyncpg.Connection) -> None:
    """Read and write DATE, TIMESTAMP and TIMESTAMPTZ by this module; sends nothing."""
    for name, encoder, decoder in (
        ("date", _days, _day),
        ("timestamp", _microseconds, _moment),
        ("timestamptz", _microseconds_utc, _moment_utc),
    ):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=encoder, decoder=decoder, format="tuple"
        )


def _days(day: date) -> tuple[int]:
    return (day.toordinal() - _FIRST_ORDINAL,)


def _day(wire: tuple[int]) -> date | None:
    try:
        return date.fromordinal(wire[0] + _FIRST_ORDINAL)
    except (ValueError, OverflowError):
        return None


def _microseconds(moment: datetime) -> tuple[int]:
    return ((moment - _FIRST) // _MICROSECOND,)


def _moment(wire: tuple[int]) -> datetime | None:
    try:
        return _FIRST + timedelta(0, 0, wire[0])
    except OverflowError:
        return None


def _microseconds_utc(moment: datetime) -> tuple[int]:
    return ((moment - _FIRST_UTC) // _MICROSECOND,)


def _moment_utc(wire: tuple[int]) -> datetime | None:
    try:
        return _FIRST_UTC + timedelta(0, 0, wire[0])
    except OverflowError:
        return None
