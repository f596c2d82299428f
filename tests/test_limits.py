"""The table of limits against the code, and what the listening ports take of whom, over TCP."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import reactor as the_reactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.app.exchange import Exchange
from ctiex.app.metrics import ExchangeCollector
from ctiex.clients.dialled import DialledLinks
from ctiex.codecs.binary import BinaryCodec
from ctiex.config.model import LinkSettings
from ctiex.config.reading import parse
from ctiex.limits import Limits
from ctiex.links.descriptors import Descriptors
from ctiex.links.ports import DescriptorGuard, GuardedFactory, PortBounds
from ctiex.messages import Ping, Pong
from ctiex.testing.fakes import FakeAgent
from ctiex.testing.pairs import MemoryExchange, agents, services

from .pages import list_tables, page, section
from .test_metrics import exchange as an_exchange

reactor: Any = the_reactor
_NO_LIMITS = {"listen", "codec", "plain_secrets"}
"""Keys of a link that bound nothing."""


def rows(title: str) -> dict[str, list[str]]:
    """The rows of the table in a section, by their key: what the peer hears, the metric, the test."""
    table = next(list_tables(section("docs/limits.rst", title)))
    return {row[0].strip("`"): [cell.strip("`") for cell in row[-3:]] for row in table}


def metrics() -> set[str]:
    """The names of everything that is measured."""
    names = set()
    for family in ExchangeCollector(an_exchange(Clock(), listen="")).collect():
        names |= {sample.name for sample in family.samples} | {family.name}
    return names


def exists(test: str) -> bool:
    """Whether there is a test of this name: ``file::name``."""
    file, name = test.split("::")
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    return re.search(rf"^ *(?:async )?def {name}\(", text, re.M) is not None


class TheTable(SynchronousTestCase):
    """Each limit has its row; each row has a metric that is there and a test that is there."""

    def _walk(self, title: str, keys: set[str]) -> None:
        told = rows(title)
        self.assertEqual(set(told), keys)
        measured = metrics()
        for key, (hears, metric, test) in told.items():
            self.assertTrue(hears, key)
            self.assertIn(metric, measured, key)
            self.assertTrue(exists(test), f"{key}: {test}")

    def test_every_limit_has_a_row_with_a_metric_and_a_test(self) -> None:
        self._walk("``[limits]``", {one.name for one in attrs.fields(Limits)})

    def test_so_has_every_limit_of_a_link(self) -> None:
        self._walk(
            "``[links.agent]`` and ``[links.ivr]``", {one.name for one in attrs.fields(LinkSettings)} - _NO_LIMITS
        )

    def test_no_limit_stands_anywhere_else(self) -> None:
        """They are read from where they are declared: no part keeps a copy."""
        declared = "|".join(one.name for one in attrs.fields(Limits))
        read = rf"(?:\w+\.)*limits\.(?:{declared})"
        copied = re.compile(rf"^ +self\.\w+ = {read}$|\b[A-Z]\w+\((?:[\w.]+, )*{read}\b", re.M)
        source = Path(__file__).parent.parent / "src" / "ctiex"
        self.assertEqual([str(one) for one in source.rglob("*.py") if copied.search(one.read_text())], [])

    def test_the_page_of_the_operator_leads_to_it(self) -> None:
        self.assertIn(":doc:`limits`", page("docs/operating.rst"))


class TheRates(SynchronousTestCase):
    """Those of an identity and of a source, in memory."""

    def test_connections_that_come_too_fast_are_closed_and_others_are_not(self) -> None:
        exchange = MemoryExchange(limits=Limits(connections_per_second_per_source=3))
        links = [exchange.link_agent(FakeAgent()) for _ in range(10)]
        exchange.pump()
        self.assertEqual([pair.open for _, pair, _ in links], [True] * 6 + [False] * 4)
        self.assertEqual(exchange.counters.connections_too_fast, 4)
        exchange.clock.advance(1)
        again = [exchange.link_agent(FakeAgent()) for _ in range(5)]
        exchange.pump()
        self.assertEqual([pair.open for _, pair, _ in again], [True] * 3 + [False] * 2)

    def test_an_identity_over_its_rate_waits_on_all_links_and_another_does_not(self) -> None:
        known = (agents("north"), agents("south"), services())
        exchange = MemoryExchange(identities=known, limits=Limits(frames_per_second_per_identity=10))
        north = [exchange.agent(identity="north") for _ in range(4)]
        for agent in north:
            for _ in range(25):
                agent.send(Ping())
        exchange.pump()
        self.assertLessEqual(self._answered(north), 20 + 25, "what a link has begun goes on")
        south = exchange.agent(identity="south")
        asked = south.send(Ping())
        exchange.pump()
        self.assertEqual(south.answer(asked), Pong())
        self.assertGreater(exchange.counters.rates_used_up, 0)
        for _ in range(12):
            exchange.clock.advance(1)
            exchange.pump()
        self.assertEqual(self._answered(north), 100, "they were only late")

    def _answered(self, peers: list[FakeAgent]) -> int:
        return sum(len(peer.every(Pong)) for peer in peers)


class ThePorts(SynchronousTestCase):
    """A port that is guarded, without any I/O."""

    def _guarded(self, most: int = 4, most_of_one: int = 2, **options: Any) -> tuple[GuardedFactory, list[int]]:
        refused: list[int] = []
        bounds = PortBounds("a port", lambda: most, lambda: most_of_one, refused=lambda: refused.append(1), **options)
        self.clock = Clock()
        return GuardedFactory(Factory.forProtocol(Protocol), bounds, self.clock), refused

    def _connect(self, factory: Any, host: str = "192.0.2.1") -> StringTransportWithDisconnection:
        address = IPv4Address("TCP", host, 4_444)
        transport = StringTransportWithDisconnection(peerAddress=address)
        protocol = factory.buildProtocol(address)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def test_one_source_leaves_room_for_others_and_all_have_a_bound(self) -> None:
        factory, refused = self._guarded()
        hosts = ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
        links = [self._connect(factory, host) for host in hosts]
        self.assertEqual([link.connected for link in links], [True, True, False, True, True, False])
        self.assertEqual(len(refused), 2)
        links[0].loseConnection()
        self.assertTrue(self._connect(factory).connected, "there is room again")

    def test_a_flood_of_them_is_one_line_a_minute(self) -> None:
        factory, refused = self._guarded(1)
        with capturedLogs() as logged:
            for second in range(120):
                self.clock.advance(1)
                for _ in range(5):
                    self._connect(factory, f"192.0.2.{second}")
        self.assertEqual((len(logged), len(refused)), (2, 599))

    def test_nobody_is_let_in_where_descriptors_run_short(self) -> None:
        factory, refused = self._guarded(descriptors=Descriptors(4))
        self.assertFalse(self._connect(factory).connected, "more are open than are for connections")
        self.assertEqual(len(refused), 1)
        told: list[IAddress | None] = []
        guard = DescriptorGuard(Factory.forProtocol(Protocol), Descriptors(4), told.append)
        self.assertFalse(self._connect(guard).connected)
        self.assertEqual(len(told), 1)
        self.assertTrue(
            self._connect(DescriptorGuard(Factory.forProtocol(Protocol), Descriptors(), told.append)).connected
        )

    def test_what_stands_between_the_port_and_the_factory_gets_a_protocol_always(self) -> None:
        factory = GuardedFactory(_Nobody(), PortBounds("a port", lambda: 9, lambda: 9), Clock())
        self.assertFalse(self._connect(factory).connected)


class _Nobody(Factory):
    def buildProtocol(self, addr: IAddress | None) -> None:
        """Nobody is let in."""


class OverTcp(TestCase):
    """Every listening port beside the links, with real connections."""

    timeout = 60

    def _open(self, port: int, count: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
        for _ in range(count):
            try:
                made = socket.create_connection(("127.0.0.1", port), 20, source_address=(host, 0))
            except ConnectionError:  # closed before the caller was told that it is open
                continue
            self.addCleanup(made.close)
            yield made

    def _asked(self, port: int, host: str) -> bytes:
        (link,) = self._open(port, 1, host)
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return link.recv(100)

    async def test_idle_connections_to_the_metrics_keep_nobody_else_out(self) -> None:
        links = {"agent": {"listen": "tcp:0:interface=127.0.0.1"}, "ivr": {"listen": "tcp:0:interface=127.0.0.1"}}
        tables = {
            "links": links,
            "metrics": {"listen": "tcp:0:interface=127.0.0.1"},
            "limits": {"monitoring_connections": 8},
        }
        running = Exchange(parse(tables), reactor)
        running.startService()
        await running.started()
        self.addCleanup(running.stopService)
        assert running.monitoring.port is not None
        port = running.monitoring.port.getHost().port
        silent = await deferToThread(lambda: list(self._open(port, 40)))
        answered = await deferToThread(self._asked, port, "127.0.0.2")
        self.assertTrue(answered.startswith(b"HTTP/1.1 200"), answered)
        self.assertEqual(running.parts.counters.monitoring_over_limit, 36)
        for link in silent:
            link.close()

    async def test_links_to_a_service_that_is_dialled_from_one_source_keep_no_other_out(self) -> None:
        dialled = DialledLinks(reactor, BinaryCodec(), lambda connection: None, lambda: None, most_links=8)  # type: ignore[arg-type,return-value]
        port = await dialled.ports.listen(serverFromString(reactor, "tcp:0:interface=127.0.0.1"))
        self.addCleanup(dialled.cut_all)
        self.addCleanup(dialled.ports.close)
        number = port.getHost().port
        await deferToThread(lambda: list(self._open(number, 40)))
        (other,) = await deferToThread(lambda: list(self._open(number, 1, "127.0.0.2")))
        other.settimeout(0.5)
        await deferToThread(lambda: self.assertRaises(TimeoutError, other.recv, 1))
        self.assertEqual(len(dialled.links), 5)
