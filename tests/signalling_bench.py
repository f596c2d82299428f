"""What the tests of signalling share: a service that is dialled, and a listener that takes calls back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import SignallingContext
from ctiex.messages import Message
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.signalling.dial import DialServiceSettings, DialSignalling
from ctiex.testing.fakes import FakeService
from ctiex.testing.signalling_contract import RecordingListener


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
