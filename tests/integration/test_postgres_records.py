"""The records in PostgreSQL are what the ports promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.orders import OrdersContract
from tests.contracts.records import Records
from tests.contracts.unit_of_work import UnitOfWorkContract
from tests.contracts.users import UsersContract
from tests.integration.records import emptied, records_in


class InPostgres:
    @pytest.fixture
    async def records(self, module_database_url: str) -> AsyncIterator[Records]:
        async with emptied(module_database_url) as database:
            yield records_in(database)


class TestPostgresUsers(InPostgres, UsersContract):
    pass


class TestPostgresOrders(InPostgres, OrdersContract):
    pass


class TestPostgresIdempotency(InPostgres, IdempotencyContract):
    pass


class TestPostgresUnitOfWork(InPostgres, UnitOfWorkContract):
    pass
