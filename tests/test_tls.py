"""TLS over real TCP: who is let in, who is refused and how the log says so, and certificates that change."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString, quoteStringArgument, serverFromString, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import directlyProvides

from ctiex.errors import ConfigurationError
from ctiex.links.peers import certificate_names, is_private, is_verified
from ctiex.tls.contexts import HandshakeRefusals, ServerContexts, TlsLinkFactory
from ctiex.tls.endpoint import TlsFiles

from .certificates import DAY, Authority, Signed, replace
from .effort import examples
from .processes import finished
from .waiting import PATIENCE, eventually

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


class LetInTests(TlsCase):
    """Who is let in."""

    async def test_a_client_s_names_come_from_its_verified_certificate(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        with log_of() as lines:
            client = await self.connect(port, CLIENT)
            self.assertEqual(await client.heard, b"ivr.example.net urn:ctiex:ivr\n")
            self.assertTrue(is_verified(client.transport))
            await self.close(client)
        self.assertEqual(lines, [])

    async def test_without_authorities_for_clients_nobody_has_a_name(self) -> None:
        port = await self.listen("")
        for certificate in (None, CLIENT):
            client = await self.connect(port, certificate)
            self.assertEqual(await client.heard, b"\n")
            await self.close(client)

    async def test_a_certificate_may_be_optional_and_is_verified_all_the_same(self) -> None:
        port = await self.listen(f":clients={self.clients}:clients_optional=yes")
        for certificate, names in ((None, b"\n"), (CLIENT, b"ivr.example.net urn:ctiex:ivr\n")):
            client = await self.connect(port, certificate)
            self.assertEqual(await client.heard, names)
            await self.close(client)
        with log_of() as lines:
            client = await self.connect(port, REFUSED["foreign"][0])
            self.assertEqual(await client.heard, b"")
            await client.lost
        (line,) = lines
        self.assertIn(REFUSED["foreign"][1], line)

    async def test_openssl_is_let_in_with_a_certificate_over_both_versions(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        certificate, key = CLIENT.save(self.folder, "client")
        for version in ("-tls1_2", "-tls1_3"):
            said = await self.openssl(port, version, "-cert", certificate, "-key", key)
            self.assertIn("verify return:1", said)  # the chain in the file leads to the root
        self.assertEqual(self.heard, [b"hello\n"] * 2)

    async def test_the_certificate_and_its_key_may_stand_in_one_file(self) -> None:
        replace(self.folder / "both.pem", EXCHANGE.key_pem + EXCHANGE.certificate_pem)
        description = f"ctiex-tls:0:certificate={self.folder}/both.pem:interface=127.0.0.1"
        port = self.opened(await serverFromString(reactor, description).listen(self.factory))
        client = await self.connect(port)
        self.assertEqual(await client.heard, b"\n")
        await self.close(client)

    async def test_a_connection_that_the_links_turn_away_is_closed(self) -> None:
        self.factory.buildProtocol = lambda addr: None
        port = await self.listen("")
        client = await self.connect(port)
        self.assertEqual(await client.heard, b"")
        await client.lost

    async def test_whatever_application_protocol_a_client_offers_it_is_let_in(self) -> None:
        port = await self.listen("")
        for offered in ("h2", "h2,http/1.1", "ctiex/1", "x" * 255):
            for version in ("-tls1_2", "-tls1_3"):
                said = await self.openssl(port, version, "-alpn", offered)
                self.assertNotIn("alert", said)
        self.assertEqual(self.heard, [b"hello\n"] * 8)

    async def test_an_application_protocol_that_is_spoken_is_agreed_on(self) -> None:
        directlyProvides(self.factory, IProtocolNegotiationFactory)
        self.factory.acceptableProtocols = lambda: [b"ctiex/1", b"http/1.1"]  # type: ignore[attr-defined]
        port = await self.listen("")
        for offered, agreed in (("h2,http/1.1", b"http/1.1"), ("http/1.1,ctiex/1", b"ctiex/1"), ("h2", b"")):
            roots = trustRootFromCertificates([Certificate.loadPEM(ROOT_AUTHORITY.pem)])
            names = [name.encode() for name in offered.split(",")]
            options = optionsForClientTLS("localhost", roots, acceptableProtocols=names)
            endpoint = wrapClientTLS(options, clientFromString(reactor, f"tcp:127.0.0.1:{port}"))
            client: Client = await endpoint.connect(Factory.forProtocol(Client))
            await client.heard
            transport: Any = client.transport
            self.assertEqual(transport.negotiatedProtocol or b"", agreed)
            await self.close(client)

    async def test_files_may_stand_anywhere(self) -> None:
        odd = self.folder / "a:b = c"
        odd.mkdir()
        certificate, key = EXCHANGE.save(odd, "exchange")
        quoted = f"certificate={quoteStringArgument(certificate)}:key={quoteStringArgument(key)}"
        endpoint = serverFromString(reactor, f"ctiex-tls:0:{quoted}:interface=127.0.0.1")
        client = await self.connect(self.opened(await endpoint.listen(self.factory)))
        self.assertEqual(await client.heard, b"\n")
        await self.close(client)


class RefusedTests(TlsCase):
    """Who is refused, in one line of the log and with no traceback."""

    async def refused(self, attempt: Any, words: str) -> None:
        """See that an attempt is refused in these words, in one line."""
        with log_of() as lines:
            await attempt
            await eventually(lambda: lines)
        self.assertEqual(self.heard, [])
        (line,) = lines
        self.assertRegex(line, r"^TLS with 127\.0\.0\.1:\d+ refused: ")
        self.assertEqual(line.partition(" refused: ")[2], words)

    async def test_a_client_without_a_good_certificate(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        for certificate, words in REFUSED.values():
            client = await self.connect(port, certificate)
            await self.refused(gatherResults([client.heard, client.lost]), words)

    async def test_openssl_without_a_good_certificate_over_both_versions(self) -> None:
        port = await self.listen(f":clients={self.clients}")
        for certificate, words in REFUSED.values():
            shown: tuple[str, ...] = ()
            if certificate is not None:
                file, key = certificate.save(self.folder, "client")
                shown = "-cert", file, "-key", key
            for version in ("-tls1_2", "-tls1_3"):
                await self.refused(self.openssl(port, version, *shown), words)

    async def test_a_version_below_1_2(self) -> None:
        port = await self.listen("")
        for version in ("-tls1", "-tls1_1"):
            attempt = self.openssl(port, version, "-cipher", "DEFAULT@SECLEVEL=0")
            await self.refused(attempt, "the client doesn't support TLS 1.2 or above")

    async def test_ciphers_without_forward_secrecy(self) -> None:
        port = await self.listen("")
        attempt = self.openssl(port, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA")
        await self.refused(attempt, "the client supports no cipher that is allowed here")

    async def test_a_client_that_distrusts_the_exchange(self) -> None:
        port = await self.listen("")
        attempt = self.openssl(port, "-CAfile", self.clients)
        words = "the client doesn't trust the authority of the certificate that it was sent"
        await self.refused(attempt, words)

    async def test_a_client_that_speaks_no_tls(self) -> None:
        port = await self.listen("")
        spoken = {
            b"GET / HTTP/1.1\r\n\r\n": "the client speaks HTTP in plain text, not TLS",
            b"\0\0\0\x20\x01\x01" + bytes(30): "the client doesn't speak TLS",  # a Bind
            b'{"kind": "Bind"}\n': "the client doesn't speak TLS",
            b"\x16\x03\x01\0\x05wrong": "the client sends invalid TLS (unexpected message)",
        }
        for data, words in spoken.items():
            await self.refused(deferToThread(speak, port, data), words)

    async def test_a_client_that_goes_away_is_no_news(self) -> None:
        port = await self.listen("")
        with log_of() as lines:
            for data in (b"", b"\x16", b"\x16\x03\x01\x02\0\x01"):
                await deferToThread(speak, port, data, wait=False)
            client = await self.connect(port)
            self.assertEqual(await client.heard, b"\n")
            await self.close(client)
        self.assertEqual(lines, [])


def speak(port: int, data: bytes, wait: bool = True) -> None:
    """Send this over plain TCP, wait for the end of it, and go."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as link:
        link.sendall(data)
        while wait and link.recv(1024):
            pass


