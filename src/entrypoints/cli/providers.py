"""`storekeeper providers`: what holds calls to language models back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from domain.errors import InvalidInput, Violation
from domain.extraction.calls import current_name
from entrypoints.cli.options import examples, help_end
from entrypoints.cli.running import over_container
from entrypoints.container.services import Container
from entrypoints.settings import WorkerSettings
from ports.language_models import ProviderStatus


@click.group("providers", epilog=examples("storekeeper providers status"))
def command() -> None:
    """See what holds calls to the configured providers back, and let them through again.

    All processes share this through the server of REDIS_URL.
    """


@command.command(
    "status", epilog=help_end("storekeeper providers status", "storekeeper providers status --json")
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status_command(*, as_json: bool) -> None:
    """List each provider: gate, breaker, refusals in a row, quota."""

    async def work(container: Container) -> None:
        now = container.clock().now()
        found = [_seen(gate, now) for gate in await container.provider_gates().all()]
        if as_json:
            click.echo(json.dumps({"providers": found}))
            return
        for each in found:
            click.echo(f"{each['name']:<8} {each['model']}: {_in_words(each)}")

    over_container("providers status", work, WorkerSettings)


@command.command(
    "reopen", epilog=help_end("storekeeper providers reopen openai", "storekeeper providers reopen")
)
@click.argument("name", required=False)
def reopen_command(*, name: str | None) -> None:
    """Open the gates of provider NAME, or of all: waiting calls and jobs go on at once.

    For when you know more than the provider said: the quota was raised, or the wait that it named
    is a slip. If it still refuses, it is shut again by its next answer.
    """

    async def work(container: Container) -> None:
        gates = container.provider_gates()
        names = list(dict.fromkeys(gate.name for gate in await gates.all()))
        named = None if name is None else current_name(name)
        if named is not None and named not in names:
            detail = f"is no provider that is used here; used are {', '.join(names)}"
            raise InvalidInput.of([Violation(pointer=named, detail=detail)])
        for each in names if named is None else [named]:
            await gates.reopen(each)
            freed = await container.extraction_jobs().stop_waiting(each)
            click.echo(f"{each} is open. Jobs that waited for it and go on: {freed}.")

    over_container("providers reopen", work, WorkerSettings)


def _seen(gate: ProviderStatus, now: datetime) -> dict[str, Any]:
    """A provider as `--json` shows it."""
    state = gate.state

    def until(seconds: float) -> str | None:
        moment = now + timedelta(seconds=seconds)
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds > 0 else None

    shut = until(state.gate_s)
    reason = None if shut is None else "asked_to_wait" if state.hinted else "refused_without_wait"
    return {
        "name": gate.name,
        "model": gate.model,
        "gate": {"state": "shut" if shut else "open", "until": shut, "reason": reason},
        "refusals_in_a_row": state.refusals,
        "breaker": {
            "state": "open" if state.circuit_open else "closed",
            "next_probe_at": until(state.circuit_s),
            "failures_in_a_row": state.failures,
        },
        "quota_exhausted_until": until(state.quota_s),
        "probes": state.probes,
    }


def _in_words(seen: dict[str, Any]) -> str:
    gate, breaker = seen["gate"], seen["breaker"]
    words = []
    if gate["until"]:
        why = "it asked to wait" if gate["reason"] == "asked_to_wait" else "it names no wait"
        words.append(f"gate shut until {gate['until']} ({why})")
    else:
        words.append("gate open")
    if seen["refusals_in_a_row"]:
        words.append(f"refusals in a row {seen['refusals_in_a_row']}")
    next_probe = breaker["next_probe_at"] or "now"
    words.append(
        "breaker closed" if breaker["state"] == "closed" else f"breaker open, probe {next_probe}"
    )
    if breaker["failures_in_a_row"]:
        words.append(f"failures in a row {breaker['failures_in_a_row']}")
    if seen["quota_exhausted_until"]:
        words.append(f"quota used up, asked again {seen['quota_exhausted_until']}")
    if seen["probes"]:
        words.append(f"probes {seen['probes']}")
    return "; ".join(words)
