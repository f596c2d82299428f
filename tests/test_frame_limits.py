"""The limit on a frame is what was agreed at Bind, in both directions; what is too long fails alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.clients import AgentClient, AutomaticService, ExchangeAccount, HandOff, ServedCall
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import FrameTooLong, RequestTimedOut, Status
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    Bind,
    BindReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    ServiceEvent,
)
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakeAgentConnection, FakeService
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents

from .hand_exchange import AgentCase, ServiceCase, customer

CODECS: tuple[ICodec, ...] = BinaryCodec(), JsonCodec()
LONG = Fields({"first": "x" * 60_000, "second": "y" * 20_000})
"""80 KB in one frame."""
WIDE = SessionLimits(max_frame=200_000)


@implementer(IStreamClientEndpoint)
@define
class Authenticator:
    """Leads to the links of an exchange in memory, and counts who comes."""

    exchange: MemoryExchange
    factory: Any
    opened: int = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.opened += 1
        self.exchange.pairs.append(LinkedPair(self.factory.buildProtocol(None), protocol))
        return succeed(protocol)


class WideFramesTests(SynchronousTestCase):
    """An exchange whose frames may be longer than 65,536 bytes, with both clients."""

    def flow(self, codec: ICodec) -> None:
        exchange = MemoryExchange(session_limits=WIDE, codec=codec)
        doors = Authenticator(exchange, exchange.agent_links), Authenticator(exchange, exchange.ivr_links)

        async def serve(call: ServedCall) -> Outcome:
            return Outcome(Condition.COMPLETED, await call.data())

        agent = AgentClient(exchange.clock, ExchangeAccount(doors[0], "agents", "secret", codec))
        account = ExchangeAccount(doors[1], "services", "secret", codec)
        service = AutomaticService(exchange.clock, account, {"7000": serve}, lambda _: ScriptedMedia())
        for client in (agent, service):
            client.startService()
            self.addCleanup(client.stopService)
        exchange.pump()
        results = [self.begun(exchange, agent, fields) for fields in (LONG, Fields({"x": "short"}))]
        exchange.advance(5)
        self.assertEqual([self.successResultOf(result).fields for result in results], [LONG, Fields({"x": "short"})])
        self.assertEqual([authenticator.opened for authenticator in doors], [1, 1])

    def begun(self, exchange: MemoryExchange, client: AgentClient, fields: Fields) -> Deferred[AgentEvent]:
        async def run() -> AgentEvent:
            agent = client._agents.get("1001") or await client.login("1001")
            hand_off: HandOff = await agent.connect("bill", "138", fields)
            return await hand_off.result()

        begun = ensureDeferred(run())
        exchange.pump()
        return begun

    def test_a_long_call_goes_through_beside_others(self) -> None:
        for codec in CODECS:
            with self.subTest(codec.name):
                self.flow(codec)


class AgreedTests(ServiceCase):
    """What the BindReply says holds for what the client sends and for what it takes."""

    def agree(self, max_frame: int) -> None:
        self.line.answers[Bind] = lambda _: BindReply(Status.OK, max_frame=max_frame, exchange_address="exchange:7301")

    def test_longer_frames_are_taken(self) -> None:
        self.agree(200_000)
        fetched: list[Fields] = []

        async def serve(call: ServedCall) -> Outcome:
            fetched.append(await call.data())
            return Outcome(Condition.COMPLETED)

        self.service(serve)
        self.line.answers[DataRequest] = lambda asked: DataResult(Status.OK, asked.serial, "1001", fields=LONG)
        self.connect(customer())
        self.line.pump()
        self.assertEqual(fetched, [LONG])
        self.assertEqual(len(self.line.links), 1)

    def test_a_result_that_is_longer_than_agreed_fails_alone(self) -> None:
        self.agree(2_048)

        async def serve(call: ServedCall) -> Outcome:
            return Outcome(Condition.COMPLETED, Fields({"x": "y" * 3_000}))

        self.service(serve)
        self.connect(customer())
        self.line.pump()
        (reported,) = self.line.link.every(ServiceEvent)
        self.assertEqual((reported.condition, reported.fields.text("reason")), (
            Condition.FAILED, "the service's result is too large",
        ))  # fmt: skip
        self.assertEqual(len(self.line.links), 1)

    def test_nothing_longer_is_taken_than_was_agreed(self) -> None:
        self.agree(2_048)
        self.service()
        self.send(DataResult(Status.OK, "1", "1001", fields=Fields({"x": "y" * 3_000})))
        self.pass_time(1)
        self.assertEqual(len(self.line.links), 2)

    def test_0_says_nothing(self) -> None:
        self.agree(0)
        self.service()
        self.send(DataResult(Status.OK, "1", "1001", fields=Fields({"x": "y" * 60_000})))
        self.pass_time(1)
        self.assertEqual(len(self.line.links), 1)
        self.send(DataResult(Status.OK, "1", "1001", fields=Fields({"x": "y" * 60_000, "z": "y" * 10_000})))
        self.pass_time(1)
        self.assertEqual(len(self.line.links), 2)

    def test_a_limit_that_makes_no_sense_or_is_too_much_is_told_and_bound_to_seldom(self) -> None:
        for max_frame in (11, 1_023, 16_777_217, 2**32 - 1):
            with self.subTest(max_frame):
                self.agree(max_frame)
                service = AutomaticService(self.clock, self.account, {}, lambda _: ScriptedMedia())
                before = len(self.line.links)
                with capturedLogs() as logged:
                    service.startService()
                    asked = self.begin(service.ask(DataRequest("1", ""), 30))
                    self.pass_time(31)
                self.assertLess(len(self.line.links) - before, 15)
                said = [formatEvent(one) or "" for one in logged]
                self.assertEqual(len([line for line in said if f"its max_frame is {max_frame}," in line]), 1)
                self.assertIn("max_frame", str(self.failureResultOf(asked, RequestTimedOut).value))
                service.stopService()
                self.line.pump()

    def test_an_account_may_take_more(self) -> None:
        self.agree(100_000_000)
        self.account = ExchangeAccount(self.line, "demo", "demo", max_frame=2**31 - 1)
        self.service()


class AskingTests(AgentCase):
    """A request that is longer than agreed."""

    def test_it_fails_alone_with_a_clear_error(self) -> None:
        agent = self.login()
        asked = self.begin(agent.connect("bill", "138", LONG))
        error = self.failureResultOf(asked, FrameTooLong).value
        self.assertIn("ConnectRequest: 80", str(error))
        self.assertIn("the peer takes at most 65536", str(error))
        hand_off = self.now(agent.connect("bill", "138"))
        self.assertEqual([asked.serial for asked in self.line.link.every(ConnectRequest)], [hand_off.serial])
        self.assertEqual(len(self.line.links), 1)


class BackingOffTests(ServiceCase):
    """A link that is lost again and again is opened again more and more seldom, whatever the cause."""

    def opened_within(self, seconds: float, spoil: Any) -> int:
        before = len(self.line.links)
        for _ in range(int(seconds * 4)):
            spoil()
            self.pass_time(0.25, step=0.25)
        return len(self.line.links) - before

    def test_each_cause(self) -> None:
        causes: Iterable[tuple[str, Any]] = (
            ("lost", self.lose_link),
            ("malformed", lambda: self.line.pairs[-1].open and self.line.link.write(b"\xff" * 20)),
            ("too long", lambda: self.line.pairs[-1].open and self.line.link.write(b"\x00\x02\x00\x00\x01")),
        )
        for name, spoil in causes:
            with self.subTest(name):
                self.line = type(self.line)(self.clock)
                self.account = ExchangeAccount(self.line, "demo", "demo", jitter=lambda: 0.0)
                service = self.service()
                self.assertLess(self.opened_within(60, spoil), 16)
                service.stopService()
                self.line.pump()

    def test_one_that_stood_for_a_while_is_opened_again_at_once(self) -> None:
        self.line.answers[Bind] = lambda _: BindReply(Status.OK, heartbeat_s=0xFFFF)
        self.service()
        for _ in range(5):
            self.pass_time(31, step=1)
            before = len(self.line.links)
            self.lose_link()
            self.pass_time(0.5, step=0.25)
            self.assertEqual(len(self.line.links), before + 1)


class LoweredLimitTests(SynchronousTestCase):
    """What was kept under a longer limit, once the exchange is started with a shorter one."""

    def kept(self, codec: ICodec) -> CallStore:
        """A store with a long call that was fetched, and a long event that waits."""
        store = CallStore()
        exchange = MemoryExchange(session_limits=WIDE, codec=codec, store=store)
        service, agent = FakeService(codec, 200_000), FakeAgent(codec, 200_000)
        exchange.link_service(service)
        service.bind("services")
        exchange.link_agent(agent)
        agent.bind("agents")
        agent.login("1001")
        exchange.pump()
        for serial in ("1", "2"):
            agent.connect("1001", "bill", serial, "138", LONG)
        exchange.pump()
        for serial in ("1", "2"):
            service.fetch(serial)
        service.send(ServiceEvent(1, "1", "", Condition.COMPLETED, LONG))
        exchange.pump()
        return store

    def test_they_come_without_their_fields_and_the_link_stands(self) -> None:
        for codec in CODECS:
            with self.subTest(codec.name):
                exchange = MemoryExchange(codec=codec, store=self.kept(codec))
                agent, service = exchange.agent("1001"), exchange.service()
                final = agent.events[-1]
                self.assertEqual((final.condition, final.status), (Condition.COMPLETED, Status.DATA_TOO_LARGE))
                self.assertEqual((dict(final.fields), final.serial), ({}, "1"))
                for _ in range(2):
                    service.fetch("2")
                    exchange.pump()
                    result = service.every(DataResult)[-1]
                    self.assertEqual((result.status, result.serial), (Status.DATA_TOO_LARGE, "2"))
                self.assertEqual((agent.lost, service.lost), (None, None))


class OwnEventsTests(SynchronousTestCase):
    """A call whose events would not fit the agent link is refused: nobody could be told how it ends."""

    def asked(self, codec: ICodec, reference: str) -> tuple[MemoryExchange, list[ConnectReply]]:
        exchange = MemoryExchange(
            codec=codec, session_limits=SessionLimits(max_frame=1_024), wall=lambda: 1_800_000_000.0
        )
        agent = FakeAgentConnection()
        replies: list[ConnectReply] = []
        exchange.mailboxes.login(agent, AgentLogin("1001"))
        request = ConnectRequest("1", "1001", "bill", "138", reference)
        exchange.processing.connect(agents(), agent, request, replies.append)
        exchange.clock.advance(40)
        return exchange, replies

    def test_a_reference_that_is_written_in_escapes(self) -> None:
        statuses = []
        for length in range(120, 170):
            exchange, (reply,) = self.asked(JsonCodec(), "\x01" * length)
            self.assertEqual(exchange.processing.calls_open, 0, f"an end that can't be told, at {length}")
            statuses.append(reply.status)
        self.assertEqual((statuses[0], statuses[-1]), (Status.OK, Status.DATA_TOO_LARGE))

    def test_one_that_is_as_long_and_fits(self) -> None:
        for codec, reference in ((JsonCodec(), "r" * 255), (BinaryCodec(), "\x01" * 255)):
            exchange, (reply,) = self.asked(codec, reference)
            self.assertIs(reply.status, Status.OK)
            self.assertEqual(exchange.processing.calls_open, 0, "its end was told")
