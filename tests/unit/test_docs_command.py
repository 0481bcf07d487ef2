"""`storekeeper docs` finds the page that somebody means, and says why it cannot show one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli import docs

PAGES = (
    "README",
    "docs/README",
    "docs/adr/0043-tokens-are-checked",
    "docs/how-to/backup",
    "docs/how-to/deploy-compose",
    "docs/how-to/deploy-proxy",
    "docs/reference/settings",
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of these pages, in the place of the built one."""
    folder = tmp_path / "site"
    for name in (*PAGES, "index", "search"):
        file = folder / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"<title>{name}</title>")
    (folder / "_static").mkdir()
    (folder / "_static" / "site.css").touch()
    monkeypatch.setattr(docs, "SITE", folder)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(docs.command, arguments)


def test_the_pages_are_those_that_somebody_wrote(site: Path) -> None:
    assert docs.page_names(site) == sorted(PAGES)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (None, "docs/README.html"),
        ("", "docs/README.html"),
        (" ", "docs/README.html"),
        ("/", "docs/README.html"),
        ("settings", "docs/reference/settings.html"),
        ("SETTINGS.md", "docs/reference/settings.html"),
        ("docs/reference/settings.html#a", "docs/reference/settings.html#a"),
        ("./docs/how-to/backup.md", "docs/how-to/backup.html"),
        ("how-to/backup", "docs/how-to/backup.html"),
        ("0043", "docs/adr/0043-tokens-are-checked.html"),
        ("readme", "README.html"),
        ("docs/README", "docs/README.html"),
        ("#learn", "docs/README.html#learn"),
    ],
)
def test_a_name_or_a_part_of_it_leads_to_the_page(wanted: str | None, path: str) -> None:
    assert docs.address(PAGES, wanted) == path


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("setings", "no page is called 'setings'. Did you mean settings?"),
        ("zzz", "no page is called 'zzz'. Without"),
        ("../../../etc/passwd", "no page is called"),
        ("deploy", "'deploy' may be docs/how-to/deploy-compose, docs/how-to/deploy-proxy: say"),
        ("index", "no page is called"),
    ],
)
def test_a_name_that_fits_none_or_several_is_refused_with_those_that_are_close(
    site: Path, wanted: str, said: str
) -> None:
    ended = run(wanted)
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"storekeeper docs: {said}")


def test_of_many_pages_that_fit_a_few_are_named() -> None:
    with pytest.raises(LookupError, match=r"docs/a0, .*docs/a7, and 12 more: say which"):
        docs.address([f"docs/a{number}" for number in range(20)], "a")


def test_an_installation_without_the_pages_says_where_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "SITE", tmp_path / "none")
    ended = run()
    assert ended.exit_code == 1
    assert "`make docs`" in ended.stderr


def test_a_port_that_is_taken_is_named(site: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--no-browser", "--port", str(port))
    assert ended.exit_code == 1
    assert f"port {port} cannot be used: Address already in use." in ended.stderr


def test_all_pages_are_written_into_a_folder(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "pages"
    ended = run("--out", str(out))
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == f"Wrote {len(PAGES)} pages. Begin at {out / 'index.html'}\n"
    assert {file.relative_to(out) for file in out.rglob("*")} == {
        file.relative_to(site) for file in site.rglob("*")
    }


def test_a_folder_that_holds_something_is_left_alone(site: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    ended = run("--out", str(tmp_path / "mine"))
    assert ended.exit_code == 1
    assert "is not empty. Name a new folder." in ended.stderr
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_place_that_cannot_be_written_is_named(site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run("--out", str(tmp_path / "file" / "pages"))
    assert ended.exit_code == 1
    assert f"{tmp_path / 'file' / 'pages'} cannot be written: Not a directory" in ended.stderr


def test_one_page_cannot_be_written(site: Path, tmp_path: Path) -> None:
    ended = run("backup", "--out", str(tmp_path / "pages"))
    assert ended.exit_code == 2
    assert "leave PAGE and --port out" in ended.stderr


@pytest.mark.parametrize(
    ("platform", "variables", "has"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
    ],
)
def test_a_browser_is_opened_where_it_has_a_window(
    platform: str, variables: dict[str, str], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert docs.has_display() is has
