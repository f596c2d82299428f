"""The agent's side: hand a customer over, and hear what becomes of them.

client = AgentClient(reactor, ExchangeAccount(endpoint, "agent-demo", "demo"))
client.startService()
agent = await client.login("1001")
hand_off = await agent.connect("password-authentication", "13800138000", Fields({...}))
event = await hand_off.result(timeout=120)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.clients.connection import ClientLink, ExchangeAccount, ExchangeConnection, checked, within
from ctiex.errors import CallError, CtiexError, NotBound, Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    CancelReply,
    CancelRequest,
    ConnectReply,
    ConnectRequest,
    Error,
    Message,
    Role,
)

_log = Logger()

OnEvent = Callable[[AgentEvent], object]
OnGap = Callable[[int, int], object]
OnTakenOver = Callable[[], object]


def _ignore(*_: object) -> None:
    """Nobody wants to know."""


class HandOff:
    """One customer handed to an automatic service."""

    def __init__(self, agent: AgentNumber, serial: str) -> None:
        self.serial = serial
        """The call serial number that goes with the call."""
        self.final: AgentEvent | None = None
        """The event that ended it; None while it goes on."""
        self._agent = agent
        self._events: list[AgentEvent] = []
        self._waiting: list[Deferred[None]] = []
        self._failure: CtiexError | None = None

    async def events(self) -> AsyncIterator[AgentEvent]:
        """Every event of this call, the first one first; ends behind the final one.

        :raise CallError: another link has taken the agent number over (13), it logged out, or events are lost (21).
        """
        seen = 0
        while True:
            while seen < len(self._events):
                seen += 1
                yield self._events[seen - 1]
            if self.final is not None:
                return
            await self._next()

    async def result(self, timeout: float | None = None) -> AgentEvent:
        """The final event: its condition says how the call ended, its fields are the service's result.

        :param timeout: in seconds; None waits until the exchange's own time-outs end the call.
        :raise RequestTimedOut: it didn't end in time; the call goes on.
        :raise CallError: another link has taken the agent number over (13), it logged out, or events are lost (21).
        """
        event: AgentEvent = await within(self._agent.reactor, timeout, self._until_final)
        return event

    async def cancel(self) -> None:
        """Take the connection back; the final event will be 16.

        :raise CallError: 24, it has finished already.
        """
        await self._agent.cancel(self.serial)

    async def _until_final(self) -> AgentEvent:
        while self.final is None:
            await self._next()
        return self.final

    def _next(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        if self._failure is not None:
            waiting.errback(Failure(self._failure))
        else:
            self._waiting.append(waiting)
        return waiting

    def received(self, event: AgentEvent) -> None:
        """An event of this call has come."""
        self._events.append(event)
        if event.condition.final:
            self.final = event
        for waiting in self._taken_waiting():
            waiting.callback(None)

    def failed(self, error: CtiexError) -> None:
        """No more events will come here."""
        self._failure = error
        for waiting in self._taken_waiting():
            waiting.errback(Failure(error))

    def _taken_waiting(self) -> list[Deferred[None]]:
        waiting, self._waiting = self._waiting, []
        return [one for one in waiting if not one.called]


class AgentNumber:
    """One agent number that is logged in, and logged in again after every loss of the link."""

    def __init__(
        self,
        client: AgentClient,
        number: str,
        on_event: OnEvent,
        on_gap: OnGap,
        on_taken_over: OnTakenOver,
        resume_after: int | None,
    ) -> None:
        self.number = number
        self.reactor = client.reactor
        self.last_sequence = resume_after or 0
        """The last event that was taken; give it to ``login`` after a restart to go on behind it."""
        self.taken_over = False
        """Whether another link has this agent number now."""
        self._client = client
        self._on_event = on_event
        self._on_gap = on_gap
        self._on_taken_over = on_taken_over
        self._new = resume_after is None
        """Nothing is known of earlier events yet: what an earlier run took is no gap."""
        self._hand_offs: dict[str, HandOff] = {}
        self._early: dict[str, list[AgentEvent]] = {}
        self._connecting = 0
        self._link: ClientLink | None = None
        """The last link that it was logged in on: events that come elsewhere, or before, are none of its own."""
        self._over: CtiexError | None = None
        """Why no more events will come; None while they do."""

    async def connect(
        self, service: str, calling_number: str, fields: Fields = EMPTY, serial: str = "", timeout: float = 30.0
    ) -> HandOff:
        """Ask the exchange to connect a customer to a service; it has kept the call when this returns.

        :param calling_number: the customer's own number.
        :param serial: the call's own serial: then the request is repeated when the link is lost before
            its answer. Empty: the exchange allocates one, and a lost link is told as LinkLost.
        :param timeout: in seconds, lost links included.
        :raise CallError: the exchange refuses; ``status`` says why.
        :raise RequestTimedOut: no answer in time.
        """
        request = ConnectRequest(serial, self.number, service, calling_number, fields)
        self._connecting += 1
        try:
            reply: ConnectReply = checked(await self._client.ask(request, timeout, repeat=bool(serial)))
        finally:
            self._connecting -= 1
            early, self._early = self._early, self._early if self._connecting else {}
        hand_off = HandOff(self, reply.serial)
        self._hand_offs[reply.serial] = hand_off
        for event in early.pop(reply.serial, []):
            self._hand_over(hand_off, event)
        if self._over is not None:  # while the answer was on its way
            self.fail_all(self._over)
        return hand_off

    async def cancel(self, serial: str, timeout: float = 30.0) -> None:
        """Take a connection back, also one of an earlier run.

        :raise CallError: 20 there is no such call, 24 it has finished already.
        """
        reply: CancelReply = await self._client.ask(CancelRequest(serial), timeout)
        checked(reply)

    async def logout(self, timeout: float = 30.0) -> None:
        """Leave: events wait in the mailbox from now on."""
        self._client.forget(self)
        self._over = CallError(Status.AGENT_NOT_LOGGED_IN, "the agent number logged out")
        self.fail_all(self._over)
        reply: AgentLogoutReply = await self._client.ask(AgentLogout(self.number), timeout)
        if reply.status != Status.AGENT_NOT_LOGGED_IN:
            checked(reply)

    # ------------------------------------------------------------ what the client tells

    async def log_in(self, link: ClientLink) -> None:
        """Log in on a link that has just been bound, and resume behind the last event that was taken.

        :raise CallError: the exchange refuses this number.
        """
        self._link = None
        reply = await link.ask(AgentLogin(self.number, self.last_sequence))
        self._link = link
        if isinstance(reply, AgentLoginReply) and reply.status == Status.EXPIRED:
            # Its numbering begins anew; everything it has kept is replayed.
            lost = self.last_sequence
            self.last_sequence = reply.first_sequence - 1
            self._tell_gap(lost + 1, lost)
            return
        logged_in: AgentLoginReply = checked(reply)
        if self._new:
            self._new = False
            self.last_sequence = logged_in.first_sequence - 1
        elif logged_in.first_sequence > self.last_sequence + 1:
            self._tell_gap(self.last_sequence + 1, logged_in.first_sequence - 1)
            self.last_sequence = logged_in.first_sequence - 1
        elif logged_in.first_sequence <= self.last_sequence:
            # Taken before, but the acknowledgement was lost on its way or in a crash.
            link.notify(AgentEventAck(self.number, self.last_sequence))

    def _tell_gap(self, first: int, last: int) -> None:
        """Events are lost: whoever waits for one of them would wait for ever."""
        self.fail_all(CallError(Status.EXPIRED, f"events of agent {self.number} are lost"))
        try:
            self._on_gap(first, last)
        except Exception:  # the application's fault; the login goes on
            _log.failure("on_gap failed for agent {number}", number=self.number)

    def received(self, link: ClientLink, event: AgentEvent) -> None:
        """Take an event once, and acknowledge it; a repeat is only acknowledged."""
        if link is not self._link:
            return  # of a login whose answer nobody waits for any more; this one's replays it
        if event.sequence > self.last_sequence:
            if event.sequence > self.last_sequence + 1:
                self._tell_gap(self.last_sequence + 1, event.sequence - 1)
            self.last_sequence = event.sequence
            self._take(event)
        link.notify(AgentEventAck(self.number, self.last_sequence))

    def _take(self, event: AgentEvent) -> None:
        hand_off = self._hand_offs.get(event.serial)
        if hand_off is not None:
            self._hand_over(hand_off, event)
        elif self._connecting:
            self._early.setdefault(event.serial, []).append(event)
        try:
            self._on_event(event)
        except Exception:  # the application's fault; the other events go on
            _log.failure("on_event failed for event {sequence}", sequence=event.sequence)

    def _hand_over(self, hand_off: HandOff, event: AgentEvent) -> None:
        if event.condition.final:
            self._hand_offs.pop(hand_off.serial, None)
        hand_off.received(event)

    def lost(self) -> None:
        """Another link has taken the number over: it isn't logged in again by itself."""
        self.taken_over = True
        self._over = CallError(Status.SESSION_TAKEN_OVER, self.number)
        self.fail_all(self._over)
        try:
            self._on_taken_over()
        except Exception:  # the application's fault; the other agent numbers go on
            _log.failure("on_taken_over failed for agent {number}", number=self.number)

    def fail_all(self, error: CtiexError) -> None:
        """Whoever waits for an event of a hand-off hears this."""
        hand_offs, self._hand_offs = self._hand_offs, {}
        for hand_off in hand_offs.values():
            hand_off.failed(error)


