"""Users and their orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec
from httpx2 import Response

from storekeeper_client.calls import (
    JSON,
    MERGE_PATCH,
    Call,
    Page,
    conditions,
    encoded,
    etag_of,
    given,
    members,
    nothing,
    once,
    page_reader,
    path_of,
    reads,
)
from storekeeper_client.errors import Moment
from storekeeper_client.resources import D, Listing, Operation, Resource

R = TypeVar("R", bound=msgspec.Struct)
V = TypeVar("V", bound=msgspec.Struct)

_UNCHANGED: Final = frozenset({304})


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of the shop; `created_at` is None where another program left it out."""

    id: int
    name: str
    email: str
    created_at: Moment | None


class VersionedUser(User, frozen=True, kw_only=True):
    """A user with its version, to be sent back as `if_match`."""

    etag: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a user bought; None stands in rows that another program left incomplete."""

    id: int
    user_id: int | None
    product_name: str
    quantity: int | None
    order_date: Moment | None


class VersionedOrder(Order, frozen=True, kw_only=True):
    """An order with its version, to be sent back as `if_match`."""

    etag: str


def _versioned(kind: type[R], versioned: type[V]) -> Callable[[Response], V]:
    """The reader of a record that comes with its version."""
    read = reads(kind)
    return lambda answer: versioned(**msgspec.structs.asdict(read(answer)), etag=etag_of(answer))


def _got_if_changed(path: str, etag: str, read: Callable[[Response], V]) -> Call[V | None]:
    return Call(
        method="GET",
        path=path,
        headers=conditions(if_none_match=etag),
        read=lambda answer: None if answer.status_code in _UNCHANGED else read(answer),
        expected=_UNCHANGED,
    )


def _created(
    path: str,
    read: Callable[[Response], V],
    values: Mapping[str, object],
    idempotency_key: str | None,
) -> Call[V]:
    headers = {"Content-Type": JSON, **once(idempotency_key)}
    return Call(method="POST", path=path, headers=headers, body=encoded(values), read=read)


def _changed(
    method: Literal["PUT", "PATCH"],
    path: str,
    read: Callable[[Response], V],
    values: Mapping[str, object],
    *,
    if_match: str | None,
    if_none_match: str | None,
) -> Call[V]:
    media_type = JSON if method == "PUT" else MERGE_PATCH
    held = conditions(if_match=if_match, if_none_match=if_none_match)
    headers = {"Content-Type": media_type, **held}
    return Call(method=method, path=path, headers=headers, body=encoded(values), read=read)


_USER: Final = _versioned(User, VersionedUser)
_USERS: Final = page_reader(User)
_ORDER: Final = _versioned(Order, VersionedOrder)
_ORDERS: Final = page_reader(Order)


class Users(Resource[D]):
    """`/users`. Needs the scope `records:read`, to change something `records:write`."""

    @Listing
    def list(self, *, email: str | None = None, page_size: int | None = None) -> Call[Page[User]]:
        """Users, newest first.

        Args:
            email: only the user with this mailbox, however it is spelt.
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(email=email, limit=page_size)
        return Call(method="GET", path="/users", query=query, read=_USERS)

    @Operation
    def get(self, user_id: int) -> Call[VersionedUser]:
        """A user.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("users", user_id), read=_USER)

    @Operation
    def get_if_changed(self, user_id: int, etag: str) -> Call[VersionedUser | None]:
        """A user, or None where it is still in this version."""
        return _got_if_changed(path_of("users", user_id), etag, _USER)

    @Operation
    def create(
        self, *, name: str, email: str, idempotency_key: str | None = None
    ) -> Call[VersionedUser]:
        """A new user.

        Args:
            name: 1..255 characters, not blank.
            email: of a mailbox that no other user has.
            idempotency_key: your name for the request, to send it again from another process; one
                is made if not given.

        Raises:
            Conflict: `email_taken`.
            InvalidInput: `errors` names each bad member.
        """
        return _created("/users", _USER, members(name=name, email=email), idempotency_key)

    @Operation
    def replace(
        self,
        user_id: int,
        *,
        name: str,
        email: str,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Call[VersionedUser]:
        """A user with another name and address.

        Args:
            user_id: which.
            name: 1..255 characters, not blank.
            email: of a mailbox that no other user has.
            if_match: the `etag` that it must still have; without it, it is changed whatever
                happened to it, and not tried again when an answer is lost.
            if_none_match: the `etag` that it must not have.

        Raises:
            NotFound: there is none.
            PreconditionFailed: it is in another version.
            Conflict: `email_taken`.
            InvalidInput: `errors` names each bad member.
        """
        return _changed(
            "PUT",
            path_of("users", user_id),
            _USER,
            members(name=name, email=email),
            if_match=if_match,
            if_none_match=if_none_match,
        )

    @Operation
    def patch(
        self,
        user_id: int,
        *,
        name: str | None = None,
        email: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Call[VersionedUser]:
        """A user of whom something is changed; what is None stays. See `replace`."""
        return _changed(
            "PATCH",
            path_of("users", user_id),
            _USER,
            members(name=name, email=email),
            if_match=if_match,
            if_none_match=if_none_match,
        )

    @Operation
    def delete(
        self, user_id: int, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Call[None]:
        """Delete a user.

        Raises:
            NotFound: there is none.
            PreconditionFailed: it is in another version.
            Conflict: `user_has_orders`.
        """
        return Call(
            method="DELETE",
            path=path_of("users", user_id),
            headers=conditions(if_match=if_match, if_none_match=if_none_match),
            read=nothing,
        )


class Orders(Resource[D]):
    """`/orders`. Needs the scope `records:read`, to change something `records:write`."""

    @Listing
    def list(
        self,
        *,
        user_id: int | None = None,
        product_name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int | None = None,
    ) -> Call[Page[Order]]:
        """Orders, newest first.

        Args:
            user_id: only those of this user.
            product_name: only those of this product, to the letter.
            since: placed at or after this time, which has a time zone.
            until: placed before this time, which has a time zone.
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(
            user_id=user_id, product_name=product_name, from_=since, to=until, limit=page_size
        )
        return Call(method="GET", path="/orders", query=query, read=_ORDERS)

    @Operation
    def get(self, order_id: int) -> Call[VersionedOrder]:
        """An order.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("orders", order_id), read=_ORDER)

    @Operation
    def get_if_changed(self, order_id: int, etag: str) -> Call[VersionedOrder | None]:
        """An order, or None where it is still in this version."""
        return _got_if_changed(path_of("orders", order_id), etag, _ORDER)

    @Operation
    def create(
        self,
        *,
        user_id: int,
        product_name: str,
        quantity: int,
        order_date: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Call[VersionedOrder]:
        """A new order.

        Args:
            user_id: who buys.
            product_name: 1..255 characters, not blank.
            quantity: 1..2147483647.
            order_date: when, with a time zone; now if not given.
            idempotency_key: your name for the request, to send it again from another process; one
                is made if not given.

        Raises:
            InvalidInput: `errors` names each bad member; `unknown_user` without such a user.
        """
        values = members(
            user_id=user_id, product_name=product_name, quantity=quantity, order_date=order_date
        )
        return _created("/orders", _ORDER, values, idempotency_key)

    @Operation
    def replace(
        self,
        order_id: int,
        *,
        user_id: int,
        product_name: str,
        quantity: int,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Call[VersionedOrder]:
        """An order of another user, product and quantity; its date stays.

        Args:
            order_id: which.
            user_id: who buys.
            product_name: 1..255 characters, not blank.
            quantity: 1..2147483647.
            if_match: the `etag` that it must still have; without it, it is changed whatever
                happened to it, and not tried again when an answer is lost.
            if_none_match: the `etag` that it must not have.

        Raises:
            NotFound: there is none.
            PreconditionFailed: it is in another version.
            InvalidInput: `errors` names each bad member.
        """
        values = members(user_id=user_id, product_name=product_name, quantity=quantity)
        return _changed(
            "PUT",
            path_of("orders", order_id),
            _ORDER,
            values,
            if_match=if_match,
            if_none_match=if_none_match,
        )

    @Operation
    def patch(
        self,
        order_id: int,
        *,
        user_id: int | None = None,
        product_name: str | None = None,
        quantity: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Call[VersionedOrder]:
        """An order of which something is changed; what is None stays. See `replace`."""
        values = members(user_id=user_id, product_name=product_name, quantity=quantity)
        return _changed(
            "PATCH",
            path_of("orders", order_id),
            _ORDER,
            values,
            if_match=if_match,
            if_none_match=if_none_match,
        )

    @Operation
    def delete(
        self, order_id: int, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Call[None]:
        """Delete an order.

        Raises:
            NotFound: there is none.
            PreconditionFailed: it is in another version.
        """
        return Call(
            method="DELETE",
            path=path_of("orders", order_id),
            headers=conditions(if_match=if_match, if_none_match=if_none_match),
            read=nothing,
        )
