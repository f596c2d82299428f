"""Call control on a simulated platform, with desks that ask and keep what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from ctiex.call_control.control import CallControlService, ControlSettings
from ctiex.call_control.settings import CallDataSettings, CallSettings, SupervisionSettings
from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    CallChange,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    CallEvent,
    Monitor,
    MonitorSwitch,
    Snapshot,
)
from ctiex.fields import Fields
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces.call_platform import Function, Leg, LegPlace
from ctiex.messages import Message, Role
from ctiex.stores.call_store import CallStore
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulated_platform.devices import BUSY, OUT_OF_ORDER, Device, Queue
from ctiex.testing.simulated_platform.platform import ALL_FUNCTIONS, SimulatedPlatform, Trouble

AGENTS = ("1001", "1002", "1003", "1004")
SUPERVISOR = "1900"
CUSTOMER, OUTSIDE, OUTSIDE_BUSY, OUTSIDE_SILENT, OUTSIDE_DEAD = "13800138000", "0301", "0302", "0303", "0304"
SETTINGS = CallSettings(queues=("sales", "support"), shown_number="4711")
OWN = Identity("desk", Role.AGENT, AgentNumbers.parse([*AGENTS]), may_dial=("030",))
SUPERVISING = Identity(
    "team lead", Role.AGENT, AgentNumbers.parse([SUPERVISOR]), supervised=AgentNumbers.parse(["1001-1004"])
)
STRANGER = Identity("stranger", Role.AGENT, AgentNumbers.parse(["2000"]))


@define(eq=False)
class Desk:
    """A link, and what it was told."""

    bench: Bench
    identity: Identity = OWN
    told: list[Message] = field(factory=list)

    def tell(self, message: Message) -> None:
        """A message comes."""
        self.told.append(message)

    # -- what it asks for

    def monitor(self, agent: str, switch: MonitorSwitch = MonitorSwitch.START) -> int:
        """Be told of an agent."""
        answers = list[Any]()
        self.bench.control.monitor(self, self.identity, Monitor(agent, switch), answers.append)
        return int(answers[0].status)

    def begin(self, action: Action, agent: str, call: str = "", **words: Any) -> list[CallControlReply]:
        """Ask for an action; the answers come into the list."""
        answers = list[CallControlReply]()
        self.bench.control.control(self.identity, CallControl(action, agent, call, **words), answers.append)
        return answers

    def ask(self, action: Action, agent: str, call: str = "", **words: Any) -> CallControlReply:
        """Ask for an action, and let it be carried out."""
        answers = self.begin(action, agent, call, **words)
        self.bench.pump()
        return answers[0]

    def state(self, agent: str, state: AgentStateCode, **words: Any) -> int:
        """Ask for a state."""
        answers = list[Any]()
        self.bench.control.agent_state(self.identity, AgentState(agent, state, **words), answers.append)
        self.bench.pump()
        return int(answers[0].status) if answers else -1

    def begin_state(self, agent: str, state: AgentStateCode, **words: Any) -> list[int]:
        """Ask for a state; the status of the answer comes into the list."""
        statuses = list[int]()
        self.bench.control.agent_state(
            self.identity, AgentState(agent, state, **words), lambda reply: statuses.append(int(reply.status))
        )
        return statuses

    def data(self, agent: str, call: str, version: int = 0, **words: Any) -> CallDataReply:
        """Change the data of a call."""
        answers = list[CallDataReply]()
        self.bench.control.data(self.identity, CallData(agent, call, version, **words), answers.append)
        return answers[0]

    # -- what it was told

    def events(self, call: str = "") -> list[CallEvent]:
        """The events, of one call or of all."""
        return [one for one in self.told if isinstance(one, CallEvent) and call in ("", one.call)]

    def changes(self, call: str = "") -> list[str]:
        """Which changes they told, in words."""
        return [CallChange(one.event).name.lower().replace("_", " ") for one in self.events(call)]

    def states(self) -> list[str]:
        """Which states of agents it was told, in words."""
        return [one.agent_state.name.lower() for one in self.told if isinstance(one, AgentStateEvent)]

    def pages(self) -> list[Snapshot]:
        """The pages of snapshots."""
        return [one for one in self.told if isinstance(one, Snapshot)]

    def parties(self, call: str) -> dict[str, str]:
        """By number, how everybody was connected at the last event of a call."""
        return {one.agent or one.number: one.connection_state.name.lower() for one in self.events(call)[-1].parties}

    def actions(self, call: str, agent: str) -> set[str]:
        """What the last event of a call says that the agent may ask for."""
        [party] = [one for one in self.events(call)[-1].parties if one.agent == agent]
        return {action.name.lower() for action in Action if party.allows(action)}


class Bench:
    """One exchange with one platform."""

    def __init__(
        self,
        settings: CallSettings = SETTINGS,
        functions: Function = ALL_FUNCTIONS,
        store: CallStore | None = None,
        trouble: Trouble | None = None,
        seed: int = 0,
        tell_agent: bool = False,
    ) -> None:
        self.clock = Clock()
        self.exchange = MemoryExchange(clock=self.clock, store=store or CallStore())
        self.exchange.processing.start(self.exchange.core.drivers)
        self.random = Random(seed)
        self.platform = SimulatedPlatform(self.clock, self.random, trouble, functions)
        self.board = self.platform.board
        for agent in (*AGENTS, SUPERVISOR):
            self.board.devices[agent] = Device(agent)
        self.board.devices[OUTSIDE] = Device(answers_after=1.0)
        self.board.devices[OUTSIDE_BUSY] = Device(fails_with=BUSY)
        self.board.devices[OUTSIDE_SILENT] = Device()
        self.board.devices[OUTSIDE_DEAD] = Device(fails_with=OUT_OF_ORDER)
        self.board.queues = {"sales": Queue(), "support": Queue()}
        self.control = CallControlService(
            self.exchange.context,
            self.platform,
            ControlSettings(settings, CallDataSettings(secret=("pin",)), SupervisionSettings(tell_agent=tell_agent)),
            lambda number: any(who.names_agent(number) for who in (OWN, SUPERVISING)),
        )
        self.control.start()
        self.platform.come()
        self._numbers = count(1)

    def pump(self, turns: int = 40) -> None:
        """Let whatever is ready happen."""
        for _ in range(turns):
            self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time go on, in small steps."""
        steps = max(1, round(seconds / 0.05))
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            self.pump(10)

    # -- what happens at telephones

    def rings(self, agent: str = "1001", number: str = CUSTOMER) -> str:
        """A customer calls an agent; the id of the call."""
        leg = self.board.calls_in(number, agent)
        self.pump()
        return leg.call

    def leg_of(self, agent: str) -> Leg:
        """The only leg of an agent, as it is."""
        [leg] = self.board.legs.of_agent(agent)
        return leg

    def picks_up(self, agent: str) -> None:
        """The agent answers at the phone."""
        [ringing] = [leg for leg in self.board.legs.of_agent(agent) if leg.state.value == "alerting"]
        self.board.pick_up(ringing)
        self.pump()

    def talks(self, agent: str = "1001", number: str = CUSTOMER) -> str:
        """A customer calls, and the agent answers."""
        call = self.rings(agent, number)
        self.picks_up(agent)
        return call

    def hangs_up(self, leg: Leg) -> None:
        """Somebody hangs up."""
        self.board.hang_up(leg)
        self.pump()

    def customer(self, call: str) -> Leg:
        """The customer's leg."""
        leg = self.board.legs.leg(call)
        assert leg is not None
        return leg

    def together(self) -> set[frozenset[str]]:
        """Who is with whom, by agent number or number."""
        groups: dict[str, set[str]] = {}
        for leg in self.board.legs.all():
            if leg.bridge and leg.place in (LegPlace.BRIDGE, LegPlace.CONFERENCE):
                groups.setdefault(leg.bridge, set()).add(leg.agent or leg.number)
        return {frozenset(group) for group in groups.values()}

    def held(self) -> set[str]:
        """Who is held by the server."""
        return {leg.agent or leg.number for leg in self.board.legs.all() if leg.place is LegPlace.HOLD}

    def consulted(self, desk: Desk, call: str, target: str = "1002", **words: Any) -> str:
        """An agent consults another one, who answers; the id of the consultation."""
        answers = desk.begin(Action.CONSULT, "1001", call, destination=target, **words)
        self.pump()
        self.picks_up(target)
        assert answers[0].status == 0, answers
        return answers[0].call

    def nothing_is_left(self) -> None:
        """No call, no timer, no order."""
        assert len(self.control) == 0, vars(self.control)

    def fields(self, **values: Any) -> Fields:
        """Data."""
        return Fields(values)

    def legs(self) -> Iterator[Leg]:
        """All legs, as they are."""
        return self.board.legs.all()
