"""`storekeeper tls`: whether this account's programs trust the local certificate authority."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import click

from entrypoints.cli.options import examples, help_end, state_dir_option
from entrypoints.cli.process import end_interrupted
from entrypoints.cli.stack import state_directory_or_exit
from entrypoints.cli.tables import echo_columns, echo_json
from entrypoints.container.embedded import (
    AuthorityCertificate,
    TrustStore,
    TrustStoreError,
    read_authority,
    trust_stores,
)
from entrypoints.private_files import exposure
from entrypoints.up.state import StateDirectory

_IN_PART: Final = 3
_NOT_TRUSTED: Final = 3
_HEADING: Final = ("TRUSTED", "STORE", "REMARK")


@click.group("tls", epilog=examples("storekeeper tls status"))
def command() -> None:
    """Let browsers and other programs of this account trust the certificates of `storekeeper up`.

    It signs them by an authority of this machine's own (`tls/ca.pem` of its folder). Nobody trusts
    that until you say so.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """A store as it was found.

    Attributes:
        store: it.
        held: the ids that it trusts.
        problem: why that is not known; None where it is.
    """

    store: TrustStore
    held: Sequence[str]
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What is to be done to one store.

    Attributes:
        store: it.
        do: does it.
        done: what is said then.
        by_hand: the command that does it.
    """

    store: TrustStore
    do: Callable[[], None]
    done: str
    by_hand: str


@command.command(
    "status",
    epilog=help_end(
        "storekeeper tls status",
        "storekeeper tls status --json",
        codes={0: "a store trusts it", 1: "there is no authority", 3: "no store trusts it"},
    ),
)
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status_command(*, state_dir: Path | None, as_json: bool) -> None:
    """See which stores of this account trust the local certificate authority."""
    state = state_directory_or_exit("tls status", state_dir)
    authority = _authority_or_exit("tls status", state)
    found = _looked_at("tls status", browsers=False)
    if as_json:
        stores = [
            {
                "place": each.store.place,
                "trusted": None if each.problem else authority.id in each.held,
                "others": [held for held in each.held if held != authority.id],
                "problem": each.problem,
            }
            for each in found
        ]
        document = {"ca_file": str(authority.file), "sha256": authority.sha256, "stores": stores}
        echo_json(document)
    else:
        click.echo(f"{authority.file}\nSHA-256 {authority.sha256}")
        echo_columns([_HEADING, *(_row(each, authority) for each in found)])
    sys.exit(0 if any(authority.id in each.held for each in found) else _NOT_TRUSTED)


def _row(found: _Store, authority: AuthorityCertificate) -> Sequence[str]:
    if found.problem is not None:
        return "?", found.store.place, found.problem
    others = [held for held in found.held if held != authority.id]
    remark = f"trusts others of Storekeeper: {', '.join(others)}" if others else ""
    return "yes" if authority.id in found.held else "no", found.store.place, remark


_browsers = click.option(
    "--browsers", is_flag=True, help="Browsers alone, and not the system's own store."
)


@command.command(
    "trust",
    epilog=help_end(
        "storekeeper tls trust",
        "storekeeper tls trust --yes --state-dir /srv/shop",
        codes={
            0: "each store trusts it that can be changed without root",
            1: "no store trusts it, or the question was answered with no",
            2: "bad usage or settings, or nobody can be asked and --yes is missing",
            3: "some stores trust it, others could not be changed",
        },
    ),
)
@state_dir_option
@_browsers
@click.option("--yes", is_flag=True, help="Do not ask.")
def trust_command(*, state_dir: Path | None, browsers: bool, yes: bool) -> None:
    """Let the browsers of this account trust the certificates of `storekeeper up`.

    On Linux the databases of Chromium and Firefox, and as root the system's store; on macOS the
    login keychain. Only the certificate of the authority goes there, never its key. What could not
    be done is said with the command that does it. Undone by `storekeeper tls untrust`.
    """
    name = "tls trust"
    state = state_directory_or_exit(name, state_dir)
    authority = _authority_or_exit(name, state)
    key = authority.file.with_name("ca.key")
    if (why := exposure(key)) is not None:
        _fail(name, f"{why} Who has this key can pass for any website. Nothing was changed.")
    found = _looked_at(name, browsers=browsers)
    if not found:
        _fail(
            name,
            f"No browser's store of certificates was found in {Path.home()}: start the browser once"
            f" and give this command again, or import {authority.file} in its settings.",
        )
    changes = [
        _Change(
            store=each.store,
            do=partial(each.store.add, authority),
            done="Trusts it now",
            by_hand=each.store.by_hand(authority),
        )
        for each in found
        if authority.id not in each.held
    ]
    click.echo(
        f"This is about the authority of {state.path}. Who has its key, {key}, can pass for any"
        " website towards programs that trust it.",
        err=True,
    )
    failed = _carry_out(name, changes, "Let these trust it?", yes=yes)
    left = sum(each.store.needs_root for each in changes)
    for each in found:
        if authority.id in each.held:
            click.echo(f"Trusted it before: {each.store.place}")
    done = len(found) - left - failed
    if done:
        click.echo("Start browsers that are open anew. Undo it with `storekeeper tls untrust`.")
    sys.exit(1 if not done else _IN_PART if failed else 0)


@command.command(
    "untrust",
    epilog=help_end(
        "storekeeper tls untrust",
        "storekeeper tls untrust --all --yes",
        codes={
            0: "no store trusts it that can be changed without root",
            1: "nothing could be done, or the question was answered with no",
            2: "bad usage or settings, or nobody can be asked and --yes is missing",
            3: "some stores could not be changed, or not be read",
        },
    ),
)
@state_dir_option
@click.option(
    "--all", "everything", is_flag=True, help="All of Storekeeper's, of other folders too."
)
@_browsers
@click.option("--yes", is_flag=True, help="Do not ask.")
def untrust_command(*, state_dir: Path | None, browsers: bool, everything: bool, yes: bool) -> None:
    """Take what `storekeeper tls trust` added out of the stores again.

    With --all also the authorities of other folders, and of folders that are gone.
    """
    name = "tls untrust"
    state = state_directory_or_exit(name, state_dir)
    authority = None if everything else _authority_or_exit(name, state)
    found = _looked_at(name, browsers=browsers)
    changes = [
        _Change(
            store=each.store,
            do=partial(each.store.remove, held),
            done=f"Trusts {held} no more",
            by_hand=each.store.removed_by_hand(held),
        )
        for each in found
        for held in each.held
        if authority is None or held == authority.id
    ]
    failed = _carry_out(name, changes, "Let these trust it no more?", yes=yes)
    unknown = [each for each in found if each.problem is not None]
    for each in unknown:
        click.echo(f"Not looked at: {each.store.place}: {each.problem}.", err=True)
    if not changes:
        click.echo("No store that could be looked at trusts it.")
    everywhere = bool(changes) and failed == len(changes)
    sys.exit(1 if everywhere else _IN_PART if failed or unknown else 0)


def _carry_out(name: str, changes: Sequence[_Change], question: str, *, yes: bool) -> int:
    """Ask, and change what needs no root that we are not; returns how many of it could not be."""
    ours = [each for each in changes if not each.store.needs_root]
    if ours and not yes:
        for each in ours:
            click.echo(f"  {each.store.place}", err=True)
        _confirm(name, question)
    failed = 0
    for each in ours:
        try:
            each.do()
        except TrustStoreError as error:
            failed += 1
            click.echo(f"Not done: {each.store.place}: {error}.", err=True)
            click.echo(f"  By hand: {each.by_hand}", err=True)
        except KeyboardInterrupt:
            end_interrupted(name, "The stores named above are done; the others are as they were.")
        else:
            click.echo(f"{each.done}: {each.store.place}")
    for each in changes:
        if each.store.needs_root:
            click.echo(f"Needs root: {each.store.place}\n  By hand: {each.by_hand}", err=True)
    if os.geteuid() == 0 and (account := os.environ.get("SUDO_USER")):
        click.echo(
            f"These are root's. For the browsers of {account}, run it as {account}, without sudo,"
            " and name the folder by --state-dir.",
            err=True,
        )
    return failed


def _authority_or_exit(name: str, state: StateDirectory) -> AuthorityCertificate:
    file = state.path / "tls" / "ca.pem"
    if not file.exists():
        makes = f"`storekeeper up{state.option}` makes it"
        more = "; --all takes those of other folders away" if name == "tls untrust" else ""
        _fail(name, f"There is no authority in {file.parent}: {makes}{more}.")
    try:
        return read_authority(file)
    except TrustStoreError as error:
        _fail(name, str(error))


def _looked_at(name: str, *, browsers: bool) -> Sequence[_Store]:
    """All stores, each with what it holds; ends the process where there is no home."""
    try:
        home = Path.home()
    except RuntimeError:
        _fail(name, "This account has no home folder: set HOME.")
    return [_look(store) for store in trust_stores(home, os.environ, browsers=browsers)]


def _look(store: TrustStore) -> _Store:
    try:
        return _Store(store=store, held=store.held(), problem=None)
    except TrustStoreError as error:
        return _Store(store=store, held=(), problem=str(error))


def _confirm(name: str, question: str) -> None:
    """Ask; ends the process where nobody can be asked, or says no."""
    if not sys.stdin.isatty():
        click.echo(f"storekeeper {name}: Nobody can be asked here: say --yes.", err=True)
        sys.exit(2)
    if not click.confirm(question, err=True):
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)


def _fail(name: str, why: str) -> NoReturn:
    click.echo(f"storekeeper {name}: {why}", err=True)
    sys.exit(1)
