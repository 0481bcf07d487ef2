"""Every route: the operations as the document states them, and the pages and their files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from entrypoints.http.protocol.problems import explained

PAGES: Final = (
    "/",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/docs/nothing",
    "/schema/openapi.json",
    "/dashboard",
    "/dashboard?days=0",
    "/dashboard/query?query=rug",
    "/dashboard/query",
    "/dashboard/assets/dashboard.css",
    "/dashboard/assets/dashboard.js",
    "/dashboard/assets/nothing",
    "/problems/nothing",
    "/nothing",
    *(f"/problems/{code}" for code in sorted({code for code, _, _ in explained()})),
)
METHODS: Final = ("post", "put", "get", "patch", "delete")
"""In the order in which a resource is made, read and removed."""


@dataclass
class Walk:
    """Asks every operation of the document, by its own examples.

    Attributes:
        buyer: the id of a user, for orders.
        known: parameters of paths, as what was made is called.
        answered: the statuses of each operation.
    """

    api: httpx2.AsyncClient
    document: dict[str, Any]
    buyer: int
    known: dict[str, str] = field(default_factory=dict)
    answered: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    async def prepared(cls, api: httpx2.AsyncClient) -> Walk:
        """A walk through what the server's own document names."""
        document = (await api.get("/schema/openapi.json")).json()
        buyer = {"name": "Ann", "email": "ann.buys@example.com"}
        made = await api.post("/users", json=buyer)
        assert made.status_code == 201, made.text
        buyer_id = made.json()["id"]
        # A delivery is made by the test of an endpoint, and has another path.
        endpoint = await api.post("/webhook-endpoints", json={"url": "https://shop.example/"})
        ping = await api.post(f"{endpoint.headers['location']}/test")
        assert ping.status_code == 202, ping.text
        known = {"delivery_id": ping.json()["id"]}
        return cls(api=api, document=document, buyer=buyer_id, known=known)

    async def every_operation(self, **headers: str) -> None:
        """Each of them, right and wrong; those on a resource after what makes it."""
        paths = self.document["paths"]
        for method in METHODS:
            left = [path for path in paths if method in paths[path]]
            left.sort(key=lambda each: (each.count("/"), each))
            while left:
                path = next((each for each in left if self._knows(each)), left[0])
                left.remove(path)
                await self._operation(method, path, paths[path][method], headers)

    def _knows(self, path: str) -> bool:
        return self.known.keys() >= set(re.findall(r"\{(\w+)\}", path))

    async def _operation(
        self, method: str, path: str, stated: dict[str, Any], headers: dict[str, str]
    ) -> None:
        parameters = stated.get("parameters", [])
        required = {
            each["name"]: each["schema"]["examples"][0]
            for each in parameters
            if each.get("required") and each["in"] == "query"
        }
        asked = re.sub(r"\{(\w+)\}", lambda found: self._value(found[1], parameters), path)
        body: dict[str, Any] = {}
        if "requestBody" in stated:
            content = stated["requestBody"]["content"]["application/json"]
            body = {"json": next(iter(content["examples"].values()))["value"]}
            if "user_id" in body["json"]:
                body["json"] = {**body["json"], "user_id": self.buyer}
        name = f"{method} {path}"
        right = await self.api.request(method, asked, params=required, headers=headers, **body)
        self.answered.setdefault(name, set()).add(right.status_code)
        if method == "post" and right.is_success and "id" in (made := right.json()):
            place = right.headers.get("location", "").rpartition("/")[0] or path
            self.known |= dict.fromkeys(_parameters_below(self.document, place), str(made["id"]))
        for wrong in (
            self.api.request(method, asked, params={**required, "nonsense": "1"}, headers=headers),
            self.api.request(method, re.sub(r"\{\w+\}", "none", path), headers=headers),
            self.api.request("TRACE", asked, headers=headers),
            self.api.request("OPTIONS", asked, headers=headers),
            self.api.request(method, asked, headers={**headers, "if-match": '"77"'}, content=b"{"),
        ):
            self.answered[name].add((await wrong).status_code)

    def _value(self, name: str, parameters: list[dict[str, Any]]) -> str:
        if name in self.known:
            return self.known[name]
        schema = next(each["schema"] for each in parameters if each["name"] == name)
        return str((schema.get("examples") or schema.get("enum") or [schema.get("const")])[0])


def _parameters_below(document: dict[str, Any], path: str) -> Iterator[str]:
    """The names of what stands after `path` in longer ones."""
    for longer in document["paths"]:
        if found := re.match(rf"{re.escape(path)}/\{{(\w+)\}}", longer):
            yield found[1]
