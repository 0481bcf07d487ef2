"""A comparison's log for tests; held to the same contract as the file."""

from __future__ import annotations

from dataclasses import replace

from domain.comparison.model import LabelledText, Outcome
from domain.comparison.results import Question, Recording, Run, continued, question_of
from ports.comparison import ComparisonLog


class MemoryComparisonLog(ComparisonLog):
    """What was written, in a list of runs and a mapping of outcomes."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._texts: dict[str, LabelledText] = {}
        self._outcomes: dict[Question, Outcome] = {}

    def read(self) -> Recording | None:
        """See the port."""
        if self._run is None:
            return None
        run = replace(self._run, texts=tuple(self._texts.values()))
        return Recording(run=run, outcomes=dict(self._outcomes))

    def begin(self, run: Run) -> None:
        """See the port."""
        self._run = run if self._run is None else continued(self._run, run)
        for text in run.texts:
            self._texts.setdefault(text.id, text)

    def append(self, outcome: Outcome) -> None:
        """See the port."""
        self._outcomes[question_of(outcome)] = outcome
