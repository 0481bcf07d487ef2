"""Keeps one question from being asked twice at once, and asks the store first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from domain.jobs.model import WorkerId
from domain.jobs.reading import Plan
from domain.jobs.writing import until_answered
from ports.known_extractions import KnownExtraction, KnownExtractions

_ELSEWHERE_S: Final = 0.5


class OpenQuestions:
    """The questions that one worker has in hand.

    A question is reserved first and looked up then: whoever asked it before has stored the answer
    by the time that the reservation is free.

    Args:
        known: what was asked before, and what others ask.
        worker: who asks.
    """

    def __init__(self, known: KnownExtractions, worker: WorkerId) -> None:
        self._known = known
        self._worker = worker
        self._asked: dict[bytes, asyncio.Event] = {}
        self._ready: dict[bytes, KnownExtraction | None] = {}

    async def prepare(self, texts: Iterable[str], plan: Plan) -> None:
        """Reserve and look up many at once; `turn` then finds most of them ready."""
        question = plan.question
        if question is None:
            return
        by_key = {plan.key(text): text for text in texts}
        fresh = {key: text for key, text in by_key.items() if key and key not in self._asked}
        if not fresh:
            return
        self._asked |= {key: asyncio.Event() for key in fresh}
        granted: set[bytes] = set()
        try:
            granted |= await until_answered(lambda: self._known.reserve(self._worker, list(fresh)))
            mine = [fresh[key] for key in granted]
            if mine:
                found = await until_answered(lambda: self._known.recall(mine, question))
                self._ready |= {key: found.get(fresh[key]) for key in granted}
        finally:
            for key in fresh:
                if key not in self._ready:
                    self.done(key)

    async def turn(self, text: str, plan: Plan, key: bytes) -> KnownExtraction | None:
        """Wait while others ask the same; returns what is known, or None: ask now.

        After either, `done` has to be called once the settlement is stored.
        """
        question = plan.question
        assert question is not None
        while True:
            if key in self._ready:
                return self._ready.pop(key)
            if (asked_here := self._asked.get(key)) is not None:
                await asked_here.wait()
                continue
            self._asked[key] = asyncio.Event()
            granted = False
            try:
                granted = bool(
                    await until_answered(lambda: self._known.reserve(self._worker, [key]))
                )
            finally:
                if not granted:
                    self.done(key)
            if granted:
                found = await until_answered(lambda: self._known.recall([text], question))
                return found.get(text)
            await asyncio.sleep(_ELSEWHERE_S)

    def prepared(self, key: bytes) -> bool:
        """Whether `prepare` made it ready and nobody took its turn yet."""
        return key in self._ready

    def done(self, key: bytes) -> None:
        """The question is not asked any more; those that wait for it look again."""
        self._ready.pop(key, None)
        if (asked := self._asked.pop(key, None)) is not None:
            asked.set()
