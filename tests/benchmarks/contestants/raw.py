"""The least that anybody would write: the official SDK, Pydantic, a loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from pydantic import ValidationError

from tests.benchmarks.contestants.asking import Order, messages
from tests.benchmarks.contestants.run import Read, Record
from tests.benchmarks.task import Task


@asynccontextmanager
async def reading(task: Task) -> AsyncIterator[Read]:
    """Reads with `AsyncOpenAI`; the SDK's own retries, and a loop for unusable answers."""
    async with openai.AsyncOpenAI(
        api_key="sk-bench",
        base_url=task.base_url,
        max_retries=task.transport_retries,
        timeout=task.call_timeout_s,
    ) as client:
        shape: Any = {
            "type": "json_schema",
            "json_schema": {"name": "order_message", "strict": True, "schema": task.schema},
        }

        async def read(text: str) -> Record:
            for left in range(task.reasks, -1, -1):
                completion = await client.chat.completions.create(
                    model=task.model,
                    messages=messages(task.system, text),
                    response_format=shape,
                )
                try:
                    return Order.model_validate_json(
                        completion.choices[0].message.content or ""
                    ).record()
                except ValidationError:
                    if not left:
                        raise
            raise AssertionError("unreachable")

        yield read
