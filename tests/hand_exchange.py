"""An exchange by hand, at the other end of the two clients, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, ServedCall
from ctiex.errors import Status
from ctiex.interfaces import IMedia
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    Bind,
    BindReply,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Message,
    ServiceEvent,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import LinkedPair, pump_all

EPOCH = 7
"""Of the one numbering that it has."""

Answer = Callable[[Any], Message | None]
Given = TypeVar("Given")


def event(sequence: int, condition: Condition = Condition.COMPLETED, serial: str = "1") -> AgentEvent:
    return AgentEvent(sequence, 0, "1001", serial, "", condition)


def good_login(login: AgentLogin, first: int | None = None, last: int | None = None) -> AgentLoginReply:
    """What a login is answered where ``first`` to ``last`` wait; without them nothing does."""
    known = login.epoch in (0, EPOCH)
    last = last if last is not None else login.resume_after if login.epoch == EPOCH else 0
    first = last + 1 if first is None else first
    return AgentLoginReply(Status.OK if known else Status.NUMBERING_ANEW, EPOCH, first, last)


class HandExchange(FakePeer):
    """The exchange's end of a link: answers what ``answers`` says, and leaves the rest to the test."""

    def __init__(self, answers: dict[type, Answer]) -> None:
        super().__init__()
        self.answers = answers

    def message_received(self, message: Message, invoke_id: int) -> None:
        super().message_received(message, invoke_id)
        answer = self.answers.get(type(message), lambda _: None)(message)
        if answer is not None:
            self.send(answer, invoke_id)

    @property
    def said(self) -> list[Message]:
        """What the client has said, behind its Bind."""
        return [message for _, message in self.received if not isinstance(message, Bind)]

    @property
    def acknowledged(self) -> list[int]:
        return [ack.sequence for ack in self.every(AgentEventAck)]


@implementer(IStreamClientEndpoint)
class Line:
    """Where the clients connect to: a new link to a new :class:`HandExchange` each time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answers: dict[type, Answer] = {
            Bind: lambda _: BindReply(Status.OK, exchange_address="exchange:7301"),
            AgentLogin: good_login,
            AgentLogout: lambda _: AgentLogoutReply(Status.OK),
            ConnectRequest: lambda request: ConnectReply(Status.OK, request.serial or "1"),
            DataRequest: lambda request: DataResult(Status.OK, request.serial, "1001"),
            ServiceEvent: lambda reported: ServiceEventReply(reported.event_id, Status.OK),
            Unbind: lambda _: UnbindReply(),
        }
        self.pairs: list[LinkedPair] = []
        self.links: list[HandExchange] = []
        self.reachable = True

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        if not self.reachable:
            refused: Deferred[IProtocol] = Deferred()
            refused.errback(Failure(ConnectionRefusedError()))
            return refused
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.links.append(HandExchange(self.answers))
        self.pairs.append(LinkedPair(protocol, self.links[-1]))
        return succeed(protocol)

    def pump(self) -> None:
        pump_all(self.pairs, self.clock)

    @property
    def link(self) -> HandExchange:
        return self.links[-1]


class LineCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.line = Line(self.clock)
        self.account = ExchangeAccount(self.line, "demo", "demo", jitter=lambda: 0.0)

    def begin(self, work: Coroutine[Any, Any, Given]) -> Deferred[Given]:
        begun = ensureDeferred(work)
        self.line.pump()
        return begun

    def now(self, work: Coroutine[Any, Any, Given]) -> Given:
        return self.successResultOf(self.begin(work))

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            self.line.pump()
            seconds -= step

    def send(self, *messages: Message) -> None:
        """The exchange says all this in one piece."""
        self.line.link.write(b"".join(self.line.link.frame(message, 0) for message in messages))
        self.line.pump()

    def lose_link(self) -> None:
        self.line.pairs[-1].disconnect(clean=False)


class AgentCase(LineCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = AgentClient(self.clock, self.account)
        self.client.startService()
        self.addCleanup(self.client.stopService)
        self.line.pump()

    def login(self, *, number: str = "1001", **options: Any) -> AgentNumber:
        return self.now(self.client.login(number, **options))

    def order_said(self, *kinds: type[Message]) -> list[str]:
        return [type(message).__name__ for message in self.line.link.said if isinstance(message, kinds)]


async def complete(call: ServedCall) -> Outcome:
    return Outcome(Condition.COMPLETED)


async def endless(call: ServedCall) -> Outcome:
    await Deferred()
    raise AssertionError("it can't get here")


def customer(serial: str = "4711", exchange_address: str = "exchange:7301") -> Connection:
    return Connection("7001", CallingNumberSerialCarrier().embed("138", serial).calling_number, exchange_address)


class ServiceCase(LineCase):
    def service(
        self,
        handler: Callable[[Any], Awaitable[Outcome]] = complete,
        make_media: Callable[[ServedCall], IMedia] = lambda _: ScriptedMedia(),
        **options: Any,
    ) -> AutomaticService:
        service = AutomaticService(self.clock, self.account, {"7001": handler}, make_media, **options)
        service.startService()
        self.line.pump()
        self.successResultOf(service.bound())
        return service

    def connect(self, connection: Connection) -> ConnectionReply:
        self.line.link.send(connection)
        self.line.pump()
        return self.line.link.every(ConnectionReply)[-1]

    @property
    def reported(self) -> list[Condition]:
        return [reported.condition for reported in self.line.link.every(ServiceEvent)]
