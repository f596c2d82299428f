"""A telephone platform in memory: calls, transfers and holds by :class:`ITelephonyPlatform` alone, and no protocol.

What happens is true at once, and heard in a later turn of the clock, one after the other; while the platform is away
nothing is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from attrs import define
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ctiex.errors import Status
from ctiex.interfaces import Offer
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
from ctiex.testing.simulated_platform.hand_offs import SimulatedRoles


@define(eq=False)
class Leg:
    """The truth about a party."""

    id: str
    name: str
    number: str = ""
    bridge: str = ""
    held: str = ""
    """The serial of the customer for whom it is held."""
    associated: tuple[str, str] = ("", "")
    serial: str = ""
    """Of a customer's last transfer."""
    agent: Leg | None = None
    """To whom a customer comes back."""
    progress: tuple[TransferEvent, ...] = ()
    status: Status = Status.SERVICE_UNREACHABLE


@implementer(ISnapshot)
class MemorySnapshot:
    """What the legs remember."""

    def __init__(self, legs: dict[str, Leg], calls: CallModel) -> None:
        self._legs = legs
        self._calls = calls

    def associated(self, customer: Party) -> tuple[str, str]:
        """What was associated with a customer."""
        return self._legs[customer.id].associated

    def transfer_of(self, customer: Party) -> TransferState | None:
        """How a transfer stands."""
        leg = self._legs[customer.id]
        if leg.agent is None:
            return None
        agent = self._calls.party(leg.agent.id) or Party(leg.agent.id, leg.agent.name)
        conversation = Conversation(customer, agent, self._calls.agent_of(agent))
        return TransferState(leg.serial, conversation, leg.progress, leg.status)

    def transfers(self) -> Iterator[TransferState | None]:
        """All of them."""
        for id in list(self._legs):
            customer = self._calls.party(id)
            yield None if customer is None else self.transfer_of(customer)


