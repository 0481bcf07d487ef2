"""What dashboards and alerts ask for is what a running service exports."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from fake_provider.scenario import Fault
from fake_provider.testing import running_fake
from tests.integration.api import serving, settings_for
from tests.reference_pages import ROOT

COMPOSE = ROOT / "infra" / "compose"
DASHBOARD = COMPOSE / "grafana" / "provisioning" / "dashboards" / "storekeeper.json"
KUBERNETES = ROOT / "infra" / "kubernetes" / "components" / "prometheus" / "monitor.yaml"
OF_PROMETHEUS = {"up"}
OF_THE_TARGET = {"instance", "job"}
SAMPLE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? \S+")


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return found


def rules(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return rules(yaml.safe_load((COMPOSE / "alerts.yaml").read_text("utf-8"))["groups"])


def expressions() -> dict[str, str]:
    """What is asked, by who asks."""
    asked = {
        f"panel {panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel.get("targets", [])
    }
    return asked | {f"alert {rule['alert']}": rule["expr"] for rule in alerts()}


def asked_for(expression: str) -> list[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that it must have.

    An aggregation asks for its labels of all metrics inside of it.
    """
    found: list[tuple[str, set[str]]] = []

    def look(node: Any, labels: set[str]) -> None:
        match node:
            case promql_parser.VectorSelector():
                assert node.name is not None, expression
                found.append(
                    (node.name, labels | {matcher.name for matcher in node.matchers.matchers})
                )
            case promql_parser.MatrixSelector():
                look(node.vector_selector, labels)
            case promql_parser.AggregateExpr():
                look(node.expr, labels | set(node.modifier.labels if node.modifier else ()))
            case promql_parser.BinaryExpr():
                look(node.lhs, labels)
                look(node.rhs, labels)
            case promql_parser.Call():
                for argument in node.args:
                    look(argument, labels)
            case promql_parser.ParenExpr():
                look(node.expr, labels)
            case _:
                assert isinstance(node, promql_parser.NumberLiteral), node

    look(promql_parser.parse(expression.replace("$__rate_interval", "5m")), set())
    return found


def exported(text: str) -> Mapping[str, set[str]]:
    """The names of a service, each with the labels of its samples."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for suffix in suffixes:
                names[name + suffix]  # it is there, with or without a sample
        elif not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample["name"] in names, line
            names[sample["name"]] |= set(re.findall(r"(\w+)=", sample["labels"] or ""))
    return names


@pytest.fixture(scope="module")
async def metrics(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, set[str]]:
    """What a service exports that has read a text, with a call that failed."""
    with running_fake() as fake:
        settings = settings_for(
            module_database_url,
            redis_url,
            llm_provider="openai",
            openai_api_key="a-key",
            openai_base_url=fake.openai_base_url,
        )
        async with serving(settings, Path(tmp_path_factory.mktemp("tls"))) as api:
            fake.script(Fault(kind="server_error"))
            answer = await api.post("/extractions", json={"text": "24 oat milk cartons for Ada."})
            assert answer.status_code == 200, answer.text
            found = await api.get("/metrics")
    assert found.status_code == 200, found.text
    text = found.text
    assert 'storekeeper_http_requests_total{method="POST",route="/extractions",status="200"} 1' in (
        text
    )
    assert 'outcome="answer"} 1\n' in text
    assert 'outcome="server_error"} 1\n' in text
    return exported(text)


@pytest.mark.parametrize(("who", "expression"), expressions().items())
def test_the_service_exports_what_is_asked_for(
    who: str, expression: str, metrics: Mapping[str, set[str]]
) -> None:
    asked = asked_for(expression)
    assert asked, who
    for name, labels in asked:
        assert name in metrics or name in OF_PROMETHEUS, who
        assert labels <= metrics.get(name, set()) | OF_THE_TARGET, who


def test_every_metric_has_a_panel(metrics: Mapping[str, set[str]]) -> None:
    shown = {
        re.sub("_(bucket|sum|count)$", "", name)
        for panel in panels()
        for target in panel.get("targets", [])
        for name, _ in asked_for(target["expr"])
    }
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in metrics} <= shown


def test_a_metric_that_is_not_there_would_be_found() -> None:
    expression = 'sum by (route) (rate(storekeeper_nothing{status="200"}[5m])) > 1'
    assert asked_for(expression) == [("storekeeper_nothing", {"route", "status"})]
    with pytest.raises(ValueError, match="parenthesis"):
        asked_for("sum(")


def test_panels_stand_side_by_side_and_ask_the_provisioned_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    file = COMPOSE / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    (source,) = yaml.safe_load(file.read_text("utf-8"))["datasources"]
    asked = {panel["datasource"]["uid"] for panel in panels() if "datasource" in panel}
    assert asked == {source["uid"]}
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_each_alert_leads_to_a_section_of_the_documentation() -> None:
    for rule in alerts():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        text = (ROOT / page).read_text("utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
        assert not anchor or anchor in anchors, rule["alert"]


def test_kubernetes_has_the_alerts_of_compose() -> None:
    documents = yaml.safe_load_all(KUBERNETES.read_text("utf-8"))
    (groups,) = (each["spec"]["groups"] for each in documents if each["kind"] == "PrometheusRule")
    # A host is called by the service that leads to it.
    job, service = 'job="storekeeper"', 'job="storekeeper-api"'
    wanted = [{**rule, "expr": rule["expr"].replace(job, service)} for rule in alerts()]
    assert rules(groups) == wanted
