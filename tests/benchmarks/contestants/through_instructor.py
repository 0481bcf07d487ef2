"""instructor, in its mode for structured outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import instructor
import openai

from tests.benchmarks.contestants.asking import Order, messages
from tests.benchmarks.contestants.run import Read, Record
from tests.benchmarks.task import Task


@asynccontextmanager
async def reading(task: Task) -> AsyncIterator[Read]:
    """Reads with instructor: the SDK's retries on the way, its own for unusable answers."""
    async with openai.AsyncOpenAI(
        api_key="sk-bench",
        base_url=task.base_url,
        max_retries=task.transport_retries,
        timeout=task.call_timeout_s,
    ) as client:
        asking = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)

        async def read(text: str) -> Record:
            order = await asking.chat.completions.create(
                model=task.model,
                messages=messages(task.system, text),
                response_model=Order,
                max_retries=task.reasks,
            )
            return cast(Order, order).record()

        yield read
