"""`python -m several_machines`: the shop on several machines, while parts of it fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from adapters.embedded.process import launched
from several_machines.network import FILES, TrialFailed, unshared
from several_machines.shop import Shop
from several_machines.trial import Report, run_trial
from storekeeper_client import StorekeeperError

_CANNOT_RUN_HERE: Final = 77
"""As other test programs say that they were skipped."""
_NGINX: Final = Path("infra/nginx/storekeeper.conf")
_PROGRAMS: Final = {
    "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2",
    "nginx": "nginx-light", "curl": "curl", "ps": "procps",
}  # fmt: skip
"""What is called, with the package of Debian that has it."""


@click.command("several_machines", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--logs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that the logs of all machines are copied to at the end.",
)
@click.option("--inside", is_flag=True, hidden=True)
def command(*, as_json: bool, logs: Path | None, inside: bool) -> None:
    """Run the shop on ten machines, take parts of it away, and count what is lost.

    Each machine is a network namespace of this one: two API hosts behind nginx, two workers,
    PostgreSQL with a replica, Valkey, a provider that keeps a ledger, and the client. Needs Linux,
    the root of the repository as working directory, and the right to make namespaces (root, or
    where users may). Takes a minute or two; nothing is left behind, however it ends.

    Exit code 1 if something did not happen as it should, 77 if it cannot run here.
    """
    if not inside:
        sys.exit(_enter(as_json=as_json, logs=logs))
    os.umask(0o022)  # the servers' account enters folders that we make
    try:
        report = run_trial(Shop(_NGINX.absolute()), lambda line: click.echo(line, err=True))
    except (TrialFailed, StorekeeperError) as error:
        click.echo(f"several_machines: {error}", err=True)
        sys.exit(1)
    finally:
        if logs is not None and FILES.exists():
            _copy_logs(logs)
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else _shown(report))


def _enter(*, as_json: bool, logs: Path | None) -> int:
    """Run this command again among namespaces of its own; its exit status."""
    reason = _why_not()
    if reason is not None:
        click.echo(f"several_machines: cannot run here: {reason}", err=True)
        return _CANNOT_RUN_HERE
    words = [sys.executable, "-m", "several_machines", "--inside"]
    words += ["--json"] if as_json else []
    words += [f"--logs={logs.absolute()}"] if logs is not None else []
    unshare = shutil.which("unshare")
    assert unshare is not None
    argv = launched((unshare, *unshared()[1:], *words), None)
    return subprocess.run(argv, check=False).returncode  # noqa: S603 (our own words)


def _why_not() -> str | None:
    """Why namespaces cannot be had here; None where they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    for name, package in _PROGRAMS.items():
        if shutil.which(name) is None:
            return f"there is no {name} (Debian: {package})"
    if not _NGINX.is_file():
        return f"{_NGINX} is not here: start it at the root of the repository"
    tried = subprocess.run(  # noqa: S603 (our own words)
        (*unshared(), "ip", "link", "add", "probe", "type", "bridge"),
        check=False,
        capture_output=True,
        text=True,
    )
    if tried.returncode != 0:
        return f"this account may not make namespaces and bridges: {tried.stderr.strip()}"
    return None


def _copy_logs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for log in FILES.glob("*.log"):
        shutil.copy(log, folder)


def _shown(report: Report) -> str:
    """The report for people."""
    key, speed, crashes = report.key, report.throughput, report.crashes
    reads, texts, costs = speed.reads_per_s, speed.texts_per_s, speed.cpu_s_per_1000_reads
    lines = [
        f"started after                 {report.started_in_s:.0f} s",
        "",
        "a key for the client's address alone",
        f"  from the client             {key.from_the_client}",
        f"  from another machine        {key.from_another_machine}",
        f"  without a key               {key.without_a_key}",
        f"  by the proxy's address      {key.by_a_name_that_is_not_in_the_certificate}",
        "",
        "one machine, two machines",
        f"  reads a second              {reads[0]:.0f}, {reads[1]:.0f} (x {speed.reads_ratio:.2f})",
        f"  CPU of 1000 reads, in s     {costs[0]:.2f}, {costs[1]:.2f}",
        f"  texts a second              {texts[0]:.1f}, {texts[1]:.1f} (x {speed.texts_ratio:.2f})",
        f"  calls at once, at most      {speed.calls_at_once[0]}, {speed.calls_at_once[1]}",
        "",
        "an API host, a worker and Valkey killed during a job",
        f"  the job                     {crashes.status}: {crashes.read} of {crashes.texts} texts",
        f"  calls to the provider       {crashes.calls}, {crashes.paid_twice} of them twice",
        f"  the dead worker had         {crashes.held} at most",
        "",
        "orders placed meanwhile       acknowledged, lost, twice, longest wait",
    ]
    for name, orders in (
        ("killed", crashes.orders),
        ("API host unplugged", report.unplugged_api),
        ("Valkey unplugged", report.unplugged_queue),
        ("primary unplugged, sync", report.synchronous.orders),
        ("primary unplugged, async", report.asynchronous.orders),
    ):
        lines.append(
            f"  {name:<26}  {orders.acknowledged}, {orders.lost}, {orders.twice},"
            f" {orders.longest_wait_s:.1f} s"
        )
    for name, failover in (("sync", report.synchronous), ("async", report.asynchronous)):
        lines.append(
            f"  {name + ' replica':<26}  {failover.while_the_replica_was_away} acknowledged while"
            f" it was away; writes again {failover.write_again_after_s:.1f} s after pg_promote"
        )
    return "\n".join(lines)
