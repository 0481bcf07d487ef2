"""The second clock of the insights, which needs no queue."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from domain.insights.refresher import InsightRefresher
from domain.insights.scheduled_runs import RunOutcome

_log = logging.getLogger(__name__)

_LONGEST_WAIT_S: Final = 300.0


async def watch_insights(
    refresher: InsightRefresher,
    stop: asyncio.Event,
    *,
    every_s: float,
    grace_s: float,
    first_wait_s: float = 1.0,
) -> None:
    """Look for days left undone at once, and then every `every_s`, until `stop` is set.

    When something was left undone, because the store is away or a day failed, it looks again
    sooner: after `first_wait_s`, then ever later up to 5 minutes. A run under way at the stop has
    `grace_s` to end; the day that it is at is then undone, and found again.
    """
    stopping = asyncio.ensure_future(stop.wait())
    wait_s = first_wait_s
    try:
        while not stop.is_set():
            looking = asyncio.ensure_future(_look(refresher))
            try:
                await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({looking}, timeout=grace_s)
            finally:
                looking.cancel()  # which changes nothing if it is done
            if not looking.done():
                with suppress(asyncio.CancelledError):
                    await looking
                return
            if looking.result():
                wait_s, pause_s = first_wait_s, every_s
            else:
                pause_s, wait_s = min(wait_s, every_s), min(2 * wait_s, _LONGEST_WAIT_S)
            await asyncio.wait({stopping}, timeout=pause_s)
    finally:
        stopping.cancel()


async def _look(refresher: InsightRefresher) -> bool:
    """Whether nothing is left undone."""
    try:
        report = await refresher.catch_up()
    except Exception:  # noqa: BLE001 (a defect here must not stop the rest of the worker)
        _log.exception("looking for insights left undone failed")
        return False
    return report.run.outcome is RunOutcome.DONE and report.outage is None
