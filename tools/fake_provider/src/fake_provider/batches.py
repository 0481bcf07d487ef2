"""Batch jobs and their files, whatever the dialect calls them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Literal, TypeAlias

import msgspec

from fake_provider.scenario import Batches

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_FIELD = re.compile(rb'name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')


class StoredFile(msgspec.Struct, kw_only=True):
    """One file and what its owner said about it."""

    id: str
    content: bytes
    name: str
    purpose: str = ""
    mime_type: str = "application/jsonl"
    created_at: float = 0.0


class FileShelf:
    """Files by id; ids are `prefix` and a number, never used twice."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        self._files: dict[str, StoredFile] = {}

    def put(
        self, content: bytes, *, name: str, purpose: str = "", mime_type: str = "application/jsonl"
    ) -> StoredFile:
        """Keep a new file."""
        file = StoredFile(
            id=f"{self._prefix}{next(self._numbers):024x}",
            content=content,
            name=name,
            purpose=purpose,
            mime_type=mime_type,
            created_at=time.time(),
        )
        self._files[file.id] = file
        return file

    def get(self, id_: str) -> StoredFile | None:
        """The file, or None."""
        return self._files.get(id_)

    def clear(self) -> None:
        """Forget all files; ids go on counting."""
        self._files.clear()


class Part(msgspec.Struct, frozen=True):
    """One field of a form; `filename` is empty for a plain value."""

    content: bytes
    filename: str


def read_form(content_type: str, body: bytes) -> dict[str, Part]:
    """The fields of a `multipart/form-data` body by name; empty when it is none."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    fields = {}
    for chunk in body.split(b"--" + boundary.group(1).encode()):
        head, _, content = chunk.partition(b"\r\n\r\n")
        name, filename = _FIELD.search(head), _FILENAME.search(head)
        if name is not None:
            fields[name.group(1).decode()] = Part(
                content.removesuffix(b"\r\n"), filename.group(1).decode() if filename else ""
            )
    return fields


Phase: TypeAlias = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
ENDS: frozenset[Phase] = frozenset({"completed", "failed", "expired", "cancelled"})

Line: TypeAlias = dict[str, Any]
Result: TypeAlias = tuple[int, Any]
"""Status and body of the answer to a line."""

_TICK_S = 0.02
_LINES_AT_ONCE = 50


class BatchRun:
    """Answers `lines` one after the other while its phases pass.

    Args:
        plan: seconds of each phase, and how it ends.
        lines: the requests.
        answer: answers one line at once.
        valid: whether the input can be run at all; if not it fails after validation.

    Attributes:
        phase: where it stands.
        since: when each phase began, in seconds since 1970.
        results: one for each line that was answered, in order.
    """

    def __init__(
        self,
        plan: Batches,
        lines: Sequence[Line],
        answer: Callable[[Line], Result],
        *,
        valid: bool = True,
    ) -> None:
        self._plan = plan
        self._answer = answer
        self._valid = valid and plan.outcome != "failed"
        self._cancelled = asyncio.Event()
        self.lines = lines
        self.results: list[Result] = []
        self.phase: Phase = "validating"
        self.since: dict[Phase, float] = {"validating": time.time()}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run in the background of the current event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Give up, without an end."""
        if self._task is not None:
            self._task.cancel()

    def cancel(self) -> None:
        """Ask for an early end; what is answered by then stays."""
        if self.phase not in ENDS:
            self._enter("cancelling")
            self._cancelled.set()

    @property
    def ended(self) -> bool:
        """Whether it has come to an end."""
        return self.phase in ENDS

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since[phase] = time.time()

    async def _run(self) -> None:
        plan = self._plan
        await self._pause(plan.validating_s)
        if not self._valid and not self._cancelled.is_set():
            self._enter("failed")
            return
        if not self._cancelled.is_set():
            self._enter("in_progress")
            await self._work()
        if plan.outcome == "expired" and not self._cancelled.is_set():
            self._enter("expired")
            return
        if not self._cancelled.is_set():
            self._enter("finalizing")
        await asyncio.sleep(plan.finalizing_s)
        self._enter("cancelled" if self._cancelled.is_set() else "completed")

    async def _work(self) -> None:
        """Spread the lines over the phase; an expiring batch leaves the second half undone."""
        plan, began_s = self._plan, time.monotonic()
        wanted = len(self.lines) // 2 if plan.outcome == "expired" else len(self.lines)
        while len(self.results) < wanted and not self._cancelled.is_set():
            passed_s = time.monotonic() - began_s
            share = passed_s / plan.in_progress_s if plan.in_progress_s else 1.0
            due = min(int(wanted * share), len(self.results) + _LINES_AT_ONCE, wanted)
            for line in self.lines[len(self.results) : due]:
                self.results.append(self._answer(line))
            behind = due < int(wanted * min(share, 1.0))
            await self._pause(0.0 if behind else min(_TICK_S, plan.in_progress_s))
        await self._pause(plan.in_progress_s - (time.monotonic() - began_s))

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._cancelled.wait(), seconds)
        except TimeoutError:
            return
