"""The site of the documentation, as `make docs` builds it and `storekeeper docs` serves it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import DESKTOP, PHONE, accessibility_problems, overflow_px, watched_page
from tests.browser.pictures import expect_picture
from tests.integration.stack import PATIENCE_S, environment
from tests.reference_pages import ROOT

_SERVE = """
import sys
from pathlib import Path
from entrypoints.cli import docs, main
docs.SITE = Path(sys.argv.pop(1))
main.main()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, built anew; a warning ends the build."""
    folder = tmp_path_factory.mktemp("documentation")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(ROOT / "docs" / "site")),
            *("-d", str(folder / "read"), str(ROOT), str(folder / "site")),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def origin(site: Path) -> Iterator[str]:
    """`storekeeper docs` on that site, as a real process that Ctrl-C ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(site), "docs", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\d.:]+/", process.stdout.readline())
            assert found, process.stderr and process.stderr.read()
            yield found[0]
            process.send_signal(signal.SIGINT)
            _, complained = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, complained) == (0, "")
        finally:
            process.kill()


class _Page(HTMLParser):
    """What a page links to, loads, and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag in {"script", "img", "link", "iframe", "source"}:
            self.loaded |= {given[name] for name in ("src", "href") if name in given}


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {file.resolve(): _Page(file.read_text("utf-8")) for file in site.rglob("*.html")}
    assert len(pages) > 100
    followed = 0
    for file, page in pages.items():
        assert [each for each in page.loaded if urlsplit(each).netloc] == [], file
        for link in page.links | page.loaded:
            url = urlsplit(link)
            if url.scheme or link.startswith("mailto:"):
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            assert target.is_file(), f"{file.relative_to(site)}: {link}"
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].places, f"{file}: {link}"
            followed += 1
    assert followed > 10_000


def test_it_names_no_folder_of_the_machine_that_built_it(site: Path) -> None:
    naming = [
        str(file)
        for file in site.rglob("*")
        if file.is_file() and str(ROOT).encode() in file.read_bytes()
    ]
    assert naming == []


def test_the_licences_of_what_came_from_others_come_along(site: Path) -> None:
    text = (site / "_static" / "licences.txt").read_text("utf-8")
    for name in ("Sphinx", "furo", "Pygments"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE), name


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize(
    "path", ["docs/README.html", "docs/explanation/architecture.html", "docs/reference/cli.html"]
)
async def test_a_page_is_accessible_and_fits_the_screen(
    browser: Browser, origin: str, path: str, size: tuple[int, int]
) -> None:
    async with watched_page(browser, origin, size=size) as page:
        await page.goto(f"/{path}")
        assert await accessibility_problems(page) == []
        assert await overflow_px(page) <= 0


async def test_a_picture_is_drawn_without_any_script(browser: Browser, origin: str) -> None:
    pytest.importorskip("mermaidx", reason="has no wheel for this machine")
    async with watched_page(browser, origin, javascript=False) as page:
        await page.goto("/docs/explanation/architecture.html")
        drawn = page.get_by_role("group", name="Packages and imports, as a picture")
        await expect(drawn.get_by_text("entrypoints", exact=True)).to_be_visible()


async def test_the_search_finds_a_page_with_the_words_around(browser: Browser, origin: str) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto("/")
        await page.wait_for_url("**/docs/README.html")
        await page.get_by_role("textbox", name="Search").fill("pg_cron")
        await page.keyboard.press("Enter")
        found = page.locator("#search-results li", has_text="Schedule the search insights").first
        await expect(found.locator(".context")).to_contain_text("cron")
        await found.get_by_role("link").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Schedule")


async def test_the_search_works_from_disk_too(browser: Browser, site: Path) -> None:
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(f"{(site / 'search.html').as_uri()}?q=backup")
        await expect(page.locator("#search-results li a").first).to_be_visible()
    finally:
        await context.close()


async def test_the_picture_of_the_documentation_is_of_this_page(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin, size=(1024, 640)) as page:
        await page.goto("/docs/README.html")
        await expect_picture(page, "documentation", region="article")


async def test_no_folder_and_nothing_outside_is_served(browser: Browser, origin: str) -> None:
    context = await browser.new_context()
    try:
        for path in ("docs/", "_static/", "..%2f..%2fetc%2fpasswd", "%2e%2e/read/", "none.html"):
            answer = await context.request.get(f"{origin}{path}")
            assert answer.status == 404, path
    finally:
        await context.close()
