"""Hand-offs on the simulated platform: customers who go to an automatic service, and come back to their agent.

The dialplan brings both together again, whether the exchange is there or not, as Asterisk's does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import define
from zope.interface import implementer

from ctiex.errors import Status
from ctiex.interfaces import Offer
from ctiex.interfaces.call_platform import Leg, LegPlace, LegState
from ctiex.interfaces.telephony import (
    Conversation,
    Established,
    ISnapshot,
    ITelephonyListener,
    ITelephonyPlatform,
    OrderRefused,
    Party,
    PartyDropped,
    PartyHeld,
    TelephonyEvent,
    TransferEvent,
    TransferProgress,
    TransferState,
)
from ctiex.telephony.call_model import CallModel
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

_HELD = "ctiex-"


class SimulatedRoles:
    """A party is called ``agent/1001/7`` or ``customer/8``."""

    def agent_of(self, name: str) -> str:
        """The agent number in the name."""
        return name.split("/")[1] if name.startswith("agent/") else ""

    def is_customer(self, name: str) -> bool:
        """Whoever is called so."""
        return name.startswith("customer/")


@define(eq=False)
class SimulatedHandOff:
    """The truth about one hand-off."""

    customer: str
    agent: str
    serial: str
    service_leg: str = ""
    progress: tuple[TransferEvent, ...] = ()
    status: Status = Status.SERVICE_UNREACHABLE


@implementer(ISnapshot)
class _Snapshot:
    def __init__(self, hand_offs: SimulatedHandOffs) -> None:
        self._hand_offs = hand_offs

    def associated(self, customer: Party) -> tuple[str, str]:
        """What was associated with a customer."""
        return self._hand_offs.associated.get(customer.id, ("", ""))

    def transfer_of(self, customer: Party) -> TransferState | None:
        """How a transfer stands."""
        one, calls = self._hand_offs.of_customer.get(customer.id), self._hand_offs.calls
        if one is None:
            return None
        agent = calls.party(one.agent) or Party(one.agent, f"agent//{one.agent}")
        conversation = Conversation(customer, agent, calls.agent_of(agent))
        return TransferState(one.serial, conversation, one.progress, one.status)

    def transfers(self) -> Iterator[TransferState | None]:
        """All of them."""
        for id in list(self._hand_offs.of_customer):
            customer = self._hand_offs.calls.party(id)
            yield None if customer is None else self.transfer_of(customer)


@implementer(ITelephonyPlatform)
class SimulatedHandOffs:
    """The hand-offs of one simulated platform."""

    _listener: ITelephonyListener | None = None

    def __init__(self, platform: SimulatedPlatform) -> None:
        """:param platform: begins with :meth:`start`, and is told of by ``come`` and ``go``."""
        self.platform = platform
        self._board = platform.board
        self.calls = CallModel(SimulatedRoles())
        self.of_customer: dict[str, SimulatedHandOff] = {}
        self.associated: dict[str, tuple[str, str]] = {}
        self.refuses = False
        self.sent: list[Offer] = []
        """What customers were sent to services with."""
        self.on_sent: Callable[[Offer, Leg], None] = lambda offer, service: None
        """Hears of every call to a service: what it is sent with, and the leg that rings there."""
        platform.on_leg, platform.on_gone = self._heard, self._heard_gone
        platform.board.on_end = self._ended
        platform.on_come, platform.on_go = self._come, self._go
        self.connected = False

    @property
    def kept(self) -> int:
        """How much the call model keeps."""
        return len(self.calls)

    def start(self, listener: ITelephonyListener) -> None:
        """The platform is there at once."""
        self._listener = listener
        self.platform.come()

    def stop(self) -> None:
        """Nothing is heard any more."""
        self.platform.go()

    # ------------------------------------------------------------ what is heard

    def _come(self) -> None:
        self.calls = CallModel(SimulatedRoles())
        for leg in self.platform.legs.all():
            self._see(leg)
        if self._listener is None:
            return
        for _ in self._listener.take_up(_Snapshot(self)):
            pass
        self.connected = True
        for _ in self._listener.caught_up():
            pass

    def _go(self) -> None:
        self.connected = False

    def _see(self, leg: Leg) -> str:
        """Have the call model know of a leg; the bridge that it is in."""
        name = f"agent/{leg.agent}/{leg.id}" if leg.agent else f"customer/{leg.id}"
        if not leg.agent and leg.place is LegPlace.SERVICE and leg.dialled_by:
            name = f"service/{leg.id}"
        bridge = leg.bridge if leg.place in (LegPlace.BRIDGE, LegPlace.CONFERENCE, LegPlace.HOLD) else ""
        if leg.place is LegPlace.SERVICE and leg.agent:
            bridge = f"{_HELD}{leg.service}"
            self.calls.holds(bridge, leg.service)
        elif leg.place is LegPlace.HOLD:
            self.calls.holds(bridge)
        self.calls.seen(leg.id, name, leg.number, bridge)
        return bridge

    def _heard(self, leg: Leg) -> None:
        if leg.state is not LegState.CONNECTED:
            return
        bridge = self._see(leg)
        pair, serial = self.calls.conversation_in(bridge), self.calls.serial_of_hold(bridge)
        if pair is not None:
            self._happened(Established(pair))
        elif serial:
            self._happened(PartyHeld(serial, self.calls.is_freed(bridge)))

    def _heard_gone(self, id: str) -> None:
        if self.calls.party(id) is not None:
            self.calls.gone(id)
            self._happened(PartyDropped(id))

    def _happened(self, event: TelephonyEvent) -> None:
        if self.connected and self._listener is not None:
            self._listener.happened(event)

    # ------------------------------------------------------------ what services do

    def answers(self, service: Leg) -> None:
        """A service answers."""
        one = self._of_service(service)
        if one is not None:
            service.state, service.place = LegState.CONNECTED, LegPlace.SERVICE
            self._board.put(service)
            self._progress(one, TransferEvent.ANSWERED)

    def _of_service(self, service: Leg) -> SimulatedHandOff | None:
        return next((one for one in self.of_customer.values() if one.service_leg == service.id), None)

    def _progress(self, one: SimulatedHandOff, *progress: TransferEvent) -> None:
        one.progress = progress
        told = TransferProgress(one.customer, progress[-1], one.status)
        self.platform.tell(one.customer, lambda: self._happened(told))

    def _ended(self, leg: Leg) -> None:
        """A leg has ended: a service's, or somebody's for whom one was called."""
        one = self._of_service(leg)
        if one is not None:
            answered = leg.state is LegState.CONNECTED
            self._return(one, TransferEvent.SERVICE_OVER if answered else TransferEvent.NOT_ANSWERED)
        mine = self.of_customer.pop(leg.id, None)
        self.associated.pop(leg.id, None)
        if mine is not None:
            service, agent = (self._board.legs.leg(id) for id in (mine.service_leg, mine.agent))
            if service is not None:
                self._board.hang_up(service, by_platform=True)
            if agent is not None and agent.place is LegPlace.SERVICE:
                self._free(agent)

    def _free(self, agent: Leg) -> None:
        """Nobody comes back to an agent: their call is over, or they are at their desk."""
        agent.service = ""
        if agent.at_desk:
            self._board.to_desk(agent)
        else:
            self._board.hang_up(agent, by_platform=True)

    def _return(self, one: SimulatedHandOff, event: TransferEvent) -> None:
        customer, agent = self._board.legs.leg(one.customer), self._board.legs.leg(one.agent)
        one.service_leg = ""
        if customer is None:
            return
        self._progress(one, event)
        customer.service = ""
        if agent is None or agent.place is not LegPlace.SERVICE:
            self._board.fall_back(customer)
            self._progress(one, event, TransferEvent.AGENT_LOST)
            return
        agent.service = ""
        self._board.own_dialplan(customer, False)
        self._board.own_dialplan(agent, agent.at_desk)
        self._board.together(customer, agent)

    # ------------------------------------------------------------ orders

    def prepare_transfer(
        self, conversation: Conversation, offer: Offer, refused: Callable[[], None]
    ) -> Callable[[], None]:
        """An access code is made of digits."""
        if not offer.connection.access_code.isdecimal():
            raise OrderRefused("the access code isn't made of digits")

        def transfer() -> None:
            legs = self._board.legs
            customer, agent = legs.leg(conversation.customer.id), legs.leg(conversation.agent_party.id)
            if not self.connected or customer is None or agent is None or self.refuses:
                self.platform.later(refused)
                return
            self._hand_over(customer, agent, offer)

        return transfer

    def _hand_over(self, customer: Leg, agent: Leg, offer: Offer) -> None:
        one = self.of_customer[customer.id] = SimulatedHandOff(customer.id, agent.id, offer.serial)
        for leg in (customer, agent):  # both at once: neither is left alone by the other
            leg.place, leg.bridge, leg.service = LegPlace.SERVICE, "", offer.serial
            leg.held_at_phone = False
        self._board.put(customer)
        self._board.put(agent)
        self._progress(one, TransferEvent.LEFT_AGENT)
        service = Leg(self._board.new_id("service"), customer.call, number=offer.connection.access_code)
        service.state, service.dialled_by, service.outbound = LegState.ALERTING, customer.id, True
        one.service_leg = service.id
        self._board.put(service)
        self.sent.append(offer)
        self.on_sent(offer, service)

    def recall(self, customer: Party) -> None:
        """Bring a customer back, unless they are already."""
        one = self.of_customer.get(customer.id)
        if self.connected and one is not None and one.service_leg:
            service, one.service_leg = self._board.legs.leg(one.service_leg), ""
            self._return(one, TransferEvent.RECALLED)
            if service is not None:
                self._board.hang_up(service, by_platform=True)

    def return_to(self, customer: Party, agent: Party) -> None:
        """Somebody has taken over."""
        one = self.of_customer.get(customer.id)
        if self.connected and one is not None:
            one.agent = agent.id

    def associate(self, customer: Party, serial: str, agent: str) -> None:
        """Keep which serial was told to whom."""
        if self.connected and self._board.legs.leg(customer.id) is not None:
            self.associated[customer.id] = serial, agent

    def release(self, agent: Party) -> None:
        """Hang up an agent who is connected with nobody."""
        leg = self._board.legs.leg(agent.id)
        if self.connected and leg is not None and leg.place is LegPlace.NOWHERE:
            self._board.hang_up(leg, by_platform=True)

    def release_held(self, serial: str) -> None:
        """Hang up who is held."""
        for party in self.calls.free(serial):
            leg = self._board.legs.leg(party.id)
            if self.connected and leg is not None and leg.place is LegPlace.SERVICE:
                self._free(leg)
