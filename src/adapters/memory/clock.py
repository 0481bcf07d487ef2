"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ports.clock import Clock


class StandingClock(Clock):
    """Shows `at` (aware) until `advance` is called."""

    def __init__(self, at: datetime = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)) -> None:
        self._now = at

    def now(self) -> datetime:
        """The instant that it stands at."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Go on by `by`."""
        self._now += by
