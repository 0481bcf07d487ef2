"""One browser for all tests of pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.pages import browsing
from tests.integration.conftest import (
    _template,
    fresh_database_url,
    module_database_url,
    postgres_server,
    redis_url,
    server_directory,
)

__all__ = [
    "_template",
    "browser",
    "fresh_database_url",
    "module_database_url",
    "postgres_server",
    "redis_url",
    "server_directory",
]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium; the test is skipped where there is none."""
    async with browsing() as started:
        yield started
