"""Signalling by dial over TLS: the contract, and services whose certificate is no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import TestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ISignalling, SignallingContext
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.settings import structure
from ctiex.signalling.dial import DialServiceSettings, DialSignalling
from ctiex.testing.signalling_contract import SignallingContract, make_offer

from .certificates import Authority
from .signalling_bench import _Dialling, _ServiceFactory


class _TlsDialling(_Dialling):
    """A service that listens for TLS, and a driver that dials it."""

    trusted = "root"

    async def listen(self, answer: int | None, hangs_up: bool = False) -> None:
        self.factory = _ServiceFactory(answer, hangs_up)
        self.folder = Path(self.mktemp())
        (self.folder / "roots").mkdir(parents=True)
        authority = Authority("root")
        certificate, key = authority.sign_server().save(self.folder, "service")
        (authority if self.trusted == "root" else Authority("another")).save(self.folder / "roots", "root")
        description = f"ctiex-tls:0:certificate={certificate}:key={key}:interface=127.0.0.1"
        self.port = await serverFromString(self.clock, description).listen(self.factory)

    def dial(self) -> DialSignalling:
        assert self.port is not None
        address: Any = self.port.getHost()
        address = f"tls:127.0.0.1:{address.port}:timeout=30:trustRoots={self.folder}/roots"
        settings = {"bill": structure({"address": address}, DialServiceSettings)}
        self.driver = DialSignalling(
            SignallingContext(self.clock, self.listener, ServiceSessions(), BinaryCodec(), settings)
        )
        return self.driver


class DialOverTlsKeepsTheContract(SignallingContract, _TlsDialling):
    """Signalling by dial against ctiex.testing.signalling_contract, over TLS."""

    def make_ready(self, answer: int | None) -> Deferred[None]:
        return Deferred.fromCoroutine(self.listen(answer))

    def make_driver(self) -> ISignalling:
        return self.dial()

    def connections(self) -> Any:
        return [connection for link in self.factory.links for connection in link.connections]


class DiallingTests(_TlsDialling, TestCase):
    """Services whose certificate is no good."""

    trusted = "nobody"

    async def test_a_service_that_is_not_verified_gets_no_connection(self) -> None:
        await self.listen(0)
        driver = self.dial()
        driver.offer(make_offer("1"))
        while "unreachable" not in self.listener.of("1"):
            waiting: Deferred[None] = Deferred()
            self.clock.callLater(0.01, waiting.callback, None)
            await waiting
        self.assertEqual(self.listener.statuses, [31])
        self.assertEqual([link.connections for link in self.factory.links if link.connections], [])

    async def test_authorities_that_can_not_be_read_make_the_service_unreachable(self) -> None:
        await self.listen(0)
        driver = self.dial()
        (self.folder / "roots" / "root.pem").unlink()
        (self.folder / "roots").rmdir()
        driver.offer(make_offer("1"))
        self.assertEqual((self.listener.told, self.listener.statuses), ([("unreachable", "1")], [31]))

    def test_ssl_is_refused_since_it_verifies_nobody(self) -> None:
        self.driver = DialSignalling.__new__(DialSignalling)
        self.driver._attempts = {}
        error = self.assertRaises(ConfigurationError, structure, {"address": "ssl:ivr:7400"}, DialServiceSettings)
        self.assertIn("expected tls: in place of ssl:", str(error))