class AgentClient(Service):
    """An agent's application: one link to the exchange, any number of agent numbers on it."""

    name = "ctiex-agent"

    def __init__(self, reactor: Any, account: ExchangeAccount) -> None:
        self.reactor = reactor
        self._agents: dict[str, AgentNumber] = {}
        self._connection = ExchangeConnection(reactor, account, Role.AGENT, self)

    def startService(self) -> None:
        """Connect, and connect again after every loss."""
        super().startService()
        self._connection.start()

    def stopService(self) -> Deferred[None]:
        """Say goodbye to the exchange; whoever waits for a result hears NotBound."""
        super().stopService()
        for agent in self._agents.values():
            agent.fail_all(NotBound("the client has stopped"))
        return ensureDeferred(self._connection.stop())

    async def login(
        self,
        number: str,
        on_event: OnEvent = _ignore,
        on_gap: OnGap = _ignore,
        resume_after: int | None = None,
        timeout: float = 30.0,
        on_taken_over: OnTakenOver = _ignore,
    ) -> AgentNumber:
        """Log an agent number in; it stays so through every loss of the link until ``logout``.

        :param on_event: hears every event once, in order; it is acknowledged when this returns.
        :param on_gap: hears the first and last sequence of events that can't be replayed any more; an empty
            range, (n + 1, n), when the exchange numbers anew.
        :param resume_after: the last event that an earlier run took; None takes up whatever is still kept.
        :param on_taken_over: hears that another link has this agent number now; nothing more comes here.
        :raise CallError: the exchange refuses this number.
        :raise BindRefused: the exchange refuses this identity.
        """
        agent = AgentNumber(self, number, on_event, on_gap, on_taken_over, resume_after)

        async def log_in() -> None:
            link = await self._connection.bound()
            before = self._agents.get(number)
            self._agents[number] = agent
            if before is not None:
                before.lost()
            await agent.log_in(link)

        try:
            await within(self.reactor, timeout, log_in)
        except CtiexError:
            self.forget(agent)
            raise
        return agent

    async def ask(self, message: Message, timeout: float, repeat: bool = True) -> Any:
        """Send a request and wait for its answer, over lost links when it is one to repeat."""
        return await within(self.reactor, timeout, lambda: self._connection.ask(message, repeat))

    def forget(self, agent: AgentNumber) -> None:
        """Don't log this agent number in again."""
        if self._agents.get(agent.number) is agent:
            del self._agents[agent.number]

    # ------------------------------------------------------------ what the connection tells

    async def prepare(self, link: ClientLink) -> None:
        """Log every agent number in again."""
        for agent in list(self._agents.values()):
            try:
                await agent.log_in(link)
            except CallError as error:
                _log.error("agent {number} could not log in again: {reason}", number=agent.number, reason=str(error))
                self.forget(agent)
                agent.lost()

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """An event has come."""
        if isinstance(message, AgentEvent):
            agent = self._agents.get(message.agent)
            if agent is not None:
                agent.received(link, message)

    def error_received(self, error: Error) -> None:
        """Another link may have taken one of the agent numbers over."""
        agent = self._agents.get(error.detail) if error.status == Status.SESSION_TAKEN_OVER else None
        if agent is not None:
            self.forget(agent)
            agent.lost()
