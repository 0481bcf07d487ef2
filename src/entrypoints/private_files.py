"""Files that hold keys and passwords: which other accounts may read or change them."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXO
_GROUP_WRITES: Final = stat.S_IWGRP


def exposure(path: Path) -> str | None:
    """Who else may touch a private file, and what to do; None where nobody may or nothing is there.

    That its group reads it is taken for intended, as Debian's `ssl-cert` does. Of a link, the file
    that it leads to counts.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    if found.st_uid not in {0, os.geteuid()}:
        own = _name(os.geteuid())
        return (
            f"{path} belongs to the account {_name(found.st_uid)}, which may read and change it:"
            f" `chown {own} {path}`."
        )
    if found.st_mode & _OTHERS:
        return f"Every account of this machine may read or change {path}: `chmod 600 {path}`."
    if found.st_mode & _GROUP_WRITES:
        return f"The group of {path} may change it: `chmod 600 {path}`."
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
