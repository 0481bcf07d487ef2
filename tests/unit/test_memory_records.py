"""The records in memory are what the ports promise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.memory.clock import StandingClock
from adapters.memory.orders import MemoryOrderRepository
from adapters.memory.tables import RecordTables
from adapters.memory.unit_of_work import MemoryUnitOfWorkFactory
from adapters.memory.users import MemoryUserRepository
from tests.contracts.contract import Contract
from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.orders import OrdersContract
from tests.contracts.records import Records
from tests.contracts.unit_of_work import UnitOfWorkContract
from tests.contracts.users import UsersContract


class InMemory:
    @pytest.fixture
    def records(self) -> Records:
        clock = StandingClock()
        tables = RecordTables(clock=clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        return Records(
            users=MemoryUserRepository(tables),
            orders=MemoryOrderRepository(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
            let_pass=let_pass,
        )


class TestMemoryUsers(InMemory, UsersContract):
    pass


class TestMemoryOrders(InMemory, OrdersContract):
    pass


class TestMemoryIdempotency(InMemory, IdempotencyContract):
    pass


class TestMemoryUnitOfWork(InMemory, UnitOfWorkContract):
    pass


class Promise(Contract):
    def test_of_the_port(self) -> None:
        raise NotImplementedError


def test_a_binding_that_replaces_a_test_of_its_contract_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Sly replaces .*test_of_the_port"):

        class Sly(Promise):
            def test_of_the_port(self) -> None:
                pass


def test_a_binding_that_switches_a_test_of_its_contract_off_is_refused() -> None:
    with pytest.raises(TypeError, match="test_of_the_port"):
        type("Sly", (Promise,), {"test_of_the_port": None})


def test_a_binding_may_bring_tests_and_fixtures_of_its_own() -> None:
    class Honest(Promise):
        def test_of_its_own(self) -> None:
            pass

    assert issubclass(Honest, Promise)
