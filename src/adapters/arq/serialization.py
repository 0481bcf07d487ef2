"""Jobs in the queue as JSON: arq's own pickle would run whatever a writer of the queue sends."""

from __future__ import annotations

from typing import Any

import msgspec


def encode_job(job: Any) -> bytes:
    """A job, or its result, as JSON; an exception or the like as its `repr`."""
    return msgspec.json.encode(job, enc_hook=repr)


def decode_job(data: bytes) -> Any:
    """What `encode_job` wrote; tuples come back as lists."""
    return msgspec.json.decode(data)
