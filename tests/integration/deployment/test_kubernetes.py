"""infra/kubernetes, as kustomize renders it, against the official schemas and rules of ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from tests.integration.deployment.programs import INFRA, program
from tests.integration.service_role import service_url

EXAMPLE = INFRA / "kubernetes" / "overlays" / "example"
Manifest = dict[str, Any]

OTHERS = """
import sys, yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
models = {model.__name__: model for model in (ScaledObject, PrometheusRule, ServiceMonitor)}
for manifest in yaml.safe_load_all(open(sys.argv[1])):
    if manifest["kind"] in models:
        models[manifest["kind"]].model_validate(manifest)
        print(manifest["kind"])
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example and its migration in one file, as `kubectl apply -k` would send them."""
    whole = tmp_path_factory.mktemp("kubernetes") / "whole.yaml"
    parts = []
    for directory in (EXAMPLE, EXAMPLE / "migrate"):
        argv = (program("kubectl"), "kustomize", str(directory))
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        parts.append(done.stdout)
    whole.write_text("---\n".join(parts))
    return whole


@pytest.fixture(scope="module")
def manifests(rendered: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(rendered.read_text()))


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What each workload has for its pods."""
    return {
        manifest["metadata"]["name"]: manifest["spec"]["template"]
        for manifest in manifests
        if manifest["kind"] in {"Deployment", "Job"}
    }


def validated(file: Path) -> subprocess.CompletedProcess[str]:
    argv = (program("kubernetes-validate"), "--strict", str(file))
    return subprocess.run(argv, check=False, capture_output=True, text=True)


def test_the_schemas_of_kubernetes_accept_all_that_they_know(rendered: Path) -> None:
    done = validated(rendered)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    unknown = set(re.findall(r"schema for kind (\w+)", said))
    assert unknown == {"ExternalSecret", "ScaledObject", "PrometheusRule", "ServiceMonitor"}


def test_the_schemas_of_kubernetes_refuse_a_word_that_is_misspelt(
    rendered: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(rendered.read_text().replace("maxUnavailable: 0", "maxUnavailabel: 0"))
    assert validated(wrong).returncode != 0


def test_keda_and_the_prometheus_operator_accept_what_is_theirs(rendered: Path) -> None:
    python = Path(program("kubernetes-validate")).with_name("python")
    done = subprocess.run(
        (str(python), "-c", OTHERS, str(rendered)), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"ScaledObject", "PrometheusRule", "ServiceMonitor"}


def test_every_container_is_an_exact_version_with_limits_and_no_rights(
    manifests: list[Manifest],
) -> None:
    for name, pod in pods(manifests).items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in pod["spec"]["containers"]:
            assert re.search(r":v?\d+\.\d+\.\d+$", container["image"]), name
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_selector_finds_pods(manifests: list[Manifest]) -> None:
    labels = [pod["metadata"]["labels"].items() for pod in pods(manifests).values()]
    for manifest in manifests:
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if manifest["kind"] == "ServiceMonitor" or selector is None:
            continue
        wanted = selector if manifest["kind"] == "Service" else selector.get("matchLabels", {})
        assert any(wanted.items() <= found for found in labels), manifest["metadata"]["name"]


def test_every_pod_is_under_a_network_policy(manifests: list[Manifest]) -> None:
    selectors = [
        manifest["spec"]["podSelector"].get("matchLabels", {}).items()
        for manifest in manifests
        if manifest["kind"] == "NetworkPolicy"
    ]
    for name, pod in pods(manifests).items():
        assert any(it <= pod["metadata"]["labels"].items() for it in selectors), name


def test_no_secret_stands_in_a_manifest(manifests: list[Manifest]) -> None:
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    (settings,) = (it["data"] for it in manifests if it["kind"] == "ConfigMap")
    assert not {name for name in settings if name.endswith(("_KEY", "DATABASE_URL", "REDIS_URL"))}


async def test_the_role_of_the_service_may_ask_what_keda_asks(
    manifests: list[Manifest], module_database_url: str
) -> None:
    (scaled,) = (it for it in manifests if it["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    connection = await asyncpg.connect(service_url(module_database_url, pooled=False))
    try:
        assert await connection.fetchval(trigger["metadata"]["query"]) == 0.0
    finally:
        await connection.close()
