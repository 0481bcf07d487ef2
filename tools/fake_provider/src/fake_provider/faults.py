"""Which fault, if any, a call meets: by script first, then by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from fake_provider.calls import Call
from fake_provider.scenario import Fault


class FaultPlan:
    """The script with what is left of it, and the rates."""

    def __init__(self, script: Iterable[Fault], rates: Iterable[Fault], seed: int) -> None:
        self._script: list[tuple[Fault, int | None]] = []
        self._rates = tuple(rates)
        self._random = random.Random(seed)  # noqa: S311 - simulation, no secret
        self.extend(script)

    def extend(self, script: Iterable[Fault]) -> None:
        """Append steps to the script."""
        self._script.extend((fault, fault.times) for fault in script)

    def clear(self) -> None:
        """Forget the script; rates stay."""
        self._script.clear()

    @property
    def left(self) -> int:
        """Steps of the script that still wait for a call."""
        return len(self._script)

    def choose(self, call: Call) -> Fault | None:
        """The fault that `call` meets; a scripted one is used up by it."""
        scripted = self._taken(lambda fault: _matches(fault, call))
        if scripted is not None:
            return scripted
        if not self._rates:
            return None
        draw = self._random.random()
        for fault in self._rates:
            draw -= fault.probability
            if draw < 0:
                return fault if _matches(fault, call) else None
        return None

    def choose_for_path(self, path: str) -> Fault | None:
        """The scripted fault that any request to `path` meets; it is used up by it."""
        return self._taken(lambda fault: fault.path is not None and fault.path in path)

    def _taken(self, matches: Callable[[Fault], bool]) -> Fault | None:
        for index, (fault, times) in enumerate(self._script):
            if matches(fault):
                if times == 1:
                    del self._script[index]
                elif times is not None:
                    self._script[index] = (fault, times - 1)
                return fault
        return None


def _matches(fault: Fault, call: Call) -> bool:
    if fault.path is not None:
        return False
    if fault.dialect is not None and fault.dialect != call.dialect:
        return False
    if fault.model is not None and fault.model != call.model:
        return False
    return fault.text is None or any(fault.text in text for _, text in call.turns)
