from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from adapters.embedded.certificates import LocalCertificateAuthority

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "::1")


@pytest.fixture
def certificates(tmp_path: Path) -> LocalCertificateAuthority:
    made = LocalCertificateAuthority(tmp_path / "tls")
    assert made.renew(NAMES, now=NOW)
    return made


def held(certificates: LocalCertificateAuthority) -> tuple[x509.Certificate, x509.Certificate]:
    server, authority = x509.load_pem_x509_certificates(certificates.cert_file.read_bytes())
    return server, authority


def test_the_authority_signed_a_certificate_for_all_names(
    certificates: LocalCertificateAuthority,
) -> None:
    server, authority = held(certificates)
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert certificates.ca_file.read_bytes() in certificates.cert_file.read_bytes()


def test_openssl_takes_key_and_chain(certificates: LocalCertificateAuthority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    assert ssl.create_default_context(cafile=str(certificates.ca_file)).get_ca_certs()


def test_the_keys_are_their_owners_alone(certificates: LocalCertificateAuthority) -> None:
    keys = list(certificates.ca_file.parent.glob("*.key"))
    assert len(keys) == 2
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys)


def test_a_good_certificate_is_kept(certificates: LocalCertificateAuthority) -> None:
    before = certificates.cert_file.read_bytes()
    assert not certificates.renew(NAMES, now=NOW + timedelta(days=366))
    assert certificates.cert_file.read_bytes() == before


def test_it_is_renewed_a_month_before_its_end_by_the_same_authority(
    certificates: LocalCertificateAuthority,
) -> None:
    before = certificates.ca_file.read_bytes()
    later = NOW + timedelta(days=368)
    assert certificates.renew(NAMES, now=later)
    server, _ = held(certificates)
    assert server.not_valid_after_utc == later + timedelta(days=397)
    assert certificates.ca_file.read_bytes() == before


def test_an_authority_that_would_end_before_its_certificate_is_replaced(
    certificates: LocalCertificateAuthority,
) -> None:
    before = certificates.ca_file.read_bytes()
    assert certificates.renew(NAMES, now=NOW + timedelta(days=3300))
    assert certificates.ca_file.read_bytes() != before
    server, authority = held(certificates)
    assert server.not_valid_after_utc < authority.not_valid_after_utc


def test_one_more_name_makes_a_new_certificate(certificates: LocalCertificateAuthority) -> None:
    assert certificates.renew((*NAMES, "shop.example"), now=NOW)
    assert not certificates.renew(NAMES, now=NOW), "fewer names need no new one"


@pytest.mark.parametrize("damaged", ["server.pem", "server.key", "ca.pem"])
@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_a_damaged_file_is_made_anew(
    certificates: LocalCertificateAuthority, damaged: str, damage: str
) -> None:
    path = certificates.ca_file.with_name(damaged)
    path.unlink() if damage == "missing" else path.write_text("garbage")
    assert certificates.renew(NAMES, now=NOW)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    assert not certificates.renew(NAMES, now=NOW)


def test_a_clock_set_back_makes_a_certificate_that_is_valid_then(
    certificates: LocalCertificateAuthority,
) -> None:
    assert certificates.renew(NAMES, now=NOW - timedelta(days=2))
    server, _ = held(certificates)
    assert server.not_valid_before_utc < NOW - timedelta(days=2)
