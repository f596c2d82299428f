"""Call control for agent links: what they ask for, and what they are told. One for each platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import count

from attrs import field, frozen
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ctiex.call_control import data
from ctiex.call_control.agents import Agents
from ctiex.call_control.call_watch import CallWatch
from ctiex.call_control.calls import AgentCall
from ctiex.call_control.data_keeper import DataKeeper
from ctiex.call_control.destinations import Destinations
from ctiex.call_control.guard import Guard
from ctiex.call_control.monitors import MonitoredAgent, MonitoringLink, Monitors
from ctiex.call_control.moves import Moves
from ctiex.call_control.order import Order
from ctiex.call_control.order_runner import OrderRunner
from ctiex.call_control.orders import CallOrders
from ctiex.call_control.requests import CallRequests
from ctiex.call_control.settings import CallDataSettings, CallSettings, SupervisionSettings
from ctiex.call_control.telling import Telling
from ctiex.call_control.turns import CallTurns
from ctiex.call_control.views import is_off_hook
from ctiex.call_messages import (
    Action,
    AgentState,
    AgentStateReply,
    CallChange,
    CallControl,
    CallControlReply,
    CallData,
    CallDataReply,
    MonitorReply,
    MonitorSwitch,
    PartyRole,
)
from ctiex.call_messages import Monitor as MonitorRequest
from ctiex.errors import CallError, SerialError, Status
from ctiex.fields import EMPTY, Fields
from ctiex.identities import Identity
from ctiex.interfaces.call_platform import (
    AttendedTransferSeen,
    BlindTransferSeen,
    DialFailed,
    ICallPlatform,
    ICallPlatformListener,
    Leg,
    LegGone,
    PlatformEvent,
    QueueMembership,
)
from ctiex.processing.context import ProcessingContext

_log = Logger()


@frozen
class ControlSettings:
    """What is configured of call control."""

    calls: CallSettings = field(factory=CallSettings)
    call_data: CallDataSettings = field(factory=CallDataSettings)
    supervision: SupervisionSettings = field(factory=SupervisionSettings)


@implementer(ICallPlatformListener)
class CallControlService:
    """The calls and states of the agents of one platform."""

    def __init__(
        self,
        context: ProcessingContext,
        platform: ICallPlatform,
        settings: ControlSettings,
        is_agent: Callable[[str], bool],
    ) -> None:
        """Nothing is known before the platform is connected.

        :param is_agent: whether a number is an agent number that any identity names.
        """
        self._context = context
        self._platform = platform
        self._settings = settings.calls
        clock = context.clock
        self.watch = CallWatch(platform, self)
        self.calls = self.watch.calls
        self.monitors = Monitors()
        self._moves = Moves(platform, clock, settings.calls.order_timeout)
        self._turns = CallTurns(clock)
        self._telling = Telling(
            self.calls, self.monitors, platform, clock, settings.call_data.secret, settings.supervision.tell_agent
        )
        self.agents = Agents(self._moves, settings.calls, clock, self._telling.agent_state, self.new_leg_id)
        destinations = Destinations(settings.calls.queues, lambda number: is_agent(number) or self._is_here(number))
        self._requests = CallRequests(
            self.calls, platform, destinations, settings.calls, self._telling, self.new_leg_id
        )
        self._guard = Guard(
            self._moves, self._turns, clock, settings.calls.left_alone, self._root_of, self.is_off_hook, self._makes
        )
        self._data = DataKeeper(context, self.calls, self._requests, self._telling)
        self._runner = OrderRunner(
            self.watch, self._moves, self._turns, CallOrders(self._moves, settings.calls, self), self._requests,
            self._telling, self, settings.calls.order_wait, self._guard.look,
        )  # fmt: skip
        self._ids = count(1)
        self._run = f"{context.random.getrandbits(48):012x}"
        self._returned = dict[str, AgentCall]()
        """By the serial of a hand-off that is over: the call that it was of, while that goes on."""
        platform.watch(self)

    def __len__(self) -> int:
        """How much is kept of calls: nothing when there are none."""
        parts: tuple[Sized, ...] = (self.watch, self._returned, self._moves, self._turns, self._guard)
        return sum(map(len, parts)) + self.agents.timers()

    def _is_here(self, number: str) -> bool:
        return self._context.presence.is_here(number)

    def start(self) -> None:
        """Take up what the opened store has of calls."""
        self._data.start()

    def stop(self) -> None:
        """Orders under way end; no timer is left."""
        self._turns.stop()
        self._moves.expectations.stop()
        self._guard.stop()  # behind the orders: it is asked to look at what they leave
        self.agents.stop()

    # ------------------------------------------------------------ as hand-offs see the calls

    def serial_of(self, customer: str) -> str:
        """The serial of the call that this leg belongs to."""
        leg = self._platform.legs.leg(customer)
        if leg is None:
            return ""
        self.watch.look(leg.call)  # its event may be heard by others first
        call = self.calls.get(leg.call)
        return call.serial if call is not None else ""

    def customer_of(self, serial: str) -> str:
        """The leg of the customer in the call with this serial."""
        call = self.calls.with_serial(serial)
        parties = call.parties if call is not None else ()
        return next((party.id for party in parties if party.party_role is PartyRole.CUSTOMER), "")

    def tells(self, agent: str) -> bool:
        """Whether a link of the agent's own is told of calls."""
        return any(monitor.own for monitor in self.monitors.of(agent))

    def data_of(self, serial: str) -> Fields:
        """The data of the call with this serial."""
        call = self.calls.with_serial(serial)
        return EMPTY if call is None else call.fields

    def put_result(self, serial: str, fields: Fields) -> None:
        """Put a result over the data of the call that was handed over under this serial."""
        call = self.calls.with_serial(serial) or self._returned.get(serial)
        if call is not None:
            self.marked(call, fields)

    # ------------------------------------------------------------ what links ask for

    def monitor(
        self, link: MonitoringLink, identity: Identity, request: MonitorRequest, answer: Callable[[MonitorReply], None]
    ) -> None:
        """Tell a link of an agent from now on, or no longer; the snapshot follows the reply."""
        if not identity.may_see(request.agent):
            answer(MonitorReply(Status.NOT_ALLOWED_HERE, "not an agent number of this identity"))
            return
        if request.mode is MonitorSwitch.STOP:
            self.monitors.stop(link, request.agent)
            answer(MonitorReply(Status.OK))
            return
        monitor = MonitoredAgent(link, identity, request.agent)
        self.monitors.start(monitor)
        answer(MonitorReply(Status.OK))
        self._telling.snapshot(monitor, self.agents.event(request.agent))

    def logged_in(self, link: MonitoringLink, agent: str) -> None:
        """An agent has logged in anew on a link that is told of it: a snapshot follows."""
        monitor = self.monitors.get(link, agent)
        if monitor is not None:
            self._telling.snapshot(monitor, self.agents.event(agent))

    def agent_state(
        self, identity: Identity, request: AgentState, answer: Callable[[AgentStateReply], None]
    ) -> None:  # fmt: skip
        """Have an agent come into a state, or remember it until the agent's calls are over."""
        if not identity.may_see(request.agent):
            answer(AgentStateReply(Status.NOT_ALLOWED_HERE, "not an agent number of this identity"))
            return
        ensureDeferred(self._agent_state(identity, request, answer))

    async def _agent_state(
        self, identity: Identity, request: AgentState, answer: Callable[[AgentStateReply], None]
    ) -> None:
        try:
            self.agents.check(request)
            await self.agents.ask(request, identity.name)
        except CallError as error:
            answer(AgentStateReply(error.status, error.detail))
        except Exception:
            _log.failure("agent {agent}: a state could not be come into", agent=request.agent)
            answer(AgentStateReply(Status.INTERNAL))
        else:
            answer(AgentStateReply(Status.OK))

    def control(self, identity: Identity, request: CallControl, answer: Callable[[CallControlReply], None]) -> None:
        """Do something with a call; what becomes of it is told by events."""
        try:
            order = self._requests.order(identity, request)
        except CallError as error:
            answer(CallControlReply(error.status, request.call, detail=error.detail))
            return
        self._runner.run(order, answer)

    def data(self, identity: Identity, request: CallData, answer: Callable[[CallDataReply], None]) -> None:
        """Change the data of a call, if it is of the version that the client knows."""
        self._data.change(identity, request, answer)

    # ------------------------------------------------------------ calls that orders bring about

    def begin(self, order: Order) -> None:
        """A call that comes of the order is there from now on."""
        if order.action is Action.MAKE:
            self._add(order.call, order.fields)
        elif order.action is Action.CONSULT:
            order.new = AgentCall(self.new_leg_id(), related=order.main.root, by=order.agent)
            self._add(order.new, data.put_over(order.call.fields, order.fields))

    def _add(self, call: AgentCall, fields: Fields) -> None:
        self.calls.put(call)
        self.name(call)
        self._data.put_over(call, fields)

    # ------------------------------------------------------------ as the teller of orders

    def quiet(self, *calls: AgentCall) -> None:
        """Nothing is told of these until the order says what it did, or is over."""
        self.watch.quiet(*calls)

    def tell(self, call: AgentCall, change: CallChange) -> None:
        """An order has done something to a call."""
        self.watch.tell(call, change)

    def merged(self, main: AgentCall, consultation: AgentCall) -> None:
        """The data of a consultation goes on with the call that it was for."""
        if consultation.fields != main.fields:
            self.marked(main, consultation.fields)

    def is_off_hook(self, leg: Leg) -> bool:
        """Whether an agent's leg stays when their call is over."""
        return is_off_hook(leg)

    def marked(self, call: AgentCall, fields: Fields) -> None:
        """Put fields over the data of a call."""
        self._data.put_over(call, fields)

    def new_leg_id(self) -> str:
        """An id that no leg and no call has, of this run or another."""
        return f"ctiex-{self._run}-{next(self._ids)}"

    def _makes(self, leg: Leg) -> bool:
        return any(call.waits_at_desk == leg.id for call in self.calls)

    def _root_of(self, leg: Leg) -> str:
        call = self.calls.get(leg.call) or next(iter(self.calls.of_agent(leg.agent)), None)
        return leg.call or leg.id if call is None else call.root

    # ------------------------------------------------------------ as the listener of the watch

    def call_began(self, call: AgentCall) -> None:
        """A call has an agent: it has a serial from now on, or the one that it had before a restart."""
        before = self._data.of_before(call.id)
        if before is None:
            self.name(call)
            return
        call.related, call.version, call.fields = before.related, before.version, before.fields
        self.calls.put(call)
        self.calls.name(call, before.serial)

    def name(self, call: AgentCall) -> None:
        """Give a call a serial."""
        try:
            self.calls.name(call, self._context.new_serial(told=True))
        except SerialError as error:
            _log.warn("a call of an agent has no serial: {reason}", reason=str(error))

    def customer_returned(self, call: AgentCall) -> None:
        """The hand-off is over, and its serial with it; its result may still come."""
        if call.serial:
            self._returned[call.serial] = call
            call.serials_before = (*call.serials_before, call.serial)
        self.name(call)

    def call_changed(self, call: AgentCall, change: CallChange, cause: int, agents: Iterable[str]) -> None:
        """Something has happened to a call: its agents' links are told, and their states follow."""
        agents = list(agents)
        self._telling.call_changed(call, change, cause, agents)
        for agent in agents:
            self._calls_of_agent_changed(agent)

    def _calls_of_agent_changed(self, agent: str) -> None:
        calls = self.calls.of_agent(agent)
        parties = [party for call in calls if (party := call.party_of(agent)) is not None]
        of_queue = any(call.queue for call in calls)
        self.agents.calls_changed(agent, [party.connection_state for party in parties], of_queue)

    def call_over(self, call: AgentCall) -> None:
        """Nothing is kept of a call that is over."""
        for serial in call.serials_before:
            self._returned.pop(serial, None)
        self._data.forget(call)

    # ------------------------------------------------------------ as the listener of the platform

    def taken_up(self) -> Iterator[None]:
        """Behind a loss of events: everything is looked at, a call or a leg in each step."""
        for leg in self._platform.legs.all():
            self.agents.leg_changed(leg)
            yield
        yield from self.watch.take_up()
        self.agents.taken_up()
        self._moves.expectations.look()
        yield from self._guard.take_up()
        self._data.leave_out(lambda id: not any(True for _ in self._platform.legs.of_call(id)))

    def away(self) -> None:
        """Events are missed from now on: orders wait for the next snapshot."""

    def changed(self, leg: Leg) -> None:
        """A leg has changed."""
        self.agents.leg_changed(leg)
        self.watch.leg_changed(leg)
        self._settle([leg])

    def _settle(self, legs: Iterable[Leg]) -> None:
        self._moves.expectations.look()
        for leg in legs:
            around = self._platform.legs.in_bridge(leg.bridge) if leg.bridge else iter([leg])
            self._guard.look([leg, *around])

    def happened(self, event: PlatformEvent) -> None:
        """Something has happened that doesn't show in a leg."""
        match event:
            case LegGone():
                self._leg_gone(event)
            case DialFailed():
                self._moves.dial_failed(event.id, event.status)
                self._moves.expectations.look()
            case QueueMembership():
                self.agents.membership(event)
            case BlindTransferSeen():
                self._transferred_at_phone(event.leg, event.by)
            case AttendedTransferSeen():
                self._merged_at_phone(event)

    def _transferred_at_phone(self, id: str, by: str) -> None:
        """A telephone has done by itself what a desk would ask for."""
        leg = self._platform.legs.leg(id)
        call = self.calls.get(leg.call) if leg is not None else None
        if call is not None and not call.in_order:
            party = call.party(by)
            call.by = party.agent if party is not None else ""
            self.watch.tell(call, CallChange.TRANSFERRED)
            call.by = ""

    def _merged_at_phone(self, event: AttendedTransferSeen) -> None:
        """Both sides are one call now: that of the first, which was there before."""
        leg, other = (self._platform.legs.leg(id) for id in (event.leg, event.other))
        if leg is not None and other is not None and leg.call != other.call:
            ensureDeferred(self._moves.tag(other, leg.call)).addErrback(
                lambda failure: failure.trap(CallError) and None
            )
        self._transferred_at_phone(event.leg, event.by)

    def _leg_gone(self, event: LegGone) -> None:
        self._guard.gone(event.id)
        self.agents.leg_gone(event.id)
        looked = self.watch.leg_gone(event.id, event.cause)
        self._moves.expectations.look()
        self._guard.look([leg for id in looked for leg in self._platform.legs.of_call(id)])
        self._guard.look(self._platform.legs.for_desk(event.id))
