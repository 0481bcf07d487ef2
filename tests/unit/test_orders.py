from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput, PreconditionFailed, UnknownUser
from domain.records.orders import (
    MAX_INT,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    order_violations,
)
from domain.records.service import OrderService
from domain.records.users import UserDraft, UserId
from tests.fakes.records import MemoryOrderRepository, MemoryUserRepository
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables

NOBODY = UserId(MAX_INT)


@pytest.fixture
def tables() -> RecordTables:
    return RecordTables(clock=StandingClock())


@pytest.fixture
def service(tables: RecordTables) -> OrderService:
    return OrderService(orders=MemoryOrderRepository(tables))


@pytest.fixture
async def ann(tables: RecordTables) -> UserId:
    draft = UserDraft(name="Ann", email="ann@example.com")
    return (await MemoryUserRepository(tables).add(draft)).id


async def test_a_placed_order_is_stored(service: OrderService, ann: UserId) -> None:
    order = await service.place(OrderDraft(user_id=ann, product_name="oak chair", quantity=2))
    assert await service.orders.get(order.id) == order
    assert order.order_date == StandingClock().now()


async def test_every_bad_member_of_a_new_order_is_named(service: OrderService) -> None:
    draft = OrderDraft(user_id=UserId(0), product_name=" ", quantity=MAX_INT + 1)
    with pytest.raises(InvalidInput, match="3 fields are invalid") as refusal:
        await service.place(draft)
    assert {each.pointer for each in refusal.value.violations} == {
        "/user_id",
        "/product_name",
        "/quantity",
    }
    assert await service.orders.page(OrderFilter(), limit=1) == []


async def test_an_order_for_nobody_is_refused(service: OrderService) -> None:
    with pytest.raises(UnknownUser):
        await service.place(OrderDraft(user_id=NOBODY, product_name="oak chair", quantity=1))


async def test_a_change_is_held_to_the_same_rules(service: OrderService, ann: UserId) -> None:
    order = await service.place(OrderDraft(user_id=ann, product_name="oak chair", quantity=2))
    with pytest.raises(InvalidInput) as refusal:
        await service.change(order.id, OrderChanges(quantity=0, product_name="x" * 256))
    assert [each.pointer for each in refusal.value.violations] == ["/quantity", "/product_name"]
    with pytest.raises(PreconditionFailed):
        await service.change(order.id, OrderChanges(quantity=3), if_version={9})
    assert await service.orders.get(order.id) == order
    changed = await service.change(order.id, OrderChanges(quantity=3), if_version={1})
    assert (changed.quantity, changed.version) == (3, 2)


@given(st.sampled_from(["user_id", "quantity"]), st.integers())
def test_numbers_are_right_exactly_when_the_column_holds_them_above_zero(
    name: str, number: int
) -> None:
    found = [each.pointer for each in order_violations({name: number})]
    assert found == ([] if 1 <= number <= 2**31 - 1 else [f"/{name}"])


@pytest.mark.parametrize("number", [-1, 0, 1, MAX_INT, MAX_INT + 1, 10**30])
def test_the_bounds_themselves(number: int) -> None:
    assert bool(order_violations({"quantity": number})) is not (1 <= number <= MAX_INT)


@given(
    st.dictionaries(
        st.sampled_from(["user_id", "quantity", "product_name"]), st.none() | st.floats()
    )
)
def test_members_that_are_absent_or_of_another_type_are_no_matter_of_the_rules(
    members: dict[str, object],
) -> None:
    assert order_violations(members) == []
