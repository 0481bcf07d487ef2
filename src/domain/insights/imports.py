"""The import of one file of searches: how far it is, so that it can go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.insights.bulk import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickImport:
    """How the import of a file stands.

    Attributes:
        id: its number, from 1.
        fingerprint: of the file's content, SHA-256.
        name: what the file was called when the import began.
        options: how the file is read; an import goes on in the same way only.
        position: up to there the rows are in the log, or rejected.
        accepted: rows that went into the log.
        rejected: rows that did not.
        rejects_bytes: length of the file of rejected rows at that position.
        started_at: aware UTC.
        finished_at: aware UTC; None while rows of the file may be missing.
    """

    id: int
    fingerprint: bytes
    name: str
    options: str
    position: Position
    accepted: int
    rejected: int
    rejects_bytes: int
    started_at: datetime
    finished_at: datetime | None
