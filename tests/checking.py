"""Cheap hashes, and threads that run when told: for tests of who may bind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from twisted.internet.defer import Deferred

from ctiex.login.secret_hashes import SecretHash


def cheaply_hashed(secret: str, salt: bytes = b"salt") -> SecretHash:
    """A hash that takes no time."""
    digest = hashlib.scrypt(secret.encode(), salt=salt, n=2, r=1, p=1, dklen=16)
    return SecretHash(2, 1, 1, salt, digest)


class Threads:
    """Collects what was handed to a thread; runs it when told."""

    def __init__(self) -> None:
        self.work: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        self.begun = 0
        """How many secrets have been hashed, or are being hashed."""

    def __call__(self, work: Callable[[], bool]) -> Deferred[bool]:
        self.begun += 1
        done: Deferred[bool] = Deferred()
        self.work.append((work, done))
        return done

    def finish_one(self) -> None:
        """Run what was begun first."""
        work, done = self.work.pop(0)
        done.callback(work())

    def finish(self) -> None:
        """Run everything, what comes up meanwhile too."""
        while self.work:
            self.finish_one()
