from __future__ import annotations

import pytest

from adapters.memory.scheduled_runs import MemoryScheduledRuns
from ports.insights import ScheduledRuns
from tests.contracts.scheduled_runs import ScheduledRunsContract


class TestMemoryScheduledRuns(ScheduledRunsContract):
    @pytest.fixture
    def runs(self) -> ScheduledRuns:
        return MemoryScheduledRuns()