class RenewalTests(TlsCase):
    """Certificates that change while links stand."""

    async def test_new_links_get_the_new_certificate_and_old_links_go_on(self) -> None:
        clock = Clock()
        contexts = ServerContexts(TlsFiles(self.certificate, self.key, self.clients), clock)
        factory = TLSMemoryBIOFactory(contexts, False, self.factory)
        port = self.opened(reactor.listenTCP(0, factory, interface="127.0.0.1"))
        old = await self.connect(port, CLIENT)
        await old.heard
        renewed = AUTHORITY.sign_server()
        renewed.save(self.folder, "exchange")
        clock.advance(1)
        new = await self.connect(port, CLIENT)
        await new.heard
        self.assertEqual(old.exchange_serial, EXCHANGE.certificate.serial_number)
        self.assertEqual(new.exchange_serial, renewed.certificate.serial_number)
        assert old.transport is not None
        old.transport.write(b"still here")
        self.assertEqual(await old.heard, b"ivr.example.net urn:ctiex:ivr\n")
        for client in (old, new):
            await self.close(client)

    async def test_an_authority_that_is_taken_out_of_the_file_lets_nobody_in_any_more(self) -> None:
        clock = Clock()
        contexts = ServerContexts(TlsFiles(self.certificate, self.key, self.clients), clock)
        factory = TLSMemoryBIOFactory(contexts, False, self.factory)
        port = self.opened(reactor.listenTCP(0, factory, interface="127.0.0.1"))
        FOREIGN.save(self.folder, "clients")
        clock.advance(1)
        client = await self.connect(port, CLIENT)
        self.assertEqual(await client.heard, b"")
        await client.lost


