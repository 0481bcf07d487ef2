"""`fake-llm-provider`: a stand-in for OpenAI, Gemini, vLLM and Ollama on this machine."""

from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import click
import msgspec
import uvicorn

from fake_provider.app import FakeProviderApp
from fake_provider.http import server_config
from fake_provider.ledger import DEFAULT_CAPACITY
from fake_provider.provider import Provider
from fake_provider.scenario import (
    Fault,
    FaultKind,
    Latency,
    Limit,
    Scenario,
    ScenarioRefused,
    parse_scenario,
    read_scenario,
)


class FiniteRange(click.FloatRange):
    """A finite number; `nan` and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See Click."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


@click.command("fake-llm-provider", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8900, show_default=True, help="Port to listen on; 0 takes a free one."
)
@click.option(
    "--scenario",
    "scenario_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Scenario file (.json, .yaml); the other options change what it says.",
)
@click.option("--seed", type=int, help="Seed of latencies and rates.")
@click.option(
    "--latency", metavar="SECONDS[,SIGMA]", help="Mean latency; with SIGMA it is lognormal."
)
@click.option(
    "--rpm", type=FiniteRange(0, 1e9), help="Requests a minute, for each dialect and model."
)
@click.option(
    "--tpm", type=FiniteRange(0, 1e9), help="Tokens a minute, for each dialect and model."
)
@click.option(
    "--burst", "burst_s", type=FiniteRange(0, 1e6), default=60.0, help="Seconds of rate saved up."
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="KIND=P",
    help="A fault by chance, such as server_error=0.05; may be given often.",
)
@click.option("--bad-key", "bad_keys", multiple=True, help="A key to refuse; may be given often.")
@click.option(
    "--ledger",
    "ledger_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every finished call to this file, as JSON lines.",
)
@click.option("--ledger-capacity", default=DEFAULT_CAPACITY, help="Calls kept in memory.")
def command(
    host: str,
    port: int,
    scenario_file: Path | None,
    seed: int | None,
    latency: str | None,
    rpm: float | None,
    tpm: float | None,
    burst_s: float,
    rates: tuple[str, ...],
    bad_keys: tuple[str, ...],
    ledger_file: Path | None,
    ledger_capacity: int,
) -> None:
    """Answer as OpenAI, Gemini, vLLM and Ollama do, faults included; keep a ledger of every call.

    Prints the base URLs to use. Stop it with Ctrl-C.
    """
    try:
        scenario = read_scenario(scenario_file) if scenario_file else Scenario()
        changes: dict[str, object] = {}
        if seed is not None:
            changes["seed"] = seed
        if latency is not None:
            changes["latency"] = _latency(latency)
        if rpm is not None or tpm is not None:
            changes["limits"] = (Limit(rpm=rpm, tpm=tpm, burst_s=burst_s),)
        if rates:
            changes["rates"] = tuple(_rate(rate) for rate in rates)
        if bad_keys:
            changes["bad_keys"] = frozenset(bad_keys)
        scenario = parse_scenario(msgspec.to_builtins(msgspec.structs.replace(scenario, **changes)))
    except (ScenarioRefused, ValueError) as error:
        raise click.ClickException(str(error)) from error
    provider = Provider(scenario, ledger_capacity=ledger_capacity, ledger_path=ledger_file)
    _serve(provider, host, port)


def _serve(provider: Provider, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=4096)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}. Take another --port, or 0 for a "
            "free one."
        ) from error
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    click.echo(f"OPENAI_BASE_URL={url}/v1")
    click.echo(f"OPENAI_COMPATIBLE_BASE_URL={url}/vllm/v1")
    click.echo(f"GEMINI_BASE_URL={url}")
    click.echo(f"# control: {url}/_control/summary")
    uvicorn.Server(server_config(FakeProviderApp(provider))).run(sockets=[listener])


def _latency(text: str) -> Latency:
    mean, _, sigma = text.partition(",")
    try:
        if sigma:
            return Latency(kind="lognormal", mean_s=_number(mean), sigma=_number(sigma))
        return Latency(mean_s=_number(mean))
    except ValueError as error:
        raise ValueError(f"--latency {text!r}: {error}; give 0.2 or 0.2,0.5") from error


def _rate(text: str) -> Fault:
    kind, _, probability = text.partition("=")
    try:
        return Fault(kind=msgspec.convert(kind, FaultKind), probability=_number(probability))
    except (ValueError, msgspec.ValidationError) as error:
        raise ValueError(f"--rate {text!r}: {error}; give KIND=P, such as reset=0.1") from error


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number
