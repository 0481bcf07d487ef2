"""What every `OrderRepository` holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.errors import InvalidInput, NotFound, PreconditionFailed, UnknownUser
from domain.records.orders import MAX_INT, Order, OrderChanges, OrderFilter, OrderId
from domain.records.users import UserId
from tests.contracts.records import Records, RecordsContract, an_order, stored_order, stored_user

NOTHING = OrderId(MAX_INT)
NOBODY = UserId(MAX_INT)
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)


class OrdersContract(RecordsContract):
    async def test_a_new_order_has_an_id_a_first_version_and_a_time_in_utc(
        self, records: Records
    ) -> None:
        user = await stored_user(records)
        order = await records.orders.add(an_order(user.id, "oak chair", 2))
        assert (order.user_id, order.product_name, order.quantity) == (user.id, "oak chair", 2)
        assert order.version == 1
        assert order.id >= 1
        assert order.order_date is not None
        assert order.order_date.tzinfo is UTC
        assert await records.orders.get(order.id) == order

    @pytest.mark.parametrize(
        "moment",
        [
            NOON,
            NOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
    )
    async def test_a_given_date_is_kept_to_the_microsecond_as_utc(
        self, records: Records, moment: datetime
    ) -> None:
        user = await stored_user(records)
        order = await records.orders.add(replace(an_order(user.id), order_date=moment))
        assert order.order_date == moment
        assert order.order_date.tzinfo is UTC
        assert await records.orders.get(order.id) == order

    async def test_the_largest_quantity_fits(self, records: Records) -> None:
        user = await stored_user(records)
        order = await records.orders.add(an_order(user.id, "n" * 255, MAX_INT))
        assert (await records.orders.get(order.id)).quantity == MAX_INT

    async def test_an_order_for_nobody_is_refused_and_the_member_named(
        self, records: Records
    ) -> None:
        with pytest.raises(UnknownUser) as refusal:
            await records.orders.add(an_order(NOBODY))
        assert [each.pointer for each in refusal.value.violations] == ["/user_id"]
        assert await records.orders.page(OrderFilter(), limit=1) == []

    async def test_what_was_never_stored_is_not_found(self, records: Records) -> None:
        with pytest.raises(NotFound, match=str(NOTHING)):
            await records.orders.get(NOTHING)
        for if_version in (None, {1}):
            with pytest.raises(NotFound):
                await records.orders.change(
                    NOTHING, OrderChanges(quantity=3), if_version=if_version
                )
            with pytest.raises(NotFound):
                await records.orders.delete(NOTHING, if_version=if_version)

    async def test_a_change_keeps_what_it_does_not_name_and_makes_a_new_version(
        self, records: Records
    ) -> None:
        old = await stored_order(records)
        bo = await stored_user(records)
        change = records.orders.change
        assert await change(old.id, OrderChanges(quantity=3)) == replace(old, quantity=3, version=2)
        assert await change(old.id, OrderChanges(product_name="stool")) == replace(
            old, quantity=3, product_name="stool", version=3
        )
        moved = await change(old.id, OrderChanges(user_id=bo.id))
        assert moved == replace(old, quantity=3, product_name="stool", user_id=bo.id, version=4)
        assert await records.orders.get(old.id) == moved

    async def test_a_change_to_the_same_values_keeps_the_version(self, records: Records) -> None:
        old = await stored_order(records)
        assert old.order_date is not None
        same = OrderChanges(
            user_id=old.user_id,
            product_name=old.product_name,
            quantity=old.quantity,
            order_date=old.order_date.astimezone(timezone(timedelta(hours=-3))),
        )
        assert await records.orders.change(old.id, same) == old
        assert await records.orders.change(old.id, OrderChanges()) == old

    async def test_the_date_of_an_order_never_changes(self, records: Records) -> None:
        old = await stored_order(records)
        assert old.order_date is not None
        changes = OrderChanges(quantity=9, order_date=old.order_date + timedelta(microseconds=1))
        with pytest.raises(InvalidInput) as refusal:
            await records.orders.change(old.id, changes, if_version={1})
        assert [each.pointer for each in refusal.value.violations] == ["/order_date"]
        with pytest.raises(PreconditionFailed):
            await records.orders.change(old.id, changes, if_version={2})
        assert await records.orders.get(old.id) == old

    async def test_an_order_does_not_move_to_nobody(self, records: Records) -> None:
        old = await stored_order(records)
        with pytest.raises(UnknownUser) as refusal:
            await records.orders.change(old.id, OrderChanges(user_id=NOBODY, quantity=9))
        assert [each.pointer for each in refusal.value.violations] == ["/user_id"]
        with pytest.raises(PreconditionFailed):
            await records.orders.change(old.id, OrderChanges(user_id=NOBODY), if_version={2})
        assert await records.orders.get(old.id) == old

    async def test_a_change_happens_only_to_a_version_that_the_caller_names(
        self, records: Records
    ) -> None:
        old = await stored_order(records)
        new = await records.orders.change(old.id, OrderChanges(quantity=3), if_version={1, 4})
        assert new.version == 2
        for stale in ({1}, {3, 9}, set[int]()):
            with pytest.raises(PreconditionFailed):
                await records.orders.change(old.id, OrderChanges(quantity=4), if_version=stale)
        assert await records.orders.get(old.id) == new

    async def test_a_change_never_happens_to_a_version_that_the_caller_excludes(
        self, records: Records
    ) -> None:
        old = await stored_order(records)
        for changes in (OrderChanges(quantity=3), OrderChanges(order_date=old.order_date)):
            with pytest.raises(PreconditionFailed, match="version 1"):
                await records.orders.change(old.id, changes, unless_version={1, 7})
        with pytest.raises(PreconditionFailed):
            await records.orders.delete(old.id, if_version={1}, unless_version={1})
        assert await records.orders.get(old.id) == old
        await records.orders.change(old.id, OrderChanges(quantity=3), unless_version={2})
        await records.orders.delete(old.id, unless_version={1})

    async def test_of_ten_concurrent_changes_to_one_version_one_happens(
        self, records: Records
    ) -> None:
        old = await stored_order(records)
        outcomes = await asyncio.gather(
            *(
                records.orders.change(old.id, OrderChanges(quantity=n), if_version={1})
                for n in range(10, 20)
            ),
            return_exceptions=True,
        )
        changed = [outcome for outcome in outcomes if isinstance(outcome, Order)]
        assert sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes) == 9
        assert changed == [await records.orders.get(old.id)]

    async def test_a_deleted_order_is_gone(self, records: Records) -> None:
        order = await stored_order(records)
        with pytest.raises(PreconditionFailed):
            await records.orders.delete(order.id, if_version={2})
        await records.orders.delete(order.id, if_version={1})
        with pytest.raises(NotFound):
            await records.orders.get(order.id)
        with pytest.raises(NotFound):
            await records.orders.delete(order.id)

    async def test_each_filter_restricts_the_list_and_together_they_restrict_it_more(
        self, records: Records
    ) -> None:
        ann, bo = await stored_user(records), await stored_user(records)
        made = [
            await records.orders.add(
                replace(an_order(user.id, product), order_date=NOON + timedelta(days=day))
            )
            for user in (ann, bo)
            for product in ("oak chair", "Oak chair", "oak chair ")
            for day in (0, 1, 2)
        ]
        cases = [
            OrderFilter(),
            OrderFilter(user_id=ann.id),
            OrderFilter(user_id=NOBODY),
            OrderFilter(product_name="oak chair"),
            OrderFilter(product_name="oak%"),
            OrderFilter(since=NOON + timedelta(days=1)),
            OrderFilter(until=NOON + timedelta(days=1)),
            OrderFilter(since=NOON + timedelta(days=2), until=NOON),
            OrderFilter(
                user_id=bo.id,
                product_name="oak chair",
                since=(NOON + timedelta(days=1)).astimezone(timezone(timedelta(hours=9))),
                until=NOON + timedelta(days=2),
            ),
        ]
        counts = []
        for case in cases:
            expected = [order for order in reversed(made) if _passes(order, case)]
            assert list(await records.orders.page(case, limit=50)) == expected
            counts.append(len(expected))
        assert counts == [18, 9, 0, 6, 0, 12, 6, 0, 1]

    async def test_pages_are_newest_first_as_long_as_asked_and_filtered(
        self, records: Records
    ) -> None:
        ann, bo = await stored_user(records), await stored_user(records)
        made = [await records.orders.add(an_order(user.id)) for user in (ann, bo) * 4]
        newest = [order for order in made[::-1] if order.user_id == ann.id]
        of_ann = OrderFilter(user_id=ann.id)
        assert list(await records.orders.page(of_ann, limit=3)) == newest[:3]
        assert list(await records.orders.page(of_ann, limit=3, before=newest[2].id)) == newest[3:]
        assert list(await records.orders.page(of_ann, limit=3, before=made[0].id)) == []

    async def test_a_walk_sees_each_row_once_while_rows_come_and_go(self, records: Records) -> None:
        user = await stored_user(records)
        orders = [await records.orders.add(an_order(user.id)) for _ in range(9)]
        seen: list[Order] = []
        before = None
        while page := await records.orders.page(OrderFilter(), limit=2, before=before):
            seen += page
            before = page[-1].id
            await records.orders.add(an_order(user.id))
            await records.orders.delete(page[0].id)
        assert seen == orders[::-1]


def _passes(order: Order, wanted: OrderFilter) -> bool:
    """The filters as their docstring has them; every order here has a date."""
    assert order.order_date is not None
    return (
        wanted.user_id in {None, order.user_id}
        and wanted.product_name in {None, order.product_name}
        and (wanted.since or order.order_date) <= order.order_date
        and (wanted.until is None or order.order_date < wanted.until)
    )
