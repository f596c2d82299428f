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
from ctiex.call_control.destinations import Destinations
from ctiex.call_control.guard import Guard
from ctiex.call_control.monitors import MonitoredAgent, MonitoringLink, Monitors
from ctiex.call_control.moves import Moves
from ctiex.call_control.orders import CallOrders, Order
from ctiex.call_control.requests import Requests
from ctiex.call_control.settings import CallDataSettings, CallSettings, SupervisionSettings
from ctiex.call_control.telling import Telling
from ctiex.call_control.turns import CallTurns
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
        self._secret = settings.call_data.secret
        clock = context.clock
        self.watch = CallWatch(platform, self)
        self.calls = self.watch.calls
        self.monitors = Monitors()
        self._moves = Moves(platform, clock, settings.calls.order_timeout)
        self._turns = CallTurns(clock)
        self._telling = Telling(
            self.calls, self.monitors, platform, clock, self._secret, settings.supervision.tell_agent
        )
        self.agents = Agents(platform, settings.calls, clock, self._telling.agent_state)
        self._orders = CallOrders(self._moves, settings.calls, self)
        destinations = Destinations(settings.calls.queues, lambda number: is_agent(number) or self._is_here(number))
        self._requests = Requests(self.calls, platform, destinations, settings.calls, self._telling, self.new_leg_id)
        self._guard = Guard(
            self._moves, self._turns, clock, settings.calls.left_alone, self._root_of, self.is_off_hook, self._makes
        )
        self._ids = count(1)
        self._run = f"{context.random.getrandbits(48):012x}"
        self._returned = dict[str, AgentCall]()
        """By the serial of a hand-off that is over: the call that it was of, while that goes on."""
        self._kept = dict[str, data.KeptData]()
        """What the store has of calls that weren't seen yet, by their ids."""
        platform.watch(self)

    def __len__(self) -> int:
        """How much is kept of calls: nothing when there are none."""
        parts: tuple[Sized, ...] = (self.watch, self._returned, self._moves, self._turns, self._guard)
        return sum(map(len, parts)) + self.agents.timers()

    def _is_here(self, number: str) -> bool:
        return self._context.presence.is_here(number)

    def start(self) -> None:
        """Take up what the opened store has of calls."""
        self._kept = dict(data.read(self._context.store.metadata_beginning(data.LABEL), self._context.agent_codec))

    def stop(self) -> None:
        """Let go of the timers."""
        self._guard.stop()
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
        if request.switch is MonitorSwitch.STOP:
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
        if order.action in (Action.RECONNECT, Action.CLEAR) and self._interrupted(order):
            if order.action is Action.CLEAR:
                answer(CallControlReply(Status.OK, order.call.id))
                return
            order = Order(Action.RETRIEVE, order.agent, order.main)
        ensureDeferred(self._in_turn(order, answer)).addErrback(
            lambda failure: _log.failure("an order failed", failure)
        )

    # ------------------------------------------------------------ orders

    def _interrupted(self, order: Order) -> bool:
        """Whether a device was still being called for the call; it is given up, and the order that did so ends."""
        calls = [
            call for call in (order.call, order.consultation if order.pair is not None else None) if call is not None
        ]
        ringing = next((leg for call in calls if (leg := self._moves.called_for(call.id)) is not None), None)
        if ringing is None:
            return False
        ensureDeferred(self._moves.ask(self._platform.hang_up(ringing))).addErrback(
            lambda failure: failure.trap(CallError) and None
        )
        return True

    async def _in_turn(self, order: Order, answer: Callable[[CallControlReply], None]) -> None:
        roots = {order.call.root, *((order.pair.root,) if order.pair is not None else ())}
        try:
            taken = await self._turns.take(roots, self._settings.order_wait)
        except CallError as error:
            answer(CallControlReply(error.status, order.call.id))
            return
        try:
            self._requests.check_allowed(order)  # again: it may have waited
            self._begin(order)
        except CallError as error:
            answer(CallControlReply(error.status, order.call.id))
            self._turns.leave(taken)
            return
        told = order.new or order.call
        answer(CallControlReply(Status.OK, told.id, told.serial))
        try:
            await self._carry_out(order)
        finally:
            self._turns.leave(taken)
            self._look_after(order)

    def _begin(self, order: Order) -> None:
        """A call that comes of the order is there from now on."""
        order.call.by = order.agent
        if order.action is Action.MAKE:
            self._add(order.call, order.fields)
        elif order.action is Action.CONSULT:
            fields = data.put_over(order.call.fields, order.fields)
            order.new = AgentCall(self.new_leg_id(), related=order.main.root, by=order.agent)
            self._add(order.new, fields)
        for call in self._calls_of(order):
            call.in_order = True

    def _add(self, call: AgentCall, fields: Fields) -> None:
        self.calls.put(call)
        self.name(call)
        if fields:
            self.marked(call, fields)

    async def _carry_out(self, order: Order) -> None:
        calls = self._calls_of(order)
        try:
            await self._orders.carry_out(order)
        except CallError as error:
            self._failed(order, error.status)
        except Exception:
            _log.failure("order {action} failed", action=order.action.name.lower())
            self._failed(order, Status.INTERNAL)
        finally:
            self._drop_unused(order)
            for call in calls:
                call.in_order = False
            self.watch.loud(*calls)
            for call in calls:
                self.watch.look(call.id)
                call.by = ""

    def _failed(self, order: Order, status: Status) -> None:
        call = order.new or order.call
        agents = dict.fromkeys([order.agent, *call.agents()])
        self._telling.call_changed(call, CallChange.FAILED, 0, agents, status)

    def _drop_unused(self, order: Order) -> None:
        """A call that came to nothing before anybody was in it."""
        call = order.new or order.call
        if self.calls.get(call.id) is call and not call.parties and not self.watch.parties_now(call):
            self._telling.call_changed(call, CallChange.CLEARED, 0, [order.agent])
            self.calls.remove(call)
            self.call_over(call)

    @staticmethod
    def _calls_of(order: Order) -> list[AgentCall]:
        return [call for call in (order.call, order.pair, order.new) if call is not None]

    def _look_after(self, order: Order) -> None:
        self._guard.look([leg for call in self._calls_of(order) for leg in self._platform.legs.of_call(call.id)])
        self._guard.look(self._platform.legs.of_agent(order.agent))

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
        """Whether an agent's leg belongs to no call, and stays when theirs are over."""
        return leg.at_desk and not leg.call

    def marked(self, call: AgentCall, fields: Fields) -> None:
        """Put fields over the data of a call."""
        if fields:
            _, latest = call.coming or (call.version, call.fields)
            self._keep(call, data.put_over(latest, fields), lambda reply: None)

    def new_leg_id(self) -> str:
        """An id that no leg and no call has, of this run or another."""
        return f"ctiex-{self._run}-{next(self._ids)}"

    def _makes(self, leg: Leg) -> bool:
        return any(call.waits_at_desk == leg.id for call in self.calls)

    def _root_of(self, leg: Leg) -> str:
        call = self.calls.get(leg.call) or next(iter(self.calls.of_agent(leg.agent)), None)
        return leg.call or leg.id if call is None else call.root

    # ------------------------------------------------------------ data

    def data(self, identity: Identity, request: CallData, answer: Callable[[CallDataReply], None]) -> None:
        """Change the data of a call, if it is of the version that the client knows."""
        try:
            if not identity.may_see(request.agent):
                raise CallError(Status.NO_SUCH_CALL)
            call = self._requests.call_of(request.agent, request.call)
            if call.coming is not None:
                raise CallError(Status.CALL_BUSY)
            fields = data.checked(call, request, self._context.limits.fields_per_message)
        except CallError as error:
            answer(self._data_refused(identity, request, error))
            return
        self._keep(call, fields, answer)

    def _data_refused(self, identity: Identity, request: CallData, error: CallError) -> CallDataReply:
        call = self.calls.get(request.call)
        if error.status is not Status.DUPLICATE_SERIAL or call is None:
            return CallDataReply(error.status, detail=error.detail)
        fields = call.fields if identity.may_act_for(request.agent) else data.masked(call.fields, self._secret)
        return CallDataReply(error.status, call.version, fields, error.detail)

    def _keep(self, call: AgentCall, fields: Fields, answer: Callable[[CallDataReply], None]) -> None:
        """Have the store keep the data of a call, and tell it then."""
        latest, _ = call.coming or (call.version, call.fields)
        body = CallDataReply(Status.OK, latest + 1, fields)
        if not self._context.fits_agent_link(body):
            answer(CallDataReply(Status.DATA_TOO_LARGE, call.version))
            return
        call.coming = coming = body.version, fields

        def committed() -> None:
            call.version, call.fields = coming
            call.coming = None if call.coming is coming else call.coming
            self._telling.call_changed(call, CallChange.DATA_CHANGED, 0, call.agents())
            answer(body)

        def failed() -> None:
            call.coming = None
            answer(CallDataReply(Status.STORE_UNAVAILABLE, call.version))

        change = data.kept(call, body.version, fields, self._context.agent_codec)
        self._context.commits.commit(change, committed, failed)

    # ------------------------------------------------------------ as the listener of the watch

    def call_began(self, call: AgentCall) -> None:
        """A call has an agent: it has a serial from now on, or the one that it had before a restart."""
        before = self._kept.pop(call.id, None)
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
        if call.version:
            self._context.commits.commit(data.forgotten(call))

    # ------------------------------------------------------------ as the listener of the platform

    def taken_up(self) -> Iterator[None]:
        """Behind a loss of events: everything is looked at."""
        yield from self.watch.take_up()
        self.agents.taken_up()
        self._moves.expectations.look()
        self._guard.take_up()
        for id in [id for id in self._kept if not any(True for _ in self._platform.legs.of_call(id))]:
            del self._kept[id]
            self._context.commits.commit(data.forgotten(AgentCall(id)))

    def away(self) -> None:
        """Events are missed from now on: orders wait for the next snapshot."""

    def changed(self, leg: Leg) -> None:
        """A leg has changed."""
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

    def _leg_gone(self, event: LegGone) -> None:
        self._guard.gone(event.id)
        looked = self.watch.leg_gone(event.id, event.cause)
        self._moves.expectations.look()
        self._guard.look([leg for id in looked for leg in self._platform.legs.of_call(id)])
        self._guard.look(self._platform.legs.for_desk(event.id))
