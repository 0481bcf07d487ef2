"""Whose document is read next: callers take turns, and each worker keeps count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from domain.access.model import ApiKeyId
from domain.extraction.jobs.items import ClaimedItem

Leads = Mapping[ApiKeyId | None, int]
"""How far callers are ahead of their turn, in costs of documents; 0 where none is named.

None stands for all who have no key.
"""

NO_LEADS: Final[Leads] = {}


class FairShares:
    """How far each caller has come, by the documents that one worker took.

    Start-time fair queueing: a document begins where its caller's last one ended, or now if that
    is past, and ends by the cost of its priority later; that which begins first is taken first.
    So, of two callers who both have documents all the time, neither gets more than one document's
    cost ahead of the other, whoever has how many. Whoever had none for a while comes back with no
    claim to what it let pass, and no debt.

    What each worker shares out fairly is fair altogether: nothing of this is stored, and nothing
    is waited for.
    """

    def __init__(self) -> None:
        self._now = 0
        self._ends: dict[ApiKeyId | None, int] = {}

    def leads(self) -> Leads:
        """Of the callers that are not on time; below 0 of one that got less than it was due."""
        return {caller: end - self._now for caller, end in self._ends.items()}

    def note(self, claimed: Iterable[ClaimedItem]) -> None:
        """Count documents that were taken together by these `leads`."""
        now, callers = self._now, set()
        for item in sorted(claimed, key=lambda item: item.spec.priority.cost):
            begin = self._ends.get(item.key_id, self._now)
            self._ends[item.key_id] = begin + item.spec.priority.cost
            now = max(now, begin)
            callers.add(item.key_id)
        # One that got some may have got less than it has, because others had locked it.
        self._ends = {
            caller: end for caller, end in self._ends.items() if end > now or caller in callers
        }
        self._now = now
