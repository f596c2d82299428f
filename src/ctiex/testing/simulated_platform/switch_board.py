"""The truth about a simulated platform: its legs, who is with whom, and what its dialplan does by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from twisted.internet.interfaces import IReactorTime

from ctiex.errors import Status
from ctiex.interfaces.call_platform import (
    BlindTransferSeen,
    CallDestination,
    CallOut,
    Confer,
    Connect,
    DestinationKind,
    DialFailed,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    OnAnswer,
    PlatformEvent,
    Supervise,
    ToDesk,
)
from ctiex.telephony.leg_model import LegModel
from ctiex.testing.simulated_platform.devices import (
    BUSY,
    FALLBACK,
    NO_ANSWER,
    NORMAL,
    STATUS_OF,
    UNALLOCATED,
    Device,
    LegTimers,
    Queue,
)

_MOTION, _TRIED_AGAIN = 0.6, 0.2
"""How long it takes at most until a leg is where it was put, and when the dialplan tries once more, in seconds.

The first is longer: else nobody would notice an exchange that doesn't wait.
"""


class SwitchBoard:
    """Legs, devices and queues. ``told`` hears of each leg that has changed, and of what else has happened."""

    def __init__(
        self, clock: IReactorTime, changed: Callable[[Leg], None], happened: Callable[[PlatformEvent], None]
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._happened = happened
        self._numbers = count(1)
        self.legs = LegModel()
        self.devices: dict[str, Device] = {}
        """By number or agent number; what isn't here doesn't exist."""
        self.queues: dict[str, Queue] = {}
        self.held_longest = 60.0
        self._on_answer: dict[str, OnAnswer] = {}
        """By leg: what a called device is connected with when it answers."""
        self._sent: dict[str, str] = {}
        """Legs that dial for a caller of their own, by the leg that they ring for the caller."""
        self._own: set[str] = set()
        """Legs that have a dialplan of their own: their peer's leaving doesn't end them."""
        self._falls_back: set[str] = set()
        """Callers who go to the fallback where nobody answers them."""
        self.timers = LegTimers(clock)
        self.on_end: Callable[[Leg], None] = lambda leg: None
        """Hears of each leg that ends, at once."""
        self.by_order = False
        """Whether it does now what it was told to, and not what somebody does at a telephone."""
        self.in_motion: dict[str, float] = {}
        """Legs that an order has put elsewhere, and until when that takes, unless it is heard before."""
        self.too_early: list[str] = []
        """Legs that were to be connected with such a one: a real platform loses them."""
        self.cut_off: list[str] = []
        """Customers whose call was ended by what an order did to others, or who were left by who was put elsewhere."""

    def own_dialplan(self, leg: Leg, has_one: bool) -> None:
        """Whether a leg goes on by itself when its peer is put elsewhere."""
        (self._own.add if has_one else self._own.discard)(leg.id)

    def new_id(self, word: str = "leg") -> str:
        """An id that no leg has had."""
        return f"{word}-{next(self._numbers)}"

    def put(self, leg: Leg) -> None:
        """Something of a leg has changed."""
        self.legs.put(leg)
        self._changed(leg)

    # ------------------------------------------------------------ customers and telephones

    def calls_in(self, number: str, called: str, queue: bool = False) -> Leg:
        """A customer calls an agent number, or a queue."""
        leg = Leg(self.new_id(), number=number, state=LegState.CONNECTED)
        leg.call = leg.id
        self.put(leg)
        if queue:
            self.enter_queue(leg, called)
        else:
            self.dial(leg, CallDestination(DestinationKind.AGENT, called), 20.0)
        return leg

    def dial(self, caller: Leg, destination: CallDestination, seconds: float) -> None:
        """Have a leg ring a destination."""
        if destination.kind is DestinationKind.QUEUE:
            self.enter_queue(caller, destination.name)
            return
        leg = Leg(self.new_id(), caller.call, desk=caller.id if caller.at_desk else "", dialled_by=caller.id)
        self._ring(leg, destination, Connect(caller.id), seconds)

    def call(self, out: CallOut) -> None:
        """Call a device by order."""
        leg = Leg(out.id, out.call, desk=out.desk)
        self._ring(leg, out.destination, out.on_answer, out.seconds)

    def _ring(self, leg: Leg, destination: CallDestination, on_answer: OnAnswer, seconds: float) -> None:
        device = self.devices.get(destination.name)
        leg.agent = destination.name if destination.kind is DestinationKind.AGENT else ""
        leg.number, leg.outbound = destination.name, True
        cause = self._why_not(device, destination)
        if device is None or cause:
            self._not_reached(leg, cause)
            return
        leg.state = LegState.ALERTING
        self._on_answer[leg.id] = on_answer
        self.put(leg)
        after = device.answers_after
        if after is not None and after <= seconds:
            self.timers.later(leg, after, lambda: self.pick_up(leg))
        else:
            self.timers.later(leg, seconds, lambda: self.hang_up(leg, NO_ANSWER, by_platform=True))

    def _why_not(self, device: Device | None, destination: CallDestination) -> int:
        if device is None:
            return UNALLOCATED
        if device.fails_with:
            return device.fails_with
        busy = device.one_call and any(True for _ in self.legs.of_agent(destination.name))
        return BUSY if busy and destination.kind is DestinationKind.AGENT else 0

    def _not_reached(self, leg: Leg, cause: int) -> None:
        status = STATUS_OF.get(cause, Status.OUT_OF_SERVICE)
        self._happened(DialFailed(leg.id, status, cause))
        self._caller_failed(leg, cause)

    def pick_up(self, leg: Leg) -> None:
        """Somebody answers the telephone."""
        if self.legs.leg(leg.id) is not leg or leg.state is not LegState.ALERTING:
            return
        self.timers.stop(leg)
        leg.state = LegState.CONNECTED
        on_answer = self._on_answer.pop(leg.id)
        match on_answer:
            case Connect(other):
                peer = self.legs.leg(other)
                if peer is None or peer.place not in (LegPlace.NOWHERE, LegPlace.DESK, LegPlace.QUEUE):
                    self.put(leg)
                    self.hang_up(leg, NORMAL, by_platform=True)  # whom it was for is elsewhere
                    return
                if not leg.dialled_by:
                    self._own.add(leg.id)
                self.together(peer, leg)
            case Confer(conference):
                self._own.add(leg.id)
                self._move(leg, LegPlace.CONFERENCE, conference)
            case ToDesk():
                self.to_desk(leg)
            case Supervise(target, how):
                self._own.add(leg.id)
                leg.supervised, leg.supervision = target, how
                self._move(leg, LegPlace.SUPERVISION)

    def hang_up(self, leg: Leg, cause: int = NORMAL, by_platform: bool = False) -> None:
        """A leg ends."""
        if self.legs.leg(leg.id) is not leg:
            return
        bridge, place = leg.bridge, leg.place
        was_ringing = leg.state is LegState.ALERTING
        self.timers.stop(leg)
        self.legs.remove(leg.id)
        self._on_answer.pop(leg.id, None)
        self._own.discard(leg.id)
        self._falls_back.discard(leg.id)
        self._happened(LegGone(leg.id, cause, by_platform))
        if was_ringing and leg.outbound:
            self._happened(DialFailed(leg.id, STATUS_OF.get(cause, Status.NO_ANSWER), cause))
            self._caller_failed(leg, cause)
        self._those_left(leg, bridge, place, cause)
        self.on_end(leg)
        self._serve_queues()

    def _those_left(self, leg: Leg, bridge: str, place: LegPlace, cause: int) -> None:
        for ringing in [one for one in self.legs.all() if one.dialled_by == leg.id and one.state is LegState.ALERTING]:
            self.hang_up(ringing, NORMAL, by_platform=True)
        for hearing in [one for one in self.legs.all() if one.supervised == leg.id]:
            self.hang_up(hearing, NORMAL, by_platform=True)
        if place is LegPlace.BRIDGE:
            for peer in self.legs.in_bridge(bridge):
                self._peer_hung_up(peer)

    def _peer_hung_up(self, peer: Leg) -> None:
        if peer.at_desk:
            self._move(peer, LegPlace.DESK)
            self.in_motion.pop(peer.id, None)  # it only goes on in its dialplan: nobody has to put it there
        else:
            if self.by_order and not peer.agent:
                self.cut_off.append(peer.id)
            self.hang_up(peer, NORMAL, by_platform=True)

    def _caller_failed(self, called: Leg, cause: int) -> None:
        caller = self.legs.leg(called.dialled_by) if called.dialled_by else None
        if caller is None or caller.place is not LegPlace.NOWHERE:
            return
        if caller.id in self._falls_back:
            self.fall_back(caller)
        elif not caller.at_desk:
            self.hang_up(caller, cause or NORMAL, by_platform=True)

    # ------------------------------------------------------------ moving legs

    def together(self, one: Leg, other: Leg) -> None:
        bridge = self.new_id("bridge")
        self._move(one, LegPlace.BRIDGE, bridge)
        self._move(other, LegPlace.BRIDGE, bridge)

    def _move(self, leg: Leg, place: LegPlace, bridge: str = "", desk: str = "") -> None:
        """Put a leg elsewhere; whoever it leaves alone does what their dialplan says."""
        before, was = leg.bridge, leg.place
        if self.by_order:
            self.in_motion[leg.id] = self._clock.seconds() + _MOTION
        self.timers.stop(leg)
        leg.place, leg.bridge, leg.desk = place, bridge, desk
        leg.held_at_phone = leg.held_at_phone and place is LegPlace.BRIDGE
        if place is not LegPlace.QUEUE:
            leg.queue = leg.queue if leg.queue != FALLBACK else ""
        if place is not LegPlace.SUPERVISION:
            leg.supervised, leg.supervision = "", None
        for ringing in [one for one in self.legs.all() if one.dialled_by == leg.id and one.state is LegState.ALERTING]:
            self.hang_up(ringing, NORMAL, by_platform=True)
        self.put(leg)
        if was is LegPlace.BRIDGE and before != bridge:
            for peer in self.legs.in_bridge(before):
                self._left(peer)

    def _left(self, peer: Leg) -> None:
        """Its peer was put elsewhere."""
        if any(other is not peer for other in self.legs.in_bridge(peer.bridge)):
            return
        if peer.at_desk:
            self._move(peer, LegPlace.DESK)
        elif peer.id in self._own:
            self.fall_back(peer)
        else:
            if not peer.agent:
                self.cut_off.append(peer.id)
            self.hang_up(peer, NORMAL, by_platform=True)

    def part(self, leg: Leg, desk: Leg) -> None:
        """Both get a dialplan of their own."""
        self._own.add(leg.id)
        desk.at_desk = True
        self._hold(leg, desk)
        if desk.place is not LegPlace.DESK:
            self._move(desk, LegPlace.DESK)

    def hold(self, leg: Leg, desk: Leg) -> None:
        """A leg hears music until it is fetched, for so long as is allowed."""
        self._own.add(leg.id)
        self._hold(leg, desk)

    def _hold(self, leg: Leg, desk: Leg) -> None:
        self._move(leg, LegPlace.HOLD, f"hold-{leg.id}", desk.id)
        self.timers.later(leg, self.held_longest, lambda: self._hold_over(leg))

    def _hold_over(self, leg: Leg) -> None:
        """The dialplan itself ends a hold: back to the desk, else to the fallback."""
        desk = self.legs.leg(leg.desk)
        if desk is not None and desk.place is LegPlace.DESK:
            self.together(leg, desk)
        else:
            self.fall_back(leg)

    def connect(self, leg: Leg, other: Leg, again: bool = False) -> None:
        """As the dialplan's bridging: with a leg that is in motion it is tried once more, and then a leg is lost."""
        self._own.add(leg.id)
        moving = self.in_motion.get(other.id, 0.0) > self._clock.seconds()
        if moving and not again:
            self._move(leg, LegPlace.NOWHERE)
            self.timers.later(leg, _TRIED_AGAIN, lambda: self.connect(leg, other, again=True))
            return
        if moving:
            self.too_early.append(leg.id)
        if self.legs.leg(other.id) is not other or other.state is not LegState.CONNECTED:
            self.fall_back(leg)
            return
        left = [one for one in self.legs.in_bridge(other.bridge) if one not in (leg, other)] if other.bridge else []
        bridge = self.new_id("bridge")
        self.timers.stop(other)
        if leg.bridge and leg.bridge == other.bridge:
            return
        was = other.place
        other.place, other.bridge, other.desk = LegPlace.BRIDGE, bridge, ""
        self._own.add(other.id)
        self.put(other)
        self._move(leg, LegPlace.BRIDGE, bridge)
        if was is LegPlace.BRIDGE:
            for peer in left:
                self._left(peer)

    def confer(self, legs: Sequence[Leg], conference: str) -> None:
        """Legs join a conference at once: none of them is left alone by another."""
        left = [one for leg in legs if leg.place is LegPlace.BRIDGE for one in self.legs.in_bridge(leg.bridge)]
        for leg in legs:
            self._own.add(leg.id)
            leg.place, leg.bridge = LegPlace.CONFERENCE, ""
        for leg in legs:
            self._move(leg, LegPlace.CONFERENCE, conference)
        for one in left:
            if one not in legs:
                self._left(one)

    def send(self, leg: Leg, destination: CallDestination, seconds: float) -> None:
        """A leg calls a destination by itself; it falls back where nobody answers."""
        self._own.add(leg.id)
        self._falls_back.add(leg.id)
        leg.at_desk = False
        self._move(leg, LegPlace.NOWHERE)
        self.dial(leg, destination, seconds)

    def fall_back(self, leg: Leg) -> None:
        """Somebody looks after a leg."""
        leg.queue = FALLBACK
        self._move(leg, LegPlace.QUEUE, FALLBACK)

    def to_desk(self, leg: Leg) -> None:
        """An agent's leg waits at its desk."""
        leg.at_desk = True
        self._own.add(leg.id)
        self._move(leg, LegPlace.DESK)

    # ------------------------------------------------------------ what is done at a telephone

    def press_hold(self, leg: Leg, held: bool = True) -> None:
        """The hold key of a telephone."""
        if self.legs.leg(leg.id) is leg and leg.place is LegPlace.BRIDGE:
            leg.held_at_phone = held
            self.put(leg)

    def refer(self, leg: Leg, number: str, agent: bool = False) -> None:
        """A telephone transfers its peer by itself."""
        for peer in self.legs.in_bridge(leg.bridge) if leg.place is LegPlace.BRIDGE else ():
            if peer is not leg:
                kind = DestinationKind.AGENT if agent else DestinationKind.NUMBER
                self._happened(BlindTransferSeen(peer.id, leg.id, number))
                self.send(peer, CallDestination(kind, number), 20.0)
        self.hang_up(leg)

    # ------------------------------------------------------------ queues

    def enter_queue(self, leg: Leg, name: str) -> None:
        """A leg waits for an agent."""
        if name not in self.queues:
            self.fall_back(leg)
            return
        leg.queue = name
        self._own.add(leg.id)
        self._falls_back.discard(leg.id)
        self._move(leg, LegPlace.QUEUE, f"queue-{name}")
        self._serve_queues()

    def _serve_queues(self) -> None:
        """Offer those who wait to members who are free."""
        for name, queue in self.queues.items():
            for leg in list(self.legs.in_bridge(f"queue-{name}")):
                if not any(one.dialled_by == leg.id for one in self._ringing()):
                    self._offer(leg, queue)

    def _ringing(self) -> Iterator[Leg]:
        return (one for one in self.legs.all() if one.state is LegState.ALERTING)

    def _offer(self, leg: Leg, queue: Queue) -> None:
        for agent, paused in queue.members.items():
            if not paused and not any(True for _ in self.legs.of_agent(agent)):
                ringing = Leg(self.new_id(), leg.call, dialled_by=leg.id)
                self._ring(ringing, CallDestination(DestinationKind.AGENT, agent), Connect(leg.id), 15.0)
                return

    def members_changed(self) -> None:
        """A member came, went, or may be offered calls again."""
        self._serve_queues()
