"""Clients whose exchange says whatever it likes, stopped and started at any moment: they live."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount
from ctiex.clients.agent_events import MOST_UNTAKEN
from ctiex.clients.event_taking import MOST_WAITING
from ctiex.clients.hand_off import MOST_EARLY
from ctiex.errors import CtiexError, Status
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
    Bind,
    BindReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Error,
    Message,
    Pong,
    ServiceEvent,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.services.media import ScriptedMedia
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import LinkedPair, MemoryExchange, pump_all
from ctiex.testing.strategies import messages

from .hand_exchange import EPOCH, complete, customer, good_login


class BadPeer(FakePeer):
    """An exchange that answers well what comes, unless ``odd`` has another answer to it; None is none at all."""

    def __init__(self, odd: dict[type, Message | None]) -> None:
        super().__init__()
        self.odd = odd

    def message_received(self, message: Message, invoke_id: int) -> None:
        super().message_received(message, invoke_id)
        kind = type(message)
        reply = self.odd[kind] if kind in self.odd else good_reply(message)
        if reply is not None and invoke_id:
            self.send(reply, invoke_id)


def good_reply(request: Message) -> Message | None:
    """What a good exchange says."""
    match request:
        case Bind():
            return BindReply(Status.OK, exchange_address="exchange:7301")
        case AgentLogin():
            return good_login(request)
        case ConnectRequest(serial=serial):
            return ConnectReply(Status.OK, serial or "1")
        case DataRequest(serial=serial):
            return DataResult(Status.OK, serial, "1001")
        case ServiceEvent(event_id=event_id):
            return ServiceEventReply(event_id, Status.OK)
        case Unbind():
            return UnbindReply()
    return None


@implementer(IStreamClientEndpoint)
class Either:
    """Leads to an exchange that breaks the rules, and once it is healed to a good one."""

    def __init__(self, clock: Clock, good: MemoryExchange, links: Any) -> None:
        self.clock = clock
        self.healed = False
        self.odd: dict[type, Message | None] = {}
        self.pairs: list[LinkedPair] = []
        self.opened = 0
        self._good = good
        self._links = links

    @property
    def bad(self) -> BadPeer | None:
        """The link that is open, if its exchange breaks the rules."""
        peer = self.pairs[-1].second if self.pairs and self.pairs[-1].open else None
        return peer if isinstance(peer, BadPeer) else None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.opened += 1
        if self.healed:
            self._good.pairs.append(LinkedPair(self._links.buildProtocol(None), protocol))
        else:
            self.pairs.append(LinkedPair(protocol, BadPeer(self.odd)))
        return succeed(protocol)


_SMALL = st.integers(0, 3) | st.sampled_from([1_000, 2**32 - 1, 2**63, 2**64 - 2])  # the next one fits too
_SERIALS = st.sampled_from(["", "1", "2", "4711"])


_LAST = 2**64 - 1
_ABOUT = (0, *(KIND_OF[request] for request in (Bind, AgentLogin, ConnectRequest, DataRequest, ServiceEvent)))
_ANY_KIND: list[Message | None] = [
    None, Pong(), BindReply(0), AgentLoginReply(0, EPOCH, 1, 0), ConnectReply(0, "2"), DataResult(0, "2", "1001"),
    ServiceEventReply(0, 0), *(Error(status, about) for status in (0, 14, 51) for about in _ABOUT),
]  # fmt: skip
_ODD: dict[type, list[Message | None]] = {
    Bind: [
        *(BindReply(status) for status in (3, 11, 14, 200)),
        *(BindReply(0, 2, "s", *agreed) for agreed in ((0, 0), (1, 1_024, 1), (0xFFFF, 1_023), (0, 2**32 - 1))),
    ],
    AgentLogin: [
        *(
            AgentLoginReply(status, epoch, *numbers)
            for status in (0, 21)
            for epoch in (0, EPOCH, EPOCH + 1)
            for numbers in ((0, 0), (0, 5), (1, 0), (5, 9), (9, 5), (1, _LAST), (_LAST, _LAST))
        ),
        *(AgentLoginReply(status, EPOCH, 0, 0) for status in (5, 13, 14, 50, 200)),
    ],
    ConnectRequest: [
        *(ConnectReply(status, serial) for status in (0, 22, 24, 50) for serial in ("", "1", "2")),
        *(ConnectReply(14, "1", retry_after) for retry_after in (0, 2, 0xFFFF)),
    ],
    DataRequest: [DataResult(status, serial, "1001") for status in (0, 20, 35) for serial in ("", "1", "4711")],
    ServiceEvent: [
        ServiceEventReply(event_id, status) for event_id in (0, 1) for status in (0, 24, 25, 36, 40, 43, 50, 200)
    ],
}
"""What may come in answer to each request, beside what is right."""


class AnyExchange(RuleBasedStateMachine):
    """Both clients, their exchange saying whatever it likes, until a good one is there."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.good = MemoryExchange(clock=self.clock)
        self.doors = [Either(self.clock, self.good, links) for links in (self.good.agent_links, self.good.ivr_links)]
        accounts = [
            ExchangeAccount(authenticator, name, "secret", jitter=lambda: 0.0)
            for authenticator, name in zip(self.doors, ("agents", "services"), strict=True)
        ]
        self.agent = AgentClient(self.clock, accounts[0])
        self.service = AutomaticService(self.clock, accounts[1], {"7000": complete}, lambda _: ScriptedMedia())
        self.numbers: list[AgentNumber] = []
        self.asked: list[Deferred[Any]] = []
        self.faults: list[Failure] = []
        """What an application has met that is no error on purpose."""

    @initialize()
    def start(self) -> None:
        for client in (self.agent, self.service):
            client.startService()
        self.pump()
        self.log_in()

    def pump(self) -> None:
        pump_all([pair for authenticator in self.doors for pair in authenticator.pairs] + self.good.pairs, self.clock)

    def begin(self, work: Any) -> Deferred[Any]:
        begun = ensureDeferred(work)
        begun.addErrback(self.failed)
        self.asked.append(begun)
        self.pump()
        return begun

    def failed(self, failure: Failure) -> None:
        if not failure.check(CtiexError):
            self.faults.append(failure)

    # ------------------------------------------------------------ what the exchange does

    @rule(side=st.integers(0, 1), kind=st.sampled_from(list(_ODD)), data=st.data(), then=st.integers(0, 2))
    def answer_oddly(self, side: int, kind: type, data: st.DataObject, then: int) -> None:
        """From now on, and maybe at once."""
        side = 0 if kind in (AgentLogin, ConnectRequest) else 1 if kind is not Bind else side
        self.doors[side].odd[kind] = data.draw(st.sampled_from(_ODD[kind] + _ANY_KIND))
        if then == 1:
            self.lose(side, clean=True)
            self.wait(1.0)
        elif then == 2:
            self.log_in()

    @rule(side=st.integers(0, 1))
    def answer_well(self, side: int) -> None:
        """For a while."""
        self.doors[side].odd.clear()

    @rule(side=st.integers(0, 1), message=messages(), invoke_id=st.integers(0, 5))
    def say(self, side: int, message: Message, invoke_id: int) -> None:
        if (peer := self.doors[side].bad) is not None:
            peer.send(message, invoke_id)
            self.pump()

    @rule(sequence=_SMALL, serial=_SERIALS.filter(bool), condition=st.sampled_from(list(Condition)))
    def tell(self, sequence: int, serial: str, condition: Condition) -> None:
        if (peer := self.doors[0].bad) is not None:
            peer.send(AgentEvent(sequence, 0, "1001", serial, "", condition), 0)
            self.pump()

    @rule(serial=_SERIALS.filter(bool))
    def bring(self, serial: str) -> None:
        if (peer := self.doors[1].bad) is not None:
            peer.send(customer(serial), 7)
            self.pump()

    @rule(side=st.integers(0, 1), noise=st.binary(min_size=1, max_size=20))
    def babble(self, side: int, noise: bytes) -> None:
        if (peer := self.doors[side].bad) is not None:
            peer.write(noise)
            self.pump()

    @rule(side=st.integers(0, 1), clean=st.booleans())
    def lose(self, side: int, clean: bool) -> None:
        if self.doors[side].bad is not None:
            self.doors[side].pairs[-1].disconnect(clean)
            self.pump()

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.pump()

    # ------------------------------------------------------------ what the application does

    @rule()
    def log_in(self) -> None:
        self.begin(self.agent.login("1001", timeout=5)).addCallback(
            lambda number: number and self.numbers.append(number)
        )

    @precondition(lambda self: self.numbers)
    @rule(serial=_SERIALS)
    def connect(self, serial: str) -> None:
        self.begin(self.numbers[-1].connect("bill", "138", serial=serial, timeout=5))

    @rule(side=st.integers(0, 1), again=st.booleans())
    def stop_and_start(self, side: int, again: bool) -> None:
        client = (self.agent, self.service)[side]
        client.stopService()
        client.startService()
        if again:
            client.stopService()
            client.startService()
        self.pump()

    # ------------------------------------------------------------ what holds

    @invariant()
    def nothing_grows(self) -> None:
        for number in self.agent._agents.values():
            assert len(number._taking._waiting) <= MOST_WAITING
            assert len(number._events) <= MOST_UNTAKEN
            assert len(number._hand_offs._early) <= MOST_EARLY
        assert self.service.calls <= 1_000

    @invariant()
    def nothing_but_the_errors_of_the_family_comes_out(self) -> None:
        assert self.faults == []

    def teardown(self) -> None:
        """A good exchange is there: both clients work again with it."""
        for side, authenticator in enumerate(self.doors):
            authenticator.healed = True
            self.lose(side, clean=True)
        for _ in range(300):
            self.clock.advance(1)
            self.pump()
        login = self.begin(self.agent.login("1001", timeout=20))
        assert isinstance(login.result, AgentNumber), login.result
        result = self.begin(self.hand_over(login.result))
        for _ in range(5):
            self.clock.advance(1)
            self.pump()
        assert isinstance(result.result, AgentEvent), result.result
        assert result.result.condition is Condition.COMPLETED, result.result
        for client in (self.agent, self.service):
            client.stopService()
        for _ in range(20):
            self.clock.advance(1)
            self.pump()
        assert all(one.called for one in self.asked)

    async def hand_over(self, number: AgentNumber) -> AgentEvent:
        return await (await number.connect("bill", "138")).result(10)


AnyExchange.TestCase.settings = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=30,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
AnyExchangeTests = pytest.mark.gate(AnyExchange.TestCase)
