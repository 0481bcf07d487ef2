"""Pages as people meet them: by screen, theme, and with or without JavaScript."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Request, async_playwright, expect

DESKTOP = (1280, 900)
PHONE = (390, 844)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # the CA is this run's own
)


_VIOLATIONS = """
addEventListener("securitypolicyviolation", found => noteViolation(
    `policy: ${found.effectiveDirective} ${found.blockedURI} ${found.sample}`
));
"""


# What a page does follows on what a person does, at once or on a busy machine later: tests wait for
# the state that they want, never for a moment.
expect.set_options(timeout=30_000)


def chromium() -> str:
    """The browser's path; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("needs Chromium (Debian: apt-get install chromium)")


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Headless Chromium; skips the test where there is none."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def watched_page(
    browser: Browser,
    origin: str,
    *,
    size: tuple[int, int] = DESKTOP,
    theme: Literal["light", "dark"] = "light",
    javascript: bool = True,
    complains: Sequence[str] = (),
) -> AsyncIterator[Page]:
    """A page of a new profile; fails when it complains of other things than it should, or asks
    anybody but `origin`.

    Args:
        browser: see `browsing`.
        origin: what its addresses begin with, such as `https://127.0.0.1:8443/` or `file:///`.
        size: of the screen, in CSS pixels.
        theme: what the person's system is set to.
        javascript: whether scripts run.
        complains: what it says in its console, such as of a refusal that is wanted.
    """
    context = await browser.new_context(
        ignore_https_errors=True,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        java_script_enabled=javascript,
        base_url=origin,
    )
    complaints: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((origin, "data:")):
            complaints.append(f"asked {request.url}")

    try:
        page = await context.new_page()
        page.on("request", note)
        await page.expose_function("noteViolation", lambda found: complaints.append(found))  # noqa: PLW0108 (a built-in is refused)
        await page.add_init_script(_VIOLATIONS)
        page.on("pageerror", lambda error: complaints.append(f"threw {error}"))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{said.type}: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        yield page
        assert complaints == list(complains), complaints
    finally:
        await context.close()


async def accessibility_problems(page: Page) -> Sequence[str]:
    """What axe-core finds wrong, each with the places; runs only where JavaScript does."""
    found: dict[str, Any] = (await Axe().run(page)).response
    return [
        f"{rule['id']}: {rule['help']}: "
        + "; ".join(f"{node['target']} {node['failureSummary']}" for node in rule["nodes"])
        for rule in found["violations"]
    ]


async def overflow_px(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    wider: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wider
