"""A close look at a language model: it is asked something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.llm.resilient import PROBE
from domain.extraction.calls import CallFailed
from ports.examination import Examination, Finding
from ports.language_model import Budget, Finish, LanguageModel

_TIMEOUT_S: Final = 60.0


class LanguageModelExamination(Examination):
    """A real completion: a model's server may answer health checks and nothing else.

    Args:
        provider: its name, as in LLM_PROVIDER.
        model: the model to ask.
    """

    def __init__(self, provider: str, model: LanguageModel) -> None:
        self._provider = provider
        self._model = model

    async def findings(self) -> Sequence[Finding]:
        """See the port."""
        name = self._model.profile.model
        try:
            answer = await self._model.complete(
                PROBE, Budget(timeout_s=_TIMEOUT_S, wait_s=_TIMEOUT_S)
            )
        except CallFailed as error:
            return [self._finding(good=False, detail=f"{name}: {error.failure.detail}")]
        good = answer.finish is Finish.COMPLETE
        detail = f"{name} answered" if good else f"{name} answered, but {answer.finish}"
        return [self._finding(good=good, detail=detail)]

    def _finding(self, *, good: bool, detail: str) -> Finding:
        return Finding(subject=f"provider {self._provider}", good=good, detail=detail)
