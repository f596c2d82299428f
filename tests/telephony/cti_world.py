"""An exchange with real telephones, whose calls are controlled from desks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, ensureDeferred
from zope.interface import implementer

from ctiex.call_control.control import CallControlService, ControlSettings
from ctiex.call_control.settings import CallDataSettings, CallSettings
from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateCode,
    AgentStateEvent,
    CallChange,
    CallControl,
    CallControlReply,
    CallEvent,
    Monitor,
    Snapshot,
)
from ctiex.identities import AgentNumbers, Identity
from ctiex.interfaces import ISignalling
from ctiex.interfaces.call_platform import ICallPlatformListener, Leg, LegState, PlatformEvent
from ctiex.messages import AgentLogin, ConnectReply, ConnectRequest, Message, Role
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.testing.pairs import MemoryExchange, make_service

from .calls_world import CallsCase, CallsWorld, Watcher, reactor
from .happenings import Happenings

DESK = Identity("desk", Role.AGENT, AgentNumbers.parse(["1001-1030"]), may_dial=("5",))
LEAD = Identity("lead", Role.AGENT, AgentNumbers.parse(["1004"]), supervised=AgentNumbers.parse(["1001-1003"]))
SETTINGS = CallSettings(queues=("desks", "support"), after_call_work=1.0, shown_number="4000")


@define(eq=False)
class Desk:
    """An agent's application: what it asks for, and what it is told."""

    control: CallControlService
    identity: Identity = DESK
    told: Happenings[Message] = field(factory=lambda: Happenings(reactor, "desk"))

    def tell(self, message: Message) -> None:
        """A message comes."""
        self.told.tell(message)

    def monitor(self, *agents: str) -> None:
        """Be told of these agents."""
        for agent in agents:
            self.control.monitor(self, self.identity, Monitor(agent), lambda reply: None)

    async def begin(self, action: Action, agent: str, call: str = "", **words: Any) -> CallControlReply:
        """Ask for an action; its reply."""
        reply: Deferred[CallControlReply] = Deferred()
        self.control.control(self.identity, CallControl(action, agent, call, **words), reply.callback)
        return await reply

    async def asks(self, action: Action, agent: str, call: str = "", **words: Any) -> CallControlReply:
        """Ask for an action that is taken; its reply."""
        reply = await self.begin(action, agent, call, **words)
        assert reply.status == 0, (action, reply)
        return reply

    async def state(self, agent: str, state: AgentStateCode, **words: Any) -> int:
        """Ask for a state; the status of the reply."""
        reply: Deferred[Any] = Deferred()
        self.control.agent_state(self.identity, AgentState(agent, state, **words), reply.callback)
        return int((await reply).status)

    async def hears(self, change: CallChange, call: str = "", since: int = 0, **about: Any) -> CallEvent:
        """Wait for an event."""

        def wanted(message: Message) -> bool:
            return (
                isinstance(message, CallEvent)
                and message.event == change
                and call in ("", message.call)
                and all(getattr(message, name) == value for name, value in about.items())
            )

        event = await self.told.wait(wanted, f"{change.name} of {call} {about}", since)
        assert isinstance(event, CallEvent)
        return event

    async def is_in(self, agent: str, state: AgentStateCode, since: int = 0, **about: Any) -> AgentStateEvent:
        """Wait until an agent is in a state."""

        def wanted(message: Message) -> bool:
            return (
                isinstance(message, AgentStateEvent)
                and (message.agent, message.agent_state) == (agent, state)
                and all(getattr(message, name) == value for name, value in about.items())
            )

        event = await self.told.wait(wanted, f"{agent} in {state.name} {about}", since)
        assert isinstance(event, AgentStateEvent)
        return event

    def last(self, call: str) -> CallEvent:
        """The last event of a call."""
        return [one for one in self.told if isinstance(one, CallEvent) and one.call == call][-1]

    def parties(self, call: str) -> dict[str, str]:
        """By agent number or number, how everybody was connected at the last event of a call."""
        return {one.agent or one.number: one.connection_state.name.lower() for one in self.last(call).parties}

    def snapshots(self) -> list[Snapshot]:
        """The pages that came."""
        return [one for one in self.told if isinstance(one, Snapshot)]


@implementer(ICallPlatformListener)
class Both:
    """Call control hears, and then the test."""

    def __init__(self, control: CallControlService, watcher: Watcher) -> None:
        self._control = control
        self._watcher = watcher

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        yield from self._control.taken_up()
        yield from self._watcher.taken_up()

    def away(self) -> None:
        """The connection is lost."""
        self._control.away()
        self._watcher.away()

    def changed(self, leg: Leg) -> None:
        """A leg."""
        self._control.changed(leg)
        self._watcher.changed(leg)

    def happened(self, event: PlatformEvent) -> None:
        """An event."""
        self._control.happened(event)
        self._watcher.happened(event)


