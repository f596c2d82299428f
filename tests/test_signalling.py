"""Signalling by link and by dial: the contract of both, and what is each one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import ConfigurationError, Status
from ctiex.interfaces import ISignalling, SignallingContext
from ctiex.links.descriptors import Descriptors
from ctiex.messages import Condition, Connection, Message
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.settings import structure
from ctiex.signalling import dial
from ctiex.signalling.dial import DialServiceSettings, DialSignalling, DialSignallingPlugin
from ctiex.signalling.link import LinkSignalling, LinkSignallingPlugin
from ctiex.testing.fakes import FakeService, FakeServiceSession
from ctiex.testing.pairs import MemoryExchange, services
from ctiex.testing.signalling_contract import RecordingListener, SignallingContract, make_offer


class _AnsweringSession(FakeServiceSession):
    """Answers each Connection a moment later."""

    def __init__(self, clock: Any, status: int | None) -> None:
        super().__init__("services")
        self._clock, self._status = clock, status

    def connect(self, connection: Connection, answered: Any, deadline: float) -> None:
        super().connect(connection, answered, deadline)
        if self._status is not None:
            self._clock.callLater(0, answered, self._status)


class LinkKeepsTheContract(SignallingContract, TestCase):
    """Signalling by link against ctiex.testing.signalling_contract."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.clock = reactor  # type: ignore[assignment]
        self.sessions = ServiceSessions()

    def make_ready(self, answer: int | None) -> None:
        self.session = _AnsweringSession(self.clock, answer)
        self.sessions.add(self.session, services())

    def make_driver(self) -> ISignalling:
        return LinkSignalling(self.listener, self.sessions, self.clock)

    def connections(self) -> Sequence[Connection]:
        return self.session.connections


class _DialledService(FakeService):
    """A service at its address; it says what a test wants of it, or hangs up."""

    def __init__(self, status: int | None, hangs_up: bool, gone: list[Deferred[None]]) -> None:
        super().__init__()
        self.accepts = status
        self._hangs_up = hangs_up
        self._gone: Deferred[None] = Deferred()
        gone.append(self._gone)

    def message_received(self, message: Message, invoke_id: int) -> None:
        super().message_received(message, invoke_id)
        if self._hangs_up:
            assert self.transport is not None
            self.transport.loseConnection()

    def connectionLost(self, *args: Any) -> None:
        super().connectionLost(*args)
        self._gone.callback(None)


class _ServiceFactory(Factory):
    noisy = False

    def __init__(self, status: int | None, hangs_up: bool = False) -> None:
        self.status, self.hangs_up = status, hangs_up
        self.links: list[_DialledService] = []
        self.gone: list[Deferred[None]] = []

    def buildProtocol(self, addr: object) -> _DialledService:
        self.links.append(_DialledService(self.status, self.hangs_up, self.gone))
        return self.links[-1]


class _Dialling(TestCase):
    """A service that listens on the loopback, and a driver that dials it."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.clock: Any = reactor
        self.listener = RecordingListener()
        self.addCleanup(self._leave)
        self.port: IListeningPort | None = None

    async def listen(self, answer: int | None, hangs_up: bool = False) -> None:
        self.factory = _ServiceFactory(answer, hangs_up)
        endpoint = TCP4ServerEndpoint(self.clock, 0, interface="127.0.0.1")
        self.port = await endpoint.listen(self.factory)

    def dial(self) -> DialSignalling:
        assert self.port is not None
        address: Any = self.port.getHost()
        settings = {"bill": DialServiceSettings(address=f"tcp:127.0.0.1:{address.port}:timeout=1")}
        self.driver = DialSignalling(
            SignallingContext(self.clock, self.listener, ServiceSessions(), BinaryCodec(), settings)
        )
        return self.driver

    async def _leave(self) -> None:
        for serial in [*self.driver._attempts] if hasattr(self, "driver") else []:
            self.driver.withdraw(serial)
        if self.port is not None:
            await self.port.stopListening()
            for gone in self.factory.gone:
                await gone


class DialKeepsTheContract(SignallingContract, _Dialling):
    """Signalling by dial against ctiex.testing.signalling_contract, over the loopback."""

    def make_ready(self, answer: int | None) -> Deferred[None]:
        return Deferred.fromCoroutine(self.listen(answer))

    def make_driver(self) -> ISignalling:
        return self.dial()

    def connections(self) -> Sequence[Connection]:
        return [connection for link in self.factory.links for connection in link.connections]


class _Withdrawing(RecordingListener):
    """Takes a call back as soon as it hears that it is offered."""

    def __init__(self, withdraw: Callable[[str], int]) -> None:
        super().__init__()
        self._withdraw = withdraw

    def offered(self, serial: str, session: Any, write: Callable[[], None]) -> None:
        self.keeps = False
        super().offered(serial, session, write)
        self._withdraw(serial)
        self.writes.pop()()  # it is kept all the same


@implementer(IStreamClientEndpoint)
class _FailingEndpoint:
    """One of a plugin, with a fault."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        raise ZeroDivisionError


