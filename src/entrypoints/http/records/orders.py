"""`/orders`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.errors import (
    IdempotencyKeyReused,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    UnknownUser,
    Violation,
)
from domain.records.orders import (
    Order,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    OrderId,
    order_violations,
)
from domain.records.service import OrderService
from domain.records.users import UserId
from entrypoints.http.protocol.answers import (
    DEFAULT_LIMIT,
    Cursor,
    Id,
    Limit,
    Moment,
    StoredId,
    json_response,
    out_of_years,
    page_response,
    path_id,
    utc,
)
from entrypoints.http.protocol.bodies import JSON, MERGE_PATCH, read_body
from entrypoints.http.protocol.cursors import Cursors, read_page
from entrypoints.http.protocol.idempotency import idempotency_key, once
from entrypoints.http.protocol.openapi import DATABASE_ERRORS, contract
from entrypoints.http.protocol.preconditions import conditions, etag, not_modified
from ports.records import OrderRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

ProductName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*\S[^\x00]*$",
        description="1..255 characters, not blank",
        examples=["oak chair"],
    ),
]
Quantity = Annotated[int, Meta(ge=1, le=2_147_483_647, examples=[2])]
FixedDate = Annotated[
    Moment, Meta(description="Cannot be changed: leave it out, or send the stored value")
]
Ignored = Annotated[Any, Meta(description="Read-only; accepted and ignored")]

_EXAMPLE: Final = {
    "id": 1,
    "user_id": 1,
    "product_name": "oak chair",
    "quantity": 2,
    "order_date": "2026-11-22T09:30:00Z",
}
_DATE_RANGE: Final = out_of_years("order_date", at="/")
_BODY: Final = {"user_id": 1, "product_name": "oak chair", "quantity": 2}


class OrderBody(Struct, forbid_unknown_fields=True):
    """An order to create; without `order_date` it is placed now."""

    user_id: Id
    product_name: ProductName
    quantity: Quantity
    order_date: Moment | UnsetType = UNSET


class OrderReplacement(Struct, forbid_unknown_fields=True):
    """An order as a whole; what GET returned can be put back."""

    user_id: Id
    product_name: ProductName
    quantity: Quantity
    order_date: FixedDate | UnsetType | None = UNSET
    id: Ignored = UNSET


class OrderPatch(Struct, forbid_unknown_fields=True):
    """The members to change."""

    user_id: Id | UnsetType = UNSET
    product_name: ProductName | UnsetType = UNSET
    quantity: Quantity | UnsetType = UNSET
    order_date: FixedDate | UnsetType = UNSET


class OrderView(Struct):
    """An order as stored; null stands in rows that another program left incomplete."""

    id: StoredId
    user_id: int | None
    product_name: str
    quantity: int | None
    order_date: datetime | None


class OrderPage(Struct):
    """One page, newest first."""

    items: list[OrderView]
    next: str | None


class OrderQuery(Struct, forbid_unknown_fields=True):
    """Filters and position of the list."""

    user_id: Annotated[Id, Meta(description="Only orders of this user")] | None = None
    product_name: (
        Annotated[
            str,
            Meta(
                max_length=255,
                pattern=r"^[^\x00]*$",
                description="Only orders of this product, to the letter",
            ),
        ]
        | None
    ) = None
    since: Annotated[Moment, Meta(description="Placed at or after this time")] | None = field(
        default=None, name="from"
    )
    until: Annotated[Moment, Meta(description="Placed before this time")] | None = field(
        default=None, name="to"
    )
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


Orders = NamedDependency[SkipValidation[OrderRepository]]
Service = NamedDependency[SkipValidation[OrderService]]
Units = NamedDependency[SkipValidation[UnitOfWorkFactory]]
Sealer = NamedDependency[SkipValidation[Cursors]]


class OrderController(Controller):
    """Orders."""

    path = "/orders"

    @post(
        opt=contract(
            summary="Create an order",
            tag="orders",
            status=201,
            returns=OrderView,
            example=_EXAMPLE,
            body=OrderBody,
            body_example=_BODY,
            errors=(UnknownUser, RequestInProgress, IdempotencyKeyReused, *DATABASE_ERRORS),
            request_headers=("Idempotency-Key",),
            response_headers=("Location", "ETag", "Idempotency-Replayed"),
        )
    )
    async def create_order(
        self, request: Request[Any, Any, Any], order_service: Service, open_unit: Units
    ) -> Response[bytes]:
        """Create one."""
        key = idempotency_key(request)
        body = await read_body(request, OrderBody, _violations)
        draft = OrderDraft(
            user_id=UserId(body.user_id),
            product_name=body.product_name,
            quantity=body.quantity,
            order_date=utc(body.order_date),
        )

        async def place(service: OrderService) -> Response[bytes]:
            order = await service.place(draft)
            return _respond(order, status=201, headers={"Location": f"/orders/{order.id}"})

        if key is None:
            return await place(order_service)

        async def in_unit(unit: UnitOfWork) -> Response[bytes]:
            return await place(OrderService(orders=unit.orders))

        return await once(request, key, open_unit, in_unit)

    @get(
        opt=contract(
            summary="List orders, newest first",
            tag="orders",
            returns=OrderPage,
            example={"items": [_EXAMPLE], "next": None},
            query=OrderQuery,
            errors=DATABASE_ERRORS,
            response_headers=("Link",),
        )
    )
    async def list_orders(
        self, request: Request[Any, Any, Any], orders: Orders, cursors: Sealer
    ) -> Response[bytes]:
        """One page."""
        query, filters, before = read_page(
            request, OrderQuery, cursors, self.path, out_of_years("from", "to")
        )
        filtered = OrderFilter(
            user_id=None if query.user_id is None else UserId(query.user_id),
            product_name=query.product_name,
            since=utc(query.since),
            until=utc(query.until),
        )
        found = await orders.page(
            filtered,
            limit=query.limit + 1,
            before=None if before is None else OrderId(before),
        )
        items = [_view(order) for order in found[: query.limit]]
        more = len(found) > query.limit
        return page_response(
            items,
            cursors.next_path(self.path, filters, items[-1].id, query.limit) if more else None,
        )

    @get(
        "/{order_id:str}",
        opt=contract(
            summary="Fetch an order",
            tag="orders",
            returns=OrderView,
            example=_EXAMPLE,
            path={"order_id": StoredId},
            errors=(NotFound, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def get_order(
        self, request: Request[Any, Any, Any], order_id: FromPath[str], orders: Orders
    ) -> Response[bytes]:
        """Fetch one."""
        order = await orders.get(_id(order_id))
        if not_modified(request, order.version):
            return Response(b"", status_code=304, headers={"ETag": etag(order.version)})
        return _respond(order)

    @put(
        "/{order_id:str}",
        opt=contract(
            summary="Replace an order's user, product and quantity",
            tag="orders",
            returns=OrderView,
            example=_EXAMPLE,
            path={"order_id": StoredId},
            body=OrderReplacement,
            body_example=_BODY,
            errors=(NotFound, UnknownUser, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def replace_order(
        self, request: Request[Any, Any, Any], order_id: FromPath[str], order_service: Service
    ) -> Response[bytes]:
        """Replace one."""
        identity = _id(order_id)
        body = await read_body(request, OrderReplacement, _violations)
        changes = OrderChanges(
            user_id=UserId(body.user_id),
            product_name=body.product_name,
            quantity=body.quantity,
            order_date=utc(body.order_date),
        )
        return _respond(await order_service.change(identity, changes, **conditions(request)))

    @patch(
        "/{order_id:str}",
        opt=contract(
            summary="Change some members of an order (JSON merge patch)",
            tag="orders",
            returns=OrderView,
            example=_EXAMPLE,
            path={"order_id": StoredId},
            body=OrderPatch,
            body_types=(MERGE_PATCH, JSON),
            body_example={"quantity": 3},
            errors=(NotFound, UnknownUser, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            response_headers=("ETag",),
        ),
    )
    async def patch_order(
        self, request: Request[Any, Any, Any], order_id: FromPath[str], order_service: Service
    ) -> Response[bytes]:
        """Change some members of one."""
        identity = _id(order_id)
        body = await read_body(request, OrderPatch, _violations, (MERGE_PATCH, JSON))
        changes = OrderChanges(
            user_id=None if body.user_id is UNSET else UserId(body.user_id),
            product_name=None if body.product_name is UNSET else body.product_name,
            quantity=None if body.quantity is UNSET else body.quantity,
            order_date=utc(body.order_date),
        )
        return _respond(await order_service.change(identity, changes, **conditions(request)))

    @delete(
        "/{order_id:str}",
        opt=contract(
            summary="Delete an order",
            tag="orders",
            status=204,
            path={"order_id": StoredId},
            errors=(NotFound, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
        ),
    )
    async def delete_order(
        self, request: Request[Any, Any, Any], order_id: FromPath[str], orders: Orders
    ) -> None:
        """Delete one."""
        await orders.delete(_id(order_id), **conditions(request))


def _violations(members: Mapping[str, object]) -> list[Violation]:
    return [*order_violations(members), *_DATE_RANGE(members)]


def _id(raw: str) -> OrderId:
    return OrderId(path_id(raw, "order"))


def _view(order: Order) -> OrderView:
    return OrderView(
        id=order.id,
        user_id=order.user_id,
        product_name=order.product_name,
        quantity=order.quantity,
        order_date=order.order_date,
    )


def _respond(
    order: Order, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    return json_response(
        _view(order), status=status, headers={"ETag": etag(order.version), **(headers or {})}
    )
