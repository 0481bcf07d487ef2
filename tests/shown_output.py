"""Whether a command printed what a page shows, but for what differs from run to run."""

from __future__ import annotations

import re
from typing import Final

_VARIES: Final = (
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?", "TIME"),
    (r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
    (r"\b[0-9a-f]{8}-(([0-9a-f]{4}-){3}[0-9a-f]{12}\b|…)", "ID"),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"\bcursor=[\w-]+", "cursor=CURSOR"),
    (r"\b127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\b[\d,]+ bytes\b", "N bytes"),
    (r"(?m)^content-length: \d+$", "content-length: N"),
    (r"\b\d+(\.\d+)?/s\b", "RATE"),
    (r'"(latency_ms|last_success_age_s)":[\d.]+', r'"\1":N'),
    (r"(?m)^(-[rwx-]{9}) 1 \w+ \w+ +\d+ \w{3} +\d+ +[\d:]+ ", r"\1 N TIME "),
)
"""On both sides of a comparison. Nothing else may differ."""

_LEFT_OUT: Final = re.compile(
    r"(?m)^(job \d+: .*|Using the running stack of .*|"
    r"Making \.venv with .*|Installing requirements/.*|Installed\.)$\n?"
)
"""Lines that say how far something is when one looks, where the settings come from, and what the
installation, which happened before, did."""

_BARS: Final = re.compile(r"[▁▂▃▄▅▆▇█]+")
_FIGURE: Final = re.compile(r"\d[\d.,]*")


def plain(text: str, *, figures_vary: bool = False) -> str:
    """A text without what varies.

    Args:
        text: shown by a page, or printed by a command.
        figures_vary: whether its figures, and the first cells of its tables, vary too.
    """
    text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    text = _LEFT_OUT.sub("", text)
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    if figures_vary:
        text = _BARS.sub("BARS", text)
        text = re.sub(r"(?m)^│ [^│]*│", "│ NAME │", text)
        text = re.sub(r"[━─]+", "─", text)
        text = _FIGURE.sub("N", text)
        text = re.sub(r"[+-]N", "N", text)
        text = re.sub(r"(?m)(^│ NAME │.*\n)+", "│ NAME │ ...\n", text)
        text = re.sub(r" +", " ", text)
    return text.strip()


def pattern_of(shown: str) -> re.Pattern[str]:
    """What a page shows as a pattern, in which `…` is anything, and a line of it any lines."""
    parts = re.sub(r"\n?^…$\n?", "…", shown, flags=re.MULTILINE).split("…")
    return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)


def difference(shown: str, printed: str, *, figures_vary: bool = False) -> str | None:
    """What a page shows and a command did not print, or None where they agree.

    Args:
        shown: by the page. `…` stands for anything up to where the page goes on; on a line of its
            own for any lines, or none.
        printed: by the command, on both of its outputs.
        figures_vary: see `plain`.
    """
    wanted = plain(shown, figures_vary=figures_vary)
    found = plain(printed, figures_vary=figures_vary)
    if pattern_of(wanted).fullmatch(found):
        return None
    lines = wanted.splitlines()
    agreeing = 0
    while agreeing < len(lines) and pattern_of("\n".join(lines[: agreeing + 1])).match(found):
        agreeing += 1
    first = lines[agreeing] if agreeing < len(lines) else "nothing more"
    return f"the page shows:\n  {first}\nand this was printed:\n{found}"