class Dialling(_Dialling):
    """What is the dial driver's own."""

    async def _told_of(self, driver: DialSignalling) -> Sequence[str]:
        driver.offer(make_offer("1"))
        for _ in range(300):
            if set(self.listener.of("1")) & {"accepted", "unreachable"}:
                return self.listener.of("1")
            await self._pause()
        raise AssertionError("nothing came of the offer")

    async def _pause(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.clock.callLater(0.01, waiting.callback, None)
        await waiting

    async def test_a_call_that_is_accepted_belongs_to_whoever_comes_back_for_it(self) -> None:
        await self.listen(Status.OK)
        self.assertEqual(await self._told_of(self.dial()), ["offered", "accepted"])
        self.assertEqual(self.listener.sessions, [None])
        await self.factory.gone[0]
        self.assertEqual(self.driver._attempts, {})

    async def test_nobody_at_the_address_is_31(self) -> None:
        await self.listen(Status.OK)
        assert self.port is not None
        driver = self.dial()
        await self.port.stopListening()
        self.port = None
        self.assertEqual(await self._told_of(driver), ["unreachable"])
        self.assertEqual(self.listener.statuses, [31])

    async def test_an_address_that_isnt_reached_is_said_once_and_once_when_it_is_again(self) -> None:
        said = self._listened_to()
        await self.listen(Status.OK)
        assert self.port is not None
        driver, address = self.dial(), self.port.getHost()
        await self.port.stopListening()
        for number in range(20):
            driver.offer(make_offer(str(number)))
            await self._until_told(str(number), "unreachable")
        [line] = said
        self.assertIn("bill: can't be reached: Connection was refused", line)
        endpoint = TCP4ServerEndpoint(self.clock, address.port, interface="127.0.0.1")
        self.port = await endpoint.listen(self.factory)
        for number in range(20, 24):
            driver.offer(make_offer(str(number)))
            await self._until_told(str(number), "accepted")
        self.assertEqual(said[1:], ["bill: can be reached again"])

    def _listened_to(self) -> list[str]:
        """What the driver says in the log from now on."""
        said: list[str] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_namespace") == DialSignalling.__module__:
                said.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return said

    async def test_what_an_agent_takes_back_is_no_trouble_of_the_service(self) -> None:
        said = self._listened_to()
        await self.listen(None)
        driver = self.dial()
        driver.offer(make_offer("1"))
        while not self.factory.links or not self.factory.links[0].connections:
            await self._pause()
        driver.withdraw("1")
        await self.factory.gone[0]
        await self._pause()
        self.assertEqual(said, [])

    async def _until_told(self, serial: str, what: str) -> None:
        while what not in self.listener.of(serial):
            await self._pause()

    async def test_a_link_that_is_lost_before_the_answer_is_31(self) -> None:
        await self.listen(None, hangs_up=True)
        self.assertEqual(await self._told_of(self.dial()), ["offered", "unreachable"])
        self.assertEqual(self.listener.statuses, [31])

    async def test_withdrawing_hangs_up(self) -> None:
        await self.listen(None)
        driver = self.dial()
        driver.offer(make_offer("1"))
        while not self.listener.told:
            await self._pause()
        self.assertEqual(driver.withdraw("1"), Status.TIMED_OUT)
        await self.factory.gone[0]

    async def test_so_many_are_dialled_at_a_time_and_others_are_31(self) -> None:
        await self.listen(None)
        driver = self.dial()
        driver._descriptors = Descriptors(8)
        for serial in ("1", "2", "3", "4", "5"):
            driver.offer(make_offer(serial))
        self.assertEqual((len(driver._attempts), self.listener.statuses), (3, [31, 31]))
        for serial in ("1", "2", "3"):
            driver.withdraw(serial)

    def test_an_address_that_can_not_even_be_tried_is_31_and_holds_no_place(self) -> None:
        def unreadable(reactor: Any, address: str) -> IStreamClientEndpoint:
            raise ConfigurationError("a certificate that can't be read")

        for endpoint in (unreadable, lambda reactor, address: _FailingEndpoint()):
            self.patch(dial, "client_endpoint", endpoint)
            exchange = MemoryExchange(make_drivers=self.dialling)
            agent = exchange.agent("1001")
            asked = [agent.connect("1001", "bill", str(number)) for number in range(1, 4)]
            exchange.pump()
            self.assertEqual([getattr(agent.answer(one), "status", None) for one in asked], [0, 0, 0])
            ends = [(event.condition, event.status) for event in agent.events if event.condition.final]
            self.assertEqual(ends, [(Condition.UNREACHABLE, Status.SERVICE_UNREACHABLE)] * 3)
            self.assertEqual(self.driver._attempts, {})

    def dialling(self, context: ProcessingContext, processing: ProcessingService) -> dict[str, ISignalling]:
        """The dial driver of an exchange in memory."""
        services = {"bill": DialServiceSettings(address="tls:ctiex.example:7400")}
        self.driver = DialSignalling(
            SignallingContext(context.clock, processing.listener, context.sessions, BinaryCodec(), services)
        )
        return {"link": self.driver}

    async def test_withdrawing_while_it_dials_gives_up(self) -> None:
        await self.listen(Status.OK)
        driver = self.dial()
        driver.offer(make_offer("1"))
        self.assertEqual(driver.withdraw("1"), Status.TIMED_OUT)
        for _ in range(5):
            await self._pause()
        self.assertEqual(self.listener.told, [])
        self.assertEqual([link.connections for link in self.factory.links if link.connections], [])

    async def test_what_is_withdrawn_as_it_is_told_gets_no_connection(self) -> None:
        await self.listen(Status.OK)
        self.listener = _Withdrawing(lambda serial: driver.withdraw(serial))
        driver = self.dial()
        driver.offer(make_offer("1"))
        while not self.listener.told:
            await self._pause()
        for _ in range(5):
            await self._pause()
        self.assertEqual(self.listener.told, [("offered", "1")])
        self.assertEqual([link.connections for link in self.factory.links if link.connections], [])

    def test_withdrawing_stops_a_connection_that_is_being_made(self) -> None:
        reactor = MemoryReactorClock()
        settings = {"bill": DialServiceSettings(address="tcp:192.0.2.1:7400")}
        context = SignallingContext(reactor, self.listener, ServiceSessions(), BinaryCodec(), settings)
        driver = DialSignalling(context)
        driver.offer(make_offer("1"))
        self.assertEqual(reactor.tcpClients[0][:2], ("192.0.2.1", 7400))
        self.assertEqual(driver.withdraw("1"), Status.TIMED_OUT)
        self.assertTrue(reactor.connectors[0].stoppedConnecting)
        self.assertEqual(self.listener.told, [])

    def test_its_settings_are_checked(self) -> None:
        plugin = DialSignallingPlugin()
        structure({"address": "tcp:127.0.0.1:7400"}, plugin.service_settings)
        for wrong in ({}, {"address": 1}, {"address": "nowhere"}, {"address": "tcp:a:1", "more": 1}):
            with self.assertRaises(ConfigurationError):
                structure(wrong, plugin.service_settings)


class ByLink(SynchronousTestCase):
    """What is the link driver's own."""

    def setUp(self) -> None:
        self.listener, self.sessions, self.clock = RecordingListener(), ServiceSessions(), Clock()
        self.driver = LinkSignalling(self.listener, self.sessions, self.clock)

    def _bound(self, count: int) -> list[FakeServiceSession]:
        made = [FakeServiceSession("services") for _ in range(count)]
        for session in made:
            self.sessions.add(session, services())
        return made

    def test_no_session_is_31_at_once(self) -> None:
        self.driver.offer(make_offer("1"))
        self.assertEqual((self.listener.told, self.listener.statuses), ([("unreachable", "1")], [31]))

    @given(st.integers(1, 5), st.integers(1, 20))
    @settings(deadline=None)
    def test_calls_are_spread_evenly(self, count: int, calls: int) -> None:
        self.setUp()
        made = self._bound(count)
        for serial in range(calls):
            self.driver.offer(make_offer(str(serial)))
        loads = [len(session.connections) for session in made]
        self.assertEqual(sum(loads), calls)
        self.assertLessEqual(max(loads) - min(loads), 1)

    @given(st.lists(st.sampled_from(["refuse", "die"]), min_size=1, max_size=5), st.booleans())
    @settings(deadline=None)
    def test_each_session_is_tried_once_and_the_last_outcome_is_told(self, fates: list[str], accepted: bool) -> None:
        self.setUp()
        made = self._bound(len(fates) + accepted)
        self.driver.offer(make_offer("1"))
        for fate in fates:
            asked = next(session for session in made if session.unanswered)
            if fate == "die":
                self.sessions.remove(asked)
            getattr(asked, fate)()
        self.assertEqual([len(session.connections) for session in made], [1] * len(made))
        if accepted:
            next(session for session in made if session.unanswered).accept()
            self.assertEqual(self.listener.of("1"), ["offered"] * len(made) + ["accepted"])
        else:
            self.assertEqual(self.listener.of("1"), ["offered"] * len(made) + ["unreachable"])
            self.assertEqual(self.listener.statuses, [32 if fates[-1] == "refuse" else 31])

    def test_a_call_that_is_taken_back_as_it_is_offered_goes_nowhere(self) -> None:
        driver = LinkSignalling(_Withdrawing(lambda serial: driver.withdraw(serial)), self.sessions, self.clock)
        sessions = self._bound(2)
        driver.offer(make_offer("1"))
        self.assertEqual([session.connections for session in sessions], [[], []])

    def test_a_late_answer_of_a_withdrawn_call_does_nothing(self) -> None:
        [session] = self._bound(1)
        self.driver.offer(make_offer("1"))
        self.driver.withdraw("1")
        session.accept()
        self.assertEqual(self.listener.of("1"), ["offered"])

    def test_a_late_answer_of_an_earlier_call_with_the_same_serial_does_nothing(self) -> None:
        first, _ = self._bound(2)
        self.driver.offer(make_offer("1"))
        self.driver.withdraw("1")
        self.driver.offer(make_offer("1"))
        first.refuse()
        self.assertEqual(self.listener.of("1"), ["offered", "offered"])

    def test_after_a_restart_a_call_waits_for_a_session(self) -> None:
        self.driver.offer(make_offer("1", resumed=True))
        self.driver.offer(make_offer("2", resumed=True))
        self.assertEqual(self.listener.told, [])
        self.assertEqual(self.driver.withdraw("2"), 31)
        [session] = self._bound(1)
        self.clock.advance(1)
        self.assertEqual(len(session.connections), 1)
        session.refuse()
        self.assertEqual((self.listener.of("1"), self.listener.statuses), (["offered", "unreachable"], [32]))

    def test_after_a_restart_the_first_session_leaves_the_others_their_share(self) -> None:
        for serial in range(100):
            self.driver.offer(make_offer(str(serial), resumed=True))
        made = self._bound(4)
        self.clock.advance(1)
        self.assertEqual([len(session.connections) for session in made], [25, 25, 25, 25])

    def test_withdrawing_the_last_call_that_waits_leaves_no_timer(self) -> None:
        self.driver.offer(make_offer("1", resumed=True))
        self._bound(1)
        self.driver.withdraw("1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_session_that_joins_in_between_is_tried_too(self) -> None:
        [first] = self._bound(1)
        self.driver.offer(make_offer("1"))
        [second] = self._bound(1)
        first.refuse()
        second.accept()
        self.assertEqual(self.listener.of("1"), ["offered", "offered", "accepted"])

    def test_it_has_no_settings(self) -> None:
        structure({}, LinkSignallingPlugin.service_settings)
        with self.assertRaises(ConfigurationError):
            structure({"address": "x"}, LinkSignallingPlugin.service_settings)

    def test_its_plugin_makes_it(self) -> None:
        context = SignallingContext(Clock(), self.listener, self.sessions, BinaryCodec(), {})
        self.assertFalse(LinkSignallingPlugin().build(context).sees_return)
        self.assertFalse(DialSignallingPlugin().build(context).sees_return)
