"""Certificates for tests, made when they are needed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@frozen
class Signed:
    """A certificate, its key, and those who signed it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate with its chain behind it."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.chain))

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def save(self, folder: Path, name: str) -> tuple[str, str]:
        """Write both files; the names of the certificate's and the key's."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        replace(certificate, self.certificate_pem)
        replace(key, self.key_pem)
        return str(certificate), str(key)


def replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of another in one step, readable by its owner alone."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.chmod(0o600)
    os.replace(beside, path)


class Authority:
    """Signs certificates."""

    def __init__(self, name: str, signer: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._signer = signer or self
        builder = _begin(self.name, self._signer.name, self.key, -30 * DAY, 3650 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(self._signer.key, SHA256())
        self.chain: tuple[x509.Certificate, ...] = () if signer is None else (self.certificate, *signer.chain)

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def save(self, folder: Path, name: str) -> str:
        """Write its certificate; the file's name."""
        replace(folder / f"{name}.pem", self.pem)
        return str(folder / f"{name}.pem")

    def sign(
        self,
        name: str,
        *alternatives: x509.GeneralName,
        begins: timedelta = -DAY,
        ends: timedelta = 365 * DAY,
        for_servers: bool = False,
    ) -> Signed:
        """A certificate of this common name, for clients unless it is for servers."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
        builder = _begin(subject, self.name, key, begins, ends)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if for_servers else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not name)
        return Signed(builder.sign(self.key, SHA256()), key, self.chain)

    def sign_server(self, ends: timedelta = 365 * DAY, begins: timedelta = -DAY) -> Signed:
        """The certificate of an exchange on this machine."""
        names = x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))
        return self.sign("exchange", *names, begins=begins, ends=ends, for_servers=True)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
