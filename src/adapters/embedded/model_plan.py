"""How the server of a model file is to run on this machine, and whether the model fits at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.embedded.model_file import ModelFile
from adapters.embedded.process import plain_environment
from domain.errors import Unavailable

PROMPT_CACHE_MIB: Final = 64
"""Prompts that left their slots and are kept for their return."""

_MOST_SLOTS: Final = 4
_CONTEXTS: Final = (8_192, 4_096, 2_048)
_BATCH: Final = 512  # prompts are read in pieces of so many tokens
_PROGRAM_BYTES: Final = 250_000_000  # measured, with Python around it
_SLOW_PARAMETERS: Final = 900_000_000
_DEVICES_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """How a model is served.

    Attributes:
        slots: requests that are answered at once (1..4).
        context_tokens: prompt and answer of each together.
        needed_bytes: about what the server takes.
        free_bytes: what it can have.
    """

    slots: int
    context_tokens: int
    needed_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDevice:
    """A graphics processor that llama.cpp, as it is installed, can use.

    Attributes:
        name: as llama.cpp calls it.
        free_bytes: of memory of its own; 0 where it shares the system's.
    """

    name: str
    free_bytes: int


def plan_server(
    model: ModelFile,
    *,
    cores: int,
    free_bytes: int,
    context_tokens: int | None = None,
    gpu_bytes: Callable[[], int] = lambda: 0,
) -> ServerPlan:
    """As many slots and as long a context as cores and memory allow.

    Args:
        model: what is served.
        cores: that it may use.
        free_bytes: memory that it can have.
        context_tokens: of each request, where somebody has decided.
        gpu_bytes: memory of graphics processors, asked where the other is too little.

    Raises:
        Unavailable: the model does not fit even with one short request at once, or was not trained
            for so long a context.
    """
    if context_tokens is not None and context_tokens > model.trained_tokens:
        raise Unavailable(
            f"LOCAL_LLM_CONTEXT_TOKENS is {context_tokens:,}, and {model.path} was trained for"
            f" {model.trained_tokens:,} tokens: set so many at most, or none."
        )
    # A model that is slow already would only answer several at once later than one by one.
    at_once = _MOST_SLOTS
    if model.parameters >= _SLOW_PARAMETERS:
        at_once = min(_MOST_SLOTS, max(1, cores // 2))
    wanted = (context_tokens,) if context_tokens else _CONTEXTS
    contexts = sorted({min(each, model.trained_tokens) for each in wanted}, reverse=True)
    slots = sorted({at_once, max(1, at_once // 2), 1}, reverse=True)
    choices = [
        *((slots[0], each) for each in contexts[:2]),
        *((each, contexts[:2][-1]) for each in slots[1:]),
        (1, contexts[-1]),
    ]
    needs = [(choice, _needed_bytes(model, *choice)) for choice in choices]
    free = free_bytes
    if needs[-1][1] > free:
        free += gpu_bytes()
    for (count, context), need in needs:
        if need <= free:
            return ServerPlan(
                slots=count, context_tokens=context, needed_bytes=need, free_bytes=free
            )
    raise Unavailable(
        f"{model.path} needs about {gigabytes(needs[-1][1])} of memory, and {gigabytes(free)} are"
        " free: take a smaller model or quantisation (`storekeeper models list`), end other"
        " programs, or give this machine or container more memory."
    )


def _needed_bytes(model: ModelFile, slots: int, context_tokens: int) -> int:
    return (
        model.weights_bytes
        + slots * context_tokens * model.kv_bytes
        + _BATCH * model.batch_bytes
        + PROMPT_CACHE_MIB * 1024 * 1024
        + _PROGRAM_BYTES
    )


def gigabytes(count: int) -> str:
    """A number of bytes for people: `3.4 GB`."""
    return f"{count / 1e9:.1f} GB"


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: its affinity, and the quota of its control groups."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    for folder in _control_groups(root, "cpu"):
        quota, _, period = _word(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _word(folder / "cpu.cfs_quota_us"), _word(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that a new process can have: what the system has free, within our control groups.

    Caches that the system gives up count as free.

    Raises:
        Unavailable: the system does not say.
    """
    if sys.platform == "darwin":
        return _free_memory_of_macos()
    found = [
        int(line.split()[1]) * 1024
        for line in _lines(root / "proc/meminfo")
        if line.startswith("MemAvailable:")
    ]
    if not found:
        raise Unavailable(
            "How much memory is free cannot be read: /proc/meminfo has no MemAvailable."
            " Mount /proc."
        )
    for folder in _control_groups(root, "memory"):
        for limit, used, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            most, taken = _word(folder / limit), _word(folder / used)
            if most.isdigit() and taken.isdigit():
                kept = [
                    int(line.split()[1])
                    for line in _lines(folder / "memory.stat")
                    if line.startswith((f"{prefix}inactive_file ", f"{prefix}active_file "))
                ]
                found.append(max(0, int(most) - int(taken) + sum(kept)))
    return min(found)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, up to the outermost that is to be seen."""
    base = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mount = base
        elif controller in controllers.split(","):
            mount = base / controllers if (base / controllers).is_dir() else base / controller
        else:
            continue
        inner = mount / path.lstrip("/")
        for folder in (inner, *inner.parents):
            yield folder
            if folder == mount:
                break


def _free_memory_of_macos() -> int:
    names = ("vm.page_free_count", "vm.page_purgeable_count", "vm.page_pageable_external_count")
    words = ("/usr/sbin/sysctl", "-n", "hw.pagesize", *names)
    try:
        said = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603
        return free_pages(said.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"How much memory is free cannot be read ({error}): see what `{' '.join(words)}` says."
        ) from error


def free_pages(said: str) -> int:
    """Bytes in the pages that macOS counts, behind the size of one: a number a line.

    Raises:
        ValueError: these are no numbers.
    """
    page, *counts = map(int, said.split())
    return page * sum(counts)


def _word(file: Path) -> str:
    return next(iter(_lines(file)), "").strip()


def _lines(file: Path) -> Sequence[str]:
    with suppress(OSError):
        return file.read_text().splitlines()
    return ()


def gpu_devices() -> Sequence[GpuDevice]:
    """The graphics processors that llama.cpp can use, asked in a process of its own.

    A second or so: its libraries are loaded for the answer, and are not wanted here.

    Raises:
        Unavailable: llama.cpp does not start on this machine.
    """
    words = (sys.executable, "-m", "adapters.embedded.model_server", "devices")
    try:
        said = subprocess.run(  # noqa: S603 (this program)
            words,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=plain_environment(),
            timeout=_DEVICES_TIMEOUT_S,
        )
        found = json.loads(said.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"llama.cpp does not start here: {' '.join(lines[-1:])}") from error
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"llama.cpp does not say what it can use: {error}") from error
    return [GpuDevice(name=each["name"], free_bytes=each["free"]) for each in found]
