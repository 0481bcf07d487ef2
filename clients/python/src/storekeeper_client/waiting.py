"""How long to wait until something is asked again how it stands."""

from __future__ import annotations

import time
from typing import Final, Protocol, TypeVar

from storekeeper_client.calls import Call, Pause, Steps
from storekeeper_client.errors import WaitTimedOut

_FIRST_S: Final = 0.25
_LONGEST_S: Final = 15.0
_GROWTH: Final = 1.5


class Running(Protocol):
    """What has a status."""

    @property
    def status(self) -> str:
        """`running` until it is so no longer."""


R = TypeVar("R", bound=Running)


def until_ended(call: Call[R], timeout_s: float | None) -> Steps[R]:
    """What the call reads, once it runs no longer; asked for ever more seldom.

    A `eta_s` that it states is the pause where that is sooner.

    Raises:
        WaitTimedOut: it still runs after `timeout_s` seconds.
    """
    ends_at = None if timeout_s is None else time.monotonic() + timeout_s
    growing_s = _FIRST_S
    while True:
        found: R = yield call
        if found.status != "running":
            return found
        eta_s = getattr(found, "eta_s", None)
        pause_s = growing_s if eta_s is None else max(_FIRST_S, min(eta_s, growing_s))
        if ends_at is not None:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise WaitTimedOut(f"{call.path} still runs after {timeout_s} seconds: {found}")
            pause_s = min(pause_s, left_s)
        yield Pause(pause_s)
        growing_s = min(_LONGEST_S, growing_s * _GROWTH)
