"""A model whose client is made when it is first asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ports.language_model import Answer, Budget, LanguageModel, ModelProfile, Prompt


class OnDemandLanguageModel(LanguageModel):
    """Opens another model at the first call: each SDK takes a second to import.

    Args:
        profile: what the other model's profile will be.
        open_: makes it; called once, and again only if it failed.
    """

    def __init__(
        self, profile: ModelProfile, open_: Callable[[], Awaitable[LanguageModel]]
    ) -> None:
        self._profile = profile
        self._open = open_
        self._opening = asyncio.Lock()
        self._inner: LanguageModel | None = None

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
        """See the port."""
        if self._inner is None:
            async with self._opening:
                if self._inner is None:
                    self._inner = await self._open()
        return await self._inner.complete(prompt, budget)
