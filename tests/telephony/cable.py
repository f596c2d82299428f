"""The cable between the exchange and platform 1's manager interface, which may be cut and mended."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.python.failure import Failure

from .happenings import Happenings

PORT = 5039


class _Strand(ProxyServer):
    """One connection through the cable."""

    cable: Cable

    def connectionMade(self) -> None:
        super().connectionMade()
        self.cable.strands.append(self)
        self.cable.happened.tell("connected")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self in self.cable.strands:
            self.cable.strands.remove(self)
        self.cable.happened.tell("gone")

    def cut(self) -> None:
        """End both sides at once."""
        self.transport.abortConnection()
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.abortConnection()


class Cable:
    """Forwards to the manager interface of a platform."""

    process = None

    def __init__(self, reactor: Any, host: str, platform: str) -> None:
        self.happened: Happenings[str] = Happenings(reactor, "cable")
        self.strands: list[_Strand] = []
        self._reactor = reactor
        self._host = host
        self._platform = platform
        self._port: IListeningPort | None = None

    async def start(self) -> None:
        """Plug it in."""
        factory = ProxyFactory(self._platform, 5038)
        factory.noisy = False
        factory.buildProtocol = self._strand
        self._port = await TCP4ServerEndpoint(self._reactor, PORT, interface=self._host).listen(factory)

    def _strand(self, address: IAddress) -> Protocol:
        strand = _Strand()
        strand.cable = self
        strand.factory = ProxyFactory(self._platform, 5038)
        strand.reactor = self._reactor
        return strand

    async def stop(self) -> None:
        """Cut it, and leave it so."""
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
        for strand in list(self.strands):
            strand.cut()
        while self.strands:
            await self.happened.wait(lambda what: what == "gone", "the end of a connection", len(self.happened))

    mend = start
    cut = stop
