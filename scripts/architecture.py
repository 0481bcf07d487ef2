#!/usr/bin/env python3
"""Draws the rooms of the house and the arrows between them into docs/explanation/architecture.md.

A room is a package below a layer, such as `domain.extraction`, and all ports are one; an arrow
`a --> b` says that a module of `a` imports one of `b`. An arrow is left out where others lead
there too, so that what is drawn can be read; those from the domain to the ports are dotted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import grimp

PAGE: Final = Path(__file__).resolve().parents[1] / "docs/explanation/architecture.md"
BEGIN: Final = "<!-- made by `make architecture` -->\n"
END: Final = "<!-- up to here -->\n"
LAYERS: Final = ("entrypoints", "adapters", "ports", "domain")

Arrow = tuple[str, str]


def arrows() -> set[Arrow]:
    """Which room imports which, but for single modules of a layer, which serve all of its rooms."""
    graph = grimp.build_graph(*LAYERS, cache_dir=None)
    packages = {name for name in graph.modules if graph.find_children(name)}

    def room(module: str) -> str | None:
        layer, _, rest = module.partition(".")
        name = f"{layer}.{rest.partition('.')[0]}"
        return "ports" if layer == "ports" else name if name in packages else None

    found = {
        (room(module), room(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in found if a and b and a != b}


def picture() -> str:
    """The text of the picture, for Mermaid."""
    found = arrows()
    dotted = {(a, b) for a, b in found if a.startswith("domain.") and b == "ports"}
    drawn = shortest(found - dotted)
    rooms = sorted({room for arrow in found for room in arrow})
    lines = ["```mermaid", "flowchart TD"]
    for layer in LAYERS:
        inside = [room for room in rooms if room.partition(".")[0] == layer]
        lines.append(f"    subgraph {layer}_layer [{layer}]")
        lines += [f"        {room.replace('.', '_')}[{room.rpartition('.')[2]}]" for room in inside]
        lines.append("    end")
    lines += [f"    {_written(a)} --> {_written(b)}" for a, b in sorted(drawn)]
    lines += [f"    {_written(a)} -.-> {_written(b)}" for a, b in sorted(dotted)]
    return "\n".join([*lines, "```", ""])


def shortest(arrows: Iterable[Arrow]) -> set[Arrow]:
    """Without the arrows that a way over other rooms stands for."""
    kept = set(arrows)
    for arrow in sorted(kept):
        if _leads(kept - {arrow}, *arrow):
            kept.remove(arrow)
    return kept


def _leads(arrows: set[Arrow], start: str, end: str) -> bool:
    reached, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        new = {b for a, b in arrows if a == here} - reached
        reached |= new
        waiting += new
    return end in reached


def _written(room: str) -> str:
    return room.replace(".", "_")


def redrawn(page: str) -> str:
    """The page with the picture as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{picture()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"Drew {PAGE.relative_to(Path.cwd())}\n")
