"""The certificates, keys and authorities of a TLS endpoint, read from PEM files and held against each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from ctiex.errors import ConfigurationError
from ctiex.tls.endpoint import TlsFiles

Key = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
"""The private keys that TLS certificates have."""

_RSA_PSS = "1.2.840.113549.1.1.10"
"""The object identifier of keys that sign by RSASSA-PSS and by nothing else (RFC 4055)."""

Stamp = tuple[object, ...]
"""What tells one state of the files from another."""


@frozen
class Credentials:
    """What stood in the files."""

    chain: tuple[Certificate, ...]
    """The exchange's own certificate, and those of the authorities between it and a root."""
    key: Key
    authorities: tuple[Certificate, ...]
    """Who may sign the certificates of clients; empty where clients show none."""

    @property
    def expires(self) -> datetime:
        """When the first certificate of the chain expires."""
        return min(certificate.not_valid_after_utc for certificate in self.chain)


def utc_now() -> datetime:
    """The time by which certificates are valid: the wall clock's."""
    return datetime.now(UTC)


def read_credentials(files: TlsFiles) -> Credentials:
    """Read the files and see that they can be used, whatever the time is.

    :raise ConfigurationError: a file can't be read or isn't what it should be, or the key is another certificate's.
    """
    chain, key = _certificates(files.certificate), _key(files.key)
    algorithm = getattr(chain[0], "public_key_algorithm_oid", None)  # older versions of cryptography don't tell it
    if algorithm is not None and algorithm.dotted_string == _RSA_PSS:
        raise ConfigurationError(
            f"{files.certificate}: found a certificate for an RSASSA-PSS-only key, which pyOpenSSL doesn't support,"
            " expected one for an RSA, EC or Ed key; it may be signed with RSA-PSS"
        )
    if chain[0].public_key() != key.public_key():
        raise ConfigurationError(
            f"the key in {files.key} doesn't match the first certificate in {files.certificate}, expected the key that"
            " it was made for; the exchange's own certificate comes first in its file"
        )
    return Credentials(chain, key, _certificates(files.clients) if files.clients else ())


def out_of_time(files: TlsFiles, credentials: Credentials, now: datetime) -> tuple[str, ...]:
    """Those certificates of the chain that aren't valid now, a line each: clients that verify them refuse them."""
    told = (_out_of_time(files.certificate, certificate, now) for certificate in credentials.chain)
    return tuple(line for line in told if line is not None)


def stamp_of(files: TlsFiles) -> Stamp:
    """The present state of the files, without reading them."""
    return tuple(_file_stamp(path) for path in files.paths)


def readable_by_all(files: TlsFiles) -> Iterator[str]:
    """The files with a key in them that everybody on this machine can read."""
    if os.stat(files.key).st_mode & 0o004:
        yield files.key


def _file_stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror or error}") from None


def _certificates(path: str) -> tuple[Certificate, ...]:
    try:
        return tuple(load_pem_x509_certificates(_read(path)))
    except ValueError:
        raise ConfigurationError(
            f"{path}: found no certificate that can be read, expected one or more in PEM"
        ) from None


def _key(path: str) -> Key:
    try:
        key = load_pem_private_key(_read(path), None)
    except TypeError:
        raise ConfigurationError(f"{path}: found a key with a passphrase, expected one without") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path}: found no private key that can be read, expected one in PEM") from None
    if not isinstance(key, Key):
        raise ConfigurationError(f"{path}: found a key that can't sign, expected an RSA, EC or Ed key")
    return key


def _out_of_time(path: str, certificate: Certificate, now: datetime) -> str | None:
    name = certificate.subject.rfc4514_string() or "without a name"
    if now > certificate.not_valid_after_utc:
        when = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        return f"{path}: the certificate {name} has expired on {when}"
    if now < certificate.not_valid_before_utc:
        when = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return f"{path}: the certificate {name} is valid from {when} on"
    return None
