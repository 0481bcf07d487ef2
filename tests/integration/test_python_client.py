"""The Python client against the service, over TLS and with keys."""

from __future__ import annotations

import asyncio
import re
import ssl
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from domain.access.model import Scope
from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.testing import FakeInThread, running_fake
from storekeeper_client import (
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    Document,
    FieldDefinition,
    Forbidden,
    InvalidInput,
    LabelledText,
    NotFound,
    PreconditionFailed,
    RateLimited,
    RetryPolicy,
    SearchClick,
    Unauthorized,
    WaitTimedOut,
)
from tests.integration.api import serving, settings_for
from tests.integration.keys import make_key
from tests.reference_pages import ROOT

DAY = date(2026, 11, 20)
PAGE = ROOT / "clients/python/README.md"
HOW_TO = ROOT / "docs/how-to/call-from-python.md"


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, {number + 2} oak chairs please."


def record_of(number: int) -> dict[str, Any]:
    return {"customer": f"Ann{number} Lee", "product": "oak chairs", "quantity": number + 2}


@dataclass(frozen=True)
class Service:
    """A service that runs: where, whom to trust, and a key that may do everything."""

    url: str
    ca: Path
    key: str

    def client(self, key: str | None = None, **more: Any) -> Client:
        return Client(self.url, ca=self.ca, api_key=self.key if key is None else key, **more)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.url, ca=self.ca, api_key=self.key)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({text_of(n): record_of(n) for n in range(50)})
        mail = "Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?"
        cartons = {"customer": "Maria Lopez", "product": "oat milk cartons", "quantity": 24}
        provider.provider.answers.add({mail: cartons})
        yield provider


@pytest.fixture(scope="module")
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
    )


@pytest.fixture(scope="module")
async def service(
    settings: Settings, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    directory = Path(tmp_path_factory.mktemp("tls"))
    async with serving(settings, directory) as api, working(settings):
        yield Service(
            url=str(api.base_url),
            ca=directory / "ca.pem",
            key=await make_key(module_database_url, Scope.ADMIN),
        )


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker that runs while the block does."""
    async with open_container(settings) as container:
        stop = asyncio.Event()
        running = asyncio.create_task(container.extraction_worker().run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


@dataclass(frozen=True)
class Driven:
    """One of the two clients, used in the same way."""

    client: Any

    async def rows(self, found: Any) -> list[Any]:
        """All of an iterator."""
        if hasattr(found, "__aiter__"):
            return [each async for each in found]
        return await asyncio.to_thread(list, found)

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A method's value, while the service's loop runs."""
        if isinstance(self.client, AsyncClient):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)


@pytest.fixture(params=["sync", "async"])
async def driven(service: Service, request: pytest.FixtureRequest) -> AsyncIterator[Driven]:
    if request.param == "sync":
        with service.client() as client:
            yield Driven(client)
    else:
        async with service.async_client() as asking:
            yield Driven(asking)


def address(driven: Driven, name: str) -> str:
    return f"{name}.{type(driven.client).__name__}@example.com"


async def test_users_and_orders(driven: Driven) -> None:
    api, call = driven.client, driven.call
    ann = await call(api.users.create, name="Ann", email=address(driven, "ann"))
    assert ann.created_at.tzinfo is not None
    again = await call(api.users.get, ann.id)
    assert again == ann
    assert await call(api.users.get_if_changed, ann.id, ann.etag) is None
    renamed = await call(api.users.patch, ann.id, name="Ann Lee", if_match=ann.etag)
    assert renamed.name == "Ann Lee"
    assert (await call(api.users.get_if_changed, ann.id, ann.etag)) == renamed
    replaced = await call(
        api.users.replace, ann.id, name="A. Lee", email=ann.email, if_match=renamed.etag
    )
    assert [each.name for each in await driven.rows(api.users.list(email=ann.email))] == ["A. Lee"]

    when = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    orders = [
        await call(
            api.orders.create, user_id=ann.id, product_name="oak", quantity=n, order_date=when
        )
        for n in range(1, 6)
    ]
    listed = await driven.rows(
        api.orders.list(
            user_id=ann.id,
            product_name="oak",
            since=when,
            until=when + timedelta(seconds=1),
            page_size=2,
        )
    )
    assert [each.id for each in listed] == [each.id for each in reversed(orders)]
    first = orders[0]
    assert (await call(api.orders.get, first.id)) == first
    assert await call(api.orders.get_if_changed, first.id, first.etag) is None
    more = await call(api.orders.patch, first.id, quantity=9, if_match=first.etag)
    assert (more.quantity, more.product_name) == (9, "oak")
    other = await call(api.orders.replace, first.id, user_id=ann.id, product_name="elm", quantity=1)
    assert other.product_name == "elm"

    with pytest.raises(PreconditionFailed) as stale:
        await call(api.orders.delete, first.id, if_match=first.etag)
    assert stale.value.code == "version_mismatch"
    with pytest.raises(Conflict) as kept:
        await call(api.users.delete, ann.id)
    assert kept.value.code == "user_has_orders"
    for each in orders:
        await call(api.orders.delete, each.id)
    await call(api.users.delete, ann.id, if_match=replaced.etag)
    with pytest.raises(NotFound) as gone:
        await call(api.users.get, ann.id)
    assert len(gone.value.request_id) >= 8


