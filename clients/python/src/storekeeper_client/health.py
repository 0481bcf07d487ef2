"""Whether the service can do its work."""

from __future__ import annotations

from typing import Final

import msgspec

from storekeeper_client.calls import Call, reads
from storekeeper_client.errors import Moment
from storekeeper_client.resources import D, Operation, Resource


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers: `ok`."""

    status: str


class InsightsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the search insights are.

    `pending_days` are days up to yesterday whose insight is missing or stale; `problem` says why a
    person should look, and is None when all is well.
    """

    last_success_at: Moment | None
    last_success_age_s: float | None
    next_run_at: Moment
    pending_days: int
    problem: str | None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all parts can work: `ok` or `unavailable`, and what each part said.

    `insights` is None while that is unknown.
    """

    status: str
    checks: dict[str, str]
    insights: InsightsStatus | None


class Health(Resource[D]):
    """`/health`. Needs no key."""

    @Operation
    def live(self) -> Call[Liveness]:
        """The process is up."""
        return Call(method="GET", path="/health/live", read=_LIVENESS)

    @Operation
    def ready(self) -> Call[Readiness]:
        """What each part says; that one is not ready is an answer here, no error."""
        return Call(method="GET", path="/health/ready", read=_READINESS, expected=frozenset({503}))


_LIVENESS: Final = reads(Liveness)
_READINESS: Final = reads(Readiness)
