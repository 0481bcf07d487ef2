"""`Client` and `AsyncClient`."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self

import httpx2

from storekeeper_client.access import AuditLog, Keys
from storekeeper_client.comparisons import Comparisons
from storekeeper_client.drivers import AsyncDriver, SyncDriver
from storekeeper_client.extraction import ExtractionJobs, Extractions, ExtractionSchemas
from storekeeper_client.health import Health
from storekeeper_client.records import Orders, Users
from storekeeper_client.resources import D
from storekeeper_client.retrying import RetryPolicy
from storekeeper_client.searches import SearchClicks, SearchInsights
from storekeeper_client.webhooks import WebhookDeliveries, WebhookEndpoints

KEY_VARIABLE: Final = "STOREKEEPER_API_KEY"


class Api(Generic[D]):
    """The resources of the API.

    Attributes:
        users: customers.
        orders: what they bought.
        extractions: one text becomes a record, now.
        extraction_jobs: many texts, read by workers.
        extraction_schemas: the shapes of records.
        comparisons: providers on the same texts.
        search_clicks: the log of searches.
        search_insights: what becomes of it.
        keys: who may call.
        audit_log: who did what.
        webhook_endpoints: who is told of events.
        webhook_deliveries: what was and will be sent.
        health: whether the service can do its work.
    """

    def __init__(self, driver: D) -> None:
        self.users = Users(driver)
        self.orders = Orders(driver)
        self.extractions = Extractions(driver)
        self.extraction_jobs = ExtractionJobs(driver)
        self.extraction_schemas = ExtractionSchemas(driver)
        self.comparisons = Comparisons(driver)
        self.search_clicks = SearchClicks(driver)
        self.search_insights = SearchInsights(driver)
        self.keys = Keys(driver)
        self.audit_log = AuditLog(driver)
        self.webhook_endpoints = WebhookEndpoints(driver)
        self.webhook_deliveries = WebhookDeliveries(driver)
        self.health = Health(driver)


class Client(Api[SyncDriver]):
    """The service, asked by a program that waits. Threads may share one; processes may not.

    Args:
        base_url: such as `https://storekeeper.example:8443`.
        api_key: a key (`stk_...`) or token; what `STOREKEEPER_API_KEY` holds if not given.
        ca: file of the CA that signed the service's certificate; those of the system if not given.
        policy: how long and how often a request is tried.
        transport: sends the requests, in place of a connection.

    Raises:
        ValueError: an argument cannot be used; it says which and why.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        policy: RetryPolicy | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._http = httpx2.Client(**_options(base_url, api_key, ca), transport=transport)
        super().__init__(SyncDriver(self._http, policy or RetryPolicy()))

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.__exit__(kind, error, trace)


class AsyncClient(Api[AsyncDriver]):
    """The service, asked by a program under asyncio: as `Client`, with `await` and `async for`."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        policy: RetryPolicy | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(**_options(base_url, api_key, ca), transport=transport)
        super().__init__(AsyncDriver(self._http, policy or RetryPolicy()))

    async def aclose(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)


def _options(
    base_url: str, api_key: str | None, ca: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """What both kinds of `httpx2` client are made of."""
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"base_url cannot be read: {error}") from None
    beside = url.query or url.fragment or url.userinfo or any(map(str.isspace, base_url))
    if url.scheme not in {"http", "https"} or not url.host or beside:
        raise ValueError("base_url is not of the form https://host:port, or /path behind it.")
    headers = {
        "User-Agent": f"storekeeper-client/{version('storekeeper-client')}"
        f" python/{platform.python_version()}",
        "Accept": "application/json",
    }
    key = os.environ.get(KEY_VARIABLE) if api_key is None else api_key
    if key is not None:
        if not key or not all("!" <= letter <= "~" for letter in key):
            place = KEY_VARIABLE if api_key is None else "api_key"
            raise ValueError(
                f"{place} is empty or holds a blank, a line break or a sign that no key has."
            )
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "verify": _trust(ca), "follow_redirects": False}


def _trust(ca: str | os.PathLike[str] | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=Path(ca))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"ca {os.fspath(ca)!r} is no file of certificates (PEM): {error}"
        ) from None
