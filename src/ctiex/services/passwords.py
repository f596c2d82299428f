"""Who knows whether a customer's password is right, and made-up passwords for demonstrations."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

LEVELS = ("common", "advanced")
"""The password levels of the seed [0069], lowest first."""
_SALT_BYTES = 16


class PasswordVerifier(Protocol):
    """An operator's customer accounts. It neither keeps nor logs the password."""

    async def verify(self, account: str, area: str, password: str) -> str | None:
        """The level that the password opens, ``advanced`` or ``common``; None where it is wrong."""


def hash_password(password: str, salt: bytes) -> bytes:
    """The salted scrypt hash of a password, small enough for a demonstration (about 3 ms)."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1, dklen=32)


@frozen
class StoredPassword:
    """One password of an account: its level and its hash."""

    level: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, level: str, password: str, salt: bytes) -> StoredPassword:
        """:param salt: 16 random bytes, others for each password."""
        return cls(level, salt, hash_password(password, salt))


@frozen
class Account:
    """A customer's account in one area, with a password for each level."""

    area: str
    passwords: Sequence[StoredPassword]


class DemoPasswords:
    """Made-up accounts for demonstrations, and nothing else.

    Account ``1001`` in area ``010``: common password ``246810``, advanced ``97531864``.
    Account ``1002`` in area ``021``: common password ``135790``.
    An empty area in the request fits every account.
    """

    def __init__(self, accounts: Mapping[str, Account] | None = None) -> None:
        """:param accounts: by account number; the made-up ones above where it is None."""
        self._accounts = _DEMO_ACCOUNTS if accounts is None else accounts

    async def verify(self, account: str, area: str, password: str) -> str | None:
        """The level that the password opens; an unknown account takes as long as a known one."""
        found = self._accounts.get(account, _NOBODY)
        level = None
        for stored in found.passwords:
            if hmac.compare_digest(hash_password(password, stored.salt), stored.digest):
                level = stored.level
        return level if area in ("", found.area) else None


_NOBODY = Account("", (StoredPassword("common", bytes(_SALT_BYTES), bytes(32)),) * 2)
_DEMO_ACCOUNTS = {
    "1001": Account(
        "010",
        (
            StoredPassword(
                "common",
                bytes.fromhex("7ebbfaf3f0c0e8befeae4e17de9ffa57"),
                bytes.fromhex("81c12083668867a75423e1838c20632c2279fa2bb5b733300cfe3aa579774a56"),
            ),
            StoredPassword(
                "advanced",
                bytes.fromhex("d1be6f397b12bd2627c972c2deaf4103"),
                bytes.fromhex("e38785da9c25620fdbe5e0e3b964a2c1e25f89a54c2f03773c97a788bfbbd501"),
            ),
        ),
    ),
    "1002": Account(
        "021",
        (
            StoredPassword(
                "common",
                bytes.fromhex("2219b42f8ea680e20beadc2dbe1f787a"),
                bytes.fromhex("2a509529d4d3a92090d3e74eea5fb4535ef4c3140a6dfe1eb799127feb92d440"),
            ),
        ),
    ),
}
