"""Signalling by transfers, on any telephone platform that shows its calls.

It tells the agents' applications who talks with them. An offer transfers the customer of a conversation to the service,
with the serial, while the agent is held; the platform brings both together again.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ctiex.interfaces import BaseSignalling, ISignalling, ISignallingListener, Offer
from ctiex.interfaces.call_platform import ICallPlatform
from ctiex.interfaces.telephony import ISnapshot, ITelephonyListener, ITelephonyPlatform, TelephonyEvent
from ctiex.signalling.resumption import Resumption
from ctiex.signalling.seen_calls import SeenCalls


@implementer(ISignalling, ITelephonyListener)
class TransferSignalling(BaseSignalling):
    """Hands customers over on one platform."""

    sees_return = True

    def __init__(
        self, platform: ITelephonyPlatform, listener: ISignallingListener, call_platform: ICallPlatform | None = None
    ) -> None:
        """Nothing is connected before ``start``.

        :param call_platform: the same platform, where its calls can be controlled too.
        """
        self._platform = platform
        self._calls = SeenCalls(platform, listener)
        self.call_platform = call_platform

    def __len__(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        return len(self._calls) + self._platform.kept

    # ------------------------------------------------------------ what the exchange asks

    @property
    def connected(self) -> bool:
        """Whether it sees the calls of the platform now."""
        return self._platform.connected

    def start(self) -> None:
        """Connect to the platform, and again after every loss."""
        self._platform.start(self)

    def stop(self) -> Deferred[None] | None:
        """Disconnect. What goes on at the platform goes on."""
        return self._platform.stop()

    def resume(self, serial: str, agent: str) -> None:
        """Look for a call of before the start once the platform is there."""
        self._calls.resumed[serial] = agent

    def agent_logged_in(self, agent: str) -> None:
        """Tell the agent's application of a call that began before it was there."""
        for conversation in self._calls.conversations.of_agent(agent):
            if conversation.together and not conversation.serial:
                self._calls.call_arrived(conversation)

    def offer(self, offer: Offer) -> None:
        """Transfer the customer whom the offer means, as soon as the platform can be asked."""
        self._calls.starter.offer(offer)

    def withdraw(self, serial: str) -> int:
        """Forget the call. A customer who is still with the service comes back to the agent."""
        return self._calls.withdraw(serial)

    # ------------------------------------------------------------ what the platform reports

    def take_up(self, snapshot: ISnapshot) -> Iterator[None]:
        """Resume the calls of before."""
        return Resumption(self._calls, snapshot).steps()

    def caught_up(self) -> Iterator[None]:
        """Go on with the customers who were to go, and with the offers that came meanwhile."""
        yield from self._calls.starter.go_on_moving()
        for waiting in self._calls.offers:
            self._calls.starter.try_unsettled(waiting)
            yield

    def happened(self, event: TelephonyEvent) -> None:
        """Something has happened to a call."""
        self._calls.happened(event)
