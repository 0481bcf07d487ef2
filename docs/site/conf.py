"""How Sphinx makes the site of the documentation: `make docs`.

The Markdown is written for people who read it on a forge, and stays as it is. This file adds the
navigation, which `docs/README.md` decides, and draws the pictures: the site needs no network.
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx

try:
    import mermaidx
except ModuleNotFoundError:  # it has no wheel for this machine
    mermaidx = None

_HERE: Final = Path(__file__).parent
_PROJECT: Final = tomllib.loads((_HERE.parents[1] / "pyproject.toml").read_text())["project"]

project = "Storekeeper"
release = _PROJECT["version"]
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/**/*.md",
    "clients/*/README.md",
    "infra/README.md",
    "tools/README.md",
    "tools/*/README.md",
]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "out",
    "node_modules",
    "src",
    "sql",
    "tests",
    "**/.venv*",
]

# What CommonMark and forges do not know is text here, too.
myst_disable_syntax = ["myst_block_break", "myst_line_comment", "myst_role", "myst_target"]
myst_heading_anchors = 6
# A block of code may show what no lexer knows: a crontab, JSON with an ellipsis.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"Storekeeper {release}"
html_favicon = "icon.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False

_LICENSED: Final = (
    *("Sphinx", "furo", "sphinx-basic-ng", "Pygments"),
    *(["mermaidx"] if mermaidx else []),
)
"""Packages of which files, or what they drew, are part of the site."""
_INDEX_PAGE: Final = (
    '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Storekeeper</title>\n'
    '<link rel="icon" href="_static/icon.svg">\n'  # else browsers ask for /favicon.ico
    '<meta http-equiv="refresh" content="0; url=docs/README.html">\n'
    '<p><a href="docs/README.html">The documentation of Storekeeper</a></p></html>\n'
)
_ACCESSIBLE: Final = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="This page" class="toc-drawer',
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}
"""What the theme leaves out: levels and names for screen readers; keys scroll what is too wide."""
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)\s:#]+)(?:#[^)\s]*)?\)")
_GROUPS: Final = {
    "Learn": ("docs/tutorial/",),
    "Do": ("docs/how-to/",),
    "Look up": ("docs/reference/", "clients/", "docs/samples/"),
    "Understand": ("docs/explanation/",),
    "Decisions": ("docs/adr/README",),
    "The project": ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY", "tools/", "infra/"),
}
"""Heading of the navigation to what the names of its pages begin with."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _prepare)
    app.connect("doctree-read", _draw)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _prepare(app: Sphinx, name: str, source: list[str]) -> None:
    """Leave links to folders out, which are pages on a forge alone, and add the navigation."""
    here = Path(app.srcdir, name).parent

    def without_folder(link: re.Match[str]) -> str:
        return link[1] if (here / link[2]).is_dir() else link[0]

    page = _LINK.sub(without_folder, source[0])
    if name == root_doc:
        page += "".join(
            _toctree(heading, _in_order(app, source[0], starts))
            for heading, starts in _GROUPS.items()
        )
    elif name == "docs/adr/README":
        page += _toctree("", sorted(n for n in app.env.found_docs if n.startswith("docs/adr/0")))
    source[0] = page


def _in_order(app: Sphinx, index: str, starts: tuple[str, ...]) -> Iterator[str]:
    """The pages of a group: first as the index links to them, then the others."""
    root = Path(app.srcdir).resolve()
    linked = [
        str((root / "docs" / target).resolve().relative_to(root).with_suffix(""))
        for _, target in _LINK.findall(index)
        if (root / "docs" / target).resolve().is_relative_to(root)
    ]
    for name in dict.fromkeys([*linked, *sorted(app.env.found_docs)]):
        if name in app.env.found_docs and name.startswith(starts) and name != root_doc:
            yield name


def _toctree(heading: str, names: Iterator[str] | list[str]) -> str:
    """A list of pages for the navigation alone; nothing without a page."""
    lines = [f"/{name}" for name in names]
    options = [":hidden:", *([f":caption: {heading}"] if heading else [])]
    return "\n".join(["\n\n```{toctree}", *options, "", *lines, "```\n"]) if lines else ""


def _draw(app: Sphinx, tree: nodes.document) -> None:
    """Put the drawings in the place of the blocks that describe them to Mermaid.

    Where nothing can draw them, the description stays, and a sentence says why.
    """
    for block in list(tree.findall(nodes.literal_block)):
        if block.get("language") != "mermaid":
            continue
        if mermaidx is None:
            why = "This site was built where mermaidx cannot be installed. The picture, in words:"
            block.replace_self([nodes.paragraph("", why), block.deepcopy()])
            continue
        section = block.parent
        while section is not None and not isinstance(section, nodes.section):
            section = section.parent
        title = section[0].astext() if section is not None else project
        label = html.escape(f"{title}, as a picture", quote=True)
        figure = f'<figure class="picture" role="group" tabindex="0" aria-label="{label}">'
        drawn = f"{figure}{_drawing(Path(app.srcdir), block.astext())}</figure>"
        block.replace_self(nodes.raw("", drawn, format="html"))


def _drawing(root: Path, described: str) -> str:
    """The picture as SVG. It takes seconds to draw, so it is kept as long as it stays the same."""
    version = metadata.version("mermaidx")
    digest = sha256(f"{version}\n{described}".encode()).hexdigest()[:16]
    kept = root / ".cache" / "pictures" / f"{digest}.svg"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        drawn = mermaidx.render(described).svg().replace("my-svg", f"picture-{digest}")
        kept.write_text(drawn, encoding="utf-8")
    return kept.read_text(encoding="utf-8")


def _finish(app: Sphinx, error: Exception | None) -> None:
    """Add the page to begin at, what accessibility needs, and the licences of others' work."""
    if error is not None:
        return
    out = Path(app.outdir)
    for file in out.rglob("*.html"):
        page = file.read_text(encoding="utf-8")
        for written, better in _ACCESSIBLE.items():
            page = page.replace(written, better)
        file.write_text(page, encoding="utf-8")
    (out / "index.html").write_text(_INDEX_PAGE, encoding="utf-8")
    (out / ".buildinfo").unlink(missing_ok=True)
    texts = [
        f"{name} {metadata.version(name)}\n\n{file.read_text()}"
        for name in _LICENSED
        for file in metadata.files(name) or ()
        if ".dist-info" in str(file) and re.match(r"(LICENSE|COPYING)", file.name)
    ]
    (out / "_static" / "licences.txt").write_text("\n\n".join(texts), encoding="utf-8")
