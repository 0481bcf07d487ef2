"""Requests and commands of the demonstration: each is shown, checked and kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2


class DemoFailed(Exception):
    """A step did not end as it should; the message shows what came instead."""


class Journal:
    """Walks through steps and writes what they gave into files.

    Args:
        client: sends the requests.
        env: environment of the commands.
        out: folder of the files, made if missing.
        say: told in a line what happens.
    """

    def __init__(
        self,
        client: httpx2.Client,
        env: Mapping[str, str],
        out: Path,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._env = env
        self._out = out
        self._say = say
        self._kept: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)

    def title(self, text: str) -> None:
        """Begin a part."""
        self._say(f"\n{text}\n{'-' * len(text)}")

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        wanted: int,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send one request with a JSON body.

        Raises:
            DemoFailed: the answer's status is not `wanted`.
        """
        answer = self._client.request(method, path, json=body, headers=headers)
        shown = answer.text if len(answer.text) <= 160 else f"{answer.text[:157]}..."
        self._say(f"{method:<6} {path} -> {answer.status_code} {shown}")
        if answer.status_code != wanted:
            raise DemoFailed(
                f"{method} {path}: {wanted} was expected, and this came: {answer.text}"
            )
        sent = {"method": method, "path": path, "body": body, "status": answer.status_code}
        given = answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text
        self._kept.append(sent | {"answer": given})
        return answer

    def command(self, *arguments: str) -> str:
        """Run a `storekeeper` command; returns what it printed.

        Raises:
            DemoFailed: it ended with another status than 0.
        """
        self._say(f"$ storekeeper {' '.join(arguments)}")
        told = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-m", "entrypoints.cli.main", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=dict(self._env),
            cwd=self._out,  # away from a .env file of the person who calls
        )
        self._say("\n".join(f"  {line}" for line in told.stdout.splitlines()))
        if told.returncode != 0:
            raise DemoFailed(f"storekeeper {' '.join(arguments)}: {told.stdout}{told.stderr}")
        return told.stdout

    def write(self, name: str, text: str | None = None) -> None:
        """Write `text`, or the requests since the last call, into a file of the folder."""
        if text is None:
            text = json.dumps(self._kept, indent=2, ensure_ascii=False) + "\n"
            self._kept.clear()
        (self._out / name).write_text(text, encoding="utf-8")
        self._say(f"=> {self._out / name}")
