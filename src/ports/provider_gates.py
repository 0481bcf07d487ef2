"""What holds calls to language model providers back, for who looks after them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """How a provider stands; times are seconds from now, 0 where nothing is in the way.

    Attributes:
        gate_s: how long calls wait because the provider refused some.
        hinted: the provider named that wait.
        refusals: rate limits in a row.
        circuit_open: the provider is taken for broken.
        circuit_s: until its next probe; 0 when that is due.
        failures: in a row.
        quota_s: how long the quota counts as used up.
        probes: calls that went out to find out whether the provider is back, since it is known.
    """

    gate_s: float
    hinted: bool
    refusals: int
    circuit_open: bool
    circuit_s: float
    failures: int
    quota_s: float
    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderGate:
    """One provider, with a model that is asked there with one key."""

    name: str
    model: str
    state: GateState


class ProviderGates(Protocol):
    """The gates that all processes share.

    Raises (each method):
        QueueUnavailable: what they share does not answer; each process has gates of its own then.
    """

    @abstractmethod
    async def all(self) -> Sequence[ProviderGate]:
        """Those configured here, in the order of the settings, then those that others use."""
        ...

    @abstractmethod
    async def reopen(self, name: str) -> None:
        """Forget what holds calls to a provider back, all but its stated limits."""
        ...
