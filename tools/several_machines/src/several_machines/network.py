"""Machines on one network: each is a network namespace with an address of its own.

All of it, processes and files too, lives in namespaces that the kernel takes down with the process
that made them, however that ends. So nothing is ever left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PREFIX: Final = "10.77.0."
FILES: Final = Path("/run/several-machines")
"""In memory, and seen by the machines alone."""

_BRIDGE: Final = "lan"
_NAMESPACES: Final = Path("/run/netns")
_TICK_S: Final = 0.2


class TrialFailed(Exception):
    """Something did not happen; the message says what, with the last words of the log."""


def unshared() -> tuple[str, ...]:
    """The words before a command that give it a network, mounts and processes of its own."""
    words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:  # a user's own namespace has the rights of root inside
        words[1:1] = ["--user", "--map-current-user", "--keep-caps"]
    return tuple(words)


def wait_until(what: Callable[[], bool], missing: Callable[[], str], patience_s: float) -> float:
    """Wait until `what` is true; the seconds that it took.

    Raises:
        TrialFailed: it was not within `patience_s`; says what `missing` says.
    """
    started = time.monotonic()
    while not what():
        if time.monotonic() - started > patience_s:
            raise TrialFailed(f"not within {patience_s:.0f} s: {missing()}")
        time.sleep(_TICK_S)
    return time.monotonic() - started


def run(*argv: str, text: str | None = None) -> str:
    """The output of a command that must succeed.

    Raises:
        TrialFailed: it did not; says what it said.
    """
    done = subprocess.run(  # noqa: S603 (our own words)
        argv, check=False, capture_output=True, text=True, input=text
    )
    if done.returncode != 0:
        raise TrialFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that runs on a machine."""

    process: subprocess.Popen[bytes]
    log: Path

    def words(self) -> str:
        """The end of what it said."""
        return f"{self.log.name}: ... {self.log.read_text(errors='replace')[-1500:]}"

    def cpu_s(self) -> float:
        """Seconds of processor time of it and of what it started, as far as that still runs."""
        family = {self.process.pid}
        ticks = 0
        for line in run("ps", "-A", "-o", "pid=,ppid=").splitlines():
            pid, parent = map(int, line.split())
            if parent in family:
                family.add(pid)
        for pid in family:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, kw_only=True)
class Machine:
    """One machine.

    Attributes:
        name: by which the others find it.
        address: on the network.
        programs: those that run there.
    """

    name: str
    address: str
    programs: list[Program] = field(default_factory=list)

    def entered(self, *argv: str, account: tuple[int, int] | None = None) -> tuple[str, ...]:
        """The words that run `argv` there, in another account if one is given."""
        words = ["nsenter", f"--net={_NAMESPACES / self.name}"]
        if account is not None:
            words += [f"--setuid={account[0]}", f"--setgid={account[1]}"]
        return (*words, "--", *argv)

    def start(
        self,
        name: str,
        *argv: str,
        variables: Mapping[str, str] | None = None,
        account: tuple[int, int] | None = None,
    ) -> Program:
        """Start a program there; what it says goes into a log of its own."""
        log = FILES / f"{self.name}-{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 (our own words)
                self.entered(*argv, account=account),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if variables is None else dict(variables),
                cwd="/",
                start_new_session=True,
            )
        program = Program(process=process, log=log)
        self.programs.append(program)
        return program

    def crash(self) -> None:
        """Kill all that runs there at once, as by `kill -9`; the machine itself still answers."""
        for program in self.programs:
            os.killpg(program.process.pid, signal.SIGKILL)
            program.process.wait()
        self.programs.clear()

    def unplug(self) -> None:
        """Pull its network cable: from now on nothing comes from it, not even a refusal."""
        run("ip", "link", "set", f"to-{self.name}", "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        run("ip", "link", "set", f"to-{self.name}", "up")


def build_network(
    numbers: Mapping[str, int], client: int, names: Mapping[str, str]
) -> list[Machine]:
    """Make the machines; this process itself stands at the client's address.

    Args:
        numbers: the last part of each machine's address, by its name.
        client: the last part of the client's address.
        names: more names, each with the machine that it leads to.
    """
    run("mount", "-t", "tmpfs", "-o", "mode=755,size=2g", "none", "/run")
    _NAMESPACES.mkdir()
    FILES.mkdir()
    here = {"client": client, **numbers}
    hosts = FILES / "hosts"
    known = {**here, **{name: here[machine] for name, machine in names.items()}}
    lines = [f"{PREFIX}{number} {name}\n" for name, number in known.items()]
    hosts.write_text("127.0.0.1 localhost\n" + "".join(lines))
    hosts.chmod(0o644)
    run("mount", "--bind", str(hosts), "/etc/hosts")
    _batch(None, [
        f"link add {_BRIDGE} address {_mac(client)} type bridge",
        f"address add {PREFIX}{client}/24 dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
        "link set lo up",
    ])  # fmt: skip
    for name, number in numbers.items():
        run("ip", "netns", "add", name)
        _batch(None, [
            f"link add to-{name} type veth peer name eth0 address {_mac(number)} netns {name}",
            f"link set to-{name} master {_BRIDGE} up",
        ])  # fmt: skip
        _batch(name, [
            f"address add {PREFIX}{number}/24 dev eth0",
            "link set lo up",
            "link set eth0 up",
            *_neighbours(here, number, "eth0"),
        ])  # fmt: skip
    _batch(None, _neighbours(here, client, _BRIDGE))
    return [Machine(name=name, address=f"{PREFIX}{number}") for name, number in numbers.items()]


def _neighbours(numbers: Mapping[str, int], own: int, device: str) -> list[str]:
    """Everybody's hardware address, said once and for all.

    Otherwise the kernel would find out within seconds that a machine is unplugged, and refuse
    connections to it. Behind a router it cannot, and connections hang: that is the worse case.
    """
    return [
        f"neighbour replace {PREFIX}{number} lladdr {_mac(number)} dev {device} nud permanent"
        for number in numbers.values()
        if number != own
    ]


def _mac(number: int) -> str:
    return f"02:00:0a:4d:00:{number:02x}"


def _batch(namespace: str | None, lines: list[str]) -> None:
    where = () if namespace is None else ("-n", namespace)
    run("ip", *where, "-batch", "-", text="\n".join(lines) + "\n")
