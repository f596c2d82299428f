"""Portals that hash secrets, at once or when the test tells them."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred

from ctiex.login.checkers import ConfiguredChecker
from ctiex.login.credentials import KnownIdentity, checker_context, configured_portal, make_portal
from ctiex.login.secret_hashes import hash_secret
from ctiex.testing.pairs import agents

_SECRET_HASH = hash_secret("secret", lambda size: b"s" * size)


def hashing(*identities: object) -> Portal:
    """A portal that hashes: every check goes through a Deferred."""
    known = [KnownIdentity(identity, _SECRET_HASH) for identity in identities]  # type: ignore[arg-type]

    def in_thread(work: object) -> Deferred[bool]:
        done: Deferred[bool] = Deferred()
        done.callback(True)
        return done

    return configured_portal(known, in_thread)


class LateCredentials:
    """A portal whose hashings wait for the test."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[bool]] = []
        known = [KnownIdentity(agents(), _SECRET_HASH)]
        context = checker_context(known)
        self.checker = ConfiguredChecker(context.secrets, context.identities, self._in_thread)
        self.portal = make_portal(known, self.checker)

    def _in_thread(self, work: object) -> Deferred[bool]:
        self.waiting.append(Deferred())
        return self.waiting[-1]
