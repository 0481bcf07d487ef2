"""Headless Chromium, as a person's browser would see a page."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

_FLAGS = (
    "--headless",
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


def chromium() -> str:
    """The browser's path; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("needs Chromium (Debian: apt-get install chromium)")


async def rendered(url: str, profile: Path, *, screenshot: Path | None = None) -> str:
    """The DOM of the page after its scripts have run, as HTML."""
    shot = [] if screenshot is None else [f"--screenshot={screenshot}"]
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *_FLAGS,
        f"--user-data-dir={profile}",
        "--window-size=1280,1600",
        "--virtual-time-budget=20000",
        *(shot or ["--dump-dom"]),
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode(errors="replace")[-2000:]
    return out.decode()
