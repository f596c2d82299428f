"""Where an identity may call, transfer or deflect to: agents and queues, and outside what ``may_dial`` says."""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import frozen

from ctiex.call_control.settings import is_dialable
from ctiex.errors import CallError, Status
from ctiex.identities import Identity
from ctiex.interfaces.call_platform import CallDestination, DestinationKind


@frozen
class Destinations:
    """Tells destinations apart."""

    _queues: Collection[str]
    _is_agent: Callable[[str], bool]

    def checked(self, identity: Identity, name: str) -> CallDestination:
        """What a destination is that an identity names.

        :raise CallError: 65, there is none of this name, or the identity may not call it: the two aren't told apart.
        """
        if name in self._queues:
            return CallDestination(DestinationKind.QUEUE, name)
        if is_dialable(name):
            if name.isdigit() and self._is_agent(name):
                return CallDestination(DestinationKind.AGENT, name)
            if identity.may_call(name):
                return CallDestination(DestinationKind.NUMBER, name)
        raise CallError(Status.NO_SUCH_DESTINATION)