class CtiCase(CallsCase):
    """One Asterisk with telephones, an exchange that controls its calls, and desks."""

    call_settings: ClassVar[CallSettings] = SETTINGS

    async def _start(self) -> None:
        self.ended: list[MemoryExchange] = []
        await self.world.start()
        self.begin_exchange(self.world)
        await self.until(lambda: self.platform.connected)

    def begin_exchange(self, world: CallsWorld) -> None:
        """An exchange begins with the platform's driver."""
        service = evolve(make_service("bill"), signalling="asterisk", access_code="7000")
        self.exchange = MemoryExchange(
            identities=(DESK, LEAD),
            services={"bill": service},
            clock=reactor,
            wall=reactor.seconds,
            make_drivers=self._drivers,
            control_settings=ControlSettings(self.call_settings, CallDataSettings(secret=("pin",))),
        )
        exchange, driver = self.exchange, self.driver
        self.addCleanup(lambda: ensureDeferred(self.end_exchange(exchange, driver)))
        self.desk, self.lead = Desk(self.control), Desk(self.control, LEAD)
        self.desk.monitor(*[phone.number for phone in world.agents])
        self.lead.monitor("1001")

    def _drivers(self, context: ProcessingContext, processing: ProcessingService) -> Mapping[str, ISignalling]:
        self.driver = TransferSignalling(self.platform, processing.listener, self.platform)
        reactor.callLater(0, lambda: self.platform.watch(Both(self.control, self.world.watcher)))
        return {"asterisk": self.driver}

    async def end_exchange(self, exchange: MemoryExchange, driver: TransferSignalling) -> None:
        """It ends, and its timers with it; once."""
        if exchange in self.ended:
            return
        self.ended.append(exchange)
        await driver.stop()  # first: what waits for the platform fails, and begins nothing new behind the stop
        assert exchange.core.call_control is not None
        exchange.core.call_control.stop()
        exchange.processing.stop()

    @property
    def control(self) -> CallControlService:
        """Call control of the exchange."""
        control = self.exchange.core.call_control
        assert control is not None
        return control

    # ------------------------------------------------------------ steps

    async def talks(self, number: str = "1001", customer: int = 0) -> str:
        """A customer and an agent talk, and the desk knows; the id of the call."""
        leg, _ = await self.talk(number, customer)
        await self.desk.told.wait(
            lambda one: isinstance(one, CallEvent) and one.call == leg.call and len(one.parties) > 1
            and all(party.connection_state.name == "CONNECTED" for party in one.parties),
            "the conversation",
        )  # fmt: skip
        return leg.call

    async def consults(self, call: str, target: str = "1002", **words: Any) -> str:
        """The agent consults somebody, who answers; the id of the consultation."""
        reply = await self.desk.asks(Action.CONSULT, "1001", call, destination=target, **words)
        await self.desk.hears(CallChange.ESTABLISHED, reply.call)
        return reply.call

    async def rests(self) -> None:
        """Nobody talks, and nothing is kept."""
        await self.world.empty()
        await self.until(lambda: not list(self.platform.legs.all()))
        await self.settled(lambda: len(self.control) == 0)

    async def settled(self, condition: Callable[[], bool]) -> None:
        """Wait for what shows in no event."""
        for _ in range(600):
            if condition():
                return
            await self.pause()
        raise AssertionError(vars(self.control))

    def rings(self, agent: str) -> bool:
        """Whether an agent's telephone rings."""
        return any(leg.state is LegState.ALERTING for leg in self.platform.legs.of_agent(agent))

    # ------------------------------------------------------------ hand-offs

    def logs_in(self, agent: str) -> DeskConnection:
        """An agent's application, which hears the events of hand-offs."""
        connection = DeskConnection()
        self.exchange.presence.bring(agent, DESK.name)
        self.exchange.mailboxes.login(connection, AgentLogin(agent))
        return connection

    async def hands_over(self, connection: DeskConnection, agent: str, call: str) -> str:
        """A hand-off of a call, under its serial; the customer is with the service then."""
        serial, replies = self.desk.last(call).serial, list[ConnectReply]()
        request = ConnectRequest(serial, agent, "bill", self.world.customer.number)
        self.exchange.processing.connect(DESK, connection, request, replies.append)
        assert replies[0].status == 0, replies
        await self.desk.hears(CallChange.HANDED_OVER, call, serial=serial)
        return serial


class DeskConnection:
    """An agent's connection that takes whatever comes."""

    writable = True

    def __init__(self) -> None:
        self.events: list[bytes] = []

    def send_event(self, body: bytes) -> None:
        """An AgentEvent."""
        self.events.append(body)

    def taken_over(self, agent: str) -> None:
        """It isn't."""