async def test_the_same_key_of_a_request_makes_one_record(driven: Driven) -> None:
    api, call = driven.client, driven.call
    values = {"name": "Bo", "email": address(driven, "bo"), "idempotency_key": address(driven, "k")}
    first = await call(api.users.create, **values)
    assert await call(api.users.create, **values) == first
    with pytest.raises(Conflict) as taken:
        await call(api.users.create, **{**values, "idempotency_key": None})
    assert taken.value.code == "email_taken"
    with pytest.raises(InvalidInput) as reused:
        await call(api.users.create, **{**values, "name": "Bob"})
    assert reused.value.code == "idempotency_key_reused"


async def test_each_bad_place_is_named(driven: Driven) -> None:
    api, call = driven.client, driven.call
    with pytest.raises(InvalidInput) as caught:
        await call(api.orders.create, user_id=0, product_name=" ", quantity=0)
    pointers = {each.pointer for each in caught.value.errors}
    assert pointers == {"/user_id", "/product_name", "/quantity"}
    with pytest.raises(InvalidInput) as caught:
        await driven.rows(api.orders.list(page_size=201))
    assert [each.pointer for each in caught.value.errors] == ["limit"]


async def test_extractions_and_schemas(driven: Driven) -> None:
    api, call = driven.client, driven.call
    found = await call(api.extractions.create, text_of(1), schema="order_message")
    assert (found.status, found.fields) == ("valid", record_of(1))
    assert {each.field for each in found.evidence} == set(record_of(1))
    stored = await call(api.extractions.get, found.id)
    assert (stored.id, stored.fields) == (found.id, found.fields)

    name = f"complaint_{type(driven.client).__name__.lower()}"
    order = FieldDefinition(
        name="order_number", type="string", description="Of the order", pattern="^[0-9]{4,8}$"
    )
    definition = {"fields": [order], "description": "A customer's complaint"}
    made = await call(api.extraction_schemas.put, name, **definition, if_none_match="*")
    assert (made.version, made.built_in, made.fields) == (1, False, (order,))
    with pytest.raises(PreconditionFailed):
        await call(api.extraction_schemas.put, name, **definition, if_none_match="*")
    example = {"text": "Order 12345 is late", "record": {"order_number": "12345"}}
    changed = await call(
        api.extraction_schemas.put, name, **definition, examples=[example], if_match="*"
    )
    assert changed.version == 2
    assert await call(api.extraction_schemas.get, name) == changed
    assert changed in await driven.rows(api.extraction_schemas.list())
    put_back = await call(
        api.extraction_schemas.put,
        name,
        fields=changed.fields,
        description=changed.description,
        examples=changed.examples,
    )
    assert put_back == changed
    await call(api.extraction_schemas.delete, name)
    with pytest.raises(NotFound):
        await call(api.extraction_schemas.get, name)