@implementer(ITelephonyPlatform)
class MemoryPlatform:
    """A platform whose calls the test plays."""

    listener: ITelephonyListener

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._numbers = count(1)
        self._connections = count(1)
        self._connection = 0
        self.legs: dict[str, Leg] = {}
        """By id."""
        self.calls = CallModel(SimulatedRoles())
        self.connected = False
        self.refuses = False
        """Whether it refuses to move anybody."""
        self.sent: list[Offer] = []
        """What customers were sent to services with."""
        self.on_sent: Callable[[Leg], Any] = lambda customer: None
        """Hears of every customer for whom a service is called."""

    @property
    def kept(self) -> int:
        """How much the call model keeps."""
        return len(self.calls)

    def start(self, listener: ITelephonyListener) -> None:
        """The test connects it."""
        self.listener = listener

    def stop(self) -> None:
        """Nothing is heard any more."""
        self.cut()

    def cut(self) -> None:
        """The connection is lost, with what was to be heard."""
        self.connected, self._connection = False, 0

    def connect(self) -> None:
        """It is there, and is taken up in one go."""
        calls = CallModel(SimulatedRoles())
        for leg in self.legs.values():
            calls.seen(leg.id, leg.name, leg.number, leg.bridge)
            if leg.held:
                calls.holds(leg.bridge, leg.held)
        self.calls, self._connection = calls, next(self._connections)
        for _ in self.listener.take_up(MemorySnapshot(self.legs, calls)):
            pass
        self.connected = True
        for _ in self.listener.caught_up():
            pass

    # ------------------------------------------------------------ what is heard

    def _happen(self, update: Callable[[], Any], event: Callable[[], TelephonyEvent | None]) -> None:
        if self._connection:
            self._clock.callLater(0, self._hear, self._connection, update, event)

    def _hear(self, connection: int, update: Callable[[], Any], event: Callable[[], TelephonyEvent | None]) -> None:
        if connection == self._connection:
            update()
            told = event()
            if told is not None:
                self.listener.happened(told)

    def _progress(self, customer: Leg, *progress: TransferEvent) -> None:
        customer.progress = progress
        told = TransferProgress(customer.id, progress[-1], customer.status)
        self._happen(lambda: None, lambda: told)

    # ------------------------------------------------------------ what people and services do

    def call(self, agent: str, number: str = "13800138000") -> Leg:
        """A customer and an agent begin to talk."""
        customer = self._leg("customer", number)
        self._enter(f"bridge-{next(self._numbers)}", customer, self._leg(f"agent/{agent}", agent))
        return customer

    def _leg(self, kind: str, number: str) -> Leg:
        id = str(next(self._numbers))
        self.legs[id] = Leg(id, f"{kind}/{id}", number)
        return self.legs[id]

    def _enter(self, bridge: str, *legs: Leg, held: str = "") -> None:
        for leg in legs:
            self._leave(leg)
            leg.bridge, leg.held = bridge, held
            self._happen(lambda leg=leg: self._see(leg, bridge, held), lambda: self._entered(bridge))  # type: ignore[misc]

    def _see(self, leg: Leg, bridge: str, held: str) -> None:
        if held:
            self.calls.holds(bridge, held)
        self.calls.seen(leg.id, leg.name, leg.number, bridge)

    def _entered(self, bridge: str) -> TelephonyEvent | None:
        pair, serial = self.calls.conversation_in(bridge), self.calls.serial_of_hold(bridge)
        if serial:
            return PartyHeld(serial, self.calls.is_freed(bridge))
        return None if pair is None else Established(pair)

    def _leave(self, leg: Leg) -> None:
        bridge, leg.bridge, leg.held = leg.bridge, "", ""
        self._happen(lambda: self.calls.left(leg.id, bridge), lambda: None)

    def with_whom(self, leg: Leg) -> list[Leg]:
        """Who else is in the same bridge."""
        return [one for one in self.legs.values() if one.bridge and one.bridge == leg.bridge and one is not leg]

    def hang_up(self, leg: Leg) -> None:
        """A party hangs up; whoever talks with them is hung up as well."""
        if self.legs.pop(leg.id, None) is not None:
            others = [] if leg.held else self.with_whom(leg)
            self._leave(leg)
            self._happen(lambda: self.calls.gone(leg.id), lambda: PartyDropped(leg.id))
            for other in others:
                self.hang_up(other)

    def answer(self, customer: Leg) -> None:
        """The service answers."""
        self._enter(f"bridge-{next(self._numbers)}", customer)
        self._progress(customer, TransferEvent.ANSWERED)

    def refuse(self, customer: Leg, status: Status) -> None:
        """The service isn't reached."""
        customer.status = status
        self._return(customer, TransferEvent.NOT_ANSWERED)

    def finish(self, customer: Leg) -> None:
        """The service hangs up."""
        self._return(customer, TransferEvent.SERVICE_OVER)

    def _return(self, customer: Leg, event: TransferEvent) -> None:
        self._leave(customer)
        self._progress(customer, event)
        if customer.agent is not None and customer.agent.id in self.legs:
            self._enter(f"bridge-{next(self._numbers)}", customer.agent, customer)
        else:
            self._progress(customer, event, TransferEvent.AGENT_LOST)

    def take_over(self, held: Leg, agent: str) -> Leg:
        """Another agent is held in the place of one who leaves."""
        other = self._leg(f"agent/{agent}", agent)
        self._enter(held.bridge, other, held=held.held)
        self.hang_up(held)
        return other

    # ------------------------------------------------------------ orders

    def prepare_transfer(
        self, conversation: Conversation, offer: Offer, refused: Callable[[], None]
    ) -> Callable[[], None]:
        """An access code is made of digits."""
        if not offer.connection.access_code.isdecimal():
            raise OrderRefused("the access code isn't made of digits")

        def transfer() -> None:
            customer, agent = self._of(conversation.customer), self._of(conversation.agent_party)
            if customer is None or agent is None or self.refuses:
                self._clock.callLater(0, refused)
                return
            customer.serial, customer.agent = offer.serial, agent
            self.sent.append(offer)
            self._leave(customer)
            self._enter(f"bridge-{next(self._numbers)}", agent, held=offer.serial)
            self._progress(customer, TransferEvent.LEFT_AGENT)
            self.on_sent(customer)

        return transfer

    def _of(self, party: Party) -> Leg | None:
        return self.legs.get(party.id) if self._connection else None

    def recall(self, customer: Party) -> None:
        """Bring a customer back, unless they are already."""
        leg = self._of(customer)
        if leg is not None and leg.progress in ((TransferEvent.LEFT_AGENT,), (TransferEvent.ANSWERED,)):
            self._return(leg, TransferEvent.RECALLED)

    def return_to(self, customer: Party, agent: Party) -> None:
        """Somebody has taken over."""
        leg = self._of(customer)
        if leg is not None:
            leg.agent = self._of(agent)

    def associate(self, customer: Party, serial: str, agent: str) -> None:
        """Keep which serial was told to whom."""
        leg = self._of(customer)
        if leg is not None:
            leg.associated = serial, agent

    def release(self, agent: Party) -> None:
        """Hang up an agent who is connected with nobody."""
        leg = self._of(agent)
        if leg is not None and not leg.bridge:
            self.hang_up(leg)

    def release_held(self, serial: str) -> None:
        """Hang up who is held."""
        for party in self.calls.free(serial):
            leg = self._of(party)
            if leg is not None:
                self.hang_up(leg)
