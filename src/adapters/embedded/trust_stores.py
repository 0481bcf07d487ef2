"""Where programs of this machine keep the certificate authorities that they trust.

| store | whose | how |
| --- | --- | --- |
| NSS databases | Chromium and its kin, each profile of Firefox | NSS's `certutil` |
| the system's anchors | curl, git, OpenSSL | a file and the system's own program, as root |
| the login keychain (macOS) | Safari, Chrome, curl | `security` |

An entry is named after the certificate's fingerprint: one that is made anew is another entry, and
each can be found and taken away without the file that it came from.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_NAME: Final = "Storekeeper local CA"
_ID_DIGITS: Final = 16
_ENTRY: Final = re.compile(rf"^{_NAME} ([0-9a-f]{{{_ID_DIGITS}}})\s+\S*,\S*,\S*\s*$", re.MULTILINE)
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_TIMEOUT_S: Final = 60.0
_CHROMIUMS: Final = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "brave-browser", "vivaldi"),
)
_INSTALL: Final = (
    "certutil is missing: install it (Debian, Ubuntu: libnss3-tools; Fedora: nss-tools; Arch: nss;"
    " macOS: `brew install nss`), and give this command again"
)


class TrustStoreError(Exception):
    """A store cannot be read or changed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityCertificate:
    """The certificate of a local authority.

    Attributes:
        file: where it was read from.
        pem: the certificate alone, whatever else stands in the file.
        sha256: fingerprint, 64 hexadecimal digits in lower case.
    """

    file: Path
    pem: str
    sha256: str

    @property
    def id(self) -> str:
        """What names its entries in the stores: the first 16 digits of the fingerprint."""
        return self.sha256[:_ID_DIGITS]


def read_authority(file: Path) -> AuthorityCertificate:
    """The certificate of a file.

    Raises:
        TrustStoreError: it cannot be read, or holds none.
    """
    try:
        found = _PEM.search(file.read_text("ascii"))
        der = None if found is None else ssl.PEM_cert_to_DER_cert(found[0])
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no PEM file"
        raise TrustStoreError(f"{file} cannot be read: {why}.") from error
    if der is None:
        raise TrustStoreError(f"{file} holds no certificate.")
    sha256 = hashlib.sha256(der).hexdigest()
    return AuthorityCertificate(file=file, pem=ssl.DER_cert_to_PEM_cert(der), sha256=sha256)


class TrustStore(Protocol):
    """One place in which authorities are trusted."""

    @property
    def place(self) -> str:
        """Whose it is, and where, for people."""

    @property
    def needs_root(self) -> bool:
        """Whether only root may change it, and we are not root."""

    def held(self) -> Sequence[str]:
        """The ids of the authorities of ours that it trusts.

        Raises:
            TrustStoreError: it cannot be read.
        """

    def add(self, authority: AuthorityCertificate) -> None:
        """Trust it for websites; nothing changes where it is trusted.

        Raises:
            TrustStoreError: it could not be done.
        """

    def remove(self, entry: str) -> None:
        """Trust the authority of this id no more.

        Raises:
            TrustStoreError: it could not be done.
        """

    def by_hand(self, authority: AuthorityCertificate) -> str:
        """What somebody types to add it."""

    def removed_by_hand(self, entry: str) -> str:
        """What somebody types to remove it."""


class NssStore:
    """A database of NSS, as browsers have one.

    Args:
        folder: holds its files; made by `add` where `make` is set.
        owner: whose it is, for people.
        certutil: the program; None where it is not installed.
        make: whether `add` makes the database.
    """

    needs_root: Final = False

    def __init__(
        self, folder: Path, *, owner: str, certutil: str | None, make: bool = False
    ) -> None:
        self.place: Final = f"{owner} ({folder})"
        self._folder = folder
        self._certutil = certutil
        self._make = make

    def held(self) -> Sequence[str]:
        """See `TrustStore`."""
        if self._make and not self._folder.exists():
            return []
        return _ENTRY.findall(self._run("-L"))

    def add(self, authority: AuthorityCertificate) -> None:
        """See `TrustStore`."""
        if self._make and not self._folder.exists():
            try:
                self._folder.mkdir(mode=0o700, parents=True)
            except OSError as error:
                raise TrustStoreError(
                    f"{error.filename} cannot be made: {error.strerror}"
                ) from error
            self._run("-N", "--empty-password")
        name = f"{_NAME} {authority.id}"
        self._run("-A", "-a", "-t", "C,,", "-n", name, stdin=authority.pem)
        if authority.id not in self.held():
            raise TrustStoreError(
                "it holds the certificate under another name: delete that entry in the browser's"
                " settings, and give this command again"
            )

    def remove(self, entry: str) -> None:
        """See `TrustStore`."""
        self._run("-D", "-n", f"{_NAME} {entry}")

    def by_hand(self, authority: AuthorityCertificate) -> str:
        """See `TrustStore`."""
        name = f"{_NAME} {authority.id}"
        words = ["certutil", "-d", f"sql:{self._folder}", "-A", "-t", "C,,", "-n", name, "-i"]
        return shlex.join([*words, str(authority.file)])

    def removed_by_hand(self, entry: str) -> str:
        """See `TrustStore`."""
        words = ["certutil", "-d", f"sql:{self._folder}", "-D", "-n", f"{_NAME} {entry}"]
        return shlex.join(words)

    def _run(self, *words: str, stdin: str = "") -> str:
        if self._certutil is None:
            raise TrustStoreError(_INSTALL)
        try:
            owner = self._folder.stat().st_uid
        except OSError as error:  # gone since it was found, or behind a folder that is closed
            raise TrustStoreError(f"it cannot be looked at: {error.strerror}") from error
        if owner != os.geteuid():
            raise TrustStoreError("it belongs to another account: run this as that account")
        if words[0] != "-N" and not (self._folder / "cert9.db").is_file():
            raise TrustStoreError("it is of an old form: start its browser once, which renews it")
        return _said([self._certutil, "-d", f"sql:{self._folder}", *words], stdin)


