"""Storekeeper's extraction over the OpenAI protocol, in one process and without a database."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from redis.asyncio import Redis

from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_language_models
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import PriceTable
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.service import ExtractionService
from tests.benchmarks.contestants.run import Read, Record
from tests.benchmarks.task import Task

_DEADLINE_S = 600.0


class NoRecord(Exception):
    """A text without a valid record.

    Attributes:
        label: the status, and the failure's kind where there is one.
    """

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


@asynccontextmanager
async def reading(task: Task) -> AsyncIterator[Read]:
    """Reads with `ExtractionService`; its own retries by kind of failure (`FAILURE_POLICIES`)."""
    config = ModelConfig(
        provider=task.provider, model=task.model, base_url=task.base_url, api_key="sk-bench"
    )
    async with AsyncExitStack() as stack:
        shared = None
        if task.redis_url:
            shared = await stack.enter_async_context(Redis.from_url(task.redis_url))
        models = await stack.enter_async_context(
            open_language_models(
                [config],
                call_timeout_s=task.call_timeout_s,
                concurrency=task.concurrency,
                valkey=shared,
            )
        )
        service = ExtractionService(
            models=models,
            chain=(task.provider,),
            validator=PydanticRecordValidator(),
            prices=PriceTable(prices={}),
            monotonic=time.monotonic,
            new_mark=lambda: secrets.token_hex(4),
        )

        async def read(text: str) -> Record:
            result = await service.extract(
                text, ORDER_MESSAGE, chain=(task.provider,), deadline_s=_DEADLINE_S
            )
            if result.failure is not None:
                raise NoRecord(f"{result.status}: {result.failure.kind}")
            return cast(Record, tuple(result.fields.values()))

        yield read