async def test_a_job_from_its_documents_to_its_files(driven: Driven) -> None:
    api, call = driven.client, driven.call
    documents = (Document(id=f"m-{n}", text=text_of(n)) for n in range(20))
    job = await call(
        api.extraction_jobs.create,
        documents,
        schema="order_message",
        provider="openai",
        reuse=False,
        mode="direct",
        priority="high",
        max_cost_usd=100000.0,
        max_tokens=10**9,
    )
    assert (job.counts.total, job.priority, job.max_cost_usd) == (20, "high", 100000.0)
    done = await call(api.extraction_jobs.wait, job.id, timeout_s=180)
    assert (done.status, done.counts.valid) == ("completed", 20)
    assert job.id in [each.id for each in await driven.rows(api.extraction_jobs.list(page_size=1))]
    items = await driven.rows(api.extraction_jobs.results(job.id, status="valid", page_size=7))
    assert [each.id for each in items] == [f"m-{n}" for n in range(20)]
    assert [each.fields for each in items] == [record_of(n) for n in range(20)]
    for form, begin in (("ndjson", b"{"), ("csv", b"position,"), ("parquet", b"PAR1")):
        pieces = await driven.rows(api.extraction_jobs.download_results(job.id, form))
        assert b"".join(pieces).startswith(begin)
    with pytest.raises(NotFound):
        await driven.rows(api.extraction_jobs.download_results(10**6, "csv"))


async def test_a_job_is_paused_resumed_and_cancelled(driven: Driven, fake: FakeInThread) -> None:
    api, call = driven.client, driven.call
    texts = [f"Nobody knows {driven.client!r} {n}" for n in range(3000)]
    job = await call(api.extraction_jobs.create, texts)
    with pytest.raises(WaitTimedOut):
        await call(api.extraction_jobs.wait, job.id, timeout_s=0.01)
    paused = await call(api.extraction_jobs.pause, job.id)
    assert paused.status == "paused"
    assert (await call(api.extraction_jobs.wait, job.id)).status == "paused"
    resumed = await call(api.extraction_jobs.resume, job.id, max_tokens=10**12)
    assert (resumed.status, resumed.max_tokens) == ("running", 10**12)
    await call(api.extraction_jobs.pause, job.id)
    assert (await call(api.extraction_jobs.resume, job.id)).max_tokens == 10**12
    assert (await call(api.extraction_jobs.cancel, job.id)).status == "cancelled"
    with pytest.raises(Conflict):
        await call(api.extraction_jobs.pause, job.id)


async def test_documents_of_an_asynchronous_generator(service: Service) -> None:
    async def texts() -> AsyncIterator[str]:
        for number in range(3):
            yield text_of(number)

    async with service.async_client() as api:
        job = await api.extraction_jobs.create(texts())
        assert job.counts.total == 3
        assert (await api.extraction_jobs.wait(job.id, timeout_s=180)).status == "completed"


async def test_a_comparison_from_its_texts_to_its_report(driven: Driven) -> None:
    api, call = driven.client, driven.call
    texts = [LabelledText(id=f"m{n}", text=text_of(n), gold=record_of(n)) for n in range(6)]
    made = await call(
        api.comparisons.create,
        texts,
        providers=["openai", "regex"],
        schema="order_message",
        repeat=1,
        seed=3,
        dataset="mails",
    )
    done = await call(api.comparisons.wait, made.id, timeout_s=180)
    assert (done.status, done.answered, done.dataset) == ("completed", done.answers, "mails")
    assert (await call(api.comparisons.get, made.id)) == done
    assert made.id in [each.id for each in await driven.rows(api.comparisons.list())]
    report = await call(api.comparisons.report, made.id)
    assert report["format"].startswith("storekeeper-comparison-report/")
    for form, begin in (("html", b"<!doctype html>"), ("csv", b"contestant,"), ("markdown", b"#")):
        pieces = await driven.rows(api.comparisons.download_report(made.id, form))
        assert b"".join(pieces).startswith(begin)
    await call(api.comparisons.delete, made.id)
    with pytest.raises(NotFound):
        await call(api.comparisons.get, made.id)


