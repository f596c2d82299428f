"""Call control on an Asterisk: what its legs and its queues tell, and whoever listens; the orders are inherited."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from twisted.internet.defer import Deferred

from ctiex.interfaces.call_platform import (
    Connect,
    DialFailed,
    ICallPlatformListener,
    Leg,
    LegPlace,
    LegState,
    PlatformEvent,
)
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.call_actions import memory, set_variables
from ctiex.telephony.asterisk.call_orders import AsteriskCallOrders
from ctiex.telephony.asterisk.desk_states import DeskStates
from ctiex.telephony.asterisk.leg_facts import status_of
from ctiex.telephony.asterisk.legs import AsteriskLegs
from ctiex.telephony.asterisk.legs_snapshot import LegsSnapshot
from ctiex.telephony.asterisk.queues import QueueMembers, QueueOrders
from ctiex.telephony.asterisk.settings import AsteriskSettings

EVENTS = "call,user,agent"
"""The classes of events that call control needs."""


@frozen
class CallsSnapshot:
    """The legs and the queues at one moment."""

    legs: LegsSnapshot
    queues: QueueMembers

    def take(self, event: AmiMessage) -> None:
        """One event of a list."""
        self.legs.take(event)
        self.queues.take(event)


class AsteriskCalls(AsteriskCallOrders, QueueOrders):
    """The part of an Asterisk that call control sees; without a listener it keeps nothing."""

    _listener_of_calls: ICallPlatformListener | None = None
    _told = False
    """Whether events are told: not while a snapshot is read."""

    def __init__(self, settings: AsteriskSettings) -> None:
        self._settings = settings
        self._legs = AsteriskLegs(settings, self._changed, self._happened)
        self._queues = QueueMembers(settings, self._happened)
        self._desks = DeskStates(self._legs, self._queues, self._ask)

    def watch(self, listener: ICallPlatformListener) -> None:
        """Tell this listener."""
        self._listener_of_calls = listener

    @property
    def kept_of_calls(self) -> int:
        """How many records are kept of legs."""
        return len(self._legs) + len(self._desks)

    # ------------------------------------------------------------ events

    def _changed(self, leg: Leg) -> None:
        self._note(leg)
        if self._listener_of_calls is not None and self._told:
            self._listener_of_calls.changed(leg)

    def _note(self, leg: Leg) -> None:
        """Have a leg remember what no list shows."""
        noted = {"CTIEX_PHONE_HOLD": "yes" if leg.held_at_phone else ""}
        self._ask(*set_variables(leg.id, self._legs.news(leg.id, noted, {"CTIEX_PHONE_HOLD": ""})))
        channel = self._legs.channels[leg.id]
        if (
            leg.place is LegPlace.BRIDGE
            and channel.called is not None
            and isinstance(channel.called.on_answer, Connect)
        ):
            self._ask(*set_variables(channel.called.on_answer.leg, {"CTIEX_WITH": self._legs.name_of(leg.id)}))
            channel.called = None

    def _remember_legs(self, *ids: str) -> None:
        """Have legs remember what doesn't show any more once they are on the way of a hand-off."""
        for id in ids:
            leg = self._legs.legs.leg(id)
            if leg is not None:
                facts = {"CTIEX_LEG": memory(leg), "__CTIEX_CALL": leg.call}
                self._ask(*set_variables(id, self._legs.news(id, facts)))

    def _happened(self, event: PlatformEvent) -> None:
        if self._listener_of_calls is not None and self._told:
            self._listener_of_calls.happened(event)

    def _take_of_calls(self, event: AmiMessage) -> None:
        """An event, for the legs and the queues."""
        if self._listener_of_calls is not None:
            self._legs.take(event)
            self._queues.take(event)
            self._desks.look()

    def _away(self) -> None:
        """Events are missed from now on."""
        if self._told and self._listener_of_calls is not None:
            self._listener_of_calls.away()
        self._told = False

    # ------------------------------------------------------------ a snapshot

    def _make_snapshot(self) -> CallsSnapshot | None:
        """What takes the lists; None: nobody wants to know."""
        if self._listener_of_calls is None:
            return None
        legs = AsteriskLegs(self._settings, self._changed, self._happened)
        legs.called = self._legs.called
        return CallsSnapshot(LegsSnapshot(legs), QueueMembers(self._settings, self._happened))

    def _begin_calls(self, snapshot: CallsSnapshot) -> None:
        """From here on the legs are those of the snapshot."""
        self._legs, self._queues = snapshot.legs.legs, snapshot.queues
        self._desks = DeskStates(self._legs, self._queues, self._ask)

    def _tell_calls(self) -> Iterator[None]:
        """Tell of them; what became of an order to call meanwhile was told while nobody heard."""
        if self._listener_of_calls is None:
            return
        self._told = True
        lost = [id for id in self._legs.called if self._legs.legs.leg(id) is None]
        for id in list(self._legs.called):
            leg = self._legs.legs.leg(id)
            if leg is not None and leg.state is LegState.CONNECTED:
                del self._legs.called[id]
        yield from self._listener_of_calls.taken_up()
        for id in lost:
            if self._legs.called.pop(id, None) is not None:
                self._happened(DialFailed(id, status_of(0, False)))

    def _desks_seen(self, result: None, agent: str) -> None:
        """A new member's device state is that of the present."""
        self._desks.tell_again(agent)

    def _act(self, action: Action) -> Deferred[AmiMessage]:
        raise NotImplementedError

    def _ask(self, *asked: Action) -> None:
        raise NotImplementedError
