"""Unit tests wait for nothing outside: the pauses of the jobs are short here."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from domain.extraction.jobs import batch_worker, item_processor, worker

# A tenth of the time would go into looking for garbage among what stays: modules and test items.
gc.set_threshold(200_000, 50, 50)


@pytest.fixture(autouse=True, scope="module")
def short_pauses() -> Iterator[None]:
    """What follows on a pause is tested, not how long it is."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(batch_worker, "_GRACE_S", 0.2)
        monkeypatch.setattr(item_processor, "_ELSEWHERE_S", 0.02)
        monkeypatch.setattr(item_processor, "_PAUSE_S", 0.02)
        monkeypatch.setattr(worker, "_LAST_WORDS_S", 0.2)
        yield