async def test_searches_and_insights(driven: Driven) -> None:
    api, call = driven.client, driven.call
    day = DAY if isinstance(driven.client, AsyncClient) else DAY - timedelta(days=1)
    rows = [
        SearchClick(search_query=f"query {n % 50}", clicks=1, impressions=2, search_date=day)
        for n in range(11_000)
    ]
    name = f"import-{day}"
    assert await call(api.search_clicks.import_rows, rows, idempotency_key=name) == 11_000
    assert await call(api.search_clicks.import_rows, rows, idempotency_key=name) == 11_000
    assert (await call(api.search_clicks.append, rows[:1])).accepted == 1
    insight = await call(api.search_insights.compute, day)
    assert (insight.clicks, insight.impressions) == (11_001, 22_002)
    assert await call(api.search_insights.get, day) == insight
    assert await driven.rows(api.search_insights.list(first=day, last=day, page_size=1)) == [
        insight
    ]
    live = await call(
        api.search_insights.analyse,
        first=day,
        last=day,
        top=3,
        min_impressions=1,
        rank_by="ctr_low",
        low_min_impressions=1,
        low_percentile=0.5,
        low_ctr_ratio=0.25,
        low_limit=2,
        compare="previous",
    )
    assert (live.clicks, live.rules.top, len(live.top_queries)) == (11_001, 3, 3)
    assert live.trend.last == day - timedelta(days=1)
    history = await call(api.search_insights.history, "query 0", first=day, last=day)
    assert [each.clicks for each in history.days] == [221]
    with pytest.raises(InvalidInput) as caught:
        bad = SearchClick(search_query="x", clicks=3, impressions=1)
        await call(api.search_clicks.append, [rows[0], bad])
    assert caught.value.errors[0].pointer.startswith("/1")


async def test_keys_and_the_audit_log(driven: Driven, service: Service) -> None:
    api, call = driven.client, driven.call
    key = await call(
        api.keys.create,
        name="till 3",
        scopes=["records:read"],
        environment="test",
        networks=["127.0.0.0/8"],
        requests_per_minute=600,
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    with service.client(key.key) as till, pytest.raises(Forbidden) as caught:
        await asyncio.to_thread(till.users.create, name="A", email="a@b.example")
    assert "records:write" in caught.value.detail
    budget = (await call(api.keys.set_budget, key.id, usd=1.5)).budget
    assert (budget.usd, budget.tokens) == (1.5, None)
    assert (await call(api.keys.set_budget, key.id, usd=None, tokens=9)).budget.tokens == 9
    assert (await call(api.keys.get, key.id)).spent_today.tokens == 0
    newer = await call(api.keys.rotate, key.id, overlap_s=0)
    assert newer.key != key.key
    await call(api.keys.revoke, newer.id)
    listed = {each.id: each.state for each in await driven.rows(api.keys.list(page_size=200))}
    assert listed[newer.id] == "revoked"
    with service.client(newer.key) as till, pytest.raises(Unauthorized):
        await asyncio.to_thread(till.users.get, 1)
    entries = await driven.rows(
        api.audit_log.list(since=datetime(2020, 1, 1, tzinfo=UTC), action="key.create", page_size=1)
    )
    assert f"/keys/{key.id}" in {each.resource for each in entries}


async def test_health(driven: Driven) -> None:
    api, call = driven.client, driven.call
    assert (await call(api.health.live)).status == "ok"
    ready = await call(api.health.ready)
    assert ready.checks["database"] == "ok"
    assert ready.insights is not None


async def test_a_certificate_of_somebody_else_is_not_trusted(
    service: Service, tmp_path: Path
) -> None:
    with (
        Client(service.url, api_key=service.key) as stranger,
        pytest.raises(ConnectionFailed, match="ca="),
    ):
        await asyncio.to_thread(stranger.users.get, 1)


async def test_a_service_that_comes_back_is_found_again(
    settings: Settings, module_database_url: str, tmp_path: Path
) -> None:
    """What is under way while the service is away ends once it is there again."""
    key = await make_key(module_database_url, Scope.RECORDS_WRITE)
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    patient = RetryPolicy(deadline_s=120, longest_pause_s=0.2)
    async with serving(settings, tmp_path, port=port):
        asking = AsyncClient(url, ca=tmp_path / "ca.pem", api_key=key, policy=patient)
        waiting = Client(url, ca=tmp_path / "ca.pem", api_key=key, policy=patient)
        before = await asking.users.create(name="Before", email="before@example.com")
        assert (await asyncio.to_thread(waiting.users.get, before.id)) == before
    begun = [
        asyncio.create_task(asking.users.create(name="While", email="while@example.com")),
        asyncio.create_task(asyncio.to_thread(waiting.users.get, before.id)),
    ]
    hasty = RetryPolicy(deadline_s=0.01)
    with (
        Client(url, ca=tmp_path / "ca.pem", api_key=key, policy=hasty) as giving_up,
        pytest.raises(ConnectionFailed) as away,
    ):
        await asyncio.to_thread(giving_up.users.get, before.id)
    assert not away.value.sent
    async with serving(settings, tmp_path, port=port):
        created, found = await asyncio.gather(*begun)
        assert (created.name, found.name) == ("While", "Before")
        assert [each.id async for each in asking.users.list(email="while@example.com")] == [
            created.id
        ]
        await asking.aclose()
        waiting.close()


class LosingTransport(httpx2.AsyncBaseTransport):
    """Sends each request to the service, and loses the first answers to those that change."""

    def __init__(self, ca: Path, most: int) -> None:
        self._real = httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca))
        self._left = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._real.handle_async_request(request)
        if request.method == "GET" or not self._left:
            return answer
        await answer.aread()
        await answer.aclose()
        self._left -= 1
        raise httpx2.ReadError("the connection broke", request=request)

    async def aclose(self) -> None:
        await self._real.aclose()


