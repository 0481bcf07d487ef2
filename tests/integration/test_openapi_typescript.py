"""The OpenAPI document as TypeScript reads it: needs Node.js and the npm registry."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from entrypoints.http.app import routed_app
from entrypoints.http.protocol.openapi import document
from entrypoints.settings import load_settings

USE = """
import type { components, paths } from "./storekeeper";

type Created = paths["/orders"]["post"]["responses"][201]["content"]["application/json"];
const order: Created = {
  id: 1, user_id: 1, product_name: "oak chair", quantity: 2, order_date: "2026-11-22T09:30:00Z",
};
const problem: components["schemas"]["Problem"]["errors"] = [{ pointer: "/id", detail: "no" }];
// @ts-expect-error (a quantity is a number)
const wrong: Created = { ...order, quantity: "two" };
export { order, problem, wrong };
"""


@pytest.mark.skipif(
    "TEST_NPX" not in os.environ, reason="TEST_NPX=1 has npx fetch openapi-typescript"
)
@pytest.mark.skipif(shutil.which("npx") is None, reason="this machine has no npx (Node.js)")
def test_openapi_typescript_makes_types_that_a_program_can_use(tmp_path: Path) -> None:
    settings = load_settings(
        _env_file=None,
        database_url="postgresql://nobody@127.0.0.1:1/none",
        redis_url="redis://127.0.0.1:1/0",
        secret_key="s" * 32,
    )
    described = document(routed_app(settings), version="1")
    (tmp_path / "openapi.json").write_bytes(msgspec.json.encode(described))
    (tmp_path / "use.ts").write_text(USE)
    for command in (
        ["npx", "--yes", "openapi-typescript@7", "openapi.json", "-o", "storekeeper.d.ts"],
        ["npx", "--yes", "--package=typescript@5", "tsc", "--noEmit", "--strict", "use.ts"],
    ):
        done = subprocess.run(
            command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
