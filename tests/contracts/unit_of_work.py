"""What every `UnitOfWorkFactory` and the units that it opens hold."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import EmailTaken, NotFound
from domain.insights.model import SearchClickRow
from domain.records.orders import OrderChanges, OrderFilter
from domain.records.users import User, UserChanges
from tests.contracts.records import (
    Records,
    RecordsContract,
    a_user,
    an_order,
    stored_order,
    stored_user,
)


class UnitOfWorkContract(RecordsContract):
    async def test_a_committed_unit_keeps_all_that_it_did(self, records: Records) -> None:
        async with records.open_unit() as unit:
            user = await unit.users.add(a_user())
            order = await unit.orders.add(an_order(user.id))
            click = SearchClickRow(search_query="wool", clicks=1, impressions=2, search_date=None)
            assert await unit.search_clicks.append([click]) == 1
            await unit.commit()
        assert await records.users.get(user.id) == user
        assert await records.orders.get(order.id) == order

    async def test_a_unit_reads_what_it_wrote(self, records: Records) -> None:
        async with records.open_unit() as unit:
            user = await unit.users.add(a_user())
            changed = await unit.users.change(user.id, UserChanges(name="Bo"), if_version={1})
            assert await unit.users.get(user.id) == changed
            assert list(await unit.users.page(limit=5)) == [changed]

    async def test_without_commit_nothing_is_left_of_a_unit(self, records: Records) -> None:
        order = await stored_order(records)
        assert order.user_id is not None
        user = await records.users.get(order.user_id)
        bo = await stored_user(records)
        async with records.open_unit() as unit:
            new = await unit.users.add(a_user())
            await unit.orders.add(an_order(new.id))
            await unit.users.change(user.id, UserChanges(name="Other"))
            await unit.users.change(user.id, UserChanges(name="Another"))
            await unit.orders.change(order.id, OrderChanges(quantity=99))
            await unit.orders.delete(order.id)
            await unit.users.delete(bo.id)
        assert list(await records.users.page(limit=9)) == [bo, user]
        assert list(await records.orders.page(OrderFilter(), limit=9)) == [order]
        with pytest.raises(NotFound):
            await records.users.get(new.id)

    async def test_an_error_undoes_a_unit_and_goes_on_to_the_caller(self, records: Records) -> None:
        ann = await stored_user(records)
        with pytest.raises(EmailTaken):
            async with records.open_unit() as unit:
                await unit.users.add(a_user("Bo"))
                await unit.users.add(a_user("Ann again", ann.email.upper()))
        assert list(await records.users.page(limit=9)) == [ann]

    async def test_two_open_units_keep_what_each_did(self, records: Records) -> None:
        user = await stored_user(records)
        async with records.open_unit() as one, records.open_unit() as two:
            first = await one.orders.add(an_order(user.id))
            second = await two.orders.add(an_order(user.id))
            await two.commit()
            await one.commit()
        found = list(await records.orders.page(OrderFilter(), limit=9))
        assert found == [second, first]

    async def test_one_unit_undone_leaves_the_other_alone(self, records: Records) -> None:
        async with records.open_unit() as one:
            kept = await one.users.add(a_user())
            async with records.open_unit() as two:
                await two.users.add(a_user())
            await one.commit()
        assert list(await records.users.page(limit=9)) == [kept]

    async def test_many_units_at_once_keep_every_row(self, records: Records) -> None:
        async def place() -> User:
            async with records.open_unit() as unit:
                user = await unit.users.add(a_user())
                await unit.orders.add(an_order(user.id))
                await unit.commit()
                return user

        users = await asyncio.gather(*(place() for _ in range(24)))
        found = await records.users.page(limit=99)
        assert {user.id for user in found} == {user.id for user in users}
        assert len(await records.orders.page(OrderFilter(), limit=99)) == 24

    async def test_a_cancelled_unit_leaves_nothing(self, records: Records) -> None:
        written = asyncio.Event()

        async def work() -> None:
            async with records.open_unit() as unit:
                await unit.users.add(a_user())
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await records.users.page(limit=9) == []
