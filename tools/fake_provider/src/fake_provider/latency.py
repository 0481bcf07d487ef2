"""How long answers take."""

from __future__ import annotations

import math
import random

from fake_provider.scenario import Latency


class LatencySampler:
    """Draws seconds from a `Latency`, reproducibly for a seed.

    A lognormal with mean m and sigma s has mu = ln(m) - s^2 / 2.
    """

    def __init__(self, latency: Latency, seed: int) -> None:
        self._latency = latency
        self._random = random.Random(seed)  # noqa: S311 - simulation, no secret

    def draw(self) -> float:
        """Seconds, >= 0."""
        latency = self._latency
        if latency.kind == "constant" or latency.mean_s == 0:
            return latency.mean_s
        mu = math.log(latency.mean_s) - latency.sigma**2 / 2
        return self._random.lognormvariate(mu, latency.sigma)
