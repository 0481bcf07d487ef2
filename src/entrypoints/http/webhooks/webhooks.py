"""`/webhook-endpoints` and `/webhook-deliveries`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, TypeAlias

from litestar import Controller
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from msgspec import Meta

from domain.access.model import Scope
from domain.errors import Conflict, Violation
from domain.webhooks.model import DeliveryId, EndpointDraft, EndpointId, read_delivery_id
from domain.webhooks.service import WebhookService
from entrypoints.http.protocol.answers import Id, JsonAnswer, json_response, path_id
from entrypoints.http.protocol.bodies import Rules
from entrypoints.http.protocol.operations import delete, get, patch, post
from entrypoints.http.protocol.pages import ListQuery
from entrypoints.http.protocol.parameters import (
    Body,
    InPath,
    MergePatch,
    NothingIsReplayed,
    PageOf,
)
from entrypoints.http.webhooks.webhook_views import (
    IssuedWebhookEndpointView,
    NewWebhookEndpoint,
    WebhookDeliveryPage,
    WebhookDeliveryQuery,
    WebhookDeliveryView,
    WebhookEndpointPage,
    WebhookEndpointPatch,
    WebhookEndpointView,
    delivery_view,
    endpoint_view,
    issued_view,
)
from ports.webhooks import WebhookDeliveryRepository, WebhookEndpointRepository

EndpointIdInPath: TypeAlias = Annotated[
    EndpointId, InPath(partial(path_id, what="webhook endpoint"), Id)
]
DeliveryIdInPath: TypeAlias = Annotated[
    DeliveryId,
    InPath(
        read_delivery_id,
        Annotated[str, Meta(examples=[WebhookDeliveryView.EXAMPLE["id"]])],
    ),
]
NotReplayed: TypeAlias = Annotated[
    None,
    NothingIsReplayed("delete the endpoint that GET /webhook-endpoints shows, and ask again"),
]
SecretNotReplayed: TypeAlias = Annotated[None, NothingIsReplayed("ask again")]
Service = NamedDependency[SkipValidation[WebhookService]]
Endpoints = NamedDependency[SkipValidation[WebhookEndpointRepository]]
Deliveries = NamedDependency[SkipValidation[WebhookDeliveryRepository]]


def _rules(webhook_service: Service) -> Rules:
    def violations(members: Mapping[str, object]) -> list[Violation]:
        url, description = members.get("url"), members.get("description")
        return webhook_service.violations(
            url=url if isinstance(url, str) else None,
            description=description if isinstance(description, str) else None,
        )

    return violations


class WebhookEndpointController(Controller):
    """Who is told of events."""

    path = "/webhook-endpoints"
    tags = ("webhooks",)
    dependencies = {"rules": Provide(_rules, sync_to_thread=False)}  # noqa: RUF012

    @post(scope=Scope.ADMIN, headers=["Location"], errors=[Conflict])
    async def create_webhook_endpoint(
        self,
        once: NotReplayed,  # noqa: ARG002 (it refuses)
        body: Body[NewWebhookEndpoint],
        webhook_service: Service,
    ) -> JsonAnswer[IssuedWebhookEndpointView]:
        """Make an endpoint; this answer alone holds its secret."""
        draft = EndpointDraft(url=body.url, events=tuple(body.events), description=body.description)
        issued = await webhook_service.create(draft)
        location = {"Location": f"/webhook-endpoints/{issued.endpoint.id}"}
        return json_response(issued_view(issued), status=201, headers=location)

    @get(scope=Scope.ADMIN)
    async def list_webhook_endpoints(
        self, page: PageOf[ListQuery], webhook_endpoints: Endpoints
    ) -> JsonAnswer[WebhookEndpointPage]:
        """List endpoints, newest first."""
        found = await webhook_endpoints.page(limit=page.read_limit, before=page.before(EndpointId))
        return page.answer(WebhookEndpointPage, found, endpoint_view, lambda each: each.id)

    @get("/{endpoint_id:str}", scope=Scope.ADMIN)
    async def get_webhook_endpoint(
        self, endpoint_id: EndpointIdInPath, webhook_endpoints: Endpoints
    ) -> JsonAnswer[WebhookEndpointView]:
        """Fetch an endpoint, without its secret."""
        return json_response(endpoint_view(await webhook_endpoints.get(endpoint_id)))

    @patch("/{endpoint_id:str}", scope=Scope.ADMIN)
    async def patch_webhook_endpoint(
        self,
        endpoint_id: EndpointIdInPath,
        body: MergePatch[WebhookEndpointPatch],
        webhook_service: Service,
    ) -> JsonAnswer[WebhookEndpointView]:
        """Change some fields of an endpoint, or switch it off and on (JSON merge patch)."""
        changed = await webhook_service.change(endpoint_id, body.changes())
        return json_response(endpoint_view(changed))

    @delete("/{endpoint_id:str}", scope=Scope.ADMIN)
    async def delete_webhook_endpoint(
        self, endpoint_id: EndpointIdInPath, webhook_endpoints: Endpoints
    ) -> None:
        """Delete an endpoint, with its deliveries."""
        await webhook_endpoints.delete(endpoint_id)

    @post("/{endpoint_id:str}/rotate-secret", scope=Scope.ADMIN, status=200)
    async def rotate_webhook_secret(
        self,
        endpoint_id: EndpointIdInPath,
        once: SecretNotReplayed,  # noqa: ARG002 (it refuses)
        webhook_service: Service,
    ) -> JsonAnswer[IssuedWebhookEndpointView]:
        """Give an endpoint another secret; the one before signs too for 24 hours."""
        return json_response(issued_view(await webhook_service.rotate_secret(endpoint_id)))

    @post(
        "/{endpoint_id:str}/test",
        scope=Scope.ADMIN,
        status=202,
        errors=[Conflict],
        headers=["Location"],
    )
    async def test_webhook_endpoint(
        self, endpoint_id: EndpointIdInPath, webhook_service: Service
    ) -> JsonAnswer[WebhookDeliveryView]:
        """Send a `ping`, as events are sent."""
        delivery = await webhook_service.test(endpoint_id)
        location = {"Location": f"/webhook-deliveries/{delivery.id}"}
        return json_response(delivery_view(delivery), status=202, headers=location)


class WebhookDeliveryController(Controller):
    """What was and will be sent."""

    path = "/webhook-deliveries"
    tags = ("webhooks",)

    @get(scope=Scope.ADMIN)
    async def list_webhook_deliveries(
        self, page: PageOf[WebhookDeliveryQuery], webhook_deliveries: Deliveries
    ) -> JsonAnswer[WebhookDeliveryPage]:
        """List deliveries, newest first."""
        query = page.query
        found = await webhook_deliveries.page(
            limit=page.read_limit,
            before=page.position,
            endpoint_id=None if query.endpoint is None else EndpointId(query.endpoint),
            status=query.status,
        )
        return page.answer(WebhookDeliveryPage, found, delivery_view, lambda each: each.number)

    @get("/{delivery_id:str}", scope=Scope.ADMIN)
    async def get_webhook_delivery(
        self, delivery_id: DeliveryIdInPath, webhook_deliveries: Deliveries
    ) -> JsonAnswer[WebhookDeliveryView]:
        """Fetch a delivery."""
        return json_response(delivery_view(await webhook_deliveries.get(delivery_id)))

    @post("/{delivery_id:str}/replay", scope=Scope.ADMIN, status=202, errors=[Conflict])
    async def replay_webhook_delivery(
        self, delivery_id: DeliveryIdInPath, webhook_deliveries: Deliveries
    ) -> JsonAnswer[WebhookDeliveryView]:
        """Send it anew, under the same id."""
        replayed = await webhook_deliveries.replay(delivery_id)
        return json_response(delivery_view(replayed), status=202)
