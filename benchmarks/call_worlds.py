"""Exchanges for ``benchmarks/call_control.py``: on the simulated platform, or on what an Asterisk says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import process_time
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from benchmarks.asterisk_words import TalkingPair
from ctiex.call_control.control import CallControlService
from ctiex.call_messages import Monitor, MonitorReply
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import ISignalling
from ctiex.interfaces.call_platform import ICallPlatform, ICallPlatformListener, Leg, PlatformEvent
from ctiex.limits import SessionLimits
from ctiex.messages import Role
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.settings import structure
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami import AmiDecoder, AmiMessage
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulated_platform.hand_offs import SimulatedHandOffs
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

DESKS = Identity("desks", Role.AGENT, AgentNumbers.parse(["*"]))
LEAD = Identity("lead", Role.AGENT, AgentNumbers.parse(["9"]), supervised=AgentNumbers.parse(["*"]))
AT_A_DESK = 10
"""Agents of one link."""
READ = 65_536
"""Bytes that come in one turn of the reactor."""
SUCCESS = AmiMessage((("Response", "Success"),))
_SETTINGS = {
    "username": "ctiex",
    "secret": "x",
    "dial": "PJSIP/{access_code}@core",
    "customers": "PJSIP/trunk-",
    "fallback": "queues,400,1",
}


class WrongCourse(Exception):
    """The exchange didn't do what is to be measured."""


MakeDrivers = Callable[[ProcessingContext, ProcessingService], Mapping[str, ISignalling]]


def exchange_on(clock: Any, make_drivers: MakeDrivers, **more: Any) -> MemoryExchange:
    """An exchange that controls the calls of a platform."""
    return MemoryExchange(
        identities=(DESKS, LEAD),
        services={},
        clock=clock,
        make_drivers=make_drivers,
        session_limits=SessionLimits(heartbeat=600),
        **more,
    )


def control_of(exchange: MemoryExchange) -> CallControlService:
    """Its call control."""
    control = exchange.core.call_control
    if control is None:
        raise WrongCourse("there is no call control")
    return control


# ---------------------------------------------------------------- what call control hears


@implementer(ICallPlatformListener)
@define(eq=False)
class Counting:
    """Counts what call control is told, and passes it on."""

    control: ICallPlatformListener
    events: int = 0
    seconds: float = 0.0
    """What call control and the links took of the processor for them."""

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        return self.control.taken_up()

    def away(self) -> None:
        """Events are missed."""
        self.control.away()

    def changed(self, leg: Leg) -> None:
        """A leg."""
        began = process_time()
        self.control.changed(leg)
        self.events += 1
        self.seconds += process_time() - began

    def happened(self, event: PlatformEvent) -> None:
        """Something else."""
        began = process_time()
        self.control.happened(event)
        self.events += 1
        self.seconds += process_time() - began


def counting(exchange: MemoryExchange, platform: ICallPlatform) -> Counting:
    """Put one between a platform and its call control."""
    listener = Counting(control_of(exchange))
    platform.watch(listener)
    return listener


# ---------------------------------------------------------------- desks


def bring_desks(exchange: MemoryExchange, agents: Iterable[str]) -> None:
    """Links of desks that monitor these agents, ten each, and one of a supervisor who monitors them all."""
    numbers = list(agents)
    for first in range(0, len(numbers), AT_A_DESK):
        monitor(exchange, "desks", numbers[first : first + AT_A_DESK])
    monitor(exchange, "lead", numbers)


def monitor(exchange: MemoryExchange, identity: str, agents: list[str]) -> None:
    """One link that monitors agents."""
    desk = exchange.agent(*(agents if identity == DESKS.name else ()), identity=identity, features="calls")
    for agent in agents:
        desk.send(Monitor(agent))
    exchange.pump()
    if [reply.status for reply in desk.every(MonitorReply)] != [0] * len(agents):
        raise WrongCourse(f"{identity} can't monitor {len(agents)} agents")


def read_away(exchange: MemoryExchange) -> int:
    """Have the desks read everything, as if by other processes; how many bytes."""
    total = 0
    for pair in exchange.pairs:
        total += len(pair.first_transport.take(None))
        pair.first_transport.let_the_producer_go_on()
    return total


# ---------------------------------------------------------------- the simulated platform


