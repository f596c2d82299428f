"""Which agent numbers a client follows, and who is told what comes on its link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.call_messages import AgentStateEvent, CallEvent, Snapshot
from ctiex.clients.connection import ExchangeConnection
from ctiex.clients.link import ClientLink
from ctiex.clients.monitored_number import CallListeners, MonitoredNumber
from ctiex.clients.replies import TRANSIENT, forget_answer
from ctiex.errors import CallError, CtiexError, LinkLost, NotBound, Status
from ctiex.messages import Feature, Message

_log = Logger()

TOLD = (AgentStateEvent, CallEvent, Snapshot)
"""What the exchange tells of a number that is followed."""


class CallMonitoring:
    """The numbers that are followed: those that are logged in by this client, and those that it only supervises."""

    def __init__(self, reactor: Any, connection: ExchangeConnection) -> None:
        """None is."""
        self.reactor = reactor
        self.within = connection.within
        self._connection = connection
        self._numbers: dict[str, list[MonitoredNumber]] = {}
        self._supervised: list[MonitoredNumber] = []
        """Those that each new link follows by itself; the others come with their login."""

    def __iter__(self) -> Iterator[MonitoredNumber]:
        return (one for those in list(self._numbers.values()) for one in list(those))

    def add(self, monitored: MonitoredNumber) -> None:
        """Tell it what comes."""
        those = self._numbers.setdefault(monitored.number, [])
        if monitored not in those:
            those.append(monitored)

    def remove(self, monitored: MonitoredNumber) -> None:
        """Tell it nothing more."""
        those = self._numbers.get(monitored.number, [])
        if monitored in those:
            those.remove(monitored)
        if not those:
            self._numbers.pop(monitored.number, None)
        if monitored in self._supervised:
            self._supervised.remove(monitored)

    def follows(self, number: str) -> bool:
        """Whether anybody is told of this number."""
        return number in self._numbers

    async def ask(self, message: Message, timeout: float) -> Message:
        """Ask once, on the link that stands.

        :raise CallError: 62, the exchange hasn't granted call control.
        :raise NotBound: the client has stopped.
        :raise LinkLost: there is no link, or it was lost before the answer.
        """
        link = self._connection.link
        if link is None or link.session.ended is not None:
            self._connection.check_wanted()
            raise LinkLost("there is no link to the exchange now; nothing was asked")
        _check_granted(link)
        return await link.ask(message, timeout)

    async def supervise(self, number: str, listeners: CallListeners) -> MonitoredNumber:
        """Follow a number; done once its snapshot has come.

        :raise CallError: 62, the exchange hasn't granted call control; 5, the identity may not see this number.
        """
        monitored = MonitoredNumber(self, number, listeners)
        try:
            while True:
                link = await self._connection.bound()
                _check_granted(link)
                try:
                    await monitored.follow(link)
                    await monitored.shown()
                    break
                except LinkLost:
                    continue
        except Exception:  # CancelledError is no CtiexError
            forget_answer(monitored.end(NotBound(f"the calls of {number} aren't followed")))
            raise
        self._supervised.append(monitored)
        self.reactor.callLater(0, monitored.begin_telling)
        return monitored

    # ------------------------------------------------------------ links that come and go

    def follow_own(self, monitored: MonitoredNumber, link: ClientLink) -> None:
        """Have a number followed that is about to log in on this link; a refusal keeps nobody from logging in."""

        def refused(failure: Failure) -> None:
            if not failure.check(LinkLost):
                _log.warn("the calls of agent {number} can't be followed: {reason}",
                          number=monitored.number, reason=failure.getErrorMessage())  # fmt: skip

        ensureDeferred(monitored.follow(link)).addErrback(refused)

    async def prepare(self, link: ClientLink) -> None:
        """Follow on a new link what is supervised.

        :raise CallError: not now: the link can't be used yet, and another one is tried.
        """
        for monitored in list(self._supervised):
            try:
                await monitored.follow(link)
            except CallError as error:
                if error.status in TRANSIENT:
                    raise
                _log.error("agent {number} can't be followed any more: {reason}",
                           number=monitored.number, reason=str(error))  # fmt: skip
                forget_answer(monitored.end(error))

    def received(self, link: ClientLink, message: CallEvent | AgentStateEvent | Snapshot) -> None:
        """Something is told of an agent number."""
        for monitored in list(self._numbers.get(message.agent, ())):
            monitored.received(link, message)

    def pause(self, error: CtiexError) -> None:
        """The client has stopped."""
        for monitored in self:
            monitored.pause(error)


def _check_granted(link: ClientLink) -> None:
    """:raise CallError: 62, the exchange hasn't granted call control."""
    if Feature.CALLS not in link.features:
        raise CallError(Status.NOT_SUPPORTED, "the exchange has not granted call control")
