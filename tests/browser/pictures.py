"""Pictures of pages for the documentation, each beside a list of what its page shows.

Pixels differ between machines, so the list is what a test compares: it says in text which headings,
labels and colours the page has. Where it differs from the page of today, the picture is of another
page: `make pictures` makes both anew.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

from playwright.async_api import Page

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
LARGEST_BYTES: Final = 100_000
"""Of one picture."""
_MAKES: Final = os.environ.get("STOREKEEPER_PICTURES") == "make"

_OUTLINE: Final = """
region => {
    const names = "h1, h2, h3, th, label, button, summary, nav a";
    const shown = [...document.querySelector(region).querySelectorAll(names)]
        .filter(each => each.checkVisibility())
        .map(each => [each.tagName.toLowerCase(), each.innerText.replaceAll("\\u00b6", "")
            .replace(/\\d+/g, "0").replace(/\\s+/g, " ").trim()])
        .filter(([, text]) => text)
        .map(([tag, text]) => `${tag}: ${text}`);
    const colours = ["body", "h1", "a"].flatMap(name => {
        const first = document.querySelector(name);
        const style = first === null ? null : getComputedStyle(first);
        return style === null ? [] : `${name} is ${style.color} on ${style.backgroundColor}`;
    });
    return [...new Set([...shown, ...colours])].join("\\n") + "\\n";
}
"""
_WEBP: Final = """
async png => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({type: "image/webp", quality: 0.8});
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(Array.from(bytes, each => String.fromCharCode(each)).join(""));
}
"""


async def expect_picture(page: Page, name: str, *, region: str = "body") -> None:
    """Fail unless the picture of this name shows such a page; under `make pictures`, make it.

    Args:
        page: as the picture shows it.
        name: of the picture, without its suffix.
        region: what of the page is listed, as a selector.
    """
    picture, listed = FOLDER / f"{name}.webp", FOLDER / f"{name}.txt"
    shown: str = await page.evaluate(_OUTLINE, region)
    taken = await _taken(page)
    assert taken[8:12] == b"WEBP"
    assert len(taken) < LARGEST_BYTES
    if _MAKES:
        FOLDER.mkdir(exist_ok=True)
        picture.write_bytes(taken)
        listed.write_text(shown, encoding="utf-8")
    assert picture.exists(), "run `make pictures`"
    assert listed.read_text(encoding="utf-8") == shown, "run `make pictures`, and look at them"


async def _taken(page: Page) -> bytes:
    """The screen as WebP, which Chromium makes of a canvas."""
    png = base64.b64encode(await page.screenshot(animations="disabled")).decode()
    blank = await page.context.new_page()
    try:
        return base64.b64decode(await blank.evaluate(_WEBP, png))
    finally:
        await blank.close()
