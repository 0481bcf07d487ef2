"""`storekeeper webhooks`: who is told of events, and what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click
import msgspec

from domain.records.orders import MAX_INT
from domain.webhooks.model import (
    DeliveryStatus,
    EndpointChanges,
    EndpointDraft,
    EndpointId,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    read_delivery_id,
)
from domain.webhooks.service import IssuedEndpoint
from entrypoints.cli.options import examples, help_end
from entrypoints.cli.running import over_container
from entrypoints.cli.tables import age_of, echo_columns, echo_json
from entrypoints.container.commands import now
from entrypoints.container.services import Container
from entrypoints.http.webhooks.webhook_views import delivery_view, endpoint_view, issued_view
from entrypoints.settings import WebhookSettings

_ENDPOINTS: Final = ("ID", "STATE", "EVENTS", "URL", "DESCRIPTION")
_DELIVERIES: Final = ("ID", "ENDPOINT", "EVENT", "STATUS", "ATTEMPTS", "AGE", "ERROR")


@click.group("webhooks", epilog=examples("storekeeper webhooks list"))
def command() -> None:
    """Tell other programs when a job is done or stops: make endpoints, see what was sent."""


_id = click.argument("endpoint_id", metavar="ID", type=click.IntRange(1, MAX_INT))
_as_json = click.option("--json", "as_json", is_flag=True, help="As the API gives it.")


@command.command(
    "create",
    epilog=help_end(
        "storekeeper webhooks create https://erp.example/hooks",
        "storekeeper webhooks create https://erp.example/hooks --event extraction_job.failed",
    ),
)
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice([each.value for each in WebhookEvent]),
    help="What it is told of; may be repeated. [default: everything]",
)
@click.option("--description", default="", help="For people, up to 200 characters.")
@_as_json
def create_command(*, url: str, events: Sequence[str], description: str, as_json: bool) -> None:
    """Send events to URL; prints the secret that signs them, once."""
    chosen = tuple(map(WebhookEvent, events))
    draft = EndpointDraft(url=url, events=chosen, description=description)

    async def work(container: Container) -> IssuedEndpoint:
        return await container.webhook_service().create(draft)

    issued = over_container("webhooks create", work, WebhookSettings)
    _say_issued(issued, "is made", as_json=as_json)


@command.command(
    "list", epilog=help_end("storekeeper webhooks list", "storekeeper webhooks list --json")
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(*, as_json: bool) -> None:
    """List endpoints, newest first."""

    async def work(container: Container) -> Sequence[WebhookEndpoint]:
        # There are never more than a few dozen.
        return await container.webhook_endpoints().page(limit=1000)

    endpoints = over_container("webhooks list", work)
    if as_json:
        views = [msgspec.to_builtins(endpoint_view(each)) for each in endpoints]
        echo_json({"endpoints": views})
    elif endpoints:
        echo_columns([_ENDPOINTS, *map(_endpoint_row, endpoints)])
    else:
        click.echo("There is no endpoint yet; `storekeeper webhooks create` makes one.", err=True)


@command.command("enable", epilog=help_end("storekeeper webhooks enable 3"))
@_id
def enable_command(*, endpoint_id: int) -> None:
    """Send to endpoint ID again; what waited for it is sent now."""
    _change(endpoint_id, "enable", EndpointChanges(enabled=True))


@command.command("disable", epilog=help_end("storekeeper webhooks disable 3"))
@_id
def disable_command(*, endpoint_id: int) -> None:
    """Send nothing to endpoint ID until it is enabled; events meanwhile are not kept for it."""
    _change(endpoint_id, "disable", EndpointChanges(enabled=False))


def _change(endpoint_id: int, name: str, changes: EndpointChanges) -> None:
    async def work(container: Container) -> WebhookEndpoint:
        return await container.webhook_service().change(EndpointId(endpoint_id), changes)

    endpoint = over_container(f"webhooks {name}", work, WebhookSettings)
    click.echo(f"Endpoint {endpoint.id} is {_state(endpoint)}.")


@command.command("delete", epilog=help_end("storekeeper webhooks delete 3"))
@_id
def delete_command(*, endpoint_id: int) -> None:
    """Delete endpoint ID, with its deliveries."""

    async def work(container: Container) -> None:
        await container.webhook_endpoints().delete(EndpointId(endpoint_id))

    over_container("webhooks delete", work)
    click.echo(f"Endpoint {endpoint_id} is deleted.")


@command.command("rotate", epilog=help_end("storekeeper webhooks rotate 3"))
@_id
@_as_json
def rotate_command(*, endpoint_id: int, as_json: bool) -> None:
    """Give endpoint ID another secret, and print it, once; the old one signs too for 24 hours."""

    async def work(container: Container) -> IssuedEndpoint:
        return await container.webhook_service().rotate_secret(EndpointId(endpoint_id))

    issued = over_container("webhooks rotate", work, WebhookSettings)
    _say_issued(issued, "has another secret; the old one signs too for 24 hours", as_json=as_json)


@command.command("test", epilog=help_end("storekeeper webhooks test 3"))
@_id
@_as_json
def test_command(*, endpoint_id: int, as_json: bool) -> None:
    """Have a worker send a `ping` to endpoint ID; `webhooks deliveries` shows what came of it."""

    async def work(container: Container) -> WebhookDelivery:
        return await container.webhook_service().test(EndpointId(endpoint_id))

    _say_due(over_container("webhooks test", work, WebhookSettings), as_json=as_json)


@command.command(
    "deliveries",
    epilog=help_end(
        "storekeeper webhooks deliveries",
        "storekeeper webhooks deliveries --endpoint 3 --status failed",
    ),
)
@click.option("--endpoint", type=click.IntRange(1, MAX_INT), help="Only to this endpoint.")
@click.option(
    "--status",
    type=click.Choice([each.value for each in DeliveryStatus]),
    help="Only those that stand so.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Deliveries, at most.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def deliveries_command(
    *, endpoint: int | None, status: str | None, limit: int, as_json: bool
) -> None:
    """List what was sent and what will be, newest first."""

    async def work(container: Container) -> Sequence[WebhookDelivery]:
        return await container.webhook_deliveries().page(
            limit=limit + 1,
            endpoint_id=None if endpoint is None else EndpointId(endpoint),
            status=None if status is None else DeliveryStatus(status),
        )

    found = over_container("webhooks deliveries", work)
    if as_json:
        views = [msgspec.to_builtins(delivery_view(each)) for each in found[:limit]]
        echo_json({"deliveries": views})
    elif found:
        at = now()
        echo_columns([_DELIVERIES, *(_delivery_row(each, at) for each in found[:limit])])
    else:
        click.echo("There is no such delivery.", err=True)
    if len(found) > limit:
        click.echo(f"There are more than {limit}; say --limit for more.", err=True)


@command.command(
    "replay",
    epilog=help_end("storekeeper webhooks replay msg_0b6c1f5e-9a3d-4c57-8f0e-2d1b7a94c3e6"),
)
@click.argument("delivery_id", metavar="ID")
@_as_json
def replay_command(*, delivery_id: str, as_json: bool) -> None:
    """Send delivery ID (msg_...) anew, under the same id."""

    async def work(container: Container) -> WebhookDelivery:
        return await container.webhook_deliveries().replay(read_delivery_id(delivery_id))

    _say_due(over_container("webhooks replay", work), as_json=as_json)


def _say_issued(issued: IssuedEndpoint, how: str, *, as_json: bool) -> None:
    """The secret, alone on stdout, and what there is to know on stderr."""
    click.echo(
        f"Endpoint {issued.endpoint.id} {how}. Keep its secret now: it is not shown again.",
        err=True,
    )
    if as_json:
        echo_json(msgspec.to_builtins(issued_view(issued)))
    else:
        click.echo(issued.secret)


def _say_due(delivery: WebhookDelivery, *, as_json: bool) -> None:
    if as_json:
        echo_json(msgspec.to_builtins(delivery_view(delivery)))
    else:
        click.echo(f"{delivery.id} will be sent to endpoint {delivery.endpoint_id} by a worker.")


def _state(endpoint: WebhookEndpoint) -> str:
    reason = endpoint.disabled_reason
    return "enabled" if reason is None else f"disabled ({reason.value})"


def _endpoint_row(endpoint: WebhookEndpoint) -> Sequence[str]:
    events = ",".join(endpoint.events) or "all"
    return str(endpoint.id), _state(endpoint), events, endpoint.url, endpoint.description


def _delivery_row(delivery: WebhookDelivery, at: datetime) -> Sequence[str]:
    return (
        delivery.id,
        str(delivery.endpoint_id),
        delivery.event,
        delivery.status,
        str(delivery.attempts),
        age_of(at - delivery.created_at),
        delivery.last_error or "",
    )