def make_contexts() -> ServerContexts:
    """Contexts whose files are gone once they were read."""
    with TemporaryDirectory() as folder:
        return ServerContexts(TlsFiles(*EXCHANGE.save(Path(folder), "exchange")), Clock())


CONTEXTS = make_contexts()


def client_hello() -> bytes:
    """How a real handshake begins."""
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    client.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65536)


_HELLO = client_hello()
_MUTATED = st.builds(
    lambda at, instead: _HELLO[:at] + instead + _HELLO[at + len(instead) :],
    st.integers(0, len(_HELLO) - 1),
    st.binary(max_size=8),
)


class HostileTests(SynchronousTestCase):
    """Any bytes in the place of a handshake."""

    @given(st.lists(st.one_of(st.binary(min_size=1, max_size=300), _MUTATED), min_size=1, max_size=4))
    @settings(deadline=None, max_examples=examples(200))
    def test_they_are_refused_in_one_line_or_waited_for_and_nobody_hears_them(self, pieces: list[bytes]) -> None:
        heard: list[bytes] = []
        CONTEXTS._refusals = HandshakeRefusals(Clock())  # these are no flood
        factory = TlsLinkFactory(CONTEXTS, False, Factory.forProtocol(lambda: Server(heard)), Clock())
        protocol = factory.buildProtocol(None)
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 4444))
        with log_of() as lines:
            protocol.makeConnection(transport)
            for piece in pieces:
                if not transport.disconnecting:
                    protocol.dataReceived(piece)
            refused = transport.disconnecting
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(heard, [])
        self.assertEqual(len(lines), int(refused))
        for line in lines:
            self.assertTrue(line.startswith("TLS with 192.0.2.7:4444 refused: "), line)


class FloodTests(SynchronousTestCase):
    """Handshakes that are refused by the thousand."""

    def test_the_first_hundred_in_a_minute_are_told_and_then_how_many_more_there_were(self) -> None:
        clock = Clock()
        refusals = HandshakeRefusals(clock)
        with capturedLogs() as logged:
            for _ in range(1_000):
                refusals.tell("192.0.2.7:4444", "the client doesn't speak TLS")
            clock.advance(59)
            refusals.tell("192.0.2.8:4444", "the client doesn't speak TLS")
            self.assertEqual(len(logged), 100)
            clock.advance(1)
            refusals.tell("192.0.2.9:4444", "the client doesn't speak TLS")
        self.assertEqual(
            [formatEvent(event) for event in logged[100:]],
            [
                "TLS was refused 901 more times within 60 s, which aren't logged",
                "TLS with 192.0.2.9:4444 refused: the client doesn't speak TLS",
            ],
        )

    def test_few_are_told_one_by_one_for_ever(self) -> None:
        clock = Clock()
        refusals = HandshakeRefusals(clock)
        with capturedLogs() as logged:
            for _ in range(1_000):
                refusals.tell("192.0.2.7:4444", "the client doesn't speak TLS")
                clock.advance(0.7)
        self.assertEqual(len(logged), 1_000)


