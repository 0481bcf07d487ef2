"""Charts by Vega-Lite (Satyanarayan et al. 2017), drawn by a process beside this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, Final

from adapters.charts.drawing import PLACEHOLDER_ORIGIN
from adapters.charts.theme import stylesheet
from domain.errors import ChartFailed, Unavailable
from ports.reports import Chart, ChartRenderer

_DEADLINE_S: Final = 15.0
_TOLD: Final = {"PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"}
"""What the process that draws knows of our environment, which holds passwords and keys."""
_LONGEST_ANSWER_BYTES: Final = 32 * 1024 * 1024
_KEPT: Final = 64
# What XML 1.0 cannot hold; a query of another program may.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class VegaChartRenderer(ChartRenderer):
    """Draws one chart at a time; the process starts with the first, and anew when it has ended.

    The last 64 pictures are kept (some 2 MB), so that looking at a page again costs nothing.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[bytes, str] = OrderedDict()

    @property
    def stylesheet(self) -> str:
        """See the port."""
        return stylesheet()

    def check(self) -> None:
        """Whether charts can be drawn here.

        Raises:
            Unavailable: the library that draws is not installed; says how to get it.
        """
        if find_spec("vl_convert") is None:
            raise Unavailable(
                "Charts need a library that is not installed here:"
                " pip install 'storekeeper[charts]'."
            )

    async def render(self, chart: Chart) -> str:
        """See the port."""
        self.check()
        asked = {"spec": _storable(chart.spec), "label": _storable(chart.label)}
        line = json.dumps(asked).encode()
        async with self._turn:
            if line not in self._kept:
                self._kept[line] = await self._drawn(line)
            self._kept.move_to_end(line)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[line]

    async def close(self) -> None:
        """End the process; one that draws is not waited for."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._process.wait()
        await self._kill()

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _drawn(self, line: bytes) -> str:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                answer = json.loads(await self._answer(line))
        except (OSError, ValueError, TimeoutError) as error:
            await self._kill()
            raise ChartFailed("The process that draws charts did not answer.") from error
        except asyncio.CancelledError:
            await self._kill()  # its answer would be taken for the next one's
            raise
        if "error" in answer:
            await self.close()
            raise ChartFailed("A chart could not be drawn.") from ValueError(answer["error"])
        svg: str = answer["svg"]
        return svg

    async def _answer(self, line: bytes) -> bytes:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "adapters.charts.drawing"),
                stdin=PIPE,
                stdout=PIPE,
                limit=_LONGEST_ANSWER_BYTES,
                env={name: os.environ[name] for name in _TOLD & os.environ.keys()},
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + b"\n")
        await process.stdin.drain()
        return await process.stdout.readline()


@asynccontextmanager
async def open_chart_renderer() -> AsyncIterator[VegaChartRenderer]:
    """A renderer whose process ends with the block."""
    renderer = VegaChartRenderer()
    try:
        yield renderer
    finally:
        await renderer.close()


def _storable(value: Any) -> Any:
    """With paths as Vega takes them, and without what XML cannot hold."""
    match value:
        case str():
            return _CONTROL.sub("\ufffd", value)
        case list() | tuple():
            return [_storable(each) for each in value]
        case dict():
            return {name: _placed(name, each) for name, each in value.items()}
        case _:
            return value


def _placed(name: str, value: Any) -> Any:
    path = name == "href" and isinstance(value, str)
    return _storable(f"{PLACEHOLDER_ORIGIN}{value}" if path else value)
