"""Stores of certificates: the real programs on folders of the tests, and whatever breaks them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.embedded.certificates import LocalCertificateAuthority
from adapters.embedded.trust_stores import (
    AuthorityCertificate,
    KeychainStore,
    NssStore,
    SystemStore,
    TrustStoreError,
    read_authority,
    trust_stores,
)
from entrypoints.cli.main import storekeeper

CERTUTIL = shutil.which("certutil")
UPDATE = shutil.which("update-ca-certificates")
TSTCLNT = shutil.which("tstclnt")
needs_certutil = pytest.mark.skipif(CERTUTIL is None, reason="certutil (libnss3-tools) is missing")


def made(folder: Path) -> AuthorityCertificate:
    """The authority of a new state folder."""
    certificates = LocalCertificateAuthority(folder / "tls")
    certificates.renew(["localhost"], now=datetime.now(UTC))
    return read_authority(certificates.ca_file)


@pytest.fixture
def authority(tmp_path: Path) -> AuthorityCertificate:
    return made(tmp_path / "state")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def database(folder: Path) -> Path:
    """An empty database of NSS."""
    folder.mkdir(parents=True)
    assert CERTUTIL is not None
    subprocess.run([CERTUTIL, "-N", "-d", f"sql:{folder}", "--empty-password"], check=True)
    return folder


def nss(folder: Path) -> NssStore:
    return NssStore(folder, owner="a browser", certutil=CERTUTIL)


def tls(home: Path, *words: str, stdin: str | None = None, **variables: str | None) -> Result:
    """`storekeeper tls ... --state-dir`, of an account whose home is `home`."""
    more = () if words[0] == "status" else ("--browsers",)
    environment = {"HOME": str(home), "XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None, **variables}
    state = ("--state-dir", str(home.parent / "state"))
    return CliRunner().invoke(storekeeper, ["tls", *words, *more, *state], stdin, environment)


def test_a_certificate_is_read_alone_and_never_a_key(
    tmp_path: Path, authority: AuthorityCertificate
) -> None:
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "state/tls/ca.key").read_text() + authority.file.read_text())
    read = read_authority(both)
    assert (read.sha256, "PRIVATE KEY" in read.pem) == (authority.sha256, False)
    for text in ("", "no certificate", "-----BEGIN CERTIFICATE-----\nä\n-----END CERTIFICATE-----"):
        both.write_text(text, "utf-8")
        with pytest.raises(TrustStoreError, match=r"both\.pem"):
            read_authority(both)
    with pytest.raises(TrustStoreError, match="nowhere"):
        read_authority(tmp_path / "nowhere")


@needs_certutil
def test_a_database_trusts_an_authority_for_websites_and_forgets_it(
    home: Path, tmp_path: Path, authority: AuthorityCertificate
) -> None:
    store = nss(database(home / "a profile with spaces"))
    other = made(tmp_path / "made anew")
    assert store.held() == []
    for each in (authority, authority, other):
        store.add(each)
    assert set(store.held()) == {authority.id, other.id}
    listed = subprocess.run(
        ["certutil", "-L", "-d", f"sql:{home}/a profile with spaces"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert listed.count("C,,") == 2
    store.remove(authority.id)
    assert store.held() == [other.id]


@needs_certutil
def test_what_cannot_be_changed_is_said_by_the_program(
    home: Path, authority: AuthorityCertificate
) -> None:
    folder = database(home / "broken")
    (folder / "cert9.db").write_bytes(b"no database" * 100)
    with pytest.raises(TrustStoreError, match="certutil says: "):
        nss(folder).held()
    (folder / "cert9.db").unlink()
    (folder / "cert8.db").touch()
    with pytest.raises(TrustStoreError, match="of an old form"):
        nss(folder).add(authority)
    with pytest.raises(TrustStoreError, match="certutil is missing"):
        NssStore(folder, owner="x", certutil=None).held()


@needs_certutil
def test_a_database_is_made_where_a_browser_has_none_yet(
    home: Path, authority: AuthorityCertificate
) -> None:
    folder = home / ".pki" / "nssdb"
    store = NssStore(folder, owner="Chromium", certutil=CERTUTIL, make=True)
    assert store.held() == []
    store.add(authority)
    assert store.held() == [authority.id]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_databases_are_found_wherever_browsers_put_them(home: Path, tmp_path: Path) -> None:
    profiles = (
        ".mozilla/firefox/abc.default",
        ".config/mozilla/firefox/new.default",
        "snap/firefox/common/.mozilla/firefox/snap.default",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/flat.default",
        "elsewhere/work profile",
    )
    for each in profiles:
        (home / each).mkdir(parents=True)
        (home / each / "cert9.db").touch()
    for each in (".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb"):
        (home / each).mkdir(parents=True)
    (home / ".mozilla/firefox/Crash Reports").mkdir()
    (home / ".mozilla/firefox/profiles.ini").write_text(
        "[General]\nVersion=2\n[Profile1]\nIsRelative=1\nPath=abc.default\n"
        f"[Profile0]\nIsRelative=0\nPath={home}/elsewhere/work profile\n"
    )
    (home / ".config/mozilla/firefox/profiles.ini").write_text("no section\n\x00")
    found = [each.place for each in trust_stores(home, {"PATH": ""}, browsers=True)]
    assert [each.partition(" (")[0] for each in found].count("Firefox") == len(profiles)
    assert len(found) == len(profiles) + 2
    assert trust_stores(tmp_path / "nobody", {"PATH": ""}, browsers=True) == []


@pytest.mark.skipif(UPDATE is None, reason="update-ca-certificates is not installed")
def test_the_store_of_a_system_is_made_anew_of_its_anchors(
    tmp_path: Path, authority: AuthorityCertificate
) -> None:
    for name in ("anchors", "shared", "made", "hooks"):
        (tmp_path / name).mkdir()
    # The bundle is written anew where something is in it, as it is on every system.
    (tmp_path / "shared" / "other.crt").write_text(made(tmp_path / "other").pem)
    (tmp_path / "conf").write_text("other.crt\n")
    assert UPDATE is not None
    options = {
        "certsconf": "conf", "certsdir": "shared", "localcertsdir": "anchors",
        "etccertsdir": "made", "hooksdir": "hooks",
    }  # fmt: skip
    words = [word for name, at in options.items() for word in (f"--{name}", str(tmp_path / at))]
    store = SystemStore(
        tmp_path / "anchors",
        suffix=".crt",
        update=[UPDATE, *words],
        forget=[UPDATE, *words, "--fresh"],
    )
    bundle = tmp_path / "made" / "ca-certificates.crt"
    store.add(authority)
    assert store.held() == [authority.id]
    assert authority.pem.strip() in bundle.read_text()
    store.remove(authority.id)
    assert store.held() == []
    assert authority.pem.strip() not in bundle.read_text()
    assert not [each for each in (tmp_path / "made").iterdir() if authority.id in each.name]
    assert "sudo install -m 644 " in store.by_hand(authority)
    failing = SystemStore(tmp_path / "anchors", suffix=".crt", update=["false"], forget=["false"])
    with pytest.raises(TrustStoreError, match="exit code 1"):
        failing.add(authority)


def test_the_keychain_is_asked_by_the_program_of_macos(
    tmp_path: Path, authority: AuthorityCertificate
) -> None:
    """With a program of the tests in its place: it was not tried on macOS."""
    program = tmp_path / "security"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        '[ "$1" = find-certificate ] && printf "SHA-256 hash: %s\\nSHA-1 hash: %s\\n"'
        f" {authority.sha256.upper()} {'A' * 40}\nexit 0\n"
    )
    program.chmod(0o700)
    store = KeychainStore(tmp_path / "login.keychain-db", security=str(program))
    assert store.held() == [authority.id]
    store.add(authority)
    store.remove(authority.id)
    calls = (tmp_path / "calls").read_text()
    assert f"add-trusted-cert -r trustRoot -k {tmp_path}/login.keychain-db" in calls
    assert f"delete-certificate -t -Z {'A' * 40}" in calls
    assert "ca.key" not in calls


def test_a_database_that_went_away_is_said_to_be(tmp_path: Path) -> None:
    store = NssStore(tmp_path / "gone", owner="a browser", certutil="certutil")
    with pytest.raises(TrustStoreError, match="it cannot be looked at: No such file or directory"):
        store.held()


@needs_certutil
def test_an_account_trusts_it_and_takes_it_back(
    home: Path, authority: AuthorityCertificate
) -> None:
    database(home / ".pki" / "nssdb")
    database(home / ".mozilla/firefox/abc.default")
    assert tls(home, "status").exit_code == 3
    asked = tls(home, "trust")
    assert (asked.exit_code, "say --yes" in asked.stderr) == (2, True)
    done = tls(home, "trust", "--yes")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("Trusts it now: ") == 2
    assert "ca.key, can pass for any website" in done.stderr
    again = tls(home, "trust", "--yes")
    assert (again.exit_code, again.stdout.count("Trusted it before: ")) == (0, 2)
    told = tls(home, "status", "--json")
    document = json.loads(told.stdout)
    assert (told.exit_code, document["sha256"]) == (0, authority.sha256)
    assert [each["trusted"] for each in document["stores"]][:2] == [True, True]
    gone = tls(home, "untrust", "--yes")
    assert (gone.exit_code, gone.stdout.count(f"Trusts {authority.id} no more")) == (0, 2)
    assert tls(home, "status").exit_code == 3
    assert "No store" in tls(home, "untrust", "--yes").stdout


@needs_certutil
def test_one_store_that_fails_does_not_stop_the_others(
    home: Path, authority: AuthorityCertificate
) -> None:
    database(home / ".pki" / "nssdb")
    bad = database(home / ".mozilla/firefox/aaa.default")
    (bad / "cert9.db").write_bytes(b"no database" * 100)
    done = tls(home, "trust", "--yes")
    assert (done.exit_code, done.stdout.count("Trusts it now: ")) == (3, 1)
    assert f"By hand: certutil -d sql:{bad} -A" in done.stderr
    told = tls(home, "status")
    assert told.exit_code == 0
    assert any(line.startswith("? ") for line in told.stdout.splitlines())


@needs_certutil
def test_an_authority_that_was_made_anew_is_not_trusted_and_the_old_one_is_named(
    home: Path, authority: AuthorityCertificate
) -> None:
    database(home / ".pki" / "nssdb")
    assert tls(home, "trust", "--yes").exit_code == 0
    shutil.rmtree(home.parent / "state" / "tls")
    lost = tls(home, "untrust", "--yes")
    assert (lost.exit_code, "--all takes those" in lost.stderr) == (1, True)
    made(home.parent / "state")
    told = tls(home, "status")
    assert (told.exit_code, f"others of Storekeeper: {authority.id}" in told.stdout) == (3, True)
    assert tls(home, "untrust", "--all", "--yes").exit_code == 0
    assert authority.id not in tls(home, "status").stdout


@pytest.mark.skipif(TSTCLNT is None or CERTUTIL is None, reason="NSS's tools are not installed")
def test_what_uses_nss_accepts_the_server_while_its_authority_is_trusted(
    home: Path, authority: AuthorityCertificate
) -> None:
    """As Chromium and Firefox do, whose library this client is of."""
    store = nss(database(home / "nssdb"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = authority.file.parent
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    def is_accepted(server: socket.socket) -> bool:
        """One connection by NSS's client, which reads what it sends from its standard input."""
        assert TSTCLNT is not None
        words = [TSTCLNT, "-4", "-h", "localhost", "-p", str(server.getsockname()[1]), "-Q"]
        with subprocess.Popen(
            [*words, "-d", f"sql:{home}/nssdb"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            accepted, _ = server.accept()
            with accepted, suppress(OSError):  # a client that refuses hangs up
                context.wrap_socket(accepted, server_side=True).close()
        return client.returncode == 0

    with socket.create_server(("127.0.0.1", 0)) as server:
        before = is_accepted(server)
        store.add(authority)
        during = is_accepted(server)
        store.remove(authority.id)
        assert (before, during, is_accepted(server)) == (False, True, False)


def test_a_key_that_others_may_read_makes_the_authority_nobodys(
    home: Path, authority: AuthorityCertificate
) -> None:
    authority.file.with_name("ca.key").chmod(0o644)
    refused = tls(home, "trust", "--yes")
    assert (refused.exit_code, "can pass for any website" in refused.stderr) == (1, True)


def test_a_folder_without_an_authority_and_a_home_without_a_browser_are_said_to_be(
    home: Path, authority: AuthorityCertificate
) -> None:
    for word in ("status", "trust", "untrust"):
        refused = CliRunner().invoke(storekeeper, ["tls", word, "--state-dir", str(home)])
        assert (refused.exit_code, "`storekeeper up" in refused.stderr) == (1, True), word
    refused = tls(home, "trust", "--yes", PATH="")
    assert (refused.exit_code, "No browser's store" in refused.stderr) == (1, True)


@needs_certutil
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_is_read_only_is_said_to_be(
    home: Path, authority: AuthorityCertificate
) -> None:
    folder = database(home / ".pki" / "nssdb")
    folder.chmod(0o500)
    for file in folder.iterdir():
        file.chmod(0o400)
    refused = tls(home, "trust", "--yes")
    folder.chmod(0o700)
    assert (refused.exit_code, "By hand: certutil" in refused.stderr) == (1, True)
