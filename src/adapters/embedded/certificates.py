"""A certificate authority of this machine's own, and the server certificate that it signs."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_VALIDITY: Final = timedelta(days=3650)
_SERVER_VALIDITY: Final = timedelta(days=397)  # browsers refuse more
_RENEW_BEFORE_END: Final = timedelta(days=30)
_CLOCK_SKEW: Final = timedelta(hours=1)


class LocalCertificateAuthority:
    """`ca.pem`, `ca.key`, `server.pem` (the chain) and `server.key` in one directory.

    Keys are readable by their owner alone.
    """

    def __init__(self, directory: Path) -> None:
        self.ca_file: Final = directory / "ca.pem"
        self.cert_file: Final = directory / "server.pem"
        self.key_file: Final = directory / "server.key"
        self._ca_key_file = directory / "ca.key"

    def renew(self, names: Sequence[str], *, now: datetime) -> bool:
        """Make what is missing, about to expire (within 30 days), or lacks one of `names`.

        Args:
            names: DNS names and IP addresses that the server is reached by.
            now: the present time, with its zone.

        Returns:
            Whether the server's certificate is a new one.
        """
        if self._still_good(names, now):
            return False
        ca, ca_key = self._authority(now)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder("Storekeeper", ca.subject, key.public_key(), now, _SERVER_VALIDITY)
            .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(_key_usage(digital_signature=True), True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False
            )
            .sign(ca_key, hashes.SHA256())
        )
        _write(self.key_file, _pem_of_key(key), mode=0o600)
        pem = serialization.Encoding.PEM
        _write(self.cert_file, certificate.public_bytes(pem) + ca.public_bytes(pem), mode=0o644)
        return True

    def _still_good(self, names: Sequence[str], now: datetime) -> bool:
        try:
            key = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
            certificate, ca = x509.load_pem_x509_certificates(self.cert_file.read_bytes())
            good_ca = ca == x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ends = min(certificate.not_valid_after_utc, ca.not_valid_after_utc)
        return (
            good_ca
            and key.public_key() == certificate.public_key()
            and now + _RENEW_BEFORE_END < ends
            and now > certificate.not_valid_before_utc
            and all(_general_name(name) in held for name in names)
        )

    def _authority(self, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """The authority on disk while it outlives what it would sign, else a new one."""
        try:
            ca = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            loaded = serialization.load_pem_private_key(self._ca_key_file.read_bytes(), None)
        except (FileNotFoundError, ValueError):
            pass
        else:
            lasts = now + _SERVER_VALIDITY < ca.not_valid_after_utc
            if lasts and isinstance(loaded, ec.EllipticCurvePrivateKey):
                return ca, loaded
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("Storekeeper local CA")
        ca = (
            _builder("Storekeeper local CA", subject, key.public_key(), now, _CA_VALIDITY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), True)
            .sign(key, hashes.SHA256())
        )
        _write(self._ca_key_file, _pem_of_key(key), mode=0o600)
        _write(self.ca_file, ca.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return ca, key


def _builder(
    subject: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    validity: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file as a whole, never readable by more than `mode` says."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.replace(path)
