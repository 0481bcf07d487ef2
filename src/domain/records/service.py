"""What can be done with users and orders."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from domain.errors import InvalidInput, Violation
from domain.records.orders import Order, OrderChanges, OrderDraft, OrderId, order_violations
from domain.records.users import User, UserChanges, UserDraft, UserId, name_violations
from ports.records import EmailSyntax, OrderRepository, UserRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    """Holds the rules that a user must meet before anything is stored."""

    users: UserRepository
    email_syntax: EmailSyntax

    def violations(self, members: Mapping[str, object]) -> list[Violation]:
        """What is wrong with well-typed members; absent ones and None are right."""
        found = name_violations(members)
        email = members.get("email")
        problem = self.email_syntax.problem(email) if isinstance(email, str) else None
        if problem is not None:
            found.append(Violation(pointer="/email", detail=problem))
        return found

    def within(self, users: UserRepository) -> UserService:
        """The same rules over the repository of a unit of work."""
        return replace(self, users=users)

    async def register(self, draft: UserDraft) -> User:
        """Store a new user.

        Raises:
            InvalidInput: names every bad member.
            EmailTaken: see `UserRepository.add`.
        """
        self._check({"name": draft.name, "email": draft.email})
        return await self.users.add(draft)

    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """Change what `changes` holds, as the versions allow.

        Raises:
            InvalidInput: names every bad member.
            NotFound, PreconditionFailed, EmailTaken: see `UserRepository.change`.
        """
        self._check({"name": changes.name, "email": changes.email})
        return await self.users.change(
            user_id, changes, if_version=if_version, unless_version=unless_version
        )

    def _check(self, members: Mapping[str, object]) -> None:
        _refuse(self.violations(members))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderService:
    """Holds the rules that an order must meet before anything is stored."""

    orders: OrderRepository

    async def place(self, draft: OrderDraft) -> Order:
        """Store a new order.

        Raises:
            InvalidInput: names every bad member.
            UnknownUser: see `OrderRepository.add`.
        """
        _refuse(
            order_violations(
                {
                    "user_id": draft.user_id,
                    "product_name": draft.product_name,
                    "quantity": draft.quantity,
                }
            )
        )
        return await self.orders.add(draft)

    async def change(
        self,
        order_id: OrderId,
        changes: OrderChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> Order:
        """Change what `changes` holds, as the versions allow.

        Raises:
            InvalidInput: names every bad member.
            NotFound, PreconditionFailed, UnknownUser: see `OrderRepository.change`.
        """
        _refuse(
            order_violations(
                {
                    "user_id": changes.user_id,
                    "product_name": changes.product_name,
                    "quantity": changes.quantity,
                }
            )
        )
        return await self.orders.change(
            order_id, changes, if_version=if_version, unless_version=unless_version
        )


def _refuse(found: list[Violation]) -> None:
    if found:
        raise InvalidInput.of(found)
