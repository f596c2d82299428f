"""The simulated platform as the exchange sees it: late, in any order, refusing now and then, away at times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

from attrs import define, evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import LinkLost
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    Function,
    ICallPlatform,
    ICallPlatformListener,
    Leg,
    LegGone,
    LegState,
    PlatformEvent,
    QueueMembership,
    RecordingState,
    Supervision,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.leg_model import LegModel
from ctiex.testing.simulated_platform.switch_board import SwitchBoard

ALL_FUNCTIONS = (
    Function.ANSWER
    | Function.DIGITS
    | Function.RECORDING
    | Function.SUPERVISION
    | Function.CONFERENCE
    | Function.QUEUES
)


@frozen(kw_only=True)
class Trouble:
    """How likely trouble is, and how late things are told."""

    latest: float = 0.0
    """The longest time until something is told, in seconds; 0: in the next turn of the clock, and in order."""
    refuses: float = 0.0
    """How likely an order is refused."""
    loses: float = 0.0
    """How likely the connection is lost with an order, which is carried out or not."""


@define
class _Telling:
    """What is to be told of one leg, in order; of different legs it is told in any."""

    waiting: deque[Callable[[], None]]


@implementer(ICallPlatform)
class SimulatedPlatform:
    """One platform, whose board a test, a demo or a simulation plays."""

    _listener: ICallPlatformListener

    def __init__(
        self, clock: IReactorTime, random: Random | None = None, trouble: Trouble | None = None,
        functions: Function = ALL_FUNCTIONS,
    ) -> None:  # fmt: skip
        """Away, until :meth:`come`.

        :param random: chooses what is in trouble; the same seed plays the same trouble.
        """
        self._clock = clock
        self._random = random or Random(0)
        self.trouble = trouble or Trouble()
        self.functions = functions
        self.board = SwitchBoard(clock, self._changed, self._happened)
        self.legs = LegModel()
        self.connected = False
        self._connection = 0
        self._telling: dict[str, _Telling] = {}
        self.digits: list[tuple[str, str]] = []
        """What was sent to which leg."""
        self.recorded: list[tuple[str, RecordingState, str]] = []
        self.orders: list[str] = []
        """The name of every order that was taken."""
        self.on_leg: Callable[[Leg], None] = lambda leg: None
        """Hears of each leg behind the listener, and of each that is gone."""
        self.on_gone: Callable[[str], None] = lambda id: None
        self.on_come: Callable[[], None] = lambda: None
        self.on_go: Callable[[], None] = lambda: None

    def watch(self, listener: ICallPlatformListener) -> None:
        """Tell this listener."""
        self._listener = listener

    # ------------------------------------------------------------ the connection

    def come(self) -> None:
        """The connection is there: a snapshot, and then every change."""
        self.legs = LegModel()
        for leg in self.board.legs.all():
            self.legs.put(evolve(leg))
        self._telling.clear()
        self.board.in_motion.clear()
        self._connection += 1
        self.connected = True
        for _ in self._listener.taken_up():
            pass
        self.on_come()

    def go(self) -> None:
        """The connection is lost."""
        self.connected = False
        self._telling.clear()
        self._connection += 1
        self._listener.away()
        self.on_go()

    def restart(self) -> None:
        """The platform itself was started again: all calls are gone."""
        self.go()
        for leg in self.board.legs.all():
            self.board.hang_up(leg, 0, by_platform=True)

    # ------------------------------------------------------------ what is told

    def _changed(self, leg: Leg) -> None:
        as_it_is = evolve(leg)
        self.tell(leg.id, lambda: self._hear(as_it_is))

    def _hear(self, leg: Leg) -> None:
        self.board.in_motion.pop(leg.id, None)
        self.legs.put(leg)
        self._listener.changed(leg)
        self.on_leg(leg)

    def _happened(self, event: PlatformEvent) -> None:
        about: str = getattr(event, "id", "") or getattr(event, "leg", "") or getattr(event, "agent", "")
        self.tell(about, lambda: self._hear_event(event))

    def _hear_event(self, event: PlatformEvent) -> None:
        if isinstance(event, LegGone):
            self.legs.remove(event.id)
        self._listener.happened(event)
        if isinstance(event, LegGone):
            self.on_gone(event.id)

    def tell(self, about: str, hear: Callable[[], None]) -> None:
        """Have something of a leg be heard, behind what is still to be heard of it."""
        if not self.connected:
            return
        self._telling.setdefault(about, _Telling(deque())).waiting.append(hear)
        self._clock.callLater(self._late(), self._tell_next, self._connection)

    def _late(self) -> float:
        return self._random.random() * self.trouble.latest if self.trouble.latest else 0.0

    def _tell_next(self, connection: int) -> None:
        """Tell the first of what waits of some leg."""
        if connection != self._connection or not self._telling:
            return
        about = self._random.choice(list(self._telling)) if self.trouble.latest else next(iter(self._telling))
        telling = self._telling[about]
        hear = telling.waiting.popleft()
        if not telling.waiting:
            del self._telling[about]
        hear()

    def later(self, do: Callable[[], None]) -> None:
        """Do something in a later turn."""
        self._clock.callLater(0, do)

    # ------------------------------------------------------------ orders

    def _order(self, name: str, do: Callable[[], object]) -> Deferred[None]:
        """Take an order; it is carried out, and answered, in a later turn."""
        answer: Deferred[None] = Deferred()
        refuses = self._random.random() < self.trouble.refuses
        loses = self._random.random() < self.trouble.loses
        connection = self._connection

        def ordered() -> None:
            self.board.by_order = True
            try:
                do()
            finally:
                self.board.by_order = False

        def carry_out() -> None:
            if not self.connected or connection != self._connection:
                answer.errback(Failure(LinkLost("the platform is away")))
            elif loses:
                if self._random.random() < 0.5:
                    with suppress(OrderRefused):
                        ordered()
                answer.errback(Failure(LinkLost("the connection was lost")))
                self.go()
            elif refuses:
                answer.errback(Failure(OrderRefused(f"{name}: refused")))
            else:
                self.orders.append(name)
                try:
                    ordered()
                except OrderRefused:
                    answer.errback(Failure())
                else:
                    answer.callback(None)

        self._clock.callLater(self._late(), carry_out)
        return answer

    def _real(self, leg: Leg) -> Leg:
        real = self.board.legs.leg(leg.id)
        if real is None:
            raise OrderRefused("no such leg")
        return real

    def part(self, leg: Leg, desk: Leg) -> Deferred[None]:
        """Put one on hold, the agent's in its desk."""
        return self._order("part", lambda: self.board.part(self._real(leg), self._real(desk)))

    def hold(self, leg: Leg, desk: Leg) -> Deferred[None]:
        """Put a leg on hold."""
        return self._order("hold", lambda: self.board.hold(self._real(leg), desk))

    def connect(self, leg: Leg, other: Leg) -> Deferred[None]:
        """Connect two legs."""

        def connect() -> None:
            real = self._real(leg)
            self.board.connect(real, self.board.legs.leg(other.id) or other)

        return self._order("connect", connect)

    def confer(self, legs: tuple[Leg, ...], conference: str) -> Deferred[None]:
        """Put legs into a conference."""

        def confer() -> None:
            real = [self._real(leg) for leg in legs]
            self.board.confer(real, conference)

        return self._order("confer", confer)

    def send(self, leg: Leg, destination: CallDestination, seconds: float) -> Deferred[None]:
        """Have a leg call a destination."""
        return self._order("send", lambda: self.board.send(self._real(leg), destination, seconds))

    def fall_back(self, leg: Leg) -> Deferred[None]:
        """Send a leg to the fallback."""
        return self._order("fall back", lambda: self.board.fall_back(self._real(leg)))

    def to_desk(self, leg: Leg) -> Deferred[None]:
        """Put an agent's leg in its desk."""
        return self._order("to desk", lambda: self.board.to_desk(self._real(leg)))

    def call(self, out: CallOut) -> Deferred[None]:
        """Call a device."""
        return self._order("call", lambda: self.board.call(out))

    def hang_up(self, leg: Leg, cause: int = 16) -> Deferred[None]:
        """End a leg; one that is gone is no error."""

        def hang_up() -> None:
            real = self.board.legs.leg(leg.id)
            if real is not None:
                if not real.agent and real.state is LegState.CONNECTED:
                    self.board.cut_off.append(real.id)
                self.board.hang_up(real, cause, by_platform=True)

        return self._order("hang up", hang_up)

    def answer(self, leg: Leg) -> Deferred[None]:
        """Have a ringing phone answer."""
        return self._order("answer", lambda: self.board.pick_up(self._real(leg)))

    def tag(self, leg: Leg, call: str) -> Deferred[None]:
        """Have a leg belong to another call."""

        def tag() -> None:
            real = self._real(leg)
            real.call = call
            self.board.put(real)

        return self._order("tag", tag)

    def send_digits(self, leg: Leg, digits: str) -> Deferred[None]:
        """Send digits."""
        return self._order("digits", lambda: self.digits.append((self._real(leg).id, digits)))

    def record(self, leg: Leg, state: RecordingState, name: str) -> Deferred[None]:
        """Record a leg."""

        def record() -> None:
            real = self._real(leg)
            real.recording = state
            self.recorded.append((real.id, state, name))
            self.board.put(real)

        return self._order("record", record)

    def supervise(self, leg: Leg, how: Supervision) -> Deferred[None]:
        """Change how a supervisor takes part."""

        def supervise() -> None:
            real = self._real(leg)
            real.supervision = how
            self.board.put(real)

        return self._order("supervise", supervise)

    # ------------------------------------------------------------ queues

    def queue_log_in(self, agent: str, device: str, queues: tuple[str, ...], reason: str) -> Deferred[None]:
        """Make an agent a member of queues."""

        def log_in() -> None:
            unknown = [name for name in queues if name not in self.board.queues]
            if unknown:
                raise OrderRefused(f"no such queue: {' '.join(unknown)}")
            for name in queues:
                self.board.queues[name].members.setdefault(agent, reason)
            self._membership_changed(agent)

        return self._order("queue log in", log_in)

    def queue_log_out(self, agent: str) -> Deferred[None]:
        """Take an agent out of all queues."""

        def log_out() -> None:
            for queue in self.board.queues.values():
                queue.members.pop(agent, None)
            self._membership_changed(agent)

        return self._order("queue log out", log_out)

    def queue_pause(self, agent: str, reason: str) -> Deferred[None]:
        """Pause an agent."""
        return self._order("queue pause", lambda: self._pause(agent, reason))

    def queue_unpause(self, agent: str) -> Deferred[None]:
        """Let an agent be offered calls again."""
        return self._order("queue unpause", lambda: self._pause(agent, ""))

    def _pause(self, agent: str, reason: str) -> None:
        inside = [queue for queue in self.board.queues.values() if agent in queue.members]
        if not inside:
            raise OrderRefused("not a member of any queue")
        for queue in inside:
            queue.members[agent] = reason
        self._membership_changed(agent)

    def _membership_changed(self, agent: str) -> None:
        told = self.membership(agent)
        self._happened(told or QueueMembership(agent, "", (), False))
        self.board.members_changed()

    def membership(self, agent: str) -> QueueMembership | None:
        """What the queues know of an agent."""
        reasons = {name: queue.members[agent] for name, queue in self.board.queues.items() if agent in queue.members}
        if not reasons:
            return None
        reason = next(iter(reasons.values()))
        return QueueMembership(agent, agent, tuple(reasons), bool(reason), reason)

    def memberships(self) -> Iterator[QueueMembership]:
        """What the queues know of all agents."""
        agents = {agent for queue in self.board.queues.values() for agent in queue.members}
        for agent in sorted(agents):
            told = self.membership(agent)
            if told is not None:
                yield told
