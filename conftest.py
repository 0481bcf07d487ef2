"""How Hypothesis searches, and in which order files are tested.

It tries the same examples in every run, however busy the machine is, and few of them, since they
never change; `pytest --hypothesis-profile=explore` looks for new ones.
"""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("steady", _PATIENT, derandomize=True, database=None, max_examples=60)
settings.register_profile("explore", _PATIENT, max_examples=2000)
settings.load_profile("steady")

LONGEST_FIRST = (
    "tests/integration/test_schemathesis.py",
    "tests/integration/deployment/test_several_machines.py",
    "tests/integration/test_pages.py",
    "tests/integration/test_clicks_cli.py",
    "tests/integration/test_insight_faults.py",
    "tests/integration/test_sample_data.py",
    "tests/integration/test_local_model.py",
    "tests/integration/test_own_model.py",
    "tests/integration/test_model_hub.py",
    "tests/integration/test_compare_cli.py",
    "tests/integration/test_extract_cli.py",
    "tests/integration/test_extraction_kills.py",
    "tests/integration/test_dumps.py",
    "tests/integration/test_up.py",
    "tests/integration/test_doctor.py",
    "tests/integration/test_batch_jobs.py",
    "tests/integration/test_extraction_jobs_state_machine.py",
    "tools/demo/tests/test_demo.py",
)
"""Files that take a minute or more: at the end of a run, others would be waiting for one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Test the longest files first and all others as they stand."""
    place = {Path(__file__).parent / name: nth for nth, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Let the collector leave alone what is imported: it stays to the end, and is most of all."""
    gc.collect()
    gc.freeze()
