"""How Hypothesis searches: the same examples in every run, however busy the machine is.

`pytest --hypothesis-profile=explore` looks for new ones.
"""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("steady", _PATIENT, derandomize=True, database=None)
settings.register_profile("explore", _PATIENT, max_examples=2000)
settings.load_profile("steady")


def pytest_collection_finish() -> None:
    """Let the collector leave alone what is imported: it stays to the end, and is most of all."""
    gc.collect()
    gc.freeze()
