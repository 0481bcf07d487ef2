"""Where the SQL files stand: in the installed package, or beside `src/` in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).with_name("sql")

SQL_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[3] / "sql"