@define(eq=False)
class Simulated:
    """A simulated platform without delays, and its exchange."""

    clock: Any = field(factory=Clock)
    platform: SimulatedPlatform = field(init=False)
    exchange: MemoryExchange = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.platform = SimulatedPlatform(self.clock)
        more = {} if isinstance(self.clock, Clock) else {"wall": self.clock.seconds}
        self.exchange = exchange_on(self.clock, self._drivers, **more)

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        hand_offs = SimulatedHandOffs(self.platform)
        return {"telephone": TransferSignalling(hand_offs, processing.listener, self.platform)}


# ---------------------------------------------------------------- an Asterisk


class Wire:
    """Stands in for the connection to an Asterisk: its bytes are decoded, and whatever it is asked to do is done."""

    def __init__(
        self, on_event: Callable[[AmiMessage], None], on_login: Callable[[], Any], on_lost: Callable[[], None]
    ) -> None:
        self._on_event = on_event
        self.on_login = on_login
        self._decoder = AmiDecoder()
        self._decoder.receive(b"Asterisk Call Manager/9.0.0\r\n")
        self.lists: dict[str, bytes] = {}
        """What it answers, by the action."""
        self._asked: tuple[str, Callable[[AmiMessage], None], Deferred[AmiMessage]] | None = None

    def startService(self) -> None:
        """It is there."""

    def stopService(self) -> Deferred[None]:
        """Nothing to stop."""
        return succeed(None)

    def reconnect(self, reason: str) -> None:
        """It never answers in another way."""
        raise WrongCourse(reason)

    def act(
        self, name: str, *headers: tuple[str, str], each: Callable[[AmiMessage], None] = lambda event: None
    ) -> Deferred[AmiMessage]:
        """Do as asked; lists are read later."""
        if name not in ("BridgeList", "Status", "QueueStatus"):
            return succeed(SUCCESS)
        answer: Deferred[AmiMessage] = Deferred()
        self._asked = name, each, answer
        return answer

    def receive(self, data: bytes) -> None:
        """Bytes of events."""
        for event in self._decoder.receive(data):
            self._on_event(event)

    def read(self) -> Iterator[None]:
        """The lists that were asked for come; each step is what comes in a turn of the reactor."""
        while self._asked is not None:
            (name, each, answer), self._asked = self._asked, None
            data = self.lists.get(name, b"")
            for at in range(0, len(data) or 1, READ):
                for event in self._decoder.receive(data[at : at + READ]):
                    each(event)
                if at + READ >= len(data):
                    answer.callback(SUCCESS)
                yield


@define(eq=False)
class Asterisk:
    """An exchange on an Asterisk of which only the words are there."""

    clock: Clock = field(factory=Clock)
    platform: AsteriskPlatform = field(init=False)
    exchange: MemoryExchange = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.platform = AsteriskPlatform(self.clock, structure(_SETTINGS, AsteriskSettings), {}, Wire)
        self.exchange = exchange_on(self.clock, self._drivers)

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        return {"asterisk": TransferSignalling(self.platform, processing.listener, self.platform)}

    @property
    def wire(self) -> Wire:
        """Its connection."""
        wire: Wire = self.platform._client
        return wire

    def log_in(self, channels: Iterable[TalkingPair]) -> Iterator[float]:
        """Take up so many calls; what each turn of the reactor took of the processor."""
        pairs = list(channels)
        self.wire.lists = {
            "BridgeList": b"".join(pair.bridge_row() for pair in pairs),
            "Status": b"".join(row for pair in pairs for row in pair.channel_rows()),
        }
        self.wire.on_login()
        yield from timed(self.wire.read())
        while due := [call for call in self.clock.calls if call.getTime() <= self.clock.seconds()]:
            began = process_time()
            for call in due:  # Clock.advance would run those that they ask for in the same turn
                if call.active():
                    self.clock.calls.remove(call)
                    call.called = 1
                    call.func(*call.args, **call.kw)
            yield process_time() - began
        if not self.platform.connected:
            raise WrongCourse("the calls weren't taken up")


def timed(steps: Iterator[None]) -> Iterator[float]:
    """What each step takes of the processor."""
    began = process_time()
    for _ in steps:
        yield process_time() - began
        began = process_time()
