"""The parts of the documentation that repeat the code, made from the code.

`python -m tests.reference_pages` writes them into the pages, between a pair of comments each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

import click
from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from adapters.valkey.request_limits import LocalRequestLimiter
from domain.extraction.activity import CallFigures, ExtractionActivity
from domain.extraction.calls import FailureKind
from domain.insights.click_rows import ClickImportTotals
from domain.insights.run_history import InsightState
from domain.webhooks.model import DeliveryStatus, WebhookFigures
from entrypoints.cli.main import storekeeper
from entrypoints.http.app import routed_app
from entrypoints.http.metrics import Figures, every_metric
from entrypoints.http.protocol.openapi import document
from entrypoints.http.protocol.statistics import BUCKETS_S, ProcessState, RouteFigures
from entrypoints.settings import Provider, Settings, load_settings
from ports.language_models import GateState, ProviderStatus
from tests.reference_database import database_picture, database_tables

ROOT: Final = Path(__file__).parents[1]
_SIGNS: Final = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}
_HELP_COLUMNS: Final = 90
ANY: Final = ""
"""In place of a label's value, where there is no list of them."""


def default_of(field: FieldInfo) -> str:
    """What stands without a setting, as it would be written."""
    if field.is_required():
        return "required"
    default = field.get_default()
    if default is None:
        return "-"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{','.join(default)}`" if default else "-"
    return f"`{default}`"


def allowed(field: FieldInfo) -> str:
    """The values that a setting takes, in words."""
    annotation: Any = field.annotation
    if annotation == tuple[Provider, ...]:
        return "a list of " + ", ".join(f"`{each.value}`" for each in Provider)
    if annotation == tuple[str, ...]:
        return "a list"
    members = get_args(annotation)
    if members and all(isinstance(each, str) for each in members):
        return ", ".join(f"`{each}`" for each in members)
    kind = next((each for each in members if each is not type(None)), annotation)
    names = {int: "integer", float: "number", bool: "`true`, `false`", Path: "file"}
    bounds = [
        f"{sign} {getattr(rule, type(rule).__name__.lower()):,}"
        for rule in field.metadata
        for sign in [_SIGNS.get(type(rule))]
        if sign
    ]
    secret = "secret" if kind is SecretStr else names.get(kind, "text")
    return ", ".join([secret, *bounds])


FIRST_SETTINGS: Final = (
    *("database_url", "redis_url", "secret_key", "host", "tls_cert_file", "tls_key_file"),
    *("llm_provider", "openai_api_key", "gemini_api_key", "openai_compatible_base_url"),
)
"""Those that somebody sets first, to run on their own servers."""


def first_settings_table() -> str:
    """Name, default and meaning of the settings that the README shows."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name in FIRST_SETTINGS:
        field = Settings.model_fields[name]
        rows.append(f"| `{name.upper()}` | {default_of(field)} | {field.description} |")
    return "\n".join(rows)


def full_settings_table() -> str:
    """Every setting, with the values that it takes too."""
    rows = ["| setting | default | takes | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        cells = [f"`{name.upper()}`", default_of(field), allowed(field), field.description]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command that runs something, by what is typed."""
    top = click.Context(storekeeper, info_name="storekeeper", **storekeeper.context_settings)
    yield from _below(storekeeper, top)


def _below(
    group: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    if not isinstance(group, click.Group):
        yield context.command_path, group, context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command,
            info_name=name,
            parent=context,
            terminal_width=_HELP_COLUMNS,
            help_option_names=[],  # every command has the same; the page says so once
        )
        yield from _below(command, inner)


def command_help() -> str:
    """The help of every command."""
    return "\n\n".join(
        f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```"
        for path, command, context in commands()
    )


def http_operations() -> str:
    """Every operation of the OpenAPI document, by group: what it takes, answers and refuses."""
    nowhere = load_settings(
        _env_file=None,
        database_url="postgresql://nobody@127.0.0.1:1/none",
        redis_url="redis://127.0.0.1:1/0",
        secret_key="s" * 32,
    )
    described = document(routed_app(nowhere), version="0")
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    everywhere = set.intersection(
        *(set(_problem_codes(each)) for _, each in operations if each["security"])
    )
    lines = [
        "Each operation that needs a key may also answer "
        + ", ".join(f"`{code}`" for code in sorted(everywhere))
        + ". What it refuses besides is in the last column.",
    ]
    for group in described["tags"]:
        lines += ["", f"## {group['name'].capitalize()}: {group['description']}", ""]
        lines += [
            "| operation | does | needs | query and headers | body | answers | refuses besides |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{name}` | {operation['summary']} | {_needed(operation)} | {_asked(operation)} |"
            f" {_media(operation.get('requestBody', {}))} | {_answers(operation)} |"
            f" {_refusals(operation, everywhere)} |"
            for name, operation in operations
            if operation["tags"] == [group["name"]]
        ]
    return "\n".join(lines)


_PROBLEM: Final = "application/problem+json"


