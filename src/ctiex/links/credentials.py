"""Who is there: secrets, their hashes, and the check of a Bind against them.

A secret is hashed by scrypt in a thread, never on the reactor; one that was verified
once is remembered by a keyed digest, so that a thousand links of one identity hash once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from ctiex.errors import ConfigurationError, CtiexError
from ctiex.messages import Role
from ctiex.processing.identities import Identity

HASH_EXPECTED = "scrypt$N$r$p$salt$hash, as `ctiex passwd` prints it"
_COST, _BLOCK_SIZE, _PARALLELISM = 2**14, 8, 1
_SALT_SIZE, _HASH_SIZE = 16, 32
_MAX_MEMORY = 2**28
_MAX_PARALLELISM = 16
_HASHINGS_AT_A_TIME = 1
_MOST_HASHINGS = 100
"""Secrets that may wait to be hashed; beyond it a Bind is answered 14."""


class TooManyHashings(CtiexError):
    """Too many secrets wait to be hashed already."""


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
        return power_of_two and positive and self._memory() <= _MAX_MEMORY and bool(self.salt and self.digest)

    def _memory(self) -> int:
        return 128 * self.cost * self.block_size

    def format(self) -> str:
        """The text form, which :meth:`parse` takes back."""
        numbers = f"{self.cost}${self.block_size}${self.parallelism}"
        return f"scrypt${numbers}${_to_base64(self.salt)}${_to_base64(self.digest)}"

    def matches(self, secret: str) -> bool:
        """Whether this is the hash of the secret. Takes tens of milliseconds: call it in a thread."""
        found = _scrypt(secret, self.salt, self.cost, self.block_size, self.parallelism, len(self.digest))
        return hmac.compare_digest(found, self.digest)


def hash_secret(secret: str, salt: Callable[[int], bytes] = os.urandom) -> SecretHash:
    """Hash a secret with a new salt.

    :param salt: makes so many random bytes.
    """
    grain = salt(_SALT_SIZE)
    digest = _scrypt(secret, grain, _COST, _BLOCK_SIZE, _PARALLELISM, _HASH_SIZE)
    return SecretHash(_COST, _BLOCK_SIZE, _PARALLELISM, grain, digest)


def _scrypt(secret: str, salt: bytes, cost: int, block_size: int, parallelism: int, size: int) -> bytes:
    return hashlib.scrypt(
        secret.encode(errors="surrogatepass"),
        salt=salt,
        n=cost,
        r=block_size,
        p=parallelism,
        dklen=size,
        maxmem=2 * _MAX_MEMORY,
    )


def _to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_base64(data) != text:
        raise ValueError("not base64url")
    return data


@frozen
class KnownIdentity:
    """An identity with the secret that proves it: hashed, or in clear."""

    identity: Identity
    secret: SecretHash | str = field(repr=False)


@define(eq=False)
class _Hashing:
    """One hashing under way, and everyone who waits for its outcome."""

    waiting: list[Deferred[bool]] = field(factory=list)
    job: Deferred[Any] | None = None
    started: bool = False


InThread = Callable[[Callable[[], bool]], "Deferred[bool]"]
"""Runs something slow beside the reactor."""


@define(eq=False)
class Credentials:
    """The directory of identities: tells who a Bind comes from."""

    _known: dict[str, KnownIdentity]
    _in_thread: InThread
    _key: bytes = field(factory=lambda: os.urandom(32), repr=False)
    _nobody: SecretHash | str = field(repr=False, init=False)
    _remembered: dict[str, bytes] = field(factory=dict, init=False, repr=False)
    _hashings: dict[bytes, _Hashing] = field(factory=dict, init=False, repr=False)
    _turns: DeferredSemaphore = Factory(lambda: DeferredSemaphore(_HASHINGS_AT_A_TIME))

    @classmethod
    def of(cls, known: Iterable[KnownIdentity], in_thread: InThread) -> Credentials:
        """The directory of these identities."""
        return cls({entry.identity.name: entry for entry in known}, in_thread)

    @classmethod
    def on_reactor(cls, known: Iterable[KnownIdentity], reactor: Any) -> Credentials:
        """The directory of these identities; hashes in the reactor's thread pool."""
        return cls.of(known, lambda work: deferToThreadPool(reactor, reactor.getThreadPool(), work))

    def __attrs_post_init__(self) -> None:
        # Nobody's secret: what an unknown identity is checked against, so that it takes as long as a known one.
        hashed = (entry.secret for entry in self._known.values() if isinstance(entry.secret, SecretHash))
        self._nobody = next(hashed, os.urandom(_HASH_SIZE).hex())

    def identity(self, name: str) -> Identity | None:
        """The identity of this name, unchecked."""
        entry = self._known.get(name)
        return entry.identity if entry else None

    def check(self, name: str, secret: str, role: Role) -> Identity | Deferred[Identity | None] | None:
        """Who binds with this name, secret and role; None for anyone who may not.

        At once where nothing has to be hashed, else by a Deferred. Cancelling it gives the wait up.

        :raise TooManyHashings: so many secrets wait to be hashed that this one can't.
        """
        entry = self._known.get(name)
        expected = entry.secret if entry else self._nobody
        allowed = entry.identity if entry and entry.identity.role == role else None
        digest = self._digest(name, secret)
        if isinstance(expected, str):
            same = hmac.compare_digest(_bytes(expected), _bytes(secret))
            return allowed if same else None
        if hmac.compare_digest(self._remembered.get(name, b""), digest):
            return allowed
        if digest not in self._hashings and len(self._hashings) >= _MOST_HASHINGS:
            raise TooManyHashings("too many secrets are being checked")
        verified = self._verified(expected, secret, digest)
        if entry:
            verified.addCallback(self._remember, name, digest)
        return verified.addCallback(lambda same: allowed if same else None)

    def _digest(self, name: str, secret: str) -> bytes:
        keyed = hashlib.blake2b(len(_bytes(name)).to_bytes(4, "big"), key=self._key, digest_size=32)
        keyed.update(_bytes(name) + _bytes(secret))
        return keyed.digest()

    def _remember(self, same: bool, name: str, digest: bytes) -> bool:
        if same:
            self._remembered[name] = digest
        return same

    def _verified(self, expected: SecretHash, secret: str, digest: bytes) -> Deferred[bool]:
        """Whether the secret is right; checks of the same secret at the same time share one hashing."""
        hashing = self._hashings.get(digest)
        answer: Deferred[bool] = Deferred(lambda waiter: self._give_up(digest, waiter))
        if hashing is not None:
            hashing.waiting.append(answer)
            return answer
        hashing = self._hashings[digest] = _Hashing([answer])
        hashing.job = self._turns.run(self._hash, hashing, expected, secret)
        hashing.job.addBoth(self._hashed, digest)
        return answer

    def _hash(self, hashing: _Hashing, expected: SecretHash, secret: str) -> Deferred[bool]:
        hashing.started = True
        return self._in_thread(lambda: expected.matches(secret))

    def _hashed(self, outcome: bool | Failure, digest: bytes) -> None:
        for answer in self._hashings.pop(digest).waiting:
            answer.callback(outcome)

    def _give_up(self, digest: bytes, waiter: Deferred[bool]) -> None:
        """Forget one who waits; a hashing that nobody waits for and that hasn't begun is dropped."""
        hashing = self._hashings.get(digest)
        if hashing is None or waiter not in hashing.waiting:
            return
        hashing.waiting.remove(waiter)
        if not hashing.waiting and not hashing.started and hashing.job is not None:
            hashing.job.cancel()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
