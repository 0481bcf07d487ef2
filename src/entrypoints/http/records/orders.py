"""`/orders`."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Annotated, Any, ClassVar, TypeAlias

from litestar import Controller
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.access.model import Scope
from domain.errors import UnknownUser
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
    Id,
    Instant,
    JsonAnswer,
    Moment,
    StoredId,
    path_id,
    utc,
)
from entrypoints.http.protocol.operations import delete, get, patch, post, put
from entrypoints.http.protocol.pages import ListQuery, Page
from entrypoints.http.protocol.parameters import (
    Body,
    IdempotentWork,
    InPath,
    MergePatch,
    PageOf,
    ReadsVersion,
    WritesVersion,
)
from entrypoints.http.protocol.preconditions import versioned_response
from ports.records import OrderRepository
from ports.unit_of_work import UnitOfWork

ProductName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]*[^\s\x00][^\x00]*$",
        description="1..255 characters, not blank",
        examples=["oak chair"],
    ),
]
Quantity = Annotated[int, Meta(ge=1, le=2_147_483_647, examples=[2])]
FixedDate = Annotated[
    Moment, Meta(description="Cannot be changed: leave it out, or send the stored value")
]
Ignored = Annotated[Any, Meta(description="Read-only; accepted and ignored")]


class NewOrder(Struct, forbid_unknown_fields=True):
    """An order to create; without `order_date` it is placed now."""

    EXAMPLE: ClassVar = {"user_id": 1, "product_name": "oak chair", "quantity": 2}

    user_id: Id
    product_name: ProductName
    quantity: Quantity
    order_date: Moment | UnsetType = UNSET


class OrderReplacement(Struct, forbid_unknown_fields=True):
    """An order as a whole; what GET returned can be put back."""

    EXAMPLE: ClassVar = NewOrder.EXAMPLE

    user_id: Id
    product_name: ProductName
    quantity: Quantity
    order_date: FixedDate | UnsetType | None = UNSET
    id: Ignored = UNSET


class OrderPatch(Struct, forbid_unknown_fields=True):
    """The fields to change."""

    EXAMPLE: ClassVar = {"quantity": 3}

    user_id: Id | UnsetType = UNSET
    product_name: ProductName | UnsetType = UNSET
    quantity: Quantity | UnsetType = UNSET
    order_date: FixedDate | UnsetType = UNSET


class OrderView(Struct):
    """An order as stored; null stands in rows that another program left incomplete."""

    EXAMPLE: ClassVar = {"id": 1, **NewOrder.EXAMPLE, "order_date": "2026-11-22T09:30:00Z"}

    id: StoredId
    user_id: int | None
    product_name: str
    quantity: int | None
    order_date: Instant | None


class OrderPage(Page[OrderView]):
    """One page, newest first."""


class OrderListQuery(ListQuery, forbid_unknown_fields=True):
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


OrderIdInPath: TypeAlias = Annotated[OrderId, InPath(partial(path_id, what="order"), StoredId)]
Orders = NamedDependency[SkipValidation[OrderRepository]]
Service = NamedDependency[SkipValidation[OrderService]]


class OrderController(Controller):
    """Orders."""

    path = "/orders"
    tags = ("orders",)
    dependencies = {  # noqa: RUF012
        "rules": Provide(lambda: order_violations, sync_to_thread=False)
    }

    @post(scope=Scope.RECORDS_WRITE, errors=[UnknownUser], headers=["Location", "ETag"])
    async def create_order(
        self, once: IdempotentWork, body: Body[NewOrder], order_service: Service
    ) -> JsonAnswer[OrderView]:
        """Create an order."""
        draft = OrderDraft(
            user_id=UserId(body.user_id),
            product_name=body.product_name,
            quantity=body.quantity,
            order_date=utc(body.order_date),
        )

        async def place(orders: OrderService) -> JsonAnswer[OrderView]:
            order = await orders.place(draft)
            headers = {"Location": f"/orders/{order.id}"}
            return versioned_response(order, _view, status=201, headers=headers)

        def in_unit(unit: UnitOfWork) -> Awaitable[JsonAnswer[OrderView]]:
            return place(OrderService(orders=unit.orders))

        return await once.do(in_unit, alone=lambda: place(order_service))

    @get(scope=Scope.RECORDS_READ)
    async def list_orders(
        self, page: PageOf[OrderListQuery], orders: Orders
    ) -> JsonAnswer[OrderPage]:
        """List orders, newest first."""
        query = page.query
        filtered = OrderFilter(
            user_id=None if query.user_id is None else UserId(query.user_id),
            product_name=query.product_name,
            since=utc(query.since),
            until=utc(query.until),
        )
        found = await orders.page(filtered, limit=page.read_limit, before=page.before(OrderId))
        return page.answer(OrderPage, found, _view, lambda order: order.id)

    @get("/{order_id:str}", scope=Scope.RECORDS_READ)
    async def get_order(
        self, order_id: OrderIdInPath, known: ReadsVersion, orders: Orders
    ) -> JsonAnswer[OrderView]:
        """Fetch an order."""
        return known.answer(await orders.get(order_id), _view)

    @put("/{order_id:str}", scope=Scope.RECORDS_WRITE, errors=[UnknownUser])
    async def replace_order(
        self,
        order_id: OrderIdInPath,
        body: Body[OrderReplacement],
        versions: WritesVersion,
        order_service: Service,
    ) -> JsonAnswer[OrderView]:
        """Replace an order's user, product and quantity."""
        changes = OrderChanges(
            user_id=UserId(body.user_id),
            product_name=body.product_name,
            quantity=body.quantity,
            order_date=utc(body.order_date),
        )
        return versioned_response(await order_service.change(order_id, changes, **versions), _view)

    @patch("/{order_id:str}", scope=Scope.RECORDS_WRITE, errors=[UnknownUser])
    async def patch_order(
        self,
        order_id: OrderIdInPath,
        body: MergePatch[OrderPatch],
        versions: WritesVersion,
        order_service: Service,
    ) -> JsonAnswer[OrderView]:
        """Change some fields of an order (JSON merge patch)."""
        changes = OrderChanges(
            user_id=None if body.user_id is UNSET else UserId(body.user_id),
            product_name=None if body.product_name is UNSET else body.product_name,
            quantity=None if body.quantity is UNSET else body.quantity,
            order_date=utc(body.order_date),
        )
        return versioned_response(await order_service.change(order_id, changes, **versions), _view)

    @delete("/{order_id:str}", scope=Scope.RECORDS_WRITE)
    async def delete_order(
        self, order_id: OrderIdInPath, versions: WritesVersion, orders: Orders
    ) -> None:
        """Delete an order."""
        await orders.delete(order_id, **versions)


def _view(order: Order) -> OrderView:
    return OrderView(
        id=order.id,
        user_id=order.user_id,
        product_name=order.product_name,
        quantity=order.quantity,
        order_date=order.order_date,
    )
