"""Dumps of everything of ours in a database, by PostgreSQL's own pg_dump, pg_restore and psql.

`objects.py` says what is ours. All else of the database, extensions, owners and grants are left
alone, so no superuser is needed.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from asyncio.subprocess import DEVNULL as _NOTHING
from asyncio.subprocess import PIPE as _PIPE
from asyncio.subprocess import Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from adapters.postgres.client_programs import (
    ProgramDirectories,
    is_local,
    plain_environment,
    program_access,
)
from adapters.postgres.contents import DatabaseSnapshot
from adapters.postgres.migrations import MigrationError, migrate, migration_files
from adapters.postgres.objects import our_names
from adapters.postgres.schema import HISTORY

_PIECE_BYTES: Final = 1_048_576
# A policy names roles, as a grant does, and the other server may have none of that name.
_NOT_RESTORED: Final = (
    *("SCHEMA", "EXTENSION", "ACL", "DEFAULT ACL", "POLICY", "PUBLICATION TABLE"),
    "COMMENT - SCHEMA",
)
# Notices would stand before the error, and hide it.
_QUIETLY: Final = "SET LOCAL client_min_messages = 'warning';"
# pg_restore 17 and newer says it to every server, and those before 17 refuse it.
_REFUSED_BEFORE_17: Final = b"SET transaction_timeout = 0;\n"


class DumpError(Exception):
    """It was not done; the message names the cause and the remedy."""


async def dump(place: DatabaseSnapshot, file: Path, programs: ProgramDirectories) -> int:
    """Write everything of ours into a new file that its owner alone can read.

    The file has its name once it is whole. Requests go on meanwhile; it is of one moment.

    Returns:
        Its size in bytes.

    Raises:
        DumpError: `file` exists or cannot be written, the database holds nothing of ours, or a
            program is missing, too old or failed.
    """
    if HISTORY not in place.tables:
        raise DumpError(
            f"{place.name}, holds no tables of Storekeeper: look at DATABASE_URL, or run"
            " `storekeeper db migrate`."
        )
    _refuse_others(place)
    folder = await _folder_for(place, programs)
    with _new_file(file) as part, program_access(place.url) as access:
        await _run(
            (
                *(str(folder / "pg_dump"), "--format=custom", f"--file={part}", "--no-password"),
                *("--no-owner", "--no-privileges", f"--schema={place.schema}"),
                *(f"--exclude-table={each}" for each in place.others),
            ),
            access,
        )
        await _contents(part, folder)  # it can be read back
        return part.stat().st_size


async def restore(
    place: DatabaseSnapshot, file: Path, programs: ProgramDirectories, *, replace: bool
) -> Sequence[str]:
    """Put what a dump holds in the place of what is ours there, all of it or nothing.

    Then what the dump is too old to hold is migrated.

    Args:
        place: the database to write to.
        file: made by `dump`, or by pg_dump in its custom format.
        programs: where pg_restore and psql are.
        replace: go on where the database holds data, which is lost.

    Returns:
        The names of the migrations that were applied on top.

    Raises:
        DumpError: nothing was changed: the database holds data, the file is no whole dump of ours
            or of a later version, something that is not ours depends on our tables, or a program
            is missing, too old or failed. Or the dump is restored and not brought to this version,
            which the message then says.
    """
    _refuse_others(place)
    folder = await _folder_for(place, programs)
    wanted = await _wanted(file, folder, place.schema)
    if place.filled and not replace:
        raise DumpError(
            f"{place.name}, holds data (in {', '.join(place.filled)}), and nothing was changed."
            " Give the address of an empty database in DATABASE_URL; or, to delete what this one"
            " holds and put the dump in its place, say --replace."
        )
    with (
        program_access(place.url) as access,
        tempfile.NamedTemporaryFile("w", suffix=".list") as chosen,
    ):
        chosen.write("\n".join(wanted) + "\n")
        chosen.flush()
        reading = (
            *(str(folder / "pg_restore"), "--no-owner", "--no-privileges"),
            *(f"--use-list={chosen.name}", "--file=-", str(file)),
        )
        writing = (
            *(str(folder / "psql"), "--no-psqlrc", "--quiet", "--no-password"),
            *("--set=ON_ERROR_STOP=1", "--output=/dev/null"),
        )
        await _pour(reading, writing, place, access)
    try:
        return await migrate(place.url, service_roles=place.service_roles)
    except (MigrationError, OSError) as error:
        raise DumpError(
            f"the dump is restored, but not brought to this version: {error}"
        ) from error


def _refuse_others(place: DatabaseSnapshot) -> None:
    """Raise `DumpError` for a role that row level security binds, or that may not make tables."""
    if place.owner is not None:
        raise DumpError(
            f"{place.name}, belongs to the role {place.owner}: dumps are made and restored by the"
            " owner of the tables. Give its address in DATABASE_URL."
        )


async def _wanted(file: Path, folder: Path, schema: str) -> Sequence[str]:
    """The lines of the dump's list that are restored.

    Raises:
        DumpError: it is no dump that this version can restore into `schema`.
    """
    schema = schema.strip('"')  # the list quotes nothing
    lines = await _contents(file, folder)
    tables = [re.search(rf" TABLE (\S+) {HISTORY} ", line) for line in lines]
    schemas = {found[1] for found in tables if found}
    if not schemas:
        raise DumpError(f"{file} is a dump of something else: it holds no {HISTORY}.")
    if schemas != {schema}:
        raise DumpError(
            f"{file} is of the schema {', '.join(sorted(schemas))}, and the tables of this database"
            f" would lie in {schema}: restore it where the role's search_path names the former."
        )
    text = await _run(
        (
            *(str(folder / "pg_restore"), "--data-only", f"--table={HISTORY}"),
            *(f"--schema={schema}", "--file=-", str(file)),
        )
    )
    known = {each.name: each.checksum for each in migration_files()}
    applied = re.findall(r"^(\d{4}_\w+)\t([0-9a-f]{64})\t", text, re.MULTILINE)
    unknown = [name for name, checksum in applied if known.get(name) != checksum]
    if unknown or not applied:
        raise DumpError(
            f"{file} was made by another version of Storekeeper (migrations"
            f" {', '.join(unknown) or 'none'}): restore it with that version, or a newer one."
        )
    return [line for line in lines if _is_wanted(line, schema)]


def _is_wanted(line: str, schema: str) -> bool:
    """Whether a line of the list, such as `7; 1259 16 TABLE public users ada`, is restored."""
    entry = line.split("; ", 1)[1].split(" ", 2)[2]
    if entry.startswith(tuple(f"{kind} " for kind in _NOT_RESTORED)):
        return False
    function = re.match(r"(?:FUNCTION|PROCEDURE|AGGREGATE) \S+ (\w+)", entry)
    if function:
        return function[1] in our_names()["function"]
    return f" {schema} " in entry


async def _contents(file: Path, folder: Path) -> Sequence[str]:
    """The list of what a dump holds, a line each, without its comments."""
    try:
        text = await _run((str(folder / "pg_restore"), "--list", str(file)))
    except DumpError as error:
        raise DumpError(f"{file} is not a dump that can be read: {error}") from None
    return [line for line in text.splitlines() if re.match(r"\d+; ", line)]


async def _folder_for(place: DatabaseSnapshot, programs: ProgramDirectories) -> Path:
    """A folder of programs that are new enough for a server, and speak TLS where that is wanted.

    Raises:
        DumpError: there is none; tells what was found.
    """
    local = is_local(place.url)
    found = []
    for folder in programs.folders:
        if not all(os.access(folder / name, os.X_OK) for name in ("pg_dump", "pg_restore", "psql")):
            continue
        version = await _run((str(folder / "pg_dump"), "--version"))
        number = re.search(r"\) (\d+)", version)
        major = int(number[1]) if number else 0
        if folder in programs.without_tls and not local:
            found.append(f"{folder} has version {major} without TLS, for servers of this machine")
        elif major < place.major:
            found.append(f"{folder} has version {major}")
        else:
            return folder
    raise DumpError(
        f"pg_dump, pg_restore and psql of PostgreSQL {place.major} or newer are needed, and"
        f" {'; '.join(found) or 'none were found'}. Install them (Debian: postgresql-client-"
        f"{place.major}; macOS: brew install libpq) and put their folder into PATH."
    )


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """A file of our own that gets the name `file` when the block ends well.

    Raises:
        DumpError: there is such a file, or it cannot be made.
    """
    exists = DumpError(f"{file} exists, and was not touched: give another name.")
    if file.exists() or file.is_symlink():
        raise exists
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise DumpError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        try:
            os.link(part, file)  # unlike a rename, never over another file
        except FileExistsError:
            raise exists from None
        except OSError:  # a file system without links
            part.replace(file)
    finally:
        part.unlink(missing_ok=True)


async def _run(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; returns what it printed.

    Raises:
        DumpError: it failed; quotes what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=plain_environment() if env is None else env,
        stdin=_NOTHING,
        stdout=_PIPE,
        stderr=_PIPE,
    )
    try:
        output, said = await process.communicate()
    finally:
        await _end(process)
    if process.returncode:
        raise DumpError(_quoted(argv, said))
    return output.decode(errors="replace")


async def _pour(
    reading: Sequence[str],
    writing: Sequence[str],
    place: DatabaseSnapshot,
    access: Mapping[str, str],
) -> None:
    """Give psql, in one transaction, what removes the old and what pg_restore makes of the dump.

    It is told to commit when pg_restore has come to its end, and at no other time.

    Raises:
        DumpError: nothing was changed; quotes what the programs said.
    """
    source = await asyncio.create_subprocess_exec(
        *reading, env=plain_environment(), stdin=_NOTHING, stdout=_PIPE, stderr=_PIPE
    )
    try:
        target = await asyncio.create_subprocess_exec(
            *writing, env=access, stdin=_PIPE, stdout=_NOTHING, stderr=_PIPE
        )
        try:
            of_source, of_target, _ = await asyncio.gather(
                _complaints(source), _complaints(target), _feed(source, target, place)
            )
        finally:
            await _end(target)
    finally:
        await _end(source)
    if target.returncode == 0:
        return
    # Where psql says nothing, it was ended because pg_restore failed.
    failed = (writing, of_target) if of_target else (reading, of_source)
    raise DumpError(f"{_quoted(*failed)} Nothing was changed in {place.name}.")


async def _feed(source: Process, target: Process, place: DatabaseSnapshot) -> None:
    """Carry what `source` makes to `target`, and end both."""
    reader, writer = source.stdout, target.stdin
    assert reader is not None
    assert writer is not None
    try:
        before = ["BEGIN;", "SET LOCAL lock_timeout = '10s';", _QUIETLY, *place.drops, ""]
        writer.write("\n".join(before).encode())
        piece = await reader.read(_PIECE_BYTES)
        if place.major < 17:
            piece = piece.replace(_REFUSED_BEFORE_17, b"")
        while piece:
            writer.write(piece)
            await writer.drain()
            piece = await reader.read(_PIECE_BYTES)
        if await source.wait() == 0:
            writer.write(b"COMMIT;\n")
            writer.close()
            await target.wait()
    except (BrokenPipeError, ConnectionResetError):
        pass  # psql has ended, and says why
    finally:
        await _end(source)
        await _end(target)


async def _complaints(process: Process) -> bytes:
    assert process.stderr is not None
    return await process.stderr.read()


async def _end(process: Process) -> None:
    """End a program; asyncio counts it as ended when what it wrote is read too."""
    if process.returncode is None:
        process.kill()
    while process.stdout is not None and await process.stdout.read(_PIECE_BYTES):
        pass
    await process.wait()


def _quoted(argv: Sequence[str], said: bytes) -> str:
    """What a program complained of, in one piece."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    name = Path(argv[0]).name
    told = " ".join(line.removeprefix(f"{name}: ").removeprefix("error: ") for line in lines[:6])
    return f"{name}: {told or 'failed without a word'}{'' if told.endswith('.') else '.'}"
