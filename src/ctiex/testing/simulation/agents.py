"""The agents' applications: what they ask for, repeat until it is answered, and take down for good."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from ctiex.clients.agent import AgentClient
from ctiex.clients.agent_number import AgentNumber
from ctiex.clients.hand_off import HandOff
from ctiex.errors import CallError, LinkError, LinkLost, Status
from ctiex.fields import Fields
from ctiex.messages import AgentEvent, ConnectReply, Message
from ctiex.testing.simulation.clock import ProcessClock
from ctiex.testing.simulation.ledger import Request
from ctiex.testing.simulation.numbering import Numbering
from ctiex.testing.simulation.processes import AGENT_ADDRESS, ClientProcess

_TRANSIENT = frozenset(
    {
        Status.AGENT_NOT_LOGGED_IN,
        Status.SESSION_TAKEN_OVER,
        Status.QUEUE_FULL,
        Status.STORE_UNAVAILABLE,
        Status.TOO_BUSY,
        Status.GOING_AWAY,
    }
)
"""Statuses of a ConnectReply that are worth another try."""
_DONE_BEFORE = frozenset({Status.UNKNOWN_SERIAL, Status.ALREADY_FINISHED, Status.STORE_UNAVAILABLE})
"""Statuses that a cancel or an update may meet."""


@define(eq=False)
class AgentApplication(ClientProcess):
    """One process of an agent-side identity. What it has taken stays when it crashes; nothing else does."""

    numbers: tuple[str, ...]
    wanted: dict[str, None] = field(init=False)
    """The numbers that are to be logged in here."""
    outbox: dict[str, Request] = field(factory=dict, init=False)
    """Requests under serials of its own that aren't answered yet."""
    client: AgentClient | None = field(default=None, init=False)
    agents: dict[str, AgentNumber] = field(factory=dict, init=False)
    _asked: dict[str, Request] = field(factory=dict, init=False)
    _until_login: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)
    """By agent number, the requests that go out directly behind its login."""
    _busy_until: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.wanted = dict.fromkeys(self.numbers)

    # ------------------------------------------------------------ the process

    def _begin(self, process: ProcessClock) -> None:
        """Log in what is wanted, and go on with the outbox."""
        client = self.client = AgentClient(process, self._account(process, AGENT_ADDRESS))
        client.startService()
        for number in list(self.wanted):
            self._spawn(self._keep_logged_in(number, process, client))
        for request in list(self.outbox.values()):
            self._spawn(self._until_answered(request))

    def _forget(self) -> None:
        self.client = None
        self.agents = {}
        self._until_login = {}
        self._busy_until = 0.0

    def stop(self) -> None:
        """Say goodbye."""
        self.wanted.clear()
        if self.client is not None:
            self.client.stopService()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        process = self.process

        def failed(failure: Failure) -> None:
            # Python throws away what a process that has died was about to do: that wakes up others of it.
            if process is None or process.alive:
                self.ledger.break_(f"an agent's application failed: {failure.getTraceback()}")

        ensureDeferred(work).addErrback(failed)

    # ------------------------------------------------------------ what it hears: nothing that it says is a promise

    def _heard(self, message: Message) -> None:
        if isinstance(message, AgentEvent):
            self.ledger.event_arrived(self.numbers, message)
        elif isinstance(message, ConnectReply):
            self.ledger.connect_answered(self.numbers, self._asked.get(message.serial), message)

    def _take_event(self, numbering: Numbering, event: AgentEvent) -> Awaitable[None] | None:
        """Some are taken at once, some after a while, and none while it is busy."""
        busy, epoch = self._busy_until - self._clock.now, numbering.epoch
        if busy > 0:
            return self._taken_later(event, epoch, busy)
        if self._random.random() < 0.8:
            self.ledger.event_taken(event, epoch)
            return None
        seconds = self._random.choice((0.05, 0.5, 0.5, 3.0)) * self._random.uniform(0.5, 1.5)
        return self._taken_later(event, epoch, seconds)

    async def _taken_later(self, event: AgentEvent, epoch: int, seconds: float) -> None:
        await self._pause(seconds)
        self.ledger.event_taken(event, epoch)

    def busy(self, seconds: float) -> None:
        """It takes no events for a while, and asks and cancels all the same."""
        self._busy_until = self._clock.now + seconds

    # ------------------------------------------------------------ here and away

    def take(self, number: str) -> None:
        """Have an agent number here from now on: another application that had it loses it."""
        if number not in self.wanted:
            self.wanted[number] = None
            if self.process is not None and self.client is not None:
                self._spawn(self._keep_logged_in(number, self.process, self.client))

    def leave(self, number: str) -> None:
        """The agent goes away."""
        self.wanted.pop(number, None)
        agent = self.agents.pop(number, None)
        if agent is not None:
            self._spawn(self._log_out(agent))

    def let_go(self, number: str) -> None:
        """Another application has the agent number from now on; this one isn't asked."""
        self.wanted.pop(number, None)
        self.agents.pop(number, None)

    async def _log_out(self, agent: AgentNumber) -> None:
        try:
            await agent.logout(timeout=10.0)
        except (CallError, LinkError):
            self.ledger.counts["logouts unanswered"] += 1

    async def _keep_logged_in(self, number: str, process: ProcessClock, client: AgentClient) -> None:
        while number in self.wanted and self.process is process:
            agent = self.agents.get(number)
            if agent is None or agent.taken_over:
                await self._log_in(number, client)
            await deferLater(process, self._random.uniform(2.0, 6.0))

    async def _log_in(self, number: str, client: AgentClient) -> None:
        book = self.ledger.books[number]
        position = None if self._random.random() < 0.2 else book.position
        numbering = Numbering(self.ledger, book)
        try:
            agent = await client.login(
                number, partial(self._take_event, numbering), numbering.gap, position, timeout=15.0
            )
        except (CallError, LinkError):
            self.ledger.counts["logins repeated"] += 1
            return
        numbering.logged_in(agent, position)
        if number in self.wanted:
            self.agents[number] = agent
            self._wake(number)
            if self._random.random() < 0.3:
                await self._ask_for_open_calls(agent)
        else:
            self._spawn(self._log_out(agent))

    def has(self, number: str) -> bool:
        """Whether an agent is here."""
        return number in self.wanted and number in self.agents and not self.agents[number].taken_over

    def _wake(self, number: str) -> None:
        for woken in self._until_login.pop(number, ()):
            if not woken.called:
                woken.callback(None)

    def _pause_or_login(self, number: str) -> Awaitable[None]:
        """Goes on after a while, or directly behind a login."""
        assert self.process is not None
        woken: Deferred[None] = Deferred()
        self._until_login.setdefault(number, []).append(woken)
        return woken.addTimeout(2.0 * self._random.uniform(0.5, 1.5), self.process, lambda _, after: None)

    # ------------------------------------------------------------ calls

    def hand_over(self, request: Request) -> None:
        """Have a customer served; repeated until it is answered, when the serial is the application's own."""
        if request.serial:
            self.outbox[request.serial] = request
        if self.process is not None:
            self._spawn(self._until_answered(request))

    async def _until_answered(self, request: Request) -> None:
        """Repeat only while the exchange still knows the serial, and nothing was heard of its end."""
        book = self.ledger.books[request.agent]
        while self._clock.now < request.repeat_until and not book.ends_of(request.use):
            if self.has(request.agent) and await self._answered(self.agents[request.agent], request):
                break
            await self._pause_or_login(request.agent)
        self.outbox.pop(request.serial, None)

    async def _answered(self, agent: AgentNumber, request: Request) -> bool:
        customer, request = request.use, self.ledger.tried(request)
        self._asked[request.serial] = request
        again = request.use in self.ledger.asked  # its reference tells its events from those of an earlier use
        self.ledger.asked.add(request.use)
        try:
            hand_off = await agent.connect(
                request.service,
                "13800138000",
                request.fields,
                request.serial,
                timeout=self._random.uniform(2.0, 20.0),
                resumed=again,
                reference=request.use,
            )
        except CallError as error:
            self.ledger.met[customer] = f"refused: {error.status.text}"
            known = request.was_kept(error.status)
            passing = error.status in _TRANSIENT or (error.status is Status.DUPLICATE_SERIAL and not known)
            self.ledger.hold(known or passing, f"call {request.serial} was refused: {error}")
            return known
        except LinkError as error:
            self.ledger.counts["connect requests unanswered"] += 1
            self.ledger.met[customer] = "link lost" if isinstance(error, LinkLost) else "no answer in time"
            return not request.serial and isinstance(error, LinkLost)
        if not request.serial:
            del self.ledger.met[customer]
        self.ledger.acknowledged.setdefault(request.use, request.agent)
        self._spawn(self._result(request, hand_off))
        return True

    async def _result(self, request: Request, hand_off: HandOff) -> None:
        try:
            self.ledger.result_told(request, await hand_off.result())
        except (CallError, LinkError):
            self.ledger.counts["results not waited for"] += 1

    def cancel(self, number: str, serial: str) -> None:
        """Take a call back."""
        agent = self.agents.get(number)
        if agent is not None:
            self._spawn(self._asked_of_call(agent.cancel(serial, timeout=15.0), f"call {serial}: cancelling it"))

    def update(self, number: str, serial: str, fields: Fields) -> None:
        """Correct the data of a call."""
        agent = self.agents.get(number)
        if agent is not None:
            self._spawn(self._asked_of_call(agent.update(serial, fields, timeout=15.0), f"call {serial}: updating it"))

    async def _asked_of_call(self, asking: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await asking
        except CallError as error:
            self.ledger.hold(error.status in _DONE_BEFORE, f"{what} was answered {error}")
        except LinkError:
            self.ledger.counts["cancels and updates unanswered"] += 1

    def ask_for_open_calls(self, number: str) -> None:
        """See which calls of an agent are open."""
        agent = self.agents.get(number)
        if agent is not None:
            self._spawn(self._ask_for_open_calls(agent))

    async def _ask_for_open_calls(self, agent: AgentNumber) -> None:
        try:
            calls = await agent.open_calls(timeout=15.0)
        except (CallError, LinkError):
            self.ledger.counts["call queries unanswered"] += 1
            return
        self.ledger.counts["call queries answered"] += 1
        for call in calls:
            request = self.ledger.requests.get(call.reference)
            theirs = request is not None and (request.agent, request.service) == (agent.number, call.service)
            self.ledger.hold(theirs, f"agent {agent.number} is told of a call that isn't theirs: {call}")