class SystemStore:
    """The system's own store, made of a folder of anchors.

    Args:
        anchors: that folder.
        suffix: how the name of a file in it ends.
        update: the program that makes the store of it.
        forget: the same after a file has gone; Debian's leaves links behind otherwise.
    """

    def __init__(
        self, anchors: Path, *, suffix: str, update: Sequence[str], forget: Sequence[str]
    ) -> None:
        self.place: Final = f"this system: curl, git and the like ({anchors})"
        self._anchors = anchors
        self._suffix = suffix
        self._update = tuple(update)
        self._forget = tuple(forget)

    @property
    def needs_root(self) -> bool:
        """See `TrustStore`."""
        return not os.access(self._anchors, os.W_OK)

    def held(self) -> Sequence[str]:
        """See `TrustStore`."""
        found = (
            re.fullmatch(rf"storekeeper-local-ca-([0-9a-f]{{{_ID_DIGITS}}})", each.stem)
            for each in sorted(self._anchors.glob(f"*{self._suffix}"))
        )
        return [each[1] for each in found if each]

    def add(self, authority: AuthorityCertificate) -> None:
        """See `TrustStore`."""
        file = self._file(authority.id)
        try:
            file.write_text(authority.pem)
            file.chmod(0o644)
        except OSError as error:
            raise TrustStoreError(f"{file} cannot be written: {error.strerror}") from error
        _said(self._update)

    def remove(self, entry: str) -> None:
        """See `TrustStore`."""
        try:
            self._file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise TrustStoreError(f"{error.filename}: {error.strerror}") from error
        _said(self._forget)

    def by_hand(self, authority: AuthorityCertificate) -> str:
        """See `TrustStore`."""
        copy = ["sudo", "install", "-m", "644", str(authority.file), str(self._file(authority.id))]
        return f"{shlex.join(copy)} && {shlex.join(['sudo', *self._update])}"

    def removed_by_hand(self, entry: str) -> str:
        """See `TrustStore`."""
        delete = shlex.join(["sudo", "rm", str(self._file(entry))])
        return f"{delete} && {shlex.join(['sudo', *self._forget])}"

    def _file(self, entry: str) -> Path:
        return self._anchors / f"storekeeper-local-ca-{entry}{self._suffix}"


class KeychainStore:
    """The login keychain of macOS; the system asks for the account's password.

    Args:
        keychain: its file.
        security: the program.
    """

    needs_root: Final = False

    def __init__(self, keychain: Path, *, security: str = "security") -> None:
        self.place: Final = f"the login keychain ({keychain})"
        self._keychain = keychain
        self._security = security

    def held(self) -> Sequence[str]:
        """See `TrustStore`."""
        return [sha256[:_ID_DIGITS].lower() for sha256, _ in self._hashes()]

    def add(self, authority: AuthorityCertificate) -> None:
        """See `TrustStore`."""
        _said([*self._adding(), str(authority.file)])

    def remove(self, entry: str) -> None:
        """See `TrustStore`."""
        for sha256, sha1 in self._hashes():
            if sha256[:_ID_DIGITS].lower() == entry:
                _said([self._security, "delete-certificate", "-t", "-Z", sha1, str(self._keychain)])

    def by_hand(self, authority: AuthorityCertificate) -> str:
        """See `TrustStore`."""
        return shlex.join([*self._adding(), str(authority.file)])

    def removed_by_hand(self, entry: str) -> str:
        """See `TrustStore`."""
        del entry  # the keychain knows it by another hash
        return shlex.join([self._security, "delete-certificate", "-t", "-c", _NAME])

    def _adding(self) -> Sequence[str]:
        return [self._security, "add-trusted-cert", "-r", "trustRoot", "-k", str(self._keychain)]

    def _hashes(self) -> Sequence[tuple[str, str]]:
        """SHA-256 and SHA-1 of each."""
        words = [self._security, "find-certificate", "-a", "-Z", "-c", _NAME, str(self._keychain)]
        pattern = r"SHA-256 hash: ([0-9A-F]{64})\s+SHA-1 hash: ([0-9A-F]{40})"
        return re.findall(pattern, _said(words))


