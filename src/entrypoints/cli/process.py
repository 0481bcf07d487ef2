"""How a command ends before its time: by a signal, or because nobody takes its output."""

from __future__ import annotations

import asyncio
import io
import os
import selectors
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final, NoReturn, TextIO, TypeVar

import click

T = TypeVar("T")

OUTPUT_REFUSED: Final = 74
"""EX_IOERR of sysexits.h."""
_NOBODY_READS: Final = 128 + signal.SIGPIPE
_STDOUT: Final = 1
_STDERR: Final = 2

_received: signal.Signals = signal.SIGINT
_main: asyncio.Task[Any] | None = None


class StopSignal(asyncio.Event):
    """Set by the first SIGINT or SIGTERM, for work that then comes to an end of its own.

    The second one ends the work at once.
    """

    def __init__(self) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._stop, signum)

    def _stop(self, signum: signal.Signals) -> None:
        global _received  # noqa: PLW0603 (signals are the process's own)
        _received = signum
        self.set()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
        heed_signals()


def heed_signals() -> None:
    """Take SIGTERM as Ctrl-C is taken: what was begun is undone, and a line says so."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)


def run_interruptibly(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in a loop of its own.

    asyncio alone would cancel it at its next wait, and never where it waits for standard input or
    computes.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; `work` has ended.
    """

    async def run() -> T:
        global _main  # noqa: PLW0603
        _main = asyncio.current_task()
        try:
            return await work()
        finally:
            _main = None

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _interrupt(signum: int, frame: FrameType | None) -> None:
    global _received, _main  # noqa: PLW0603
    _received = signal.Signals(signum)
    task, _main = _main, None  # a second one waits for nothing
    if task is None or frame is None or frame.f_code.co_filename != selectors.__file__:
        raise KeyboardInterrupt
    task.get_loop().call_soon_threadsafe(task.cancel)


def interrupted_status() -> int:
    """What the process exits with that a signal ended: 130 after SIGINT, 143 after SIGTERM."""
    return 128 + _received


def end_interrupted(name: str, kept: str) -> NoReturn:
    """End the process, with a line for the person who interrupted it.

    Args:
        name: of the command, as it is typed; "" where it is not known.
        kept: a sentence about what is left, and how to go on.
    """
    click.echo(f"{f'storekeeper {name}'.strip()}: interrupted. {kept}", err=True)
    sys.exit(interrupted_status())


def guard_output() -> None:
    """Have the process end when nobody takes its standard output any more.

    Without a word and with 141 where its reader has gone, as `head` does; with a line and 74 where
    it cannot be written, for want of space or because it is closed. What goes to standard error is
    dropped where nobody takes it.
    """
    # Where one of the three is closed, the next file that is opened would take its number.
    while (spare := os.open(os.devnull, os.O_RDONLY)) <= _STDERR:
        pass
    os.close(spare)
    sys.stdout = _guarded(sys.stdout, _STDOUT)
    sys.stderr = _guarded(sys.stderr, _STDERR)


def flush_output() -> None:
    """Write out what is left; ends the process as `guard_output` says."""
    sys.stdout.flush()


def _guarded(stream: TextIO | None, number: int) -> TextIO:
    raw = io.BufferedWriter(_Output(number, "w", closefd=False))
    if not isinstance(stream, io.TextIOWrapper):  # it is closed
        return io.TextIOWrapper(raw, encoding="utf-8")
    return io.TextIOWrapper(
        raw,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """Standard output or standard error, whichever number it is opened with."""

    def write(self, data: Any, /) -> int:
        """Write, or end the process where that is standard output's."""
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() == _STDERR:
                return memoryview(data).nbytes
            # What is still in buffers would fail once more when they are closed.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDOUT)
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                sys.exit(_NOBODY_READS)
            click.echo(
                f"storekeeper: standard output cannot be written: {error.strerror}.", err=True
            )
            sys.exit(OUTPUT_REFUSED)
