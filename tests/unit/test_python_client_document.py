"""The Python client knows all that the OpenAPI document says, and nothing else."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from httpx2 import Response

import storekeeper_client
from entrypoints.http.app import routed_app
from entrypoints.http.protocol.openapi import document
from entrypoints.settings import load_settings
from storekeeper_client import access, comparisons, extraction, searches, webhooks
from storekeeper_client.calls import Call, Lines, Page
from storekeeper_client.clients import Api
from storekeeper_client.resources import Download, Listing, Operation

DAY = date(2026, 11, 21)
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)

LEFT_OUT = {
    "metrics": "what Prometheus scrapes",
    "export_dashboard": "files for people; `search_insights.analyse` has the figures",
    "export_query": "likewise; `search_insights.history`",
}

CURSOR = "`next` of each part carries it"
READ_ONLY = "accepted and ignored"
POINTLESS = "it has no ETag, so the one use is to be refused"
AS_LINES = "documents are sent as lines"

LEFT_OUT_PARAMETERS = {
    **{
        (operation, "If-Match"): "who asks for a record wants it in any version"
        for operation in ("get_user", "get_order")
    },
    **{
        (operation, name): POINTLESS
        for operation in ("cancel_extraction_job", "delete_comparison", "delete_extraction_schema")
        for name in ("If-Match", "If-None-Match")
    },
}

LEFT_OUT_MEMBERS = {
    ("replace_user", "id"): READ_ONLY,
    ("replace_user", "created_at"): READ_ONLY,
    ("replace_order", "id"): READ_ONLY,
    ("replace_order", "order_date"): "cannot be changed",
    ("patch_order", "order_date"): "cannot be changed",
    ("put_extraction_schema", "name"): "stands in the path",
    ("put_extraction_schema", "version"): READ_ONLY,
    ("put_extraction_schema", "built_in"): READ_ONLY,
}

FIELDS = [{"name": "order_number", "type": "string", "description": "Of the order"}]
EXAMPLES = [{"text": "Order 12", "record": {"order_number": "12"}}]
CLICK = searches.SearchClick(search_query="oak", clicks=1, impressions=2)
TEXT = comparisons.LabelledText(text="24 chairs")
MESSAGE = "msg_0b4e2a5e-6f0e-4f43-9a4b-2f3f2a1f9c11"


class Recorder:
    """Sends nothing: a call is its own result, and of several the first."""

    def run(self, task: Any) -> Any:
        return task if isinstance(task, Call) else next(task)

    def rows(self, call: Any) -> Any:
        return call

    def pieces(self, call: Any) -> Any:
        return call


API: Any = Api(Recorder())

USES: Mapping[str, list[Callable[[], Call[Any]]]] = {
    "list_users": [lambda: API.users.list(email="a@b.example", page_size=3)],
    "create_user": [lambda: API.users.create(name="Ann", email="a@b.example")],
    "get_user": [lambda: API.users.get(1), lambda: API.users.get_if_changed(1, '"2"')],
    "replace_user": [
        lambda: API.users.replace(
            1, name="A", email="a@b.example", if_match='"1"', if_none_match='"2"'
        )
    ],
    "patch_user": [
        lambda: API.users.patch(
            1, name="A", email="a@b.example", if_match='"1"', if_none_match='"2"'
        )
    ],
    "delete_user": [lambda: API.users.delete(1, if_match='"1"', if_none_match='"2"')],
    "list_orders": [
        lambda: API.orders.list(
            user_id=1, product_name="oak", since=MOMENT, until=MOMENT, page_size=3
        )
    ],
    "create_order": [
        lambda: API.orders.create(user_id=1, product_name="oak", quantity=2, order_date=MOMENT)
    ],
    "get_order": [lambda: API.orders.get(1), lambda: API.orders.get_if_changed(1, '"2"')],
    "replace_order": [
        lambda: API.orders.replace(
            1, user_id=1, product_name="oak", quantity=2, if_match='"1"', if_none_match='"2"'
        )
    ],
    "patch_order": [
        lambda: API.orders.patch(
            1, user_id=1, product_name="oak", quantity=2, if_match='"1"', if_none_match='"2"'
        )
    ],
    "delete_order": [lambda: API.orders.delete(1, if_match='"1"', if_none_match='"2"')],
    "extract": [
        lambda: API.extractions.create("24 chairs", schema="default", provider="openai,local")
    ],
    "get_extraction": [lambda: API.extractions.get("7f0c1d52-6f0e-4f43-9a4b-2f3f2a1f9c11")],
    "list_extraction_schemas": [lambda: API.extraction_schemas.list()],  # noqa: PLW0108
    "get_extraction_schema": [lambda: API.extraction_schemas.get("complaint")],
    "put_extraction_schema": [
        lambda: API.extraction_schemas.put(
            "complaint",
            fields=FIELDS,
            description="A complaint",
            examples=EXAMPLES,
            if_match="*",
            if_none_match="*",
        )
    ],
    "delete_extraction_schema": [lambda: API.extraction_schemas.delete("complaint")],
    "list_extraction_jobs": [lambda: API.extraction_jobs.list(page_size=3)],
    "create_extraction_job": [
        lambda: API.extraction_jobs.create(
            ["24 chairs"],
            schema="default",
            provider="openai",
            reuse=False,
            mode="batch",
            priority="high",
            max_cost_usd=0.5,
            max_tokens=9,
        )
    ],
    "get_extraction_job": [lambda: API.extraction_jobs.get(1), lambda: API.extraction_jobs.wait(1)],
    "get_extraction_job_results": [
        lambda: API.extraction_jobs.results(1, status="valid", page_size=3),
        *(
            lambda form=form: API.extraction_jobs.download_results(1, form, status="valid")
            for form in get_args(extraction.ResultForm)
        ),
    ],
    "pause_extraction_job": [lambda: API.extraction_jobs.pause(1)],
    "resume_extraction_job": [
        lambda: API.extraction_jobs.resume(1, max_cost_usd=1.5, max_tokens=9)
    ],
    "cancel_extraction_job": [lambda: API.extraction_jobs.cancel(1)],
    "list_comparisons": [lambda: API.comparisons.list(page_size=3)],
    "create_comparison": [
        lambda: API.comparisons.create(
            [TEXT],
            providers=["regex"],
            schema="default",
            repeat=2,
            seed=3,
            dataset="mails",
            machine_usd_per_hour=1.5,
        )
    ],
    "get_comparison": [lambda: API.comparisons.get(1), lambda: API.comparisons.wait(1)],
    "get_comparison_report": [
        lambda: API.comparisons.report(1),
        *(
            lambda form=form: API.comparisons.download_report(1, form)
            for form in get_args(comparisons.ReportForm)
        ),
    ],
    "delete_comparison": [lambda: API.comparisons.delete(1)],
    "append_search_clicks": [
        lambda: API.search_clicks.append([CLICK]),
        lambda: API.search_clicks.import_rows([CLICK]),
    ],
    "list_search_insights": [lambda: API.search_insights.list(first=DAY, last=DAY, page_size=3)],
    "get_search_insight": [lambda: API.search_insights.get(DAY)],
    "compute_search_insight": [lambda: API.search_insights.compute(DAY)],
    "analyse_searches": [
        lambda: API.search_insights.analyse(
            first=DAY,
            last=DAY,
            top=3,
            min_impressions=4,
            rank_by="ctr_low",
            low_min_impressions=5,
            low_percentile=0.5,
            low_ctr_ratio=0.00001,
            low_limit=6,
            compare="previous",
        )
    ],
    "follow_search_query": [lambda: API.search_insights.history("oak", first=DAY, last=DAY)],
    "list_keys": [lambda: API.keys.list(page_size=3)],
    "create_key": [
        lambda: API.keys.create(
            name="till 3",
            scopes=["extract"],
            environment="test",
            networks=["10.0.0.0/8"],
            requests_per_minute=6,
            budget=access.ModelBudget(usd=1.5),
            expires_at=MOMENT,
        )
    ],
    "get_key": [lambda: API.keys.get(1)],
    "patch_key": [lambda: API.keys.set_budget(1, usd=1.5, tokens=None)],
    "rotate_key": [lambda: API.keys.rotate(1, overlap_s=60)],
    "revoke_key": [lambda: API.keys.revoke(1)],
    "list_audit_log": [
        lambda: API.audit_log.list(since=MOMENT, until=MOMENT, key=1, action="user", page_size=3)
    ],
    "list_webhook_endpoints": [lambda: API.webhook_endpoints.list(page_size=3)],
    "create_webhook_endpoint": [
        lambda: API.webhook_endpoints.create(
            "https://shop.example/", events=["extraction_job.failed"], description="till"
        )
    ],
    "get_webhook_endpoint": [lambda: API.webhook_endpoints.get(1)],
    "patch_webhook_endpoint": [
        lambda: API.webhook_endpoints.change(
            1, url="https://shop.example/", events=[], description="till", enabled=True
        )
    ],
    "delete_webhook_endpoint": [lambda: API.webhook_endpoints.delete(1)],
    "rotate_webhook_secret": [lambda: API.webhook_endpoints.rotate_secret(1)],
    "test_webhook_endpoint": [lambda: API.webhook_endpoints.test(1)],
    "list_webhook_deliveries": [
        lambda: API.webhook_deliveries.list(endpoint=1, status="failed", page_size=3)
    ],
    "get_webhook_delivery": [lambda: API.webhook_deliveries.get(MESSAGE)],
    "replay_webhook_delivery": [lambda: API.webhook_deliveries.replay(MESSAGE)],
    "live": [lambda: API.health.live()],  # noqa: PLW0108
    "ready": [lambda: API.health.ready()],  # noqa: PLW0108
}
"""Each operation with every argument that the client has for it."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    address = "postgresql://nobody@127.0.0.1:1/none"
    settings = load_settings(
        _env_file=None, database_url=address, redis_url="redis://127.0.0.1:1/0", secret_key="s" * 32
    )
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(document(routed_app(settings), version="1"))
    )
    return found


