"""Encryption at rest: what a durable store writes of calls and events is sealed with one key.

Secret values are encrypted, by AES-256-GCM. What may be read but decides something is stamped, by keyed
BLAKE2b: changed without the key, it doesn't fit its stamp any more. The key comes from the environment or from a
file; a file that isn't there is made, for its owner's eyes only.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from struct import pack

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ctiex.errors import ConfigurationError, StoreUnavailable
from ctiex.stores.sqlite_settings import BESIDE

KEY_VARIABLE = "CTIEX_STORE_KEY"
_KEY_SIZE, _NONCE_SIZE, _STAMP_SIZE = 32, 12, 32
_EXPECTED = f"{_KEY_SIZE} bytes in URL-safe base64"


class Unsealed(StoreUnavailable):
    """It was sealed or stamped with another key, for another place, or was changed."""


def bound(*parts: bytes) -> bytes:
    """Parts in one piece that no other parts come to: where the one ends and the next begins is said first."""
    return pack(f">{1 + len(parts)}I", len(parts), *map(len, parts)) + b"".join(parts)


class Seal:
    """Seals and opens small pieces of data, each bound to where it stands; stamps what is bound and not hidden."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        # A key of its own: one key for two algorithms is good practice nowhere.
        stamp_key = HKDF(SHA256(), _KEY_SIZE, None, b"ctiex store stamps").derive(key)
        self._stamp = blake2b(digest_size=_STAMP_SIZE, key=stamp_key)

    def seal(self, data: bytes, place: bytes) -> bytes:
        """The data, unreadable without the key, and good for this place only."""
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, data, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """What was sealed.

        :raise Unsealed: it was sealed with another key, for another place, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], place)
        except (InvalidTag, ValueError):
            raise Unsealed("it was sealed with another key, or is damaged") from None

    def stamp(self, whole: bytes) -> bytes:
        """What only the key's owner can make of this; the same at every time."""
        stamp = self._stamp.copy()  # so that the key is taken in once
        stamp.update(whole)
        return stamp.digest()

    def check(self, stamp: bytes, whole: bytes) -> None:
        """Look whether a stamp is that of these bytes.

        :raise Unsealed: it isn't.
        """
        if not compare_digest(stamp, self.stamp(whole)):
            raise Unsealed("it was stamped with another key, or was changed")


def new_key() -> str:
    """A new random key, in its text form."""
    return urlsafe_b64encode(os.urandom(_KEY_SIZE)).decode()


def read_key(text: str, where: str) -> bytes:
    """A key from its text form.

    :param where: names its place in the error.
    :raise ConfigurationError: it is no key.
    """
    try:
        key = urlsafe_b64decode(text.strip().encode())
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE:
        raise ConfigurationError(f"{where}: found no key, expected {_EXPECTED}")
    return key


def find_key(file: Path, make: bool, environment: Mapping[str, str] = os.environ) -> bytes:
    """The key from the environment, else from the file.

    :param make: a file that isn't there is made, with a new key.
    :raise ConfigurationError: there is no key to be had.
    """
    if KEY_VARIABLE in environment:
        return read_key(environment[KEY_VARIABLE], KEY_VARIABLE)
    try:
        if make and not file.exists():
            _write_for_owner(file, new_key())
        return read_key(file.read_text(encoding="ascii"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"key_file {file}: {getattr(error, 'strerror', None) or error}") from None


def _write_for_owner(file: Path, text: str) -> None:
    """Make a file that is there whole or not at all, whenever the process or the power ends."""
    with unfinished(file) as new:
        with new.open("w", encoding="ascii") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):  # another process was first
            os.link(new, file)
    sync_folder(file.parent)


@contextmanager
def unfinished(file: Path) -> Iterator[Path]:
    """A new file for its owner's eyes only, under the name that it has until it is whole.

    What is left under that name, or beside it, is taken away.
    """
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        yield new
    finally:
        for ending in ("", *BESIDE):
            Path(f"{new}{ending}").unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the disk know the names in a folder.

    :raise OSError: it can't be opened, or not synced.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
