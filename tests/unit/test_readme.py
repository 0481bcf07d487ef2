from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from adapters.postgres.schema import tables
from domain import errors
from domain.errors import AppError
from entrypoints.http.protocol import problems
from entrypoints.http.protocol.problems import DEFECT, REFUSED, kind_of
from entrypoints.settings import Settings
from tests.reference_database import described_tables
from tests.reference_pages import (
    PARTS,
    ROOT,
    commands,
    first_settings_table,
    full_settings_table,
    part,
)

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REMEDY = "run `python -m tests.reference_pages`"


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What `#...` may name in a page: its headings, as code hosts turn them into ids."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def cells(table: str) -> Iterator[list[str]]:
    for line in table.splitlines():
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_reference_lists_every_setting_as_it_is() -> None:
    shown = {row[0]: row for row in cells(part("docs/reference/settings.md", "settings"))}
    wanted = {row[0]: row for row in cells(full_settings_table())}
    for name in Settings.model_fields:
        assert shown.get(f"`{name.upper()}`") == wanted[f"`{name.upper()}`"], REMEDY
    assert shown.keys() == wanted.keys(), REMEDY


@pytest.mark.parametrize(("page", "name"), sorted(key for key in PARTS if key[1] != "commands"))
def test_a_part_that_is_made_of_the_code_is_what_the_code_says(page: str, name: str) -> None:
    assert part(page, name) == PARTS[page, name]().strip(), REMEDY


def test_a_comment_in_the_schema_is_the_meaning_of_its_column() -> None:
    described = described_tables()
    assert described["users"].meanings["email"] == "as typed"
    spellings = "Under which spellings of one query meet"
    assert described["search_clicks"].meanings["query_norm"].startswith(spellings)
    turn = "only the process that took it last may change it"
    assert described["provider_batches"].meanings["turn"] == turn
    assert "provider_batches_job_id_idx" in described["provider_batches"].indexes


def test_every_table_is_described_with_its_columns() -> None:
    described = described_tables()
    assert described.keys() == tables().keys()
    for name, table in described.items():
        assert table.meanings.keys() <= tables()[name].columns.keys(), name
        assert table.section, name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_picture_of_a_page_shows_what_its_caption_names(page: Path) -> None:
    for caption, target in re.findall(r"!\[([^\]]*)\]\(([^)]+\.webp)\)", prose(page)):
        listed = (page.parent / target).with_suffix(".txt").read_text("utf-8").lower()
        names = [name.strip().lower() for name in caption.partition(": ")[2].split(";")]
        assert len(names) > 1, f"{named(page)}: name what {target} shows: `a page: this; that`"
        assert [name for name in names if name not in listed] == [], f"{named(page)}: {target}"


def test_every_picture_of_a_page_is_shown_somewhere_and_they_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.webp"))
    texts = "".join(page.read_text("utf-8") for page in PAGES)
    assert len(pictures) == 4
    assert [each.name for each in pictures if f"images/{each.name})" not in texts] == []
    assert sum(each.stat().st_size for each in pictures) < 300_000


def test_the_readme_lists_the_first_settings_as_they_are_and_what_must_be_set() -> None:
    shown = list(cells(part("README.md", "settings")))
    assert shown == list(cells(first_settings_table())), REMEDY
    required = {
        f"`{name.upper()}`" for name, field in Settings.model_fields.items() if field.is_required()
    }
    assert required <= {row[0] for row in shown}


def test_the_reference_names_every_command_and_its_options() -> None:
    sections = dict(
        re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", part(*COMMANDS), re.DOTALL | re.MULTILINE)
    )
    registered = {path: command for path, command, _ in commands()}
    assert sections.keys() == registered.keys(), REMEDY
    for path, command in registered.items():
        shown = set(re.findall(r"--[a-z][a-z-]*", sections[path]))
        public = [each for each in command.params if not getattr(each, "hidden", False)]
        options = {name for each in public for name in each.opts if name.startswith("--")}
        assert options <= shown, f"{path}: {REMEDY}"
        assert "\\b" not in sections[path], f"{path} shows a mark of click's in its help"


COMMANDS = next(key for key in PARTS if key[1] == "commands")


def codes() -> dict[str, HTTPStatus]:
    """Every problem code that an answer can have, with its status."""
    found = {code: kind.status for code, kind, _ in REFUSED.values()}
    found["internal"] = DEFECT.status
    waiting: list[type[AppError]] = [AppError]
    while waiting:
        children = waiting.pop().__subclasses__()
        waiting += children
        for each in children:
            kind = kind_of(each)
            if kind is not None and each.__module__ in {errors.__name__, problems.__name__}:
                found[each.code] = kind.status
    return found


def test_the_page_of_problems_explains_every_code_with_its_status() -> None:
    text = (ROOT / "docs/reference/problems.md").read_text("utf-8")
    sections = re.findall(r"^## `(\w+)`: (\d{3})\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert {code: int(status) for code, status, _ in sections} == codes()
    assert len(sections) == len(codes())
    for code, _, body in sections:
        assert "**When**" in body, code
        assert "**Remedy**" in body, code


def test_the_examples_of_problems_are_such_problems() -> None:
    text = (ROOT / "docs/reference/problems.md").read_text("utf-8")
    examples = re.findall(r'"code":"(\w+)","title":"([^"]+)","status":(\d+)', text)
    assert {code for code, _, _ in examples} <= codes().keys()
    for code, _, status in examples:
        assert int(status) == codes()[code], code


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{named(page)}: {target}"
        if anchor:
            assert anchor in anchors(linked), f"{named(page)}: {target}"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(index))
    }
    pages = [
        page for page in PAGES if page != index and page.parent not in {ROOT, ROOT / "docs" / "adr"}
    ]
    missing = [named(page) for page in pages if page not in linked]
    assert not missing, f"docs/README.md needs a link to {missing}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_lines_for_cron_name_the_command_by_its_path(page: Path) -> None:
    for block in re.findall(
        r"^```cron\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    ):
        assert not re.search(r"(?<![/\w.-])storekeeper ", block), block
