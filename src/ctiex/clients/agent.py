"""The agent's side: hand a customer over, and get the events of the call.

client = AgentClient(reactor, ExchangeAccount(endpoint, "agent-demo", "demo"))
client.startService()
agent = await client.login("1001")
hand_off = await agent.connect("password-authentication", "13800138000", Fields({...}))
event = await hand_off.result(timeout=120)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from ctiex.clients.account import ExchangeAccount
from ctiex.clients.agent_events import AgentEvents, Application, OnGap, OnRefused, OnTakenOver
from ctiex.clients.agent_number import AgentNumber
from ctiex.clients.call_monitoring import TOLD, CallMonitoring
from ctiex.clients.connection import ExchangeConnection, ignore
from ctiex.clients.event_taking import OnEvent, Position
from ctiex.clients.link import ClientLink
from ctiex.clients.monitored_number import CallListeners, MonitoredNumber, OnCallEvent, OnState
from ctiex.clients.replies import TRANSIENT
from ctiex.errors import BrokenExchange, CallError, CtiexError, LinkLost, NotBound, Status
from ctiex.messages import KIND_OF, AgentEvent, AgentLogin, AgentLogout, Error, Feature, Message, Role
from ctiex.serials import MAX_DIGITS

_log = Logger()

_OWN_DIGITS = MAX_DIGITS - 1


class AgentClient(Service):
    """An agent's application: one link to the exchange, any number of agent numbers on it."""

    name = "ctiex-agent"
    features = str(Feature.CALLS)

    def __init__(self, reactor: Any, account: ExchangeAccount, random: Random | None = None) -> None:
        """:param random: makes the serials of calls."""
        self.reactor = reactor
        self._random = random or SystemRandom()
        self._agents: dict[str, AgentNumber] = {}
        self._logging_in: list[AgentNumber] = []
        """Those whose login is under way."""
        self._connection = ExchangeConnection(reactor, account, Role.AGENT, self)
        self.pause_after, self.within = self._connection.pause_after, self._connection.within
        self.monitoring = CallMonitoring(reactor, self._connection)
        """The agent numbers whose calls are followed."""

    def new_serial(self) -> str:
        """A serial that no other call has: random digits, one fewer than in those that an exchange allocates."""
        return f"{self._random.randrange(10**_OWN_DIGITS):0{_OWN_DIGITS}d}"

    def startService(self) -> None:
        """Connect, and connect again after every loss; if it is being stopped, as soon as it has."""
        super().startService()
        self._connection.start()

    def stopService(self) -> Deferred[None]:
        """Unbind from the exchange; pending waits for a result fail with NotBound."""
        super().stopService()
        for agent in self._agents.values():
            agent.pause(NotBound("the client has stopped"))
        self.monitoring.pause(NotBound("the client has stopped"))
        return self._connection.stop()

    async def login(
        self,
        number: str,
        on_event: OnEvent = ignore,
        on_gap: OnGap = ignore,
        position: Position | None = None,
        timeout: float = 30.0,
        on_taken_over: OnTakenOver = ignore,
        on_refused: OnRefused = ignore,
        on_call_event: OnCallEvent = ignore,
        on_state: OnState = ignore,
        calls: bool | None = None,
    ) -> AgentNumber:
        """Log an agent number in; it stays so through every loss of the link until ``logout``.

        :param on_event: hears every event in order, the next one when it has taken the one before: when it has
            returned, or when the awaitable that it returned is done. Then the event is acknowledged, and the
            HandOff hears it. One that it fails to take stays unacknowledged, and so do those behind it; they go on
            coming, and the failed one comes again after the next login.
        :param on_gap: hears the first and last sequence of events that can't be replayed any more; an empty
            range, (n + 1, n), when the exchange has another numbering, in which events may be lost.
        :param position: up to where an earlier run took the events; None takes up whatever is still kept.
        :param timeout: in seconds, lost links included; the exchange may take as long to answer.
        :param on_taken_over: hears that another link has this agent number now, or another ``login`` of this
            client; nothing more comes here.
        :param on_refused: hears why the exchange doesn't let the number log in again after a lost link; nothing
            more comes here.
        :param on_call_event: hears what happens to the calls of this number, where the exchange controls them: the
            call, as it stands now, and the event. Behind a login, and behind a lost link, one with ``event`` 0 for
            each call that has changed unheard.
        :param on_state: hears each state of the agent.
        :param calls: whether to follow the calls and the state of this number, where the exchange controls them; None:
            if one of the two above is given. An application that does gets no events of condition 0 that tell of a
            customer on the telephone: call events tell of them.
        :raise CallError: the exchange refuses this number.
        :raise BindRefused: the exchange refuses this identity.
        :raise TlsRefused: the TLS handshake with the exchange failed, at the first attempt.
        :raise RequestTimedOut: it could not be logged in in time.
        """
        application = Application(on_event, on_gap, on_taken_over, on_refused)
        listeners = CallListeners(on_call_event, on_state)
        follows = listeners != CallListeners() if calls is None else calls
        agent = AgentNumber(self, number, application, position, listeners, follows)
        asked: list[ClientLink] = []
        self._logging_in.append(agent)
        try:
            await self.within(timeout, self._log_in(agent, timeout, asked))
        except CallError as refused:
            agent.end(refused)
            raise
        except Exception:  # CancelledError is no CtiexError
            self._take_back(agent, asked)
            raise
        finally:
            self._logging_in.remove(agent)
        self.reactor.callLater(0, agent.monitored.begin_telling)
        return agent

    async def _log_in(self, agent: AgentNumber, timeout: float, asked: list[ClientLink]) -> None:
        while True:
            link = await self._connection.bound()
            asked[:] = [link]
            try:
                await agent.log_in(link, timeout)
            except LinkLost:
                continue
            except BrokenExchange as error:
                self._connection.give_up(link, error)
                continue
            before = self._agents.get(agent.number)
            self._agents[agent.number] = agent
            if before is not None:
                before.lost()
            return

    def _take_back(self, agent: AgentNumber, asked: list[ClientLink]) -> None:
        """The exchange may have logged it in nevertheless, and would send events that nothing handles."""
        self.forget(agent)
        agent.end(NotBound("it could not be logged in"))
        if any(other.number == agent.number for other in self._logging_in if other is not agent):
            return  # another login of this number is under way, which a logout would undo
        for link in asked:
            if agent.number not in self._agents and link is self._connection.link:
                self._log_out(link, agent.number)

    def _log_out(self, link: ClientLink, number: str) -> None:
        link.ask(AgentLogout(number)).addErrback(lambda failure: failure.trap(CtiexError) and None)

    async def monitor(
        self,
        number: str,
        on_call_event: OnCallEvent = ignore,
        on_state: OnState = ignore,
        timeout: float = 30.0,
    ) -> MonitoredNumber:
        """Follow the calls and the state of a number that this identity acts for, or only supervises.

        It stays so through every loss of the link, until ``stop`` of what this gives.

        :param on_call_event: as for ``login``.
        :param timeout: in seconds, lost links included.
        :raise CallError: 62, the exchange hasn't granted call control; 5, this identity may not see this number.
        :raise RequestTimedOut: no snapshot came in time.
        """
        listeners = CallListeners(on_call_event, on_state)
        monitored: MonitoredNumber = await self.within(timeout, self.monitoring.supervise(number, listeners))
        return monitored

    async def ask(
        self, message: Message, timeout: float, repeat: bool = True, goes_out: Callable[[], object] = ignore
    ) -> Any:
        """Send a request and wait for its answer, over lost links when it is one to repeat."""
        return await self.within(timeout, self._connection.ask(message, repeat, timeout, goes_out))

    def forget(self, agent: AgentNumber) -> None:
        """Don't log this agent number in again."""
        if self._agents.get(agent.number) is agent:
            del self._agents[agent.number]

    # ------------------------------------------------------------ what the connection tells

    async def prepare(self, link: ClientLink) -> None:
        """Log every agent number in again, and follow what is supervised.

        :raise CallError: not now (14, 15, 50): the link can't be used yet, and another one is tried.
        """
        for agent in list(self._agents.values()):
            if self._agents.get(agent.number) is not agent:
                continue  # it has logged out meanwhile
            try:
                await agent.log_in(link)
            except CallError as error:
                if error.status in TRANSIENT:
                    raise
                _log.error("agent {number} could not log in again: {reason}", number=agent.number, reason=str(error))
                self.forget(agent)
                agent.refused(error)
                continue
            if agent.number not in self._agents:  # it has logged out while this was under way
                self._log_out(link, agent.number)
        await self.monitoring.prepare(link)

    def log_in_again(self, agent: AgentEvents, link: ClientLink) -> None:
        """Events were left out, which this brings."""
        ensureDeferred(self._logged_in_again(agent, link))

    async def _logged_in_again(self, agent: AgentEvents, link: ClientLink) -> None:
        try:
            await agent.log_in(link)
        except LinkLost:
            return  # the next link logs it in
        except CtiexError as error:
            self._connection.give_up(link, error)
        if agent.number not in self._agents:  # it has logged out while this was under way
            self._log_out(link, agent.number)

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """An event has come."""
        if isinstance(message, TOLD):
            self.monitoring.received(link, message)
        elif isinstance(message, AgentEvent):
            for agent in self._here(message.agent):
                agent.received(link, message)

    def _here(self, number: str) -> Sequence[AgentNumber]:
        """Those that may be logged in under a number: what comes before the answer to a login is its own, too."""
        agent = self._agents.get(number)
        logging_in = [other for other in self._logging_in if other.number == number and other is not agent]
        return logging_in if agent is None else [agent, *logging_in]

    def error_received(self, error: Error) -> None:
        """Another link may have taken one of the agent numbers over; whatever else it is changes nothing."""
        told = error.status == Status.SESSION_TAKEN_OVER and error.about == KIND_OF[AgentLogin]
        agent = self._agents.get(error.detail) if told else None
        if agent is None:
            self._connection.log_error(error)
            return
        self.forget(agent)
        agent.lost()
