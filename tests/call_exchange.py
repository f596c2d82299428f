"""A whole exchange in memory on a simulated platform: desks over links, customers, telephones, and a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock

from ctiex.call_control.control import CallControlService, ControlSettings
from ctiex.call_control.settings import CallDataSettings, CallSettings
from ctiex.call_messages import (
    Action,
    CallChange,
    CallControl,
    CallControlReply,
    CallEvent,
    Monitor,
    MonitorReply,
    Snapshot,
)
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import ISignalling
from ctiex.interfaces.call_platform import Leg, LegState
from ctiex.messages import Role
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent
from ctiex.testing.pairs import MemoryExchange, make_service, services
from ctiex.testing.simulated_platform.devices import Device, Queue
from ctiex.testing.simulated_platform.hand_offs import SimulatedHandOffs
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

CUSTOMER = "13800138000"
AGENTS = ("1001", "1002", "1003")
DESK = Identity("agents", Role.AGENT, AgentNumbers.parse(["1001-1099"]), may_dial=("030",))
LEAD = Identity("lead", Role.AGENT, AgentNumbers.parse(["1900"]), supervised=AgentNumbers.parse(["1001-1050"]))
OTHERS = Identity("others", Role.AGENT, AgentNumbers.parse(["2001"]))
SETTINGS = ControlSettings(CallSettings(queues=("sales",)), CallDataSettings(secret=("pin",)))


class CallExchange:
    """The exchange, and its platform."""

    def __init__(
        self, store: CallStore | None = None, settings: ControlSettings = SETTINGS, audit: Any = None,
        legs: Iterable[Leg] = (), identities: Iterable[Identity] = (DESK, LEAD, OTHERS), **more: Any,
    ) -> None:  # fmt: skip
        """:param legs: that are there already, as the platform goes on without the exchange."""
        self.clock = Clock()
        self.platform = SimulatedPlatform(self.clock)
        self.board = self.platform.board
        for agent in (*AGENTS, "1900"):
            self.board.devices[agent] = Device(agent)
        self.board.devices["0301"] = Device(answers_after=1.0)
        self.board.queues = {"sales": Queue()}
        for leg in legs:
            self.board.legs.put(leg)
        self.hand_offs = SimulatedHandOffs(self.platform)
        service = evolve(make_service("bill"), signalling="telephone", from_call_data=frozenset({"account", "pin"}))
        self.exchange = MemoryExchange(
            identities=(*identities, services()),
            services={"bill": service},
            clock=self.clock,
            store=store or CallStore(),
            make_drivers=self._drivers,
            control_settings=settings,
            audit=audit,
            **more,
        )

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        return {"telephone": TransferSignalling(self.hand_offs, processing.listener, self.platform)}

    @property
    def control(self) -> CallControlService:
        """Its call control."""
        control = self.exchange.core.call_control
        assert control is not None
        return control

    # ------------------------------------------------------------ desks

    def desk(self, *agents: str, identity: str = "agents", monitored: bool = True) -> FakeAgent:
        """An application with these agents, who are monitored."""
        desk = self.exchange.agent(*agents, identity=identity, features="calls")
        if monitored:
            for agent in agents:
                desk.send(Monitor(agent))
        self.pump()
        return desk

    def ask(self, desk: FakeAgent, action: Action, agent: str, call: str = "", **words: Any) -> CallControlReply:
        """Ask for an action; what comes of it has happened then."""
        asked = desk.send(CallControl(action, agent, call, **words))
        self.pump()
        reply = desk.answer(asked)
        assert isinstance(reply, CallControlReply), reply
        return reply

    def changes(self, desk: FakeAgent, call: str) -> list[str]:
        """What a desk was told of a call."""
        return [
            CallChange(event.event).name.lower().replace("_", " ")
            for event in desk.every(CallEvent)
            if event.call == call
        ]

    def last(self, desk: FakeAgent, call: str) -> CallEvent:
        """The last event of a call."""
        return [event for event in desk.every(CallEvent) if event.call == call][-1]

    # ------------------------------------------------------------ telephones

    def pump(self) -> None:
        """Let whatever is ready happen."""
        self.exchange.pump()

    def wait(self, seconds: float) -> None:
        """Let time go on."""
        for _ in range(round(seconds * 4)):
            self.exchange.advance(0.25)
            self.pump()

    def rings(self, agent: str = "1001") -> str:
        """A customer calls an agent."""
        leg = self.board.calls_in(CUSTOMER, agent)
        self.pump()
        return leg.call

    def picks_up(self, agent: str) -> None:
        """The agent answers at the phone."""
        [ringing] = [leg for leg in self.board.legs.of_agent(agent) if leg.state is LegState.ALERTING]
        self.board.pick_up(ringing)
        self.pump()

    def talks(self, agent: str = "1001") -> str:
        """A customer and an agent talk."""
        call = self.rings(agent)
        self.picks_up(agent)
        return call

    def service_leg(self) -> Leg:
        """The leg that rings, or talks, at the service."""
        [leg] = [leg for leg in self.board.legs.all() if leg.id.startswith("service-")]
        return leg

    def hangs_up(self, leg: Leg) -> None:
        """Somebody hangs up."""
        self.board.hang_up(leg)
        self.pump()


__all__ = ["CUSTOMER", "CallExchange", "Monitor", "MonitorReply", "Snapshot"]
