"""The states of agents: what they asked for, what their calls make of it, and what comes into force afterwards.

The platform's queues know two things of an agent: whether they are a member, and whether they are paused. The rest, the
reasons, the end of after-call work, and what is pending, is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ctiex.call_control.moves import Moves
from ctiex.call_control.settings import CallSettings
from ctiex.call_control.views import OFF_HOOK, is_off_hook
from ctiex.call_messages import AgentState, AgentStateCode, AgentStateEvent, ConnectionState
from ctiex.errors import CallError, LinkLost, RequestTimedOut, Status
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    DestinationKind,
    Function,
    Leg,
    QueueMembership,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.processing.stored_time import StoredTime

_log = Logger()

AT_DESK = "off-hook"
"""The device of an agent whose telephone is called once, and stays off the hook."""
AFTER_CALL, LOGGED_IN = "after call work", "logged in"
"""The reasons that the queues are given where the agent gave none."""
ASKED_FOR = (
    AgentStateCode.LOGGED_OUT,
    AgentStateCode.NOT_READY,
    AgentStateCode.READY,
    AgentStateCode.AFTER_CALL_WORK,
)
_HELD = (ConnectionState.HELD, ConnectionState.HELD_AT_PHONE)


@define(eq=False)
class Agent:
    """One agent number, and its state."""

    number: str
    state: AgentStateCode = AgentStateCode.LOGGED_OUT
    """As it would be without calls."""
    reason: str = ""
    device: str = ""
    queues: tuple[str, ...] = ()
    since: int = 0
    until: int = 0
    pending: AgentStateCode = AgentStateCode.NONE
    pending_reason: str = ""
    by: str = ""
    in_calls: AgentStateCode = AgentStateCode.NONE
    """What the agent's calls make of it; none: there is no call."""
    had_queue_call: bool = False
    changing: bool = False
    """Whether the queues are being told of a state: what they say meanwhile is on the way to it."""
    timer: IDelayedCall | None = None

    @property
    def shown(self) -> AgentStateCode:
        """The state that is told."""
        return self.state if self.in_calls is AgentStateCode.NONE else self.in_calls


def state_of_calls(connections: Iterable[ConnectionState]) -> AgentStateCode:
    """What an agent's connections make of the state: talking before ringing, ringing before holding."""
    states = set(connections) - {ConnectionState.GONE, ConnectionState.FAILED}
    if not states:
        return AgentStateCode.NONE
    if states <= set(_HELD):
        return AgentStateCode.HOLDING
    if states & {ConnectionState.CONNECTED, ConnectionState.INITIATED}:
        return AgentStateCode.BUSY
    return AgentStateCode.RESERVED


