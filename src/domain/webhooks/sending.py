"""How events are signed, when an attempt is made again, and when it is given up.

By the rules of Standard Webhooks (standardwebhooks.com).
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from domain.webhooks.model import (
    PING,
    AttemptResult,
    DeliveryStatus,
    DisabledReason,
    EndpointId,
    Settlement,
)

SECRET_BYTES: Final = 32
SECRET_START: Final = "whsec_"  # noqa: S105 (what every secret begins with)
RETRY_DELAYS_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before the second attempt and the following: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h."""
_LONGEST_WAIT_S: Final = 86_400.0
_JITTER: Final = 0.1
_GONE: Final = 410


def secret_of(random_bytes: bytes) -> str:
    """The secret that `random_bytes` (24..64) make."""
    return SECRET_START + b64encode(random_bytes).decode()


def signed_headers(
    message_id: str, body: bytes, secrets: Sequence[str], now: datetime
) -> Mapping[str, str]:
    """The headers by which a receiver knows the sender and the time.

    Args:
        message_id: the same in every attempt.
        body: what is sent, to the byte.
        secrets: of the form `whsec_...`; each signs.
        now: aware.
    """
    timestamp = str(int(now.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        b64encode(hmac.digest(b64decode(secret.removeprefix(SECRET_START)), content, "sha256"))
        for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each.decode()}" for each in signatures),
    }


def ping_body(endpoint_id: EndpointId, now: datetime) -> str:
    """What a test sends; the bodies of events are made where the events are stored."""
    moment = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return json.dumps({"type": PING, "timestamp": moment, "data": {"endpoint_id": endpoint_id}})


def settlement_of(result: AttemptResult, attempts: int, chance: float) -> Settlement:
    """What becomes of a delivery.

    Args:
        result: of its last attempt.
        attempts: how many were begun (>= 1).
        chance: 0..1, spreads attempts that failed at once.
    """
    if result.status is not None and 200 <= result.status < 300:
        return Settlement(status=DeliveryStatus.DELIVERED)
    error = result.error or f"answered {result.status}"
    if result.status is not None and 300 <= result.status < 400:
        error += "; redirects are not followed: name where it leads"
    if result.status == _GONE:
        return Settlement(status=DeliveryStatus.FAILED, error=error, disables=DisabledReason.GONE)
    if attempts > len(RETRY_DELAYS_S):
        return Settlement(
            status=DeliveryStatus.FAILED, error=error, disables=DisabledReason.FAILING
        )
    delay_s = RETRY_DELAYS_S[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    asked_s = min(result.retry_after_s or 0.0, _LONGEST_WAIT_S)
    return Settlement(status=DeliveryStatus.PENDING, delay_s=max(delay_s, asked_s), error=error)
