"""The comparison page as people meet it: from disk, on desks and phones, with hostile texts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from adapters.charts.vega import open_chart_renderer
from adapters.reports.comparison.page import HtmlComparisonWriter
from domain.comparison.report import ComparedText, ComparisonReport
from entrypoints.http.protocol.security_headers import framed
from tests.browser.pages import (
    DESKTOP,
    PHONE,
    accessibility_problems,
    overflow_px,
    watched_page,
)
from tests.browser.pictures import expect_picture
from tests.comparisons import HOSTILE, sample_report

_DISK = "file:///"


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    return sample_report(60, repeats=2)


@pytest.fixture(scope="module")
async def file(report: ComparisonReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    async with open_chart_renderer() as charts:
        path.write_bytes(await HtmlComparisonWriter(charts).write(report))
    return path


@pytest.fixture
async def page(browser: Browser, file: Path) -> AsyncIterator[Page]:
    async with watched_page(browser, _DISK) as opened:
        await opened.goto(file.as_uri())
        yield opened


async def test_the_page_works_under_the_policy_that_the_server_sends(
    browser: Browser, file: Path
) -> None:
    async with open_chart_renderer() as charts:
        policy = framed(HtmlComparisonWriter(charts).content_security_policy)
    assert "unsafe" not in policy
    content = file.read_bytes().replace(b"http-equiv", b"data-unused")  # the header alone
    async with watched_page(browser, "https://report.example/") as page:
        await page.route(
            "https://report.example/",
            lambda route: route.fulfill(
                body=content,
                content_type="text/html",
                headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"},
            ),
        )
        await page.goto("/")
        await expect(page.locator("#count")).to_contain_text("1 of")
        bar = page.locator(".bar i").first
        width = "each => each.getBoundingClientRect().width"
        assert 0 < await bar.evaluate(width) < await page.locator(".bar").first.evaluate(width)
        shades = "all => all.map(each => getComputedStyle(each).backgroundColor)"
        assert len(set(await page.locator("td.cell").evaluate_all(shades))) > 1


def longest(report: ComparisonReport) -> ComparedText:
    return max(report.cases, key=lambda case: len(case.text))


async def expect_count(page: Page, said: str) -> None:
    """Wait until the page says which of how many texts it shows."""
    await expect(page.locator("#count")).to_have_text(said)


async def expect_case(page: Page, case: ComparedText) -> None:
    """Wait until the page shows this text, each character of it."""
    await expect(page.locator("#case h3")).to_have_text(case.text_id)
    assert await page.locator("#case .text").inner_text() == case.text


@pytest.mark.parametrize(
    ("theme", "size"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)]
)
async def test_the_page_is_accessible_and_fits_the_screen(
    browser: Browser, file: Path, theme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    async with watched_page(browser, _DISK, theme=theme, size=size) as page:
        await page.goto(file.as_uri())
        for details in await page.locator("details").all():
            await details.evaluate("each => { each.open = true; }")
        assert await accessibility_problems(page) == []
        assert await overflow_px(page) == 0
        width = "wide" if size == DESKTOP else "narrow"
        await expect(page.locator(f".{width} svg.chart:visible")).to_have_count(7)


async def test_the_verdict_and_the_scores_are_those_of_the_report(
    page: Page, report: ComparisonReport
) -> None:
    verdict = await page.locator(".verdict").inner_text()
    assert verdict.split() == report.verdict.sentence.replace(" %", "\u202f%").split()
    glance = await page.locator("table.glance").inner_text()
    for score in report.contestants:
        assert score.perfect is not None
        assert score.perfect.value is not None
        assert f"{100 * score.perfect.value:.1f}\u202f%" in glance


async def test_the_picture_of_the_documentation_is_of_this_page(
    page: Page, report: ComparisonReport
) -> None:
    await expect_count(page, f"1 of {len(report.cases)}")  # the page is complete
    await expect_picture(page, "comparison")


async def test_hostile_texts_stay_texts(page: Page) -> None:
    assert await page.title() == "openai, local and regex on 60 texts"
    await page.get_by_label("Words of the text").fill("onerror")
    await expect_count(page, "1 of 1")
    text = HOSTILE.replace("\u202e", "U+202E").replace("\u202c", "U+202C")
    await expect(page.locator("#case .text")).to_have_text(text)
    await expect(page.locator("#case img, #case script")).to_have_count(0)
    assert await page.title() == "openai, local and regex on 60 texts"


async def test_filters_narrow_the_texts_and_can_be_cleared(
    page: Page, report: ComparisonReport
) -> None:
    every = len(report.cases)
    await expect_count(page, f"1 of {every}")
    await page.locator("select[name=contestant]").select_option("local")
    await page.locator("select[name=field]").select_option("field_3")
    await page.locator("select[name=error]").select_option("omitted")
    wanted = [
        case.text_id
        for case in report.cases
        if any(
            reply.contestant == "local"
            and any(cell.field == "field_3" and cell.error == "omitted" for cell in reply.cells)
            for reply in case.replies
        )
    ]
    assert 0 < len(wanted) < every
    await expect_count(page, f"1 of {len(wanted)}")
    await expect(page.locator("#list button bdi")).to_have_text(wanted)
    await page.locator("select[name=stratum]").select_option("injection")
    await page.locator("select[name=show]").select_option("one wrong, another right")
    await page.get_by_label("Words of the text").fill("no text says this")
    await expect_count(page, "none")
    await expect(page.locator("#case")).to_have_text("No text fits these filters.")
    await page.get_by_role("button", name="Clear").click()
    await expect_count(page, f"1 of {every}")


async def test_evidence_is_marked_where_it_stands(page: Page, report: ComparisonReport) -> None:
    case = next(
        case
        for case in report.cases
        if case.spans
        and any(cell.spans for cell in case.replies[0].cells)
        and not case.text_id.startswith("hostile")
        and len(case.text) < 1000
    )
    await page.get_by_label("Words of the text").fill(case.text_id)
    await page.locator("#list button").first.click()
    await expect_case(page, case)
    for name, (start, end) in case.spans.items():
        marks = page.locator(f'#case mark[data-keys~="-1:{name}"]')
        assert "".join(await marks.all_inner_texts()) == case.text[start:end]
    cell = next(cell for cell in case.replies[0].cells if cell.spans)
    place = [each.field for each in case.replies[0].cells].index(cell.field)
    await (
        page.locator("#case tbody tr").nth(place).locator("td").nth(1).get_by_role("button").click()
    )
    await expect(page.locator("#case mark.lit").first).to_be_visible()
    lit = await page.locator("#case mark.lit").all_inner_texts()
    assert "".join(lit) == "".join(case.text[start:end] for start, end in cell.spans)


async def test_the_keyboard_steps_through_the_texts(page: Page, report: ComparisonReport) -> None:
    await page.get_by_role("button", name="Next text").focus()
    await page.keyboard.press("Enter")
    await expect_count(page, f"2 of {len(report.cases)}")
    await page.locator("#list button").nth(1).focus()
    await page.keyboard.press("ArrowDown")
    await expect_count(page, f"3 of {len(report.cases)}")
    await expect(page.locator(":focus")).to_have_attribute("aria-current", "true")
    await page.get_by_role("button", name="Previous text").click()
    await expect(page.locator("#case h3")).to_have_text(report.cases[1].text_id)


async def test_the_address_leads_back_to_a_finding(
    browser: Browser, page: Page, file: Path
) -> None:
    await page.locator("select[name=error]").select_option("omitted")
    first = await page.locator("#case h3").inner_text()
    await page.get_by_role("button", name="Next text").click()
    await expect(page.locator("#case h3")).not_to_have_text(first)
    name = await page.locator("#case h3").inner_text()
    async with watched_page(browser, _DISK) as again:
        await again.goto(page.url)
        await expect(again.locator("#case h3")).to_have_text(name)
        await expect_count(again, await page.locator("#count").inner_text())


async def test_a_long_text_is_folded_and_opens(page: Page, report: ComparisonReport) -> None:
    case = longest(report)
    assert len(case.text) > 5_000
    await page.get_by_label("Words of the text").fill(case.text_id)
    await expect(page.locator("#case h3")).to_have_text(case.text_id)
    folded = await page.locator("#case .text").inner_text()
    assert len(folded) < len(case.text) / 2
    for left in reversed(range(await page.locator("#case .more").count())):
        await page.locator("#case .more").first.click()
        await expect(page.locator("#case .more")).to_have_count(left)
    await expect_case(page, case)


async def test_without_scripts_the_first_texts_are_listed(
    browser: Browser, file: Path, report: ComparisonReport
) -> None:
    async with watched_page(browser, _DISK, javascript=False) as page:
        await page.goto(file.as_uri())
        names = [case.text_id for case in report.cases[:12]]
        await expect(page.locator("#plain h3 bdi")).to_have_text(names)
        await expect(page.locator("#app")).to_be_hidden()


async def test_no_script_but_its_own_runs(browser: Browser, file: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.html"
    page_text = file.read_text()
    forged.write_text(
        page_text.replace("</main>", "<script>document.title='owned'</script></main>")
    )
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(forged.as_uri())
        assert await page.title() != "owned"
        assert json.loads(await page.locator("#data").inner_text())["cases"]
    finally:
        await context.close()