async def test_a_lost_answer_leaves_one_record(service: Service) -> None:
    """What is asked for is done, and nobody hears of it: the next try gets the kept answer."""
    losing = LosingTransport(service.ca, most=2)
    async with AsyncClient(service.url, api_key=service.key, transport=losing) as api:
        user = await api.users.create(name="Lost", email="lost@example.com")
        found = [each async for each in api.users.list(email="lost@example.com")]
    assert [each.id for each in found] == [user.id]


async def test_a_change_whose_answer_is_lost_is_made_once_and_says_so(service: Service) -> None:
    losing = LosingTransport(service.ca, most=1)
    async with service.async_client() as api:
        user = await api.users.create(name="Once", email="once@example.com")
        async with AsyncClient(service.url, api_key=service.key, transport=losing) as unlucky:
            with pytest.raises(PreconditionFailed) as caught:
                await unlucky.users.patch(user.id, name="Twice", if_match=user.etag)
        assert any("earlier try" in note for note in caught.value.__notes__)
        now = await api.users.get(user.id)
    assert (now.name, now.etag) == ("Twice", '"2"')


async def test_who_asks_too_much_is_slowed_down_or_told(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with Redis.from_url(redis_url) as valkey:
        for name in await valkey.keys("storekeeper:limits:*"):
            await valkey.delete(name)
    key = await make_key(fresh_database_url, Scope.RECORDS_READ)
    slow_key = await make_key(fresh_database_url, Scope.RECORDS_READ, requests_per_minute=1)
    settings = settings_for(fresh_database_url, redis_url, rate_limits="records=120/min burst 10")
    async with serving(settings, tmp_path) as api:
        url = str(api.base_url)
        async with AsyncClient(url, ca=tmp_path / "ca.pem", api_key=key) as patient:
            assert [each async for each in patient.users.list()] == []
            asked = [patient.users.get(1) for _ in range(15)]
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(each) for each in found} == {NotFound}, "slowed down, and none refused"
        with (
            Client(
                url, ca=tmp_path / "ca.pem", api_key=slow_key, policy=RetryPolicy(deadline_s=30)
            ) as hasty,
            pytest.raises(RateLimited) as caught,
        ):
            for _ in range(50):
                with suppress(NotFound):
                    await asyncio.to_thread(hasty.users.get, 1)
    assert caught.value.code == "too_many_requests"
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 1


@pytest.mark.parametrize("page", [PAGE, HOW_TO], ids=lambda page: page.stem)
async def test_the_examples_run_as_they_stand(
    page: Path,
    fresh_database_url: str,
    redis_url: str,
    fake: FakeInThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All Python of a page, in its order, against an empty database."""
    text = page.read_text("utf-8")
    code = "\n".join(
        textwrap.dedent(block)
        for block in re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    )
    own = settings_for(
        fresh_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
    )
    monkeypatch.chdir(tmp_path)
    async with serving(own, tmp_path) as api, working(own):
        monkeypatch.setenv("STOREKEEPER_API_KEY", await make_key(fresh_database_url, Scope.ADMIN))
        for place, real in (
            ("https://localhost:8443", str(api.base_url)),
            ("~/.local/state/storekeeper/tls/ca.pem", str(tmp_path / "ca.pem")),
        ):
            assert place in code
            code = code.replace(place, real)
        (tmp_path / "example.py").write_text(code, encoding="utf-8")
        await asyncio.to_thread(exec, compile(code, str(page), "exec"), {"__name__": "__main__"})
    if page is PAGE:
        assert (tmp_path / "results.csv").read_text().count("Lee") >= 5
