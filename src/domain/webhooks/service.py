"""What can be done with the endpoints of webhooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.errors import InvalidInput, Violation
from domain.text import storable_problem
from domain.webhooks.addresses import Network, url_problem
from domain.webhooks.model import (
    MAX_DESCRIPTION,
    EndpointChanges,
    EndpointDraft,
    EndpointId,
    WebhookDelivery,
    WebhookEndpoint,
)
from domain.webhooks.sending import SECRET_BYTES, ping_body, secret_of
from ports.clock import Clock
from ports.webhooks import WebhookDeliveryRepository, WebhookEndpointRepository

OVERLAP: Final = timedelta(hours=24)
"""How long the secret before a rotation signs too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedEndpoint:
    """An endpoint with a new secret, which no other answer holds."""

    endpoint: WebhookEndpoint
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookService:
    """Makes endpoints, changes them, gives them other secrets and tests them.

    Attributes:
        random_bytes: as many as are asked for, fit for secrets.
        allowed_networks: that events may be sent to though they are not public.
    """

    endpoints: WebhookEndpointRepository
    deliveries: WebhookDeliveryRepository
    clock: Clock
    random_bytes: Callable[[int], bytes]
    allowed_networks: Sequence[Network]

    def violations(self, *, url: str | None, description: str | None) -> list[Violation]:
        """What is wrong with these members; None for one that is not given."""
        found = []
        if url is not None and (problem := url_problem(url, self.allowed_networks)):
            found.append(Violation(pointer="/url", detail=problem))
        if description is not None and (problem := _description_problem(description)):
            found.append(Violation(pointer="/description", detail=problem))
        return found

    async def create(self, draft: EndpointDraft) -> IssuedEndpoint:
        """Make an endpoint, with a secret of its own.

        Raises:
            InvalidInput: names every bad member.
            Conflict: there are 50 already.
        """
        if faults := self.violations(url=draft.url, description=draft.description):
            raise InvalidInput.of(faults)
        secret = secret_of(self.random_bytes(SECRET_BYTES))
        draft = replace(draft, events=tuple(dict.fromkeys(draft.events)))
        return IssuedEndpoint(endpoint=await self.endpoints.add(draft, secret), secret=secret)

    async def change(self, endpoint_id: EndpointId, changes: EndpointChanges) -> WebhookEndpoint:
        """Change an endpoint; what is enabled again gets what waited for it.

        Raises:
            InvalidInput: names every bad member.
            NotFound: no such endpoint.
        """
        if faults := self.violations(url=changes.url, description=changes.description):
            raise InvalidInput.of(faults)
        if not changes.members:
            return await self.endpoints.get(endpoint_id)
        if changes.events is not None:
            changes = replace(changes, events=tuple(dict.fromkeys(changes.events)))
        return await self.endpoints.change(endpoint_id, changes)

    async def rotate_secret(self, endpoint_id: EndpointId) -> IssuedEndpoint:
        """Give an endpoint another secret; the one before signs too for 24 hours.

        Raises:
            NotFound: no such endpoint.
        """
        secret = secret_of(self.random_bytes(SECRET_BYTES))
        endpoint = await self.endpoints.rotate(endpoint_id, secret, overlap=OVERLAP)
        return IssuedEndpoint(endpoint=endpoint, secret=secret)

    async def test(self, endpoint_id: EndpointId) -> WebhookDelivery:
        """Send a `ping`, as events are sent.

        Raises:
            NotFound: no such endpoint.
            Conflict: it is disabled.
        """
        body = ping_body(endpoint_id, self.clock.now())
        return await self.deliveries.add_ping(endpoint_id, body)


def _description_problem(description: str) -> str | None:
    if len(description) > MAX_DESCRIPTION:
        return f"must have at most {MAX_DESCRIPTION} characters, has {len(description)}"
    return storable_problem(description)