class LookingTests(SynchronousTestCase):
    """When the files are looked at, and what comes of it."""

    def setUp(self) -> None:
        """Write the certificates."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.files = TlsFiles(*EXCHANGE.save(self.folder, "exchange"), CLIENTS.save(self.folder, "clients"))
        self.clock = Clock()
        self.now = datetime.now(UTC)
        self.contexts = ServerContexts(self.files, self.clock, lambda: self.now)
        self.first = self.context

    @property
    def context(self) -> Any:
        """What the next client is met with."""
        return self.contexts.serverConnectionForTLS(None).get_context()

    def test_files_that_stay_as_they_are_are_not_read_again(self) -> None:
        self.clock.advance(3600)
        self.assertIs(self.context, self.first)

    def test_the_files_are_looked_at_once_a_second_at_most(self) -> None:
        self.clock.advance(1)
        self.assertIs(self.context, self.first)
        AUTHORITY.sign_server().save(self.folder, "exchange")
        self.clock.advance(0.9)
        self.assertIs(self.context, self.first)
        self.clock.advance(0.1)
        self.assertIsNot(self.context, self.first)

    def test_a_change_of_any_file_is_taken_up(self) -> None:
        for change in (
            lambda: FOREIGN.save(self.folder, "clients"),
            lambda: AUTHORITY.sign_server().save(self.folder, "exchange"),
        ):
            before = self.context
            change()
            self.clock.advance(1)
            self.assertIsNot(self.context, before)

    def refused(self, words: str) -> None:
        """The next look finds something of no use, which is told once, and nothing changes."""
        with log_of() as lines:
            for _ in range(5):
                self.clock.advance(1)
                self.assertIs(self.context, self.first)
        (line,) = lines
        self.assertTrue(line.startswith("the new certificates are invalid; keeping the previous ones: "), line)
        self.assertIn(words, line)

    def test_what_is_of_no_use_is_told_once_and_the_old_certificates_stay(self) -> None:
        certificate, key = Path(self.files.certificate), Path(self.files.key)
        renewed = AUTHORITY.sign_server()
        replace(certificate, renewed.certificate_pem)
        self.refused("doesn't match the first certificate")
        replace(certificate, b"nothing")
        self.refused("exchange.pem: found no certificate")
        replace(certificate, AUTHORITY.sign_server(ends=-DAY / 24).certificate_pem)
        replace(key, b"-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
        self.refused("exchange.key: found no private key")
        key.unlink()
        self.refused("exchange.key: can't be read")
        late = AUTHORITY.sign_server(ends=-DAY / 24)
        late.save(self.folder, "exchange")
        self.refused("has expired on")
        early = AUTHORITY.sign_server(begins=DAY)
        early.save(self.folder, "exchange")
        self.refused("is valid from")
        renewed.save(self.folder, "exchange")
        self.clock.advance(1)
        self.assertIsNot(self.context, self.first)

    def test_a_certificate_that_expires_while_the_exchange_runs_goes_on_until_it_is_renewed(self) -> None:
        self.now += timedelta(days=400)
        self.clock.advance(1)
        self.assertIs(self.context, self.first)

    def test_a_start_with_files_of_no_use_is_an_error(self) -> None:
        Path(self.files.key).unlink()
        error = self.assertRaises(ConfigurationError, ServerContexts, self.files, self.clock)
        self.assertIn("exchange.key: can't be read: No such file", str(error))

    def test_a_key_under_a_passphrase_is_an_error_and_nobody_is_asked_for_it(self) -> None:
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

        sealed = EXCHANGE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
        replace(Path(self.files.key), sealed)
        error = self.assertRaises(ConfigurationError, ServerContexts, self.files, self.clock)
        self.assertIn("found a key with a passphrase, expected one without", str(error))
