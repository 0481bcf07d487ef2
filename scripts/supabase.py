#!/usr/bin/env python3
"""Writes infra/supabase/migrations, in the layout of the Supabase CLI, from sql/migrations.

Each file enters itself into `schema_migrations`, so that `storekeeper db migrate` finds it applied.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from adapters.postgres.migrations import HISTORY

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "sql" / "migrations"
TARGET = ROOT / "infra" / "supabase" / "migrations"


def written() -> dict[str, str]:
    """The text of each file that belongs into TARGET, by its name."""
    found = {}
    for path in sorted(SOURCE.glob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        number, _, subject = path.stem.partition("_")
        found[f"20260101{int(number):06}_{subject}.sql"] = "\n".join(
            (
                f"-- Made from sql/migrations/{path.name} by scripts/supabase.py. Change it there.",
                "BEGIN;",
                f"{HISTORY.strip()};",
                sql.strip(),
                "INSERT INTO schema_migrations (name, checksum)",
                f"VALUES ('{path.stem}', '{checksum}');",
                "COMMIT;",
                "",
            )
        )
    return found


def main() -> None:
    """Write them, and remove what belongs there no more."""
    TARGET.mkdir(parents=True, exist_ok=True)
    files = written()
    for path in TARGET.glob("*.sql"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (TARGET / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