def _problem_codes(operation: Mapping[str, Any]) -> Mapping[str, str]:
    """Code of each problem that an operation answers, to its status."""
    return {
        code: status
        for status, answer in operation["responses"].items()
        for code in answer.get("content", {}).get(_PROBLEM, {}).get("examples", {})
    }


def _needed(operation: Mapping[str, Any]) -> str:
    if not operation["security"]:
        return "nothing"
    scopes = operation["security"][0]["bearer"]
    return f"`{scopes[0]}`" if scopes else "any key"


def _asked(operation: Mapping[str, Any]) -> str:
    names = [f"`{each['name']}`" for each in operation["parameters"] if each["in"] != "path"]
    return ", ".join(names) or "-"


def _media(described: Mapping[str, Any]) -> str:
    return ", ".join(f"`{kind}`" for kind in described.get("content", {})) or "-"


def _answers(operation: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{status}{f' {media}' if (media := _media(answer)) != '-' else ''}"
        for status, answer in operation["responses"].items()
        if _PROBLEM not in answer.get("content", {})
    )


def _refusals(operation: Mapping[str, Any], everywhere: Set[str]) -> str:
    links = [
        f"[`{code}`](problems.md#{code}-{status})"
        for code, status in _problem_codes(operation).items()
        if code not in everywhere
    ]
    return ", ".join(links) or "-"


def example_figures() -> Figures:
    """Figures in which each metric has each of its labels, and those with open values have ANY."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    state = InsightState(histories={}, pending_days=0, next_run_at=now, now=now)
    route = RouteFigures(
        method=ANY, route=ANY, answers={200: 0}, times=[0] * (len(BUCKETS_S) + 1), sum_s=0.0
    )
    process = ProcessState(pool_busy=0, pool_idle=0, pool_most=0, loop_lag_s=0.0)
    calls = [
        CallFigures(provider=ANY, model=ANY, outcome=outcome, calls=0, latency_s=0.0)
        for outcome in (None, *FailureKind)
    ]
    gate = GateState(
        gate_s=0.0,
        hinted=False,
        refusals=0,
        circuit_open=False,
        circuit_s=0.0,
        failures=0,
        quota_s=0.0,
        probes=0,
    )
    return Figures(
        requests=[route],
        processes={0: process},
        extraction=ExtractionActivity(
            calls=calls,
            cost_usd={(ANY, ANY): Decimal(0)},
            jobs={},
            open_texts=0,
            oldest_waiting_s=None,
            workers=0,
        ),
        providers=[ProviderStatus(name=ANY, model=ANY, state=gate)],
        imports=ClickImportTotals(unfinished=0, accepted=0, rejected=0),
        insights=state,
        webhooks=WebhookFigures(deliveries=dict.fromkeys(DeliveryStatus, 0), disabled=0),
        limiter=LocalRequestLimiter(),
    )


def metrics_table() -> str:
    """Every metric, with its labels and, where they are few, the values that these have."""
    rows = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in every_metric(example_figures()):
        labels: dict[str, list[str]] = {}
        for sample in metric.samples:
            for name, value in sample.labels.items():
                is_open = value == ANY or value.isdigit()
                labels.setdefault(name, []).extend([] if is_open else [f"`{value}`"])
        said = "; ".join(
            f"`{name}`: {', '.join(dict.fromkeys(values))}" if values else f"`{name}`"
            for name, values in labels.items()
        )
        rows.append(f"| `{metric.name}` | {metric.kind} | {said or '-'} | {metric.meaning} |")
    return "\n".join(rows)


def decisions() -> str:
    """The title of each decision, with a link."""
    lines = []
    for page in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")):
        number, _, title = page.read_text("utf-8").partition("\n")[0].partition(". ")
        lines.append(f"- [{number.removeprefix('# ')}]({page.name}): {title}")
    return "\n".join(lines)


PARTS: Final[Mapping[tuple[str, str], Callable[[], str]]] = {
    ("README.md", "settings"): first_settings_table,
    ("docs/reference/settings.md", "settings"): full_settings_table,
    ("docs/reference/cli.md", "commands"): command_help,
    ("docs/reference/http-operations.md", "operations"): http_operations,
    ("docs/reference/metrics.md", "metrics"): metrics_table,
    ("docs/reference/database.md", "picture"): database_picture,
    ("docs/reference/database.md", "tables"): database_tables,
    ("docs/adr/README.md", "decisions"): decisions,
}
"""Page and the name in its comments, to what stands between them."""


def part(page: str, name: str) -> str:
    """What stands in `page` between the comments of `name`."""
    return _found(page, name)[2].strip()


def _found(page: str, name: str) -> re.Match[str]:
    pattern = rf"(<!-- {name} -->\n)(.*?)(\n<!-- /{name} -->)"
    found = re.search(pattern, (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert found, f"{page} lacks <!-- {name} --> ... <!-- /{name} -->"
    return found


def write() -> None:
    """Bring every page in step with the code."""
    for (page, name), make in PARTS.items():
        found = _found(page, name)
        before, after = found.string[: found.start(2)], found.string[found.end(2) :]
        (ROOT / page).write_text(f"{before}\n{make()}\n{after}", "utf-8")


if __name__ == "__main__":
    write()
