"""The three jobs, once each by HTTPS and by command: every step is shown, checked and kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2


class DemoFailed(Exception):
    """A step did not end as it should; the message shows what came instead."""


class StepRunner:
    """Takes steps one at a time, checks each, and writes what they gave into files.

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


_MESSAGES: Final = (
    "Hi, Maria Lopez here. Could we get 24 oat milk cartons by friday?",
    "hello!! this is Tom Becker again, pls send 3 wool blankets to the shop, thx",
    "Good morning, we need 12 beeswax candles. Kind regards, Priya Nair",
)
_COMPLAINT: Final = {
    "description": "A customer's complaint",
    "fields": [
        {
            "name": "order_number",
            "type": "string",
            "description": "Number of the order that the complaint is about",
            "pattern": "^[0-9]{4,8}$",
        },
        {"name": "product", "type": "string", "description": "What the complaint is about"},
    ],
}


def records(steps: StepRunner) -> None:
    """Users and orders: written once whatever is retried, changed by one at a time."""
    steps.title("Records")
    ada = {"name": "Ada Lovelace", "email": "ada@example.com"}
    once = {"Idempotency-Key": "demo-ada"}
    made = steps.request("POST", "/users", ada, wanted=201, headers=once)
    steps.request("POST", "/users", ada, wanted=201, headers=once)
    user, tag = made.json(), made.headers["ETag"]
    path = f"/users/{user['id']}"
    steps.request("PATCH", path, {"name": "Countess"}, wanted=200, headers={"If-Match": tag})
    steps.request("PATCH", path, {"name": "Late"}, wanted=412, headers={"If-Match": tag})
    chair = {"user_id": user["id"], "product_name": "oak chair", "quantity": 2}
    order = steps.request("POST", "/orders", chair, wanted=201).json()
    steps.request("GET", f"/orders?user_id={user['id']}", wanted=200)
    steps.request("GET", "/users?limit=3", wanted=200)
    steps.write("records.json")

    steps.title("Refusals")
    bad = {"name": " ", "email": "nobody", "colour": "red"}
    steps.request("POST", "/users", bad, wanted=422)
    steps.request("POST", "/users", {**ada, "email": "ADA@example.com"}, wanted=409)
    steps.request("POST", "/orders", {**chair, "user_id": 2**31 - 1}, wanted=422)
    steps.request("DELETE", path, wanted=409)
    steps.request("GET", "/users/0", wanted=404)
    steps.request("GET", "/users?limit=1000", wanted=422)
    steps.request("DELETE", f"/orders/{order['id']}", wanted=204)
    steps.request("DELETE", path, wanted=204)
    steps.write("refusals.json")


def extraction(steps: StepRunner) -> None:
    """Messages become records by the model that runs on this machine."""
    steps.title("Extraction")
    for text in _MESSAGES:
        steps.request("POST", "/extractions", {"text": text}, wanted=200)
    steps.request("PUT", "/extraction-schemas/complaint", _COMPLAINT, wanted=201)
    text = "Order 48213 arrived yesterday, but the oak chair has a crack."
    found = {"text": text, "schema": "complaint"}
    made = steps.request("POST", "/extractions", found, wanted=200).json()
    steps.request("GET", f"/extractions/{made['id']}", wanted=200)
    steps.write("extractions.json")


def insights(steps: StepRunner, today: date) -> None:
    """Searches are written down, and a day's insight is computed from them.

    Args:
        steps: shows, checks and keeps the steps.
        today: the present UTC day.
    """
    steps.title("Search insights")
    day = (today - timedelta(days=1)).isoformat()
    rows = [
        {"search_query": "wool blanket", "clicks": 12, "impressions": 80, "search_date": day},
        {"search_query": "garden gnome", "clicks": 0, "impressions": 45, "search_date": day},
    ]
    steps.request("POST", "/search-clicks", rows, wanted=201)
    steps.request("POST", f"/search-insights/{day}", wanted=200)
    steps.request("GET", f"/search-insights/{day}", wanted=200)
    steps.request("GET", "/search-insights/live", wanted=200)
    steps.write("insights.json")


def commands(steps: StepRunner) -> None:
    """What the command line says about the same stack."""
    steps.title("Commands")
    steps.command("db", "status")
    steps.write("insights.txt", steps.command("insights", "analyse"))
    steps.write("doctor.txt", steps.command("doctor"))
