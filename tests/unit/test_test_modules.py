"""What tests share lives in modules of support, never in another module of tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from conftest import LONGEST_FIRST

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path
    for folder in (
        ROOT / "tests",
        *(ROOT / "tools").glob("*/tests"),
        *(ROOT / "clients").glob("*/tests"),
    )
    for path in folder.rglob("*.py")
)
TEST_MODULES = frozenset(path.stem for path in MODULES if path.stem.startswith("test_"))


def imported_test_modules(source: str) -> list[str]:
    """The modules of tests that a source text imports, or imports names of."""
    if TEST_MODULES.isdisjoint(re.findall(r"\btest_\w+", source)):
        return []  # most sources, and reading all would take a second
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return [name for name in names if not TEST_MODULES.isdisjoint(name.split("."))]


@pytest.mark.parametrize(
    "statement",
    [
        "from tests.unit.test_users import ann",
        "from tests.unit import test_users",
        "from .test_users import ann",
        "import tests.unit.test_users",
        "def late():\n    import test_users",
    ],
)
def test_every_way_to_import_a_module_of_tests_is_seen(statement: str) -> None:
    assert len(imported_test_modules(statement)) == 1


def test_no_module_imports_a_module_of_tests() -> None:
    assert len(TEST_MODULES) > 150
    importing = {
        str(path.relative_to(ROOT)): found
        for path in MODULES
        if (found := imported_test_modules(path.read_text()))
    }
    assert importing == {}


def test_every_file_that_is_to_be_tested_first_is_there() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / name).is_file()] == []
