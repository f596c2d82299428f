"""The bound sessions of the automatic services, each taking its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from ctiex.identities import Identity
from ctiex.interfaces import IServiceSession, IServiceSessions


@implementer(IServiceSessions)
class ServiceSessions:
    """Finds the sessions that serve a service, or that are bound under an identity."""

    def __init__(self) -> None:
        self._identities: dict[IServiceSession, Identity] = {}
        self._turns: dict[str, int] = {}
        self._joined: list[Callable[[IServiceSession], None]] = []

    def add(self, session: IServiceSession, identity: Identity) -> None:
        """A session is bound."""
        self._identities[session] = identity
        for joined in self._joined:
            joined(session)

    def remove(self, session: IServiceSession) -> None:
        """A session isn't bound any more."""
        self._identities.pop(session, None)

    def for_service(self, service: str) -> Sequence[IServiceSession]:
        """The sessions that serve it, the one whose turn it is first; each call moves the turn on."""
        serving = [
            session for session, identity in self._identities.items() if session.bound and identity.may_serve(service)
        ]
        if not serving:
            return serving
        turn = self._turns.get(service, 0) % len(serving)
        self._turns[service] = turn + 1
        return serving[turn:] + serving[:turn]

    def of_identity(self, identity: str) -> Sequence[IServiceSession]:
        """The sessions bound under this identity."""
        return [session for session, who in self._identities.items() if session.bound and who.name == identity]

    def watch(self, joined: Callable[[IServiceSession], None]) -> None:
        """Call ``joined`` with every session that is bound from now on."""
        self._joined.append(joined)
