"""The code blocks of the documentation, and by what each of them is tried.

`python -m tests.snippets` prints a table. A comment right before a block says what a test cannot
see by itself:

`<!-- not run: REASON -->`: it cannot run here; REASON is one of `REASONS`.
`<!-- file: NAME -->`: it is the content of a file, which the test writes where the reader would.
`<!-- run by: TEST -->`: a test of its own runs it, and names the page.
`<!-- part of: FILE -->`: all of it stands in a YAML file, which has tests.
`<!-- figures vary -->`: what it shows holds figures of sample data, which end today.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parents[1]

REASONS: Final = {
    "changes the code": r"ALTER TABLE users ADD COLUMN nickname|async def get_user_of_order",
    "installs packages": r"\bpip (install|wheel)\b|\bmake install\b",
    "needs Docker": r"\bdocker\b",
    "needs Kubernetes": r"\bkubectl\b|kind: CronJob",
    "needs a model's hub": r"\bmodels pull\b",
    "needs npm's registry": r"\bnpx\b",
    "needs pg_cron": r"\bpg_cron\b",
    "needs profiles of browsers": r"\btls trust\b",
    "needs root": r"(?m)^(\d+ ){2}|^\d+ +\*",
    "needs Supabase": r"(?i)supabase|auth\.users|ACCESS_TOKEN|token keys",
    "needs systemd": r"\bsystem(ctl|d-run)\b",
    "shows a fault": (
        r"(?i)\bwarn(ing)?\b|cannot be reached|database is not ready|failed|does not answer|FAIL"
    ),
    "shows another machine": (
        r"127\.0\.0\.1:8080|\b10\.0\.0\.\d|db\.internal|https://shop\.example/|qwen3"
        r"|synchronous_standby_names"
    ),
    "takes minutes": (
        r"(?m)\bmake (-C tools/tune|bench|check|compare-sample|fmt|test|test-vllm)\b"
        r"|tune/dev|--split dev|-m several_machines"
    ),
}
"""Why a block is not run, and what it then holds: a mark on any other block is a mistake."""

SHELL: Final = frozenset({"sh", "bash", "console"})
_MARK: Final = re.compile(
    r"<!-- (?P<kind>not run|file|run by|part of|figures vary)(?:: (?P<value>.+?))? -->\n?"
)
_MARKDOWN: Final = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Command:
    """One command of a shell block.

    Attributes:
        line: of the page, from 1.
        text: of the command, which may have several lines.
        shown: what the page shows as its output; None where it shows nothing.
    """

    line: int
    text: str
    shown: str | None = None


@dataclass(frozen=True)
class Snippet:
    """One code block.

    Attributes:
        page: from the root of the project.
        line: of the page, from 1, on which its first line of content stands.
        language: as the fence says; empty for a picture of characters.
        text: its content.
        marks: its comments, by kind.
        made: whether a test writes this part of the page from the code.
    """

    page: str
    line: int
    language: str
    text: str
    marks: dict[str, str]
    made: bool = False

    @property
    def place(self) -> str:
        """Page and line, as editors take them."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page with snippets that is kept in step: the decisions are history."""
    found = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "clients").glob("*/*.md"),
        *(ROOT / "tools").glob("**/README.md"),
    ]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if "/adr/" not in name and name != "CHANGELOG.md"]


def snippets_of(page: str) -> list[Snippet]:
    """The code blocks of a page in their order.

    Args:
        page: its path from the root of the project.
    """
    return snippets_in((ROOT / page).read_text("utf-8"), page)


def snippets_in(text: str, page: str) -> list[Snippet]:
    """The code blocks of a page's text; see `snippets_of`."""
    found: list[Snippet] = []
    marks: dict[str, str] = {}
    made = False
    for token in _MARKDOWN.parse(text):
        if token.type == "html_block":
            matches = list(_MARK.finditer(token.content))
            marks |= {each["kind"]: (each["value"] or "").strip() for each in matches}
            if re.search(r"<!-- (commands|picture|made by `make architecture`) -->", token.content):
                made = True
            if re.search(r"<!-- (/commands|/picture|up to here) -->", token.content):
                made = False
        elif token.type in {"fence", "code_block"}:
            assert token.map is not None
            found.append(
                Snippet(page, token.map[0] + 2, token.info.strip(), token.content, marks, made)
            )
            marks = {}
        elif marks and token.nesting == 1 and token.type != "list_item_open":
            raise ValueError(f"{page}: a comment {marks} stands before no code block")
    if marks:
        raise ValueError(f"{page}: a comment {marks} stands before no code block")
    return found


def commands_of(snippet: Snippet) -> list[Command]:
    """The commands of a shell block, with what is shown after each.

    In `console` a command begins with `$ `, and goes on as long as a shell would ask for more.
    """
    prompted = snippet.language == "console"
    found: list[Command] = []
    lines = snippet.text.splitlines()
    at = 0
    while at < len(lines):
        first, line = at, lines[at]
        at += 1
        if prompted and not line.startswith("$ "):
            if not found:
                raise ValueError(f"{snippet.page}:{snippet.line + first}: output before a command")
            last = found[-1]
            shown = f"{last.shown}\n{line}" if last.shown is not None else line
            found[-1] = Command(last.line, last.text, shown)
            continue
        if not prompted and (not line.strip() or line.lstrip().startswith("#")):
            continue
        words = line[2:] if prompted else line
        while is_unfinished(words):
            if at == len(lines):
                raise ValueError(f"{snippet.page}:{snippet.line + first}: the command has no end")
            words += f"\n{lines[at]}"
            at += 1
        found.append(Command(snippet.line + first, words))
    return found


def is_unfinished(command: str) -> bool:
    """Whether a shell would ask for another line: an open quote, here-document or compound."""
    if command.endswith("\\"):
        return True
    waiting = re.search(r"<<-?\s*'?(\w+)'?", command)
    if waiting and not re.search(rf"(?m)^{waiting[1]}$", command):
        return True
    plain = command if waiting is None else command[: waiting.start()]
    plain = re.sub(r"\\.", "", plain)
    plain = re.sub(r"'[^']*'|\"(?:[^\"])*\"", "", plain)
    plain = re.sub(r"(^|\s)#.*", "", plain)
    return "'" in plain or '"' in plain


def treatment(snippet: Snippet) -> str:
    """By what a block is tried, in a word or two."""
    if "not run" in snippet.marks:
        return f"not run: {snippet.marks['not run']}"
    if snippet.made:
        return "made from the code"
    if "run by" in snippet.marks:
        return "run by a test of its own"
    if "part of" in snippet.marks:
        return "compared with a tested file"
    if "file" in snippet.marks:
        return "written as a file and used"
    if snippet.language in SHELL:
        return "run"
    return {
        "python": "run",
        "sql": "run",
        "dotenv": "read as settings",
        "": "a picture",
    }.get(snippet.language, "parsed")


def table() -> Iterator[str]:
    """How many blocks of each language are tried by what."""
    counted = Counter(
        (treatment(each), each.language or "none") for page in pages() for each in snippets_of(page)
    )
    yield f"{'tried by':45} {'language':10} blocks"
    for (way, language), number in sorted(counted.items()):
        yield f"{way:45} {language:10} {number:6}"
    yield f"{'all':45} {'':10} {counted.total():6}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())
