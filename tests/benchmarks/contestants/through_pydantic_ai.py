"""pydantic-ai, with the provider's structured outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import openai
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.benchmarks.contestants.asking import Order, user_message
from tests.benchmarks.contestants.run import Read, Record
from tests.benchmarks.task import Task


@asynccontextmanager
async def reading(task: Task) -> AsyncIterator[Read]:
    """Reads with an agent: the SDK's retries on the way, its own for unusable answers."""
    async with openai.AsyncOpenAI(
        api_key="sk-bench",
        base_url=task.base_url,
        max_retries=task.transport_retries,
        timeout=task.call_timeout_s,
    ) as client:
        model = OpenAIChatModel(task.model, provider=OpenAIProvider(openai_client=client))
        agent = Agent(
            model,
            output_type=NativeOutput(Order, strict=True),
            instructions=task.system,
            retries=task.reasks,
        )

        async def read(text: str) -> Record:
            return cast(Order, (await agent.run(user_message(text))).output).record()

        yield read
