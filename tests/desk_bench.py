"""Desks with the client that is shipped, at an exchange in memory that controls the calls of a simulated platform."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from random import Random
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.call_messages import AgentStateEvent, CallChange, CallEvent
from ctiex.clients import AgentClient, AgentNumber, ClientCall, ExchangeAccount
from ctiex.errors import CallError
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import ISignalling, ISignallingListener
from ctiex.interfaces.call_platform import Leg, LegState
from ctiex.messages import Role
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.signalling.link import LinkSignalling
from ctiex.stores.call_store import CallStore
from ctiex.testing.pairs import LinkedPair, MemoryExchange, services
from ctiex.testing.simulated_platform.devices import BUSY, Device, Queue
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

AGENTS = ("1001", "1002", "1003")
SUPERVISOR = "1900"
CUSTOMER, OUTSIDE_BUSY = "13800138000", "0302"
DESK = Identity("desk", Role.AGENT, AgentNumbers.parse(["1001-1003"]), may_dial=("030",))
LEAD = Identity("lead", Role.AGENT, AgentNumbers.parse([SUPERVISOR]), supervised=AgentNumbers.parse(["1001-1003"]))

Given = TypeVar("Given")


class PlatformSignalling(LinkSignalling):
    """Over links; and the calls of its platform can be controlled."""

    def __init__(self, listener: ISignallingListener, sessions: Any, clock: IReactorTime) -> None:
        super().__init__(listener, sessions, clock)
        self.call_platform: SimulatedPlatform = a_platform(clock)

    def start(self) -> None:
        """The platform is there."""
        self.call_platform.come()


def a_platform(clock: IReactorTime) -> SimulatedPlatform:
    """A platform with these agents' phones, and a number outside that is busy."""
    platform = SimulatedPlatform(clock, Random(0))
    for agent in (*AGENTS, SUPERVISOR):
        platform.board.devices[agent] = Device(agent)
    platform.board.devices[OUTSIDE_BUSY] = Device(fails_with=BUSY)
    platform.board.queues = {"sales": Queue()}
    return platform


@implementer(IStreamClientEndpoint)
@define(eq=False)
class ToMemory:
    """Leads to the agent links of an exchange in memory."""

    exchange: MemoryExchange
    pairs: list[LinkedPair] = field(factory=list)
    reachable: bool = True

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """A new link."""
        if not self.reachable:
            return fail(ConnectionRefusedError())
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.pairs.append(LinkedPair(self.exchange.agent_links.buildProtocol(None), protocol))
        self.exchange.pairs.append(self.pairs[-1])
        return succeed(protocol)


@define(eq=False)
class Heard:
    """What an application was told."""

    events: list[tuple[ClientCall, CallEvent]] = field(factory=list)
    states: list[AgentStateEvent] = field(factory=list)

    @property
    def listeners(self) -> dict[str, Any]:
        """As arguments of ``login`` and ``monitor``."""
        return {"on_call_event": lambda *told: self.events.append(told), "on_state": self.states.append}

    @property
    def changes(self) -> list[str]:
        """Which changes were told, in words."""
        return [
            CallChange(event.event).name.lower().replace("_", " ") if event.event else "shown"
            for _, event in self.events
        ]

    @property
    def state_words(self) -> list[str]:
        """Which states were told, in words."""
        return [state.agent_state.name.lower() for state in self.states]


class DeskCase(SynchronousTestCase):
    """One exchange, and clients of it."""

    with_platform = True

    def setUp(self) -> None:
        self.store = self.new_store()
        self.exchange = MemoryExchange((DESK, LEAD, services()), store=self.store, make_drivers=self.drivers)
        self.clock = self.exchange.clock
        if self.with_platform:
            control = self.exchange.core.call_control
            assert control is not None
            self.control = control
        self.client, self.ends = self.new_client()

    def new_store(self) -> CallStore:
        return CallStore()

    def drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        kind = PlatformSignalling if self.with_platform else LinkSignalling
        driver = kind(processing.listener, context.sessions, context.clock)
        if isinstance(driver, PlatformSignalling):
            self.platform = driver.call_platform
            self.board = self.platform.board
        return {"link": driver}

    def new_client(self, identity: str = "desk") -> tuple[AgentClient, ToMemory]:
        ends = ToMemory(self.exchange)
        account = ExchangeAccount(ends, identity, "secret", jitter=lambda: 0.0)
        client = AgentClient(self.clock, account)
        client.startService()
        self.addCleanup(client.stopService)
        self.exchange.pump()
        return client, ends

    # -- work

    def begin(self, work: Coroutine[Any, Any, Given]) -> Deferred[Given]:
        begun = ensureDeferred(work)
        self.exchange.pump()
        return begun

    def now(self, work: Coroutine[Any, Any, Given]) -> Given:
        return self.successResultOf(self.begin(work))

    def refused(self, work: Coroutine[Any, Any, Any]) -> int:
        """The status by which it is refused."""
        return int(self.failureResultOf(self.begin(work), CallError).value.status)

    def login(self, number: str = "1001", **options: Any) -> AgentNumber:
        return self.now(self.client.login(number, **{"calls": True, **options}))

    def lose_link(self) -> None:
        self.ends.pairs[-1].disconnect(clean=False)

    def pass_time(self, seconds: float) -> None:
        self.exchange.advance(seconds, step=0.25)

    # -- what happens at telephones

    def rings(self, agent: str = "1001", number: str = CUSTOMER) -> str:
        """A customer calls an agent; the id of the call."""
        leg = self.board.calls_in(number, agent)
        self.exchange.pump()
        return leg.call

    def picks_up(self, agent: str) -> None:
        [ringing] = [leg for leg in self.board.legs.of_agent(agent) if leg.state is LegState.ALERTING]
        self.board.pick_up(ringing)
        self.exchange.pump()

    def talks(self, agent: str = "1001", number: str = CUSTOMER) -> str:
        """A customer calls, and the agent answers."""
        call = self.rings(agent, number)
        self.picks_up(agent)
        return call

    def hangs_up(self, call: str) -> None:
        """The customer hangs up."""
        leg = self.board.legs.leg(call)
        assert leg is not None
        self.board.hang_up(leg)
        self.exchange.pump()

    def leg_of(self, agent: str) -> Leg:
        [leg] = self.board.legs.of_agent(agent)
        return leg

    def together(self) -> set[frozenset[str]]:
        """Who is with whom."""
        groups: dict[str, set[str]] = {}
        for leg in self.board.legs.all():
            if leg.bridge and leg.place.value in ("bridge", "conference"):
                groups.setdefault(leg.bridge, set()).add(leg.agent or leg.number)
        return {frozenset(group) for group in groups.values()}


def together(*groups: tuple[str, ...]) -> set[frozenset[str]]:
    return {frozenset(group) for group in groups}


class CallsCase(DeskCase):
    """One agent number that is logged in, and what its application hears."""

    def setUp(self) -> None:
        super().setUp()
        self.heard = Heard()
        self.agent = self.login(**self.heard.listeners)

    def talking(self, agent: str = "1001") -> ClientCall:
        """The agent talks with a customer."""
        call = self.agent.monitored.call(self.talks(agent))
        assert call is not None
        return call

    def consulting(self, call: ClientCall, target: str = "1002") -> ClientCall:
        """The agent has consulted another one, who answered."""
        other = self.now(call.consult(target))
        self.picks_up(target)
        return other
