"""`python -m adapters.charts.drawing`: a line with a chart in, a line with its SVG out.

A process of its own, because the library that draws holds Python's lock for as long as it draws,
takes some 130 MB, and is of no use after an error.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from adapters.charts.svg import inlined
from adapters.charts.theme import CONFIG


def draw(spec: Mapping[str, Any], label: str) -> str:
    """See `ports.reports.ChartRenderer.render`.

    Raises:
        ValueError: the specification is wrong.
    """
    import vl_convert  # noqa: PLC0415 (it takes its time; the process is ready before it)

    svg = vl_convert.vegalite_to_svg(dict(spec), config=CONFIG, allowed_base_urls=[])
    return inlined(svg, label)


def main() -> None:
    """Answer each line until standard input ends, which it does with the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    for line in sys.stdin:
        try:
            answer = {"svg": draw(**json.loads(line))}
        except ValueError as error:
            answer = {"error": str(error)}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
