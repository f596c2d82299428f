"""Signalling by dial: the contract of every driver, and what is this one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import ConfigurationError, Status
from ctiex.interfaces import ISignalling, SignallingContext
from ctiex.links.descriptors import Descriptors
from ctiex.messages import Condition, Connection
from ctiex.processing.context import ProcessingContext
from ctiex.processing.service import ProcessingService
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.settings import structure
from ctiex.signalling import dial
from ctiex.signalling.dial import DialServiceSettings, DialSignalling, DialSignallingPlugin
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.signalling_contract import SignallingContract, make_offer

from .signalling_bench import _Dialling, _Withdrawing


class DialKeepsTheContract(SignallingContract, _Dialling):
    """Signalling by dial against ctiex.testing.signalling_contract, over the loopback."""

    def make_ready(self, answer: int | None) -> Deferred[None]:
        return Deferred.fromCoroutine(self.listen(answer))

    def make_driver(self) -> ISignalling:
        return self.dial()

    def connections(self) -> Sequence[Connection]:
        return [connection for link in self.factory.links for connection in link.connections]


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

    async def test_a_link_that_is_lost_before_the_answer_is_33(self) -> None:
        await self.listen(None, hangs_up=True)
        self.assertEqual(await self._told_of(self.dial()), ["offered", "unreachable"])
        self.assertEqual(self.listener.statuses, [33])

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
