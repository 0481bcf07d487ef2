"""What ends the build of the documentation, on small trees that have one fault each."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference_pages import ROOT

INDEX = "# Index\n\n- [Backup](how-to/backup.md#first-step), [its folder](how-to/)\n"
PAGE = "# Backup\n\n## First step\n\n```mermaid\nflowchart TD\n    a --> b\n```\n"


def built(tree: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """The site of a tree, in `out` beside it."""
    for name, text in {"README.md": INDEX, "how-to/backup.md": PAGE, **files}.items():
        file = tree / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    config = ROOT / "docs" / "site"
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-c", config, tree, tree / "out"],
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_tree_without_a_fault_becomes_a_site_with_its_navigation(tmp_path: Path) -> None:
    done = built(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    index = (tmp_path / "out" / "docs" / "README.html").read_text()
    assert 'href="how-to/backup.html#first-step"' in index
    assert '<span class="caption-text">Do</span>' in index
    assert "its folder" in index
    assert "its folder</" not in index.replace("its folder</p>", "")
    page = (tmp_path / "out" / "docs" / "how-to" / "backup.html").read_text()
    drawn = importlib.util.find_spec("mermaidx") is not None
    assert ("<svg" in page) if drawn else ("cannot be installed" in page)
    assert "url=docs/README.html" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("how-to/backup.md", PAGE + "\n[gone](gone.md)\n", "gone.md"),
        ("how-to/backup.md", PAGE + "\n[gone](../README.md#gone)\n", "gone"),
        ("how-to/backup.md", PAGE + "\n[gone](../gone/)\n", "gone"),
        ("how-to/backup.md", PAGE + "\n![gone](../images/gone.webp)\n", "gone.webp"),
        ("other/lost.md", "# Lost\n", "lost.md"),
    ],
    ids=["page", "heading", "folder", "picture", "in no list"],
)
def test_what_leads_nowhere_ends_the_build_with_its_name(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    done = built(tmp_path, **{file: text})
    assert done.returncode != 0
    assert "WARNING" in done.stderr
    assert said in done.stderr