_DEBIAN: Final = "update-ca-certificates"
_FEDORA: Final = ("update-ca-trust", "extract")
_ARCH: Final = ("trust", "extract-compat")
_ANCHORS: Final = (
    ("/usr/local/share/ca-certificates", ".crt", (_DEBIAN,), (_DEBIAN, "--fresh")),
    ("/etc/pki/ca-trust/source/anchors", ".pem", _FEDORA, _FEDORA),
    ("/etc/ca-certificates/trust-source/anchors", ".crt", _ARCH, _ARCH),
    ("/usr/share/pki/trust/anchors", ".pem", (_DEBIAN,), (_DEBIAN,)),
)
"""Debian, Fedora, Arch, openSUSE: the folder, how files end, what makes the store anew, and what
does so after a file has gone."""


def trust_stores(
    home: Path, environment: Mapping[str, str], *, browsers: bool = False
) -> Sequence[TrustStore]:
    """All stores that this account has on this machine.

    Args:
        home: of the account.
        environment: says where the XDG folders and programs are.
        browsers: whether those of browsers are enough.
    """
    certutil = shutil.which("certutil", path=environment.get("PATH"))
    folders = [
        *_chromium_folders(home, environment),
        *((folder, "Firefox") for folder in _firefox_profiles(home, environment)),
    ]
    once = {folder.resolve(): (folder, owner) for folder, owner in folders}
    stores: list[TrustStore] = [
        NssStore(folder, owner=owner, certutil=certutil) for folder, owner in once.values()
    ]
    if platform.system() == "Darwin":
        return [KeychainStore(home / "Library/Keychains/login.keychain-db"), *stores]
    installed = any(shutil.which(each, path=environment.get("PATH")) for each in _CHROMIUMS)
    if installed and not any(owner.startswith("Chromium") for _, owner in once.values()):
        # Chromium takes this one where it is there, before it makes its own.
        folder = home / ".pki" / "nssdb"
        stores.insert(0, NssStore(folder, owner="Chromium, Chrome", certutil=certutil, make=True))
    programs = f"{environment.get('PATH', '')}:/usr/sbin:/sbin"  # as `sudo` finds them
    for anchors, suffix, update, forget in () if browsers else _ANCHORS:
        if Path(anchors).is_dir() and shutil.which(update[0], path=programs):
            stores.append(SystemStore(Path(anchors), suffix=suffix, update=update, forget=forget))
            break
    return stores


def _chromium_folders(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """The databases of Chromium and its kin: by hand, from Snap and from Flatpak."""
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    for folder in (home / ".pki" / "nssdb", data / "pki" / "nssdb"):
        if folder.is_dir():
            yield folder, "Chromium, Chrome"
    for pattern in ("snap/*/current/.pki/nssdb", ".var/app/*/.pki/nssdb"):
        for folder in sorted(home.glob(pattern)):
            yield folder, "Chromium of Snap or Flatpak"


def _firefox_profiles(home: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """The profiles of Firefox and its kin, those too that lie elsewhere."""
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    for root in (
        home / ".mozilla" / "firefox",
        config / "mozilla" / "firefox",
        home / ".librewolf",
        home / "snap" / "firefox" / "common" / ".mozilla" / "firefox",
        home / ".var" / "app" / "org.mozilla.firefox" / ".mozilla" / "firefox",
        home / ".var" / "app" / "org.mozilla.firefox" / "config" / "mozilla" / "firefox",
        home / "Library" / "Application Support" / "Firefox",
    ):
        named = [*_profiles_of(root), *sorted(root.glob("*")), *sorted(root.glob("Profiles/*"))]
        for folder in named:
            if any((folder / name).is_file() for name in ("cert9.db", "cert8.db")):
                yield folder


def _profiles_of(root: Path) -> Sequence[Path]:
    """The folders that `profiles.ini` names."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(root / "profiles.ini", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return []  # a file that Firefox cannot use either; the folders are looked at all the same
    sections = [parser[name] for name in parser.sections() if parser.has_option(name, "Path")]
    return [
        Path(each["Path"]) if each.get("IsRelative", "1") == "0" else root / each["Path"]
        for each in sections
    ]


def _said(words: Sequence[str], stdin: str = "") -> str:
    """What a program wrote to its standard output.

    It has no terminal: one that would ask for a password fails instead.

    Raises:
        TrustStoreError: it could not be started, or did not exit with 0.
    """
    try:
        done = subprocess.run(  # noqa: S603 (the programs of the table above)
            words,
            check=False,
            capture_output=True,
            input=stdin,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            start_new_session=platform.system() != "Darwin",
        )
    except OSError as error:
        raise TrustStoreError(f"{words[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise TrustStoreError(f"{words[0]} took more than {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        program = Path(words[0]).name
        why = lines[-1].removeprefix(f"{program}: ") if lines else f"exit code {done.returncode}"
        raise TrustStoreError(f"{program} says: {why.rstrip('.')}")
    return done.stdout
