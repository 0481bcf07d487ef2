"""The machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime

from ports.clock import Clock


class SystemClock(Clock):
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        return datetime.now(UTC)