@pytest.fixture(scope="module")
def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Operations by their id, with method and path."""
    return {
        operation["operationId"]: {**operation, "method": method.upper(), "path": path}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def answered(operation: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield int(status), answer.get("content", {})


def body_members(call: Call[Any]) -> set[str]:
    if not isinstance(call.body, bytes):
        return set()
    found = msgspec.json.decode(call.body)
    return set(found[0] if isinstance(found, list) else found)


def test_every_operation_has_a_method_and_no_method_has_none(operations: dict[str, Any]) -> None:
    assert USES.keys() | LEFT_OUT.keys() == operations.keys()
    assert not USES.keys() & LEFT_OUT.keys()


def test_every_method_is_used_here() -> None:
    methods = {
        member.describe.__qualname__
        for resource in vars(API).values()
        for member in vars(type(resource)).values()
        if isinstance(member, Operation | Listing | Download)
    }
    source = "".join(use.__code__.co_names.__repr__() for uses in USES.values() for use in uses)
    for method in methods:
        assert f"'{method.rpartition('.')[2]}'" in source, method


@pytest.mark.parametrize("name", USES)
def test_a_request_says_what_the_document_takes(name: str, operations: dict[str, Any]) -> None:
    operation = operations[name]
    calls = [use() for use in USES[name]]
    pattern = re.sub(r"\{\w+\}", "[^/]+", operation["path"])
    for call in calls:
        assert call.method == operation["method"]
        assert re.fullmatch(pattern, call.path), call.path

    taken = {(each["in"], each["name"]) for each in operation["parameters"] if each["in"] != "path"}
    sent = {("query", each) for call in calls for each in call.query}
    sent |= {
        ("header", each)
        for call in calls
        for each in call.headers
        if each not in {"Content-Type", "Accept"}
    }
    left_out = {
        (place, parameter)
        for place, parameter in taken
        if parameter == "cursor" or (name, parameter) in LEFT_OUT_PARAMETERS
    }
    assert sent | left_out == taken
    assert not sent & left_out


@pytest.mark.parametrize("name", USES)
def test_a_body_has_the_members_of_the_document(
    name: str, operations: dict[str, Any], described: dict[str, Any]
) -> None:
    content = operations[name].get("requestBody", {}).get("content", {})
    for call in (use() for use in USES[name]):
        media_type = call.headers.get("Content-Type")
        assert (media_type in content) if call.body is not None else (media_type is None)
        if isinstance(call.body, bytes):
            schema = resolved(content[media_type]["schema"], described["components"]["schemas"])
            if "anyOf" in schema:  # a row, or rows
                schema = resolved(schema["anyOf"][-1], described["components"]["schemas"])
                assert body_members(call) <= schema["properties"].keys()
                continue
            left_out = {member for where, member in LEFT_OUT_MEMBERS if where == name}
            assert body_members(call) | left_out == schema["properties"].keys()
            assert not body_members(call) & left_out


def test_documents_are_sent_as_lines_with_all_options_beside_them(
    operations: dict[str, Any],
) -> None:
    (call,) = (use() for use in USES["create_extraction_job"])
    assert isinstance(call.body, Lines)
    options = operations["create_extraction_job"]["requestBody"]["content"]["application/json"]
    assert options["schema"] == {"$ref": "#/components/schemas/JobBody"}


# Answers, type by type.


def resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return schema


def variants(schema: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
    """Alternatives without null, and whether null is one."""
    found = schema.get("anyOf", [schema])
    kept = [each for each in found if each.get("type") != "null"]
    return kept, len(kept) < len(found)


def words_of(ours: Mapping[str, Any]) -> str:
    """The docstring of a struct and those of the structs that it extends."""
    kind = getattr(storekeeper_client, ours["title"].partition("[")[0], Page)
    return " ".join(base.__doc__ or "" for base in kind.__mro__)


class Comparer:
    """Compares a schema of the client with one of the document, to the last member."""

    def __init__(self, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
        self._ours = ours
        self._theirs = theirs
        self._seen: set[tuple[str, str]] = set()

    def same(
        self, ours: Mapping[str, Any], theirs: Mapping[str, Any], at: str, words: str = ""
    ) -> None:
        """Both say the same; `words` are those of the struct that has the member."""
        pair = (ours.get("$ref", ""), theirs.get("$ref", ""))
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        ours, theirs = resolved(ours, self._ours), resolved(theirs, self._theirs)
        if "anyOf" in ours or "anyOf" in theirs:
            mine, null = variants(ours)
            wanted, wanted_null = variants(theirs)
            assert null == wanted_null, f"{at}: null"
            assert len(mine) == len(wanted), at
            for one, other in zip(mine, wanted, strict=True):
                self.same(one, other, at, words)
            return
        if "enum" in theirs:
            assert ours.get("type") == "string", at
            for value in theirs["enum"]:
                assert f"`{value}`" in words, f"{at}: the docstring lacks `{value}`"
            return
        assert ours.get("type") == theirs.get("type"), at
        known = {theirs["format"]} if "format" in theirs else {None, "date-time"}
        assert ours.get("format") in known, at
        if "properties" in theirs:
            self._same_members(ours, theirs, at)
        elif theirs.get("type") == "array":
            items = ours.get("items") or ours["prefixItems"][0]
            self.same(items or ours["prefixItems"][0], theirs.get("items", {}), f"{at}[]", words)

    def _same_members(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], at: str) -> None:
        assert ours["properties"].keys() - {"etag"} == theirs["properties"].keys(), at
        for name, member in theirs["properties"].items():
            mine = ours["properties"][name]
            required = name in theirs.get("required", ())
            assert required or name not in ours.get("required", ()), f"{at}.{name}"
            if not required:  # what is left out may be None here
                mine = {"anyOf": variants(mine)[0]}
            wanted = member if required else {"anyOf": variants(member)[0]}
            self.same(mine, wanted, f"{at}.{name}", words_of(ours))


def compared(kind: Any, schema: Mapping[str, Any], described: Mapping[str, Any], at: str) -> None:
    if at == "list_extraction_schemas":  # the one list that is always whole
        schema = described["components"]["schemas"]["SchemaList"]["properties"]["items"]["items"]
        kind = get_args(kind)[0]
    (ours,), components = msgspec.json.schema_components(
        [kind], ref_template="#/components/schemas/{name}"
    )
    Comparer(components, described["components"]["schemas"]).same(ours, schema, at)


def value_of(method: Operation[..., Any] | Listing[..., Any] | Download[...]) -> Any:
    """The type of what a method describes; None for nothing."""
    hints = get_type_hints(method.describe)["return"]
    (kind,) = get_args(hints) if get_origin(hints) is Call else get_args(hints)[2:]
    if get_origin(kind) in {Union, type(int | None)}:
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    return None if kind is type(None) else kind


def methods_of(name: str) -> Iterator[Any]:
    """The methods that the uses of an operation are of."""
    for use in USES[name]:
        resource, method = use.__code__.co_names[1:3]
        yield vars(type(getattr(API, resource)))[method]


@pytest.mark.parametrize("name", USES)
def test_an_answer_has_the_members_of_the_document(
    name: str, operations: dict[str, Any], described: dict[str, Any]
) -> None:
    for method in methods_of(name):
        kind = value_of(method)
        if isinstance(method, Download) or kind is int:
            continue
        for status, content in answered(operations[name]):
            assert (kind is None) == (not content), f"{name} {status}"
            if kind is not None:
                compared(kind, content["application/json"]["schema"], described, name)


@pytest.mark.parametrize("name", USES)
def test_the_example_of_an_answer_is_read(name: str, operations: dict[str, Any]) -> None:
    for use in USES[name]:
        call = use()
        wanted = call.headers.get("Accept") or "application/json"
        if (form := call.query.get("format")) is not None:
            wanted = {"json": "application/json", "markdown": "text/markdown"}.get(
                form, f"text/{form}"
            )
        for status, content in answered(operations[name]):
            headers = {"ETag": '"1"', "Content-Type": wanted}
            if not content:
                assert call.read(Response(status, headers=headers)) is None
                continue
            example = example_in(content[wanted])
            body = example.encode() if isinstance(example, str) else msgspec.json.encode(example)
            value = call.read(Response(status, headers=headers, content=body))
            if value is not None:
                assert holds(msgspec.to_builtins(value), example)


def example_in(content: Mapping[str, Any]) -> Any:
    return next(iter(content["examples"].values()))["value"]


def holds(found: Any, example: Any) -> bool:
    """Whether all of the example was read; what it leaves out has a default."""
    match example:
        case dict():
            return all(holds(found[name], each) for name, each in example.items())
        case list():
            return len(found) == len(example) and all(map(holds, found, example))
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", example):
            return datetime.fromisoformat(found) == datetime.fromisoformat(example)
    return bool(found == example)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (extraction.Document, "DocumentBody"),
        (extraction.FieldDefinition, "FieldDefinitionBody"),
        (extraction.Example, "ExampleBody"),
        (comparisons.LabelledText, "LabelledTextBody"),
        (searches.SearchClick, "ClickBody"),
        (access.ModelBudget, "BudgetBody"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_sent_in_a_body_has_the_members_of_the_document(
    ours: Any, theirs: str, described: dict[str, Any]
) -> None:
    compared(ours, {"$ref": f"#/components/schemas/{theirs}"}, described, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (extraction.ProviderMode, "ProviderMode"),
        (extraction.JobPriority, "JobPriority"),
        (extraction.ItemState, "ItemState"),
        (extraction.FieldType, "FieldType"),
        (searches.RankBy, "RankBy"),
        (access.Scope, "Scope"),
        (access.KeyEnvironment, "KeyEnvironment"),
        (webhooks.WebhookEvent, "WebhookEvent"),
        (webhooks.DeliveryStatus, "DeliveryStatus"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_argument_takes_the_values_of_the_document(
    ours: Any, theirs: str, described: dict[str, Any]
) -> None:
    assert typing.get_origin(ours) is typing.Literal
    assert sorted(get_args(ours)) == described["components"]["schemas"][theirs]["enum"]


def test_files_come_in_every_form_of_the_document(operations: dict[str, Any]) -> None:
    for name, forms, known in (
        ("get_extraction_job_results", get_args(extraction.ResultForm), extraction.FORMS),
        ("get_comparison_report", get_args(comparisons.ReportForm), comparisons.FORMS),
    ):
        assert sorted(known) == sorted(forms)
        (content,) = (content for _, content in answered(operations[name]))
        assert {*known.values(), "application/json"} == content.keys()


def test_a_problem_has_the_members_of_the_document(described: dict[str, Any]) -> None:
    compared(
        storekeeper_client.Problem, {"$ref": "#/components/schemas/Problem"}, described, "Problem"
    )
