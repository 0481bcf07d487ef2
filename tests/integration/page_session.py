"""A reader of a page, who types its commands in their order and compares what is shown."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.embedded.postgres import client_programs
from tests.integration.stack import COMMAND_PATIENCE_S, PATIENCE_S, environment
from tests.shown_output import difference
from tests.snippets import ROOT, SHELL, Command, Snippet, commands_of

_STAYS: Final = re.compile(r"(make up|storekeeper up|\S*fake-llm-provider)\b(?!.*(--detach|-d\b))")
"""Commands of a terminal of their own, which run until Ctrl-C."""

# What has been installed before the tests is not installed again; all else of a target is done.
_MAKE: Final = (
    f'make() {{ command make --no-print-directory -o install -o dev -f {ROOT}/Makefile "$@"; }}'
)

_COPIED: Final = ("docs", "infra", "out")
"""Folders of the source into which a page writes; the others are links."""


@dataclass
class PageSession:
    """A shell in a folder that looks like the source, in the home of a person called ada.

    Attributes:
        home: of the person; the folder of the source is below it.
        stands_for: what a page says, and what stands for it here: ports, hosts, places of root.
        variables: of the shell, from its start.
    """

    home: Path
    stands_for: dict[str, str]
    variables: dict[str, str]
    _shell: subprocess.Popen[str] = field(init=False)
    _done: int = field(init=False)
    _staying: list[subprocess.Popen[bytes]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        for each in ROOT.iterdir():
            if each.name in _COPIED:
                subprocess.run(["cp", "-R", str(each), str(self.folder)], check=True)
            elif each.name not in {".env", ".git"}:
                (self.folder / each.name).symlink_to(each)
        # A terminal shows no progress of curl where its output goes there.
        (self.home / ".curlrc").write_text("silent\nshow-error\n")
        programs = (Path(sys.executable).parent, client_programs())
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._done, theirs = os.pipe()
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            text=True,
            pass_fds=(theirs,),
            env=environment(
                **{**self.variables, "HOME": str(self.home), "PATH": path, "COLUMNS": "100"}
            ),
        )
        os.close(theirs)
        self._type(f"exec 9>&{theirs} {theirs}>&-; _status=0; {_MAKE}")

    @property
    def folder(self) -> Path:
        """Where its shell begins: the folder of the source."""
        return self.home / "storekeeper"

    def follow(self, snippet: Snippet) -> None:
        """Do what a reader does with a block.

        Raises:
            AssertionError: it does not do, or does not show, what the page says; with its place.
        """
        if "file" in snippet.marks:
            (self.folder / snippet.marks["file"]).write_text(self._here(snippet.text))
        elif snippet.language in SHELL:
            strict = snippet.language != "console"
            for command in commands_of(snippet):
                place = f"{snippet.page}:{command.line}"
                self._command(command, place, strict, figures_vary="figures vary" in snippet.marks)
        elif snippet.language == "sql":
            (self.home / "block.sql").write_text(snippet.text)
            self.given('psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f ~/block.sql', snippet.place)
        elif snippet.language == "python":
            (self.home / "block.py").write_text(self._here(snippet.text))
            self.given("python ~/block.py", snippet.place)

    def given(self, script: str, place: str = "what the page takes as given") -> None:
        """Run a script in the shell, which must succeed."""
        status, printed = self._run(self._here(script), strict=True)
        assert status == 0, f"{place}: ended with {status}: {printed}"

    def _command(self, command: Command, place: str, strict: bool, *, figures_vary: bool) -> None:
        text = self._here(command.text)
        if _STAYS.match(text):
            self._stay(text, command.shown or "…", place, figures_vary=figures_vary)
            return
        status, printed = self._run(text, strict=strict)
        told = command.shown is not None and command.shown.strip() != "…"
        assert status == 0 or (told and not strict), (
            f"{place}: {text}\nended with {status}:\n{printed}"
        )
        if command.shown is not None:
            missing = difference(command.shown, self._there(printed), figures_vary=figures_vary)
            assert missing is None, f"{place}: {text}\n{missing}"

    def _here(self, text: str) -> str:
        for theirs, ours in self.stands_for.items():
            text = re.sub(theirs, ours, text)
        return text

    def _there(self, printed: str) -> str:
        printed = printed.replace(str(self.home), "/home/ada")
        # Root's folder is elsewhere, so that commands name the one of the page.
        printed = re.sub(
            r"(STATE_DIR=|(?<=\S) --state-dir )/home/ada/\S+/storekeeper\b ?", "", printed
        )
        if url := self.variables.get("DATABASE_URL"):
            printed = printed.replace(urlsplit(url).path.lstrip("/"), "storekeeper")
        for ours in re.findall(r"\d+", self.stands_for.get(r"\b8443\b", "")):
            printed = printed.replace(f":{ours}", ":8443")
        for ours in re.findall(r"\d+", self.stands_for.get(r"\b8900\b", "")):
            printed = printed.replace(f":{ours}", ":8900")
        return printed

    def _type(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\n")
        self._shell.stdin.flush()

    def _run(self, text: str, *, strict: bool) -> tuple[int, str]:
        out = self.home / "printed"
        (self.home / "typed").write_text(text)
        mode = "_status=0; set -euo pipefail" if strict else "set +eu +o pipefail"
        self._type(
            f"{mode}; _typed=$(cat {shlex.quote(str(self.home / 'typed'))}); "
            f'(exit $_status); eval "$_typed" '
            f">{shlex.quote(str(out))} 2>&1 </dev/null 9>&-; _status=$?; set +eu; echo $_status >&9"
        )
        ready, _, _ = select.select([self._done], [], [], COMMAND_PATIENCE_S)
        printed = out.read_text(errors="replace") if out.exists() else ""
        assert ready, f"{text}\nhas not ended after {COMMAND_PATIENCE_S} s:\n{printed}"
        said = os.read(self._done, 100).decode()
        printed = out.read_text(errors="replace")
        return (int(said), printed) if said else (self._shell.wait(PATIENCE_S), printed)

    def _stay(self, text: str, shown: str, place: str, *, figures_vary: bool) -> None:
        """Run it as in a terminal of its own, and wait for what the page shows of it."""
        ready = "" if "fake-llm-provider" in text else "stops everything; the data stays."
        if ready:
            port = self.stands_for[r"\b8443\b"]
            text += f' ARGS="--port {port}"' if text.startswith("make") else f" --port {port}"
        out = self.home / f"terminal-{len(self._staying)}"
        names, folder = self.home / "exported", self.home / "folder"
        self.given(f"env -0 >{shlex.quote(str(names))}; pwd >{shlex.quote(str(folder))}")
        with out.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"{_MAKE}\n{text}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=folder.read_text().strip(),
                env=dict(each.split("=", 1) for each in names.read_text().split("\0") if each),
                start_new_session=True,
            )
        self._staying.append(process)
        deadline = time.monotonic() + COMMAND_PATIENCE_S
        while True:
            printed = self._there(out.read_text())
            missing = difference(f"{shown}\n…", printed, figures_vary=figures_vary)
            if missing is None and ready in printed and printed:
                return
            assert process.poll() is None, f"{place}: {text}\nended, and printed:\n{printed}"
            assert time.monotonic() < deadline, f"{place}: {text}\n{missing}"
            time.sleep(0.2)

    def close(self) -> None:
        """Press Ctrl-C in every terminal, and end the shell."""
        for process in reversed(self._staying):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE_S)
        self._staying.clear()
        with self._shell:
            if self._shell.stdin is not None:
                self._shell.stdin.close()
        os.close(self._done)
