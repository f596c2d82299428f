"""An Asterisk as a telephone platform, by its manager interface (AMI); the dialplan ``platform-1.conf`` does the rest.

The calls of ``Dial`` and ``Queue`` are seen as they are. A transfer moves the two channels of a call into the dialplan,
which brings them together again, whether the exchange is there or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.interfaces import Offer
from ctiex.interfaces.call_platform import ICallPlatform
from ctiex.interfaces.telephony import (
    Conversation,
    ITelephonyListener,
    ITelephonyPlatform,
    OrderRefused,
    Party,
)
from ctiex.telephony.asterisk import actions
from ctiex.telephony.asterisk.ami import AmiError, AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.call_actions import WATCHED
from ctiex.telephony.asterisk.calls import AsteriskCalls, CallsSnapshot
from ctiex.telephony.asterisk.events import EventReader, update
from ctiex.telephony.asterisk.queues import LIST_QUEUES
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.telephony.asterisk.snapshot import AsteriskSnapshot
from ctiex.telephony.call_model import CallModel

_log = Logger()

_LOT = 50
"""How many steps of taking up calls are done before everybody else has a turn."""


def _lot() -> Callable[[], bool]:
    """Says when a lot is done."""
    steps = count(1)
    return lambda: next(steps) >= _LOT


@implementer(ITelephonyPlatform, ICallPlatform)
class AsteriskPlatform(AsteriskCalls):
    """One Asterisk; its calls can be controlled where somebody watches (:meth:`AsteriskCalls.watch`)."""

    _listener: ITelephonyListener
    """Given by ``start``; nothing is heard before."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: AsteriskSettings,
        services: Mapping[str, AsteriskServiceSettings],
        make_client: Callable[..., Any],
    ) -> None:
        """Nothing is connected before ``start``.

        :param services: the own keys of each service, by its name.
        :param make_client: makes an :class:`ctiex.telephony.asterisk.ami_client.AmiClient` of ``on_event``,
            ``on_login`` and ``on_lost``.
        """
        super().__init__(settings)
        self._clock = clock
        self._services = services
        self._client = make_client(self.take, self._logged_in, self._disconnected)
        self._events = EventReader()
        self.calls = CallModel(settings)
        self.connected = False
        self._cooperator = Cooperator(_lot, lambda do: clock.callLater(0, do), started=True)
        self._taking_up: CooperativeTask[Iterator[None]] | None = None
        self._unread: list[AmiMessage] = []
        """Events that came while the snapshot was being asked for and taken up."""

    @property
    def kept(self) -> int:
        """How many records are kept of calls: none when there are no calls."""
        return len(self.calls) + len(self._events.service_calls) + len(self._unread) + self.kept_of_calls

    def start(self, listener: ITelephonyListener) -> None:
        """Connect to Asterisk, and again after every loss."""
        self._listener = listener
        self._client.startService()

    def stop(self) -> Deferred[None]:
        """Disconnect. What goes on at Asterisk goes on."""
        stopping: Deferred[None] = self._client.stopService()  # first: what isn't taken up now is no trouble any more
        self._disconnected()
        return stopping

    # ------------------------------------------------------------ orders

    def prepare_transfer(
        self, conversation: Conversation, offer: Offer, refused: Callable[[], None]
    ) -> Callable[[], None]:
        """See that the customer can be sent to the service; what is returned sends them there.

        :raise OrderRefused: something in the offer doesn't go through a dialplan.
        """
        try:
            self._move(conversation, offer)
        except AmiError as error:
            raise OrderRefused(str(error)) from None
        return lambda: self._transfer(conversation, offer, refused)

    def _transfer(self, conversation: Conversation, offer: Offer, refused: Callable[[], None]) -> None:
        try:  # again: by now another device of the agent may have the customer, and the first one somebody else
            *variables, redirect = self._move(conversation, offer)
        except AmiError as error:
            _log.error("call {serial} can't be transferred: {reason}", serial=offer.serial, reason=str(error))
            refused()
            return
        self._remember_legs(conversation.customer.id, conversation.agent_party.id)
        self._ask(*variables)
        self._act(redirect).addErrback(self._not_moved, offer.serial, refused)

    def _move(self, conversation: Conversation, offer: Offer) -> tuple[actions.Action, ...]:
        own = self._services.get(offer.service, AsteriskServiceSettings())
        return actions.move(conversation, offer, self._settings, own, self._clock.seconds())

    def _not_moved(self, failure: Failure, serial: str, refused: Callable[[], None]) -> None:
        """Only a refusal is certain; what happens to the rest is reported after the next login."""
        if failure.check(ActionRefused):
            _log.warn("call {serial} wasn't transferred: {reason}", serial=serial, reason=failure.getErrorMessage())
            refused()
        elif failure.check(RequestTimedOut):
            self._client.reconnect(f"it didn't say whether call {serial} was transferred")

    def recall(self, customer: Party) -> None:
        """Take a customer out of the service, back to the agent."""
        self._ask(actions.redirect(customer, self._settings.return_context))

    def return_to(self, customer: Party, agent: Party) -> None:
        """Have a customer come back to somebody who has taken over from the agent who was held."""
        self._ask(*actions.set_variables(customer, {"CTIEX_AGENT_CHANNEL": agent.name}))

    def associate(self, customer: Party, serial: str, agent: str) -> None:
        """Have the customer's channel remember the serial that its agent was told, and which agent."""
        self._ask(*actions.set_variables(customer, {"CTIEX_TALK": serial, "CTIEX_TALK_AGENT": agent}))

    def release(self, agent: Party) -> None:
        """End the call of an agent who isn't even held yet, and has no customer to wait for any more."""
        party = self.calls.party(agent.id)
        if party is not None and not party.bridge:
            self._release(party)

    def release_held(self, serial: str) -> None:
        """End the calls of those who are held for a customer who isn't coming back."""
        for party in self.calls.free(serial):
            self._release(party)

    def _release(self, party: Party) -> None:
        self._ask(actions.redirect(party, self._settings.release_context))

    def _ask(self, *asked: actions.Action) -> None:
        """Ask for what shows in events, or doesn't matter any more."""
        for action in asked:
            self._act(action).addErrback(lambda failure: failure.trap(Exception) and None)

    def _act(self, action: actions.Action) -> Deferred[AmiMessage]:
        name, headers = action
        # What an action has begun may be told before it is answered, and under its id.
        answer: Deferred[AmiMessage] = self._client.act(name, *headers, each=self.take)
        return answer

    # ------------------------------------------------------------ events

    def take(self, event: AmiMessage) -> None:
        """Take an event of Asterisk."""
        if self.connected:
            update(self.calls, event)
            self._follow(event)
            self._take_of_calls(event)
        else:
            self._unread.append(event)

    def _follow(self, event: AmiMessage) -> None:
        """Report an event that the call model has taken."""
        for told in self._events.read(event, self.calls):
            self._listener.happened(told)

    def _disconnected(self) -> None:
        """Events are missed from now on, so that a snapshot is needed."""
        self.connected = False
        self._away()
        self._unread.clear()
        if self._taking_up is not None:
            taking_up, self._taking_up = self._taking_up, None
            taking_up.stop()

    def _logged_in(self) -> Deferred[None]:
        """Find out what has happened while events were missed. The Deferred fails if that isn't possible."""
        self._disconnected()
        return ensureDeferred(self._read_snapshot())

    async def _read_snapshot(self) -> None:
        snapshot, calls = AsteriskSnapshot(self._settings), self._make_snapshot()

        def take(event: AmiMessage) -> None:
            snapshot.take(event)
            if calls is not None:
                calls.take(event)

        try:  # one after the other: Asterisk answers in order, and a long list would cost the next one its time
            for name, headers in self._lists(calls):
                await self._client.act(name, *headers, each=take)
        except ActionRefused as error:
            raise ActionRefused(
                f"Asterisk doesn't list its channels ({error}): its manager user needs read = call,user"
                " and write = call"
            ) from None
        taking_up = self._taking_up = self._cooperator.cooperate(self._take_up(snapshot, calls))
        try:
            await taking_up.whenDone()
        except TaskStopped:
            raise LinkLost("the snapshot of Asterisk's calls was still being read") from None
        finally:
            if self._taking_up is taking_up:
                self._taking_up = None

    def _lists(self, calls: CallsSnapshot | None) -> tuple[actions.Action, ...]:
        if calls is None:
            return actions.LIST_BRIDGES, actions.LIST_CHANNELS
        return actions.LIST_BRIDGES, actions.list_channels(WATCHED), LIST_QUEUES

    def _take_up(self, snapshot: AsteriskSnapshot, calls: CallsSnapshot | None) -> Iterator[None]:
        """In lots, since there may be many calls and everybody else wants to go on."""
        if calls is not None:
            yield from calls.legs.finish()
            self._begin_calls(calls)
        self.calls = snapshot.calls
        yield from self._events.service_calls.go_on(snapshot.out)
        yield from self._listener.take_up(snapshot)
        yield from self._read_unread()
        self.connected = True  # before it goes on with what waits: from here on events are told as they come
        yield from self._tell_calls()
        yield from self._listener.caught_up()

    def _read_unread(self) -> Iterator[None]:
        """What happened meanwhile, some of it before the snapshot: what it comes to counts, not what it was between."""
        while self._unread:
            unread, self._unread = self._unread, []
            for event in unread:
                update(self.calls, event)
                self._take_of_calls(event)
            for event in unread:
                self._follow(event)
                yield
