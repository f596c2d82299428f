"""What the tests of TLS share: certificates, a listening port with them, and clients to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ctiex.links.peers import certificate_names, is_private

from .certificates import DAY, Authority, Signed
from .processes import finished

ROOT_AUTHORITY = Authority("root")
AUTHORITY = Authority("between", ROOT_AUTHORITY)
CLIENTS = Authority("clients")
FOREIGN = Authority("foreign")
EXCHANGE = AUTHORITY.sign_server()
CLIENT = CLIENTS.sign("ivr", x509.DNSName("ivr.example.net"), x509.UniformResourceIdentifier("urn:ctiex:ivr"))

REFUSED = {
    "expired": (CLIENTS.sign("late", ends=-DAY / 24, begins=-DAY), "the client's certificate has expired"),
    "early": (CLIENTS.sign("early", begins=DAY / 24), "the client's certificate isn't valid yet"),
    "foreign": (FOREIGN.sign("ivr"), "the client's certificate comes from an authority that isn't trusted"),
    "wrong": (CLIENTS.sign_server(), "the client's certificate isn't made for TLS clients"),
    "none": (None, "the client sent no certificate"),
}
"""Certificates that open nothing, and what the log says of each."""


class Server(Protocol):
    """Says the client's names to whoever speaks."""

    def __init__(self, heard: list[bytes]) -> None:
        self.heard = heard

    def dataReceived(self, data: bytes) -> None:
        """Answer."""
        assert self.transport is not None
        assert is_private(self.transport)
        self.heard.append(data)
        self.transport.write(" ".join(certificate_names(self.transport)).encode() + b"\n")


class Client(Protocol):
    """Says hello, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Speak first."""
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        """Tell it."""
        self.heard.callback(data)
        self.heard = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell it."""
        if not self.heard.called:
            self.heard.callback(b"")
        self.lost.callback(None)

    @property
    def exchange_serial(self) -> int:
        """The serial number of the certificate that the other side has shown."""
        transport: Any = self.transport
        return int(transport.getPeerCertificate().get_serial_number())


@contextlib.contextmanager
def log_of(levels: tuple[Any, ...] = (LogLevel.warn, LogLevel.error, LogLevel.critical)) -> Iterator[list[str]]:
    """What is logged meanwhile at these levels."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] in levels:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


class TlsCase(TestCase):
    """A listening port with certificates, and clients to it."""

    def setUp(self) -> None:
        """Write the certificates."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.certificate, self.key = EXCHANGE.save(self.folder, "exchange")
        self.clients = CLIENTS.save(self.folder, "clients")
        (self.folder / "roots").mkdir()
        ROOT_AUTHORITY.save(self.folder / "roots", "root")
        self.heard: list[bytes] = []
        self.factory = Factory.forProtocol(lambda: Server(self.heard))
        self.factory.noisy = False

    async def listen(self, options: str) -> int:
        """Listen on a free port; its number."""
        description = f"ctiex-tls:0:certificate={self.certificate}:key={self.key}:interface=127.0.0.1{options}"
        return self.opened(await serverFromString(reactor, description).listen(self.factory))

    def opened(self, port: IListeningPort) -> int:
        """Close the port when the test ends; its number."""
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def connect(self, port: int, certificate: Signed | None = None) -> Client:
        """A client that has said hello, with its certificate."""
        shown = ""
        if certificate is not None:
            file, key = certificate.save(self.folder, "client")
            shown = f":certificate={file}:privateKey={key}"
        endpoint = clientFromString(reactor, f"tls:127.0.0.1:{port}:trustRoots={self.folder / 'roots'}{shown}")
        client: Client = await endpoint.connect(Factory.forProtocol(Client))
        return client

    async def close(self, client: Client) -> None:
        """Close a link from the client's side."""
        assert client.transport is not None
        client.transport.loseConnection()
        await client.lost

    async def openssl(self, port: int, *options: str) -> str:
        """What ``openssl s_client`` prints when it says hello and goes."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", f"{self.folder}/roots/root.pem",
                   "-verify_return_error", "-quiet", "-no_ign_eof", *options]  # fmt: skip
        done = await deferToThread(finished, command, input=b"hello\n")
        return str((done.stdout + done.stderr).decode(errors="replace"))
