"""The scripted batch model holds what the real ones hold."""

from __future__ import annotations

import json
import re

import pytest

from adapters.memory.batch_language_model import Said, ScriptedBatchLanguageModel
from adapters.memory.language_model import QUOTING
from domain.extraction.calls import CallFailed, FailureKind
from ports.language_models import BatchId, Finish, Prompt
from tests.contracts.batch_language_model import BatchLanguageModelContract, BatchWorld, Ending


class ScriptedWorld(BatchWorld):
    def __init__(self) -> None:
        self.model = self._scripted = ScriptedBatchLanguageModel(say=self._say)
        self.profile = QUOTING
        self._server_error: str | None = None
        self._refusal: str | None = None

    def _say(self, prompt: Prompt) -> Said:
        asked = prompt.messages[-1].content
        if self._server_error and self._server_error in asked:
            return FailureKind.SERVER_ERROR
        if self._refusal and self._refusal in asked:
            return Finish.REFUSED
        found = re.search(r"(\d+) lamps", asked)
        assert found is not None
        return json.dumps({"quantity": {"quote": found[0], "value": int(found[1])}})

    def arrange(
        self,
        *,
        ending: Ending = "completed",
        endless: bool = False,
        server_error: str | None = None,
        refusal: str | None = None,
    ) -> None:
        self._scripted.ending = None if endless else ending
        self._server_error, self._refusal = server_error, refusal

    def forget(self) -> None:
        self._scripted.batches.clear()


class TestScriptedBatchLanguageModel(BatchLanguageModelContract):
    @pytest.fixture
    def world(self) -> BatchWorld:
        return ScriptedWorld()


async def test_an_unreachable_provider_fails_as_scripted() -> None:
    model = ScriptedBatchLanguageModel(say=lambda _: "", unreachable=FailureKind.CONNECTION)
    with pytest.raises(CallFailed):
        await model.find("token")
    with pytest.raises(CallFailed):
        await model.status(BatchId("batch-1"))
