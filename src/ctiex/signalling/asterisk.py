"""Signalling by Asterisk: takes over calls of ``Dial`` and ``Queue`` by the manager interface (AMI).

It sees who talks with whom and tells the agents' applications. An offer moves the customer of a talk to the service,
with the serial, while the agent waits on hold; the dialplan of ``ctiex/telephony/dialplan/platform-1.conf`` brings them
together again, whether the exchange is there or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.plugin import IPlugin
from zope.interface import implementer

from ctiex.errors import LinkLost
from ctiex.interfaces import (
    BaseSignalling,
    BaseSignallingPlugin,
    ISignalling,
    ISignallingPlugin,
    Offer,
    SignallingContext,
)
from ctiex.links.endpoints import client_endpoint
from ctiex.signalling.asterisk_calls import Calls
from ctiex.signalling.asterisk_taking_up import TakingUp
from ctiex.telephony.asterisk import actions as orders
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import ActionRefused, AmiAccount, AmiAnswer
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.telephony.asterisk.snapshot import Snapshot

_LOT = 50
"""How many steps of taking up calls are done before everybody else has a turn."""


class _Lot:
    """Says when a lot is done."""

    def __init__(self) -> None:
        self._left = _LOT

    def __call__(self) -> bool:
        self._left -= 1
        return self._left <= 0


@implementer(ISignalling)
class AsteriskSignalling(BaseSignalling):
    """Forwards customers on one Asterisk."""

    sees_return = True

    def __init__(self, context: SignallingContext, make_client: Callable[..., Any] = AmiClient) -> None:
        """Nothing is connected before ``start``.

        :param make_client: called as :class:`ctiex.telephony.asterisk.ami_client.AmiClient` is.
        :raise ConfigurationError: the endpoint is invalid.
        """
        clock, settings = context.reactor, context.settings
        account = _account(clock, settings)
        self._client = make_client(clock, account, self.take, self._logged_in, self._lost)
        self._calls = Calls(clock, context.listener, settings, context.services, self._act, self._begin_anew)
        self._settings = settings
        self._cooperator = Cooperator(_Lot, lambda do: clock.callLater(0, do), started=True)
        self._taking_up: CooperativeTask[Iterator[None]] | None = None
        self._unread: list[AmiMessage] = []
        """Events that came while the picture of the platform was being asked for and taken up."""

    def __len__(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        return len(self._calls) + len(self._unread)

    # ------------------------------------------------------------ what the exchange asks

    @property
    def connected(self) -> bool:
        """Whether it sees the calls of Asterisk now."""
        return self._calls.seen

    def start(self) -> None:
        """Connect to Asterisk, and again after every loss."""
        self._client.startService()

    def stop(self) -> Deferred[None]:
        """Disconnect. What goes on at Asterisk goes on."""
        stopping: Deferred[None] = self._client.stopService()  # first: what isn't taken up now is no trouble any more
        self._look_away()
        return stopping

    def resume(self, serial: str, agent: str) -> None:
        """Look for a call of before the start once Asterisk is there."""
        self._calls.resumed[serial] = agent

    def agent_logged_in(self, agent: str) -> None:
        """Tell the agent's application of a call that began before it was there."""
        for conversation in self._calls.conversations.of_agent(agent):
            if conversation.together and not conversation.serial:
                self._calls.call_arrived(conversation)

    def offer(self, offer: Offer) -> None:
        """Forward the customer whom the offer means, as soon as Asterisk can be asked."""
        self._calls.offer(offer)

    def withdraw(self, serial: str) -> int:
        """Forget the call. A customer who is still with the service comes back to the agent."""
        return self._calls.withdraw(serial)

    def _act(self, action: orders.Action, each: Callable[[AmiMessage], None] | None = None) -> Deferred[AmiAnswer]:
        name, headers = action
        answer: Deferred[AmiAnswer] = self._client.act(name, *headers, each=each)
        return answer

    def _begin_anew(self, reason: str) -> None:
        self._client.reconnect(reason)

    # ------------------------------------------------------------ events

    def take(self, event: AmiMessage) -> None:
        """Take an event of Asterisk."""
        if self._calls.seen:
            self._calls.take(event)
        else:
            self._unread.append(event)

    def _lost(self) -> None:
        self._look_away()

    def _look_away(self) -> None:
        """The events are missed."""
        self._calls.seen = False
        self._unread.clear()
        if self._taking_up is not None:
            taking_up, self._taking_up = self._taking_up, None
            taking_up.stop()

    def _logged_in(self) -> Deferred[None]:
        """Find out what has happened while events were missed. The Deferred fails if that isn't possible."""
        self._look_away()
        return ensureDeferred(self._look_around())

    async def _look_around(self) -> None:
        snapshot = Snapshot(self._settings)
        try:  # one after the other: Asterisk answers in order, and a long list would cost the next one its time
            await self._act(orders.list_bridges(), snapshot.take)
            await self._act(orders.list_channels(), snapshot.take)
        except ActionRefused as error:
            raise ActionRefused(
                f"Asterisk doesn't list its channels ({error}): its manager user needs read = call,user"
                " and write = call"
            ) from None
        self._taking_up = self._cooperator.cooperate(self._take_up(snapshot))
        try:
            await self._taking_up.whenDone()
        except TaskStopped:
            raise LinkLost("the snapshot of Asterisk's calls was still being read") from None
        self._taking_up = None

    def _take_up(self, snapshot: Snapshot) -> Iterator[None]:
        """In lots, since there may be many calls and everybody else wants to go on."""
        calls = self._calls
        yield from TakingUp(calls, snapshot).steps()
        yield from self._read_unread()
        calls.seen = True
        yield from calls.go_on_moving()
        for waiting in calls.offers:
            calls.try_unsettled(waiting)
            yield

    def _read_unread(self) -> Iterator[None]:
        """What happened meanwhile, some of it before the picture: what it comes to counts, not what it was between."""
        while self._unread:
            unread, self._unread = self._unread, []
            for event in unread:
                self._calls.call_model.take(event)
            for event in unread:
                self._calls.follow(event)
                yield


def _account(reactor: Any, settings: AsteriskSettings) -> AmiAccount:
    endpoint = client_endpoint(reactor, settings.endpoint)
    return AmiAccount(endpoint, settings.username, settings.shared_secret(), answer_timeout=settings.answer_timeout)


@implementer(IPlugin, ISignallingPlugin)
class AsteriskSignallingPlugin(BaseSignallingPlugin):
    """``signalling = "asterisk"``."""

    name = "asterisk"
    settings = AsteriskSettings
    service_settings = AsteriskServiceSettings

    def build(self, context: SignallingContext) -> ISignalling:
        """The driver."""
        return AsteriskSignalling(context)
