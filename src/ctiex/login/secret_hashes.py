"""Secrets as they are stored: hashed by scrypt (RFC 7914), with a salt of their own."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

from attrs import field, frozen

from ctiex.errors import ConfigurationError

HASH_EXPECTED = "scrypt$N$r$p$salt$hash, as `ctiex passwd` prints it"
_COST, _BLOCK_SIZE, _PARALLELISM = 2**14, 8, 1
_SALT_SIZE, _HASH_SIZE = 16, 32
_MAX_MEMORY = 2**28
_MAX_PARALLELISM = 16


@frozen
class SecretHash:
    """A secret as scrypt keeps it (RFC 7914); the text form is ``scrypt$N$r$p$salt$hash``."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> SecretHash:
        """The hash that this text stands for.

        :raise ConfigurationError: it isn't one, or hashing would take over 256 MiB.
        """
        try:
            scheme, cost, block_size, parallelism, salt, digest = text.split("$")
            made = cls(int(cost), int(block_size), int(parallelism), _from_base64(salt), _from_base64(digest))
        except ValueError:
            raise ConfigurationError(f"a secret hash is {HASH_EXPECTED}") from None
        if scheme != "scrypt" or not made._usable():
            raise ConfigurationError(f"a secret hash is {HASH_EXPECTED}, within the limits of scrypt")
        return made

    def _usable(self) -> bool:
        power_of_two = self.cost > 1 and self.cost & (self.cost - 1) == 0
        positive = self.block_size > 0 and 0 < self.parallelism <= _MAX_PARALLELISM
        memory = 128 * self.cost * self.block_size
        return power_of_two and positive and memory <= _MAX_MEMORY and bool(self.salt and self.digest)

    def format(self) -> str:
        """The text form, which :meth:`parse` takes back."""
        salt, digest = _to_base64(self.salt), _to_base64(self.digest)
        return f"scrypt${self.cost}${self.block_size}${self.parallelism}${salt}${digest}"

    def matches(self, secret: str | bytes) -> bool:
        """Whether this is the hash of the secret. Takes tens of milliseconds: call it in a thread.

        :param secret: text, or its UTF-8.
        """
        found = _scrypt(as_bytes(secret), self.salt, self.cost, self.block_size, self.parallelism, len(self.digest))
        return hmac.compare_digest(found, self.digest)


def hash_secret(secret: str, salt: Callable[[int], bytes] = os.urandom) -> SecretHash:
    """Hash a secret with a new salt.

    :param salt: makes so many random bytes.
    """
    grain = salt(_SALT_SIZE)
    digest = _scrypt(as_bytes(secret), grain, _COST, _BLOCK_SIZE, _PARALLELISM, _HASH_SIZE)
    return SecretHash(_COST, _BLOCK_SIZE, _PARALLELISM, grain, digest)


def as_bytes(text: str | bytes) -> bytes:
    """Text of the wire in UTF-8; never fails, whatever JSON let in."""
    return text if isinstance(text, bytes) else text.encode(errors="surrogatepass")


def _scrypt(secret: bytes, salt: bytes, cost: int, block_size: int, parallelism: int, size: int) -> bytes:
    return hashlib.scrypt(
        secret, salt=salt, n=cost, r=block_size, p=parallelism, dklen=size, maxmem=2 * _MAX_MEMORY
    )  # fmt: skip


def _to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_base64(data) != text:
        raise ValueError("not base64url")
    return data
