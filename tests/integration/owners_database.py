"""The database that the owner of a shop has made, and what a test says to one directly."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

# To the letter what the owner of the shop runs; the constraints have no names of their own.
OWNERS_TABLES = """
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    email VARCHAR(255) UNIQUE NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE orders (
    id SERIAL PRIMARY KEY,
    user_id INT REFERENCES users(id),
    product_name VARCHAR(255) NOT NULL,
    quantity INT CHECK (quantity > 0),
    order_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE search_clicks (
    search_id SERIAL PRIMARY KEY,
    search_query VARCHAR(255),
    clicks INT DEFAULT 0,
    impressions INT DEFAULT 0,
    click_through_rate FLOAT,
    search_date DATE DEFAULT CURRENT_DATE
);
CREATE TABLE search_insights (
    id SERIAL PRIMARY KEY,
    insight_date DATE,
    average_ctr FLOAT,
    top_queries JSONB,
    low_performance_queries JSONB
);
"""


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def ask(url: str, query: str, *args: object) -> Any:
    """The first column of the first row."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *args)
    finally:
        await connection.close()


async def drop_database(server: str, name: str) -> None:
    """Drop a database whoever is still connected to it.

    Autovacuum, which `FORCE` lets only a superuser end, may be at it for a while.
    """
    for _ in range(600):
        try:
            await execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')
        except asyncpg.InsufficientPrivilegeError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError(f"autovacuum does not leave {name}")
