"""How batches are made and looked after."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPace:
    """How batches are made and looked after.

    Attributes:
        documents: of one batch, at most (>= 1).
        poll_s: how often a provider is asked how a batch stands.
        lease_s: after so long without a sign of life another process looks after a batch.
        unsure_s: so long after a submission of unknown end a provider may still show the batch.
        retry_s: wait after a failure of the provider.
        concurrency: answers that are read, and asked again where needed, at once.
    """

    documents: int = 2_000
    poll_s: float = 30.0
    lease_s: float = 60.0
    unsure_s: float = 120.0
    retry_s: float = 60.0
    concurrency: int = 16