class Agents:
    """The agents whose states are known, and those that are asked about."""

    def __init__(
        self,
        moves: Moves,
        settings: CallSettings,
        clock: StoredTime,
        tell: Callable[[str, AgentStateEvent], None],
        new_leg_id: Callable[[], str],
    ) -> None:
        self._moves = moves
        self._platform = moves.platform
        self._new_leg_id = new_leg_id
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._agents: dict[str, Agent] = {}
        self._off_hook: dict[str, Agent] = {}
        """By the ids of legs that are off the hook."""

    def stop(self) -> None:
        """Let go of the timers."""
        for agent in self._agents.values():
            self._stop_timer(agent)

    def timers(self) -> int:
        """How many agents are in after-call work that ends by itself."""
        return sum(agent.timer is not None for agent in self._agents.values())

    def get(self, number: str) -> Agent:
        """The agent of this number; one that nothing is known of is as the queues say."""
        agent = self._agents.get(number)
        if agent is None:
            agent = self._agents[number] = Agent(number, since=self._clock.now())
            membership = self._platform.membership(number)
            if membership is not None:
                self._as_the_queues_say(agent, membership)
        return agent

    def event(self, number: str) -> AgentStateEvent:
        """The agent's state, to be told."""
        agent = self.get(number)
        return AgentStateEvent(
            number,
            self._clock.now(),
            agent.shown,
            agent.reason,
            agent.device,
            agent.since,
            agent.until,
            agent.pending,
            agent.pending_reason,
            agent.by,
            " ".join(agent.queues),
        )

    # ------------------------------------------------------------ what is asked for

    def check(self, message: AgentState) -> None:
        """Whether a state may be asked for.

        :raise CallError: 1, it isn't one of those; 65, an unknown reason, code or queue; 61, not from this state.
        """
        if message.agent_state not in ASKED_FOR:
            raise CallError(Status.MALFORMED, "only the states 0 to 3 are asked for")
        listed = {
            AgentStateCode.NOT_READY: self._settings.not_ready_reasons,
            AgentStateCode.AFTER_CALL_WORK: self._settings.wrap_up_codes,
        }.get(message.agent_state, ())
        if listed and message.reason and message.reason not in listed:
            raise CallError(Status.NO_SUCH_DESTINATION, f"no such reason, expected one of: {', '.join(listed)}")
        unknown = [name for name in message.queues.split() if name not in self._settings.queues]
        if unknown:
            raise CallError(Status.NO_SUCH_DESTINATION, "no such queue")
        agent = self.get(message.agent)
        if message.device not in ("", message.agent, AT_DESK):
            raise CallError(Status.NO_SUCH_DESTINATION, f"no such device, expected none or {AT_DESK!r}")
        if agent.state is AgentStateCode.LOGGED_OUT and message.agent_state is AgentStateCode.AFTER_CALL_WORK:
            raise CallError(Status.WRONG_STATE, "the agent isn't logged in")

    async def ask(self, message: AgentState, by: str) -> None:
        """Come into a state now, or when the agent's calls are over.

        :raise CallError: 61 or 66, the platform refuses it, or is away.
        """
        agent = self.get(message.agent)
        if agent.in_calls is not AgentStateCode.NONE and agent.state is not AgentStateCode.LOGGED_OUT:
            agent.pending, agent.pending_reason, agent.by = message.agent_state, message.reason, by
            self._told(agent)
            return
        await self._come_into(agent, message, by)

    async def _come_into(self, agent: Agent, message: AgentState, by: str) -> None:
        agent.changing = True
        try:
            if message.device == AT_DESK and agent.state is AgentStateCode.LOGGED_OUT:
                await self._take_off_hook(agent.number)
            await self._tell_queues(agent, message)
            if message.agent_state is AgentStateCode.LOGGED_OUT:
                await self._put_on_hook(agent.number)
        except CallError:
            agent.changing = False
            self.membership(self._platform.membership(agent.number) or QueueMembership(agent.number, "", (), False))
            raise
        finally:
            agent.changing = False
        agent.device = message.device or agent.device or agent.number
        if agent.state is AgentStateCode.LOGGED_OUT:
            agent.queues = self._queues_of(message)
        agent.by = by
        self._set(agent, message.agent_state, message.reason, message.seconds)

    # ------------------------------------------------------------ telephones that are off the hook

    def _desks(self, number: str) -> list[Leg]:
        return [leg for leg in self._platform.legs.of_agent(number) if is_off_hook(leg)]

    async def _take_off_hook(self, number: str) -> None:
        """Call the agent's telephone once: it stays at its desk, and every call is joined to it.

        :raise CallError: 63, 64 or 66, why it wasn't answered.
        """
        if not self._desks(number):
            telephone = CallDestination(DestinationKind.AGENT, number)
            call = f"{OFF_HOOK}{number}"
            await self._moves.call(CallOut(self._new_leg_id(), call, telephone, ToDesk(), self._settings.ring))

    async def _put_on_hook(self, number: str) -> None:
        for leg in self._desks(number):
            await self._moves.hang_up(leg)

    def leg_gone(self, id: str) -> None:
        """A leg is no more: an agent whose telephone was off the hook can't be reached at the desk."""
        agent = self._off_hook.pop(id, None)
        if agent is not None and agent.device == AT_DESK and agent.state is not AgentStateCode.LOGGED_OUT:
            agent.device = agent.number
            if not agent.changing:
                self._by_itself(agent, AgentStateCode.NOT_READY, "the telephone is on the hook")

    def leg_changed(self, leg: Leg) -> None:
        """A leg may be one that is off the hook."""
        if is_off_hook(leg):
            self._off_hook[leg.id] = self.get(leg.agent)

    # ------------------------------------------------------------ what a state asks for

    def _queues_of(self, message: AgentState) -> tuple[str, ...]:
        return tuple(message.queues.split()) or tuple(self._settings.queues)

    async def _tell_queues(self, agent: Agent, message: AgentState) -> None:
        """Have the platform's queues know of it first: an agent who is ready is offered calls."""
        if Function.QUEUES not in self._platform.functions or not self._settings.queues:
            return
        platform, logs_in = self._platform, agent.state is AgentStateCode.LOGGED_OUT
        match message.agent_state:
            case AgentStateCode.LOGGED_OUT if logs_in:
                return
            case AgentStateCode.LOGGED_OUT:
                await self._order(platform.queue_log_out(agent.number))
                return
        if logs_in:
            device = agent.number  # the platform knows by itself of one that is off the hook
            await self._order(platform.queue_log_in(agent.number, device, self._queues_of(message), LOGGED_IN))
        if message.agent_state is AgentStateCode.READY:
            await self._order(platform.queue_unpause(agent.number))
        else:
            await self._order(platform.queue_pause(agent.number, message.reason or _reason(message.agent_state)))

    async def _order(self, taken: Deferred[None]) -> None:
        try:
            await taken
        except OrderRefused as error:
            raise CallError(Status.WRONG_STATE, str(error)) from None
        except (LinkLost, RequestTimedOut):
            raise CallError(Status.OUT_OF_SERVICE, "the platform is away") from None

    # ------------------------------------------------------------ what comes of it

    def _set(self, agent: Agent, state: AgentStateCode, reason: str = "", seconds: float = 0) -> None:
        self._stop_timer(agent)
        if state is AgentStateCode.LOGGED_OUT:
            agent.queues, agent.device = (), ""
        agent.state, agent.reason, agent.since = state, reason, self._clock.now()
        agent.pending, agent.pending_reason = AgentStateCode.NONE, ""
        if state is AgentStateCode.AFTER_CALL_WORK:
            seconds = seconds or self._settings.after_call_work
            if seconds:
                agent.until = agent.since + round(seconds * 1_000)
                agent.timer = self._clock.callLater(seconds, self._after_call_work_over, agent)
        self._told(agent)

    def _stop_timer(self, agent: Agent) -> None:
        agent.until = 0
        if agent.timer is not None:
            agent.timer.cancel()
            agent.timer = None

    def _told(self, agent: Agent) -> None:
        self._tell(agent.number, self.event(agent.number))

    def _after_call_work_over(self, agent: Agent) -> None:
        agent.timer = None
        self._by_itself(agent, AgentStateCode.READY)

    def _by_itself(self, agent: Agent, state: AgentStateCode, reason: str = "", by: str = "") -> None:
        """Come into a state that nobody waits for an answer about."""
        message = AgentState(agent.number, state, reason)
        ensureDeferred(self._come_into(agent, message, by)).addErrback(
            lambda failure: _log.warn(
                "agent {agent} could not come into the state {state}: {reason}",
                agent=agent.number,
                state=state.name.lower(),
                reason=failure.getErrorMessage(),
            )
        )

    def calls_changed(self, number: str, connections: Iterable[ConnectionState], of_queue: bool) -> None:
        """Something has happened to the agent's calls.

        :param of_queue: whether one of them came through a queue.
        """
        states = list(connections)
        if number not in self._agents and not states:
            return
        agent = self.get(number)
        before, agent.in_calls = agent.in_calls, state_of_calls(states)
        talks = agent.in_calls in (AgentStateCode.BUSY, AgentStateCode.HOLDING)
        agent.had_queue_call = agent.had_queue_call or (of_queue and talks)
        if before is agent.in_calls:
            return
        agent.since = self._clock.now()
        if agent.in_calls is not AgentStateCode.NONE:
            self._told(agent)
        else:
            self._calls_over(agent)

    def _calls_over(self, agent: Agent) -> None:
        worked, agent.had_queue_call = agent.had_queue_call, False
        if agent.pending is not AgentStateCode.NONE:
            self._by_itself(agent, agent.pending, agent.pending_reason, agent.by)
        elif worked and agent.state is AgentStateCode.READY and self._settings.after_call_work:
            self._by_itself(agent, AgentStateCode.AFTER_CALL_WORK)
        else:
            self._told(agent)

    # ------------------------------------------------------------ what the queues say

    def membership(self, told: QueueMembership) -> None:
        """The platform's queues know something of an agent, whoever brought it about."""
        agent = self._agents.get(told.agent)
        if agent is None or agent.changing or self._agrees(agent, told):
            return
        self._as_the_queues_say(agent, told)
        self._told(agent)

    @staticmethod
    def _agrees(agent: Agent, told: QueueMembership) -> bool:
        """Whether what is known here comes to the same."""
        if not told.queues:
            return agent.state is AgentStateCode.LOGGED_OUT
        agent.queues = told.queues
        return agent.state is not AgentStateCode.LOGGED_OUT and told.paused is (agent.state is not AgentStateCode.READY)

    def _as_the_queues_say(self, agent: Agent, told: QueueMembership) -> None:
        self._stop_timer(agent)
        agent.queues, agent.device, agent.since = told.queues, told.device, self._clock.now()
        agent.reason, agent.by = "", ""
        if not told.queues:
            agent.state, agent.device = AgentStateCode.LOGGED_OUT, ""
        elif told.paused:
            agent.state = AgentStateCode.NOT_READY
            agent.reason = "" if told.reason in (LOGGED_IN, AFTER_CALL) else told.reason
        else:
            agent.state = AgentStateCode.READY

    def taken_up(self) -> None:
        """Behind a loss of events: as the queues say now."""
        for number in list(self._agents):
            self.membership(self._platform.membership(number) or QueueMembership(number, "", (), False))


def _reason(state: AgentStateCode) -> str:
    return AFTER_CALL if state is AgentStateCode.AFTER_CALL_WORK else "not ready"
