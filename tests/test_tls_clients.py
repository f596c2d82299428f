"""The clients' side of TLS: they verify the exchange, and keep their secret where others could read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.app.commands.agent import Options
from ctiex.clients import AgentClient, ExchangeAccount
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import BindRefused, RequestTimedOut, Status, TlsRefused, UnsafeLink

from .certificates import Authority
from .tls_bench import Server, TlsCase, log_of

ELSEWHERE = IPv4Address("TCP", "192.0.2.1", 7300)
Opens = Callable[[Factory], None]


@implementer(IStreamClientEndpoint)
class Somewhere:
    """An endpoint that is reached at once; what is written there stays here."""

    def __init__(self, peer: IAddress, encrypted: bool = False) -> None:
        self.transport = StringTransport(peerAddress=peer)
        self._encrypted = encrypted
        self._clock = Clock()

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """The protocol, on its transport."""
        factory = protocolFactory
        if self._encrypted:
            factory = TLSMemoryBIOFactory(CertificateOptions(), True, protocolFactory, self._clock)
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(self.transport)
        return succeed(getattr(protocol, "wrappedProtocol", protocol))


class SecretTests(SynchronousTestCase):
    """Where a secret is sent, and where it isn't."""

    def bind(self, endpoint: Somewhere, **account: Any) -> tuple[bytes, list[str]]:
        """What goes out when an agent binds there, and what is logged."""
        client = AgentClient(Clock(), ExchangeAccount(endpoint, "desk", **account))
        with log_of() as lines:
            login = ensureDeferred(client.login("1001"))
            login.addErrback(lambda failure: self.failures.append(failure.value))
            client.startService()
        self.addCleanup(client.stopService)
        return endpoint.transport.value(), lines

    def setUp(self) -> None:
        """No login has failed."""
        self.failures: list[BaseException] = []

    def test_a_secret_is_not_sent_over_plain_tcp_beyond_loopback(self) -> None:
        written, (line,) = self.bind(Somewhere(ELSEWHERE), secret="sesame")
        self.assertEqual(written, b"")
        (failure,) = self.failures
        self.assertIsInstance(failure, UnsafeLink)
        self.assertIn("refusing to send anything to 192.0.2.1:7300 over plain TCP", str(failure))
        self.assertIn("desk could not bind: refusing to send anything to 192.0.2.1:7300 over plain TCP", line)
        self.assertNotIn("sesame", line)

    def test_it_is_sent_there_when_told_in_so_many_words(self) -> None:
        written, lines = self.bind(Somewhere(ELSEWHERE), secret="sesame", plain_secrets=True)
        self.assertIn(b"sesame", written)
        self.assertEqual((self.failures, lines), ([], []))

    def test_it_is_sent_on_this_machine(self) -> None:
        for peer in (IPv4Address("TCP", "127.0.0.1", 7300), UNIXAddress("/run/ctiex")):
            self.assertIn(b"sesame", self.bind(Somewhere(peer), secret="sesame")[0])

    def test_without_a_secret_everything_is_kept_back_all_the_same(self) -> None:
        """Who is known by a certificate, or by nothing, has numbers and fields of customers to send."""
        written, _ = self.bind(Somewhere(ELSEWHERE))
        self.assertEqual(written, b"")
        (failure,) = self.failures
        self.assertIsInstance(failure, UnsafeLink)
        written, _ = self.bind(Somewhere(ELSEWHERE), plain_secrets=True)
        self.assertIn(b"desk", written)

    def test_nothing_is_sent_over_tls_that_verifies_nobody(self) -> None:
        for peer in (ELSEWHERE, IPv4Address("TCP", "127.0.0.1", 7300)):
            for secret in ("sesame", ""):
                self.failures.clear()
                self.bind(Somewhere(peer, encrypted=True), secret=secret)
                (failure,) = self.failures
                self.assertIsInstance(failure, UnsafeLink)
                self.assertIn("without verifying its certificate", str(failure))

    def test_an_account_does_not_show_its_secret(self) -> None:
        self.assertNotIn("sesame", repr(ExchangeAccount(Somewhere(ELSEWHERE), "desk", "sesame")))


class VerifyingTests(TlsCase):
    """An exchange that isn't verified gets nothing."""

    async def distrusted(self, endpoint: IStreamClientEndpoint, words: str) -> None:
        """A client stays away from what the endpoint reaches, and says why."""
        client = AgentClient(reactor, ExchangeAccount(endpoint, "desk", "sesame", longest_retry=60, jitter=lambda: 60))
        with log_of() as lines:
            client.startService()
            with self.assertRaises(TlsRefused):
                await client.login("1001", timeout=20)
            await client.stopService()
        self.assertEqual(self.heard, [])
        self.assertTrue([line for line in lines if line.endswith(words)], lines)

    async def test_one_that_an_unknown_authority_signed(self) -> None:
        port = await self.listen("")
        Authority("another").save(self.folder / "roots", "root")
        endpoint = clientFromString(reactor, f"tls:127.0.0.1:{port}:trustRoots={self.folder}/roots")
        words = "the peer's certificate has expired, or isn't signed by a trusted authority"
        await self.distrusted(endpoint, f"desk could not bind: TLS refused: {words}")

    async def test_one_that_has_another_name(self) -> None:
        port = await self.listen("")
        endpoint = clientFromString(
            reactor, f"tls:other.example:{port}:trustRoots={self.folder}/roots:endpoint=tcp\\:127.0.0.1\\:{port}"
        )
        await self.distrusted(endpoint, "the peer's certificate is for another name")

    async def test_one_that_nobody_asks_for_its_certificate(self) -> None:
        """Over an endpoint that verifies nobody, an account without a secret sends nothing either."""
        port = await self.listen("")
        client = AgentClient(reactor, ExchangeAccount(clientFromString(reactor, f"ssl:127.0.0.1:{port}"), "desk"))
        client.startService()
        with self.assertRaises(UnsafeLink):
            await client.login("1001", timeout=20)
        await client.stopService()
        self.assertEqual(self.heard, [])

    async def test_one_that_speaks_plain_tcp(self) -> None:
        listening = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(PlainFactory())
        port = self.opened(listening)
        endpoint = clientFromString(reactor, f"tls:127.0.0.1:{port}:trustRoots={self.folder}/roots")
        await self.distrusted(endpoint, "the peer doesn't speak TLS")


class WrongPortTests(TlsCase):
    """Plain TCP to a port that speaks TLS: what it looks like is said."""

    async def test_a_tls_port_is_known_as_one(self) -> None:
        port = await self.listen("")
        for codec in (BinaryCodec(), JsonCodec()):
            endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{port}")
            client = AgentClient(reactor, ExchangeAccount(endpoint, "desk", "sesame", codec))
            client.startService()
            with self.assertRaises((TlsRefused, RequestTimedOut)) as failed:
                await client.login("1001", timeout=3)
            await client.stopService()
            self.assertIn("looks like a TLS port", str(failed.exception))
            self.assertIn("tls:HOST:PORT", str(failed.exception))

    async def test_one_that_closes_without_a_word_looks_like_one(self) -> None:
        listening = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(SilentFactory())
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.opened(listening)}")
        client = AgentClient(reactor, ExchangeAccount(endpoint, "desk", "sesame"))
        with log_of() as lines:
            client.startService()
            with self.assertRaises(RequestTimedOut) as failed:
                await client.login("1001", timeout=2)
            await client.stopService()
        self.assertIn("looks like a TLS port", str(failed.exception))
        self.assertEqual(len([line for line in lines if "looks like a TLS port" in line]), 1, "told once")

    async def test_a_unix_socket_that_closes_without_a_word_looks_like_none(self) -> None:
        where = f"unix:{self.folder}/silent"
        listening = await serverFromString(reactor, where).listen(SilentFactory())
        self.addCleanup(listening.stopListening)
        client = AgentClient(reactor, ExchangeAccount(clientFromString(reactor, where), "desk", "sesame"))
        client.startService()
        with self.assertRaises(RequestTimedOut) as failed:
            await client.login("1001", timeout=2)
        await client.stopService()
        self.assertIn("closed", str(failed.exception))
        self.assertNotIn("TLS", str(failed.exception))

    async def test_a_client_that_stops_before_it_is_bound_has_no_such_trouble(self) -> None:
        spoken: Deferred[None] = Deferred()
        listening = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(MuteFactory(spoken))
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.opened(listening)}")
        client = AgentClient(reactor, ExchangeAccount(endpoint, "desk", "sesame"))
        client.startService()
        await spoken
        await client.stopService()
        self.assertEqual(client._connection.trouble, "the client is stopping")


class MuteFactory(Factory):
    """Says nothing, and tells once it was spoken to."""

    noisy = False

    def __init__(self, spoken: Deferred[None]) -> None:
        self.spoken = spoken

    def buildProtocol(self, addr: object) -> Server:
        """One link."""
        spoken = self.spoken

        class Mute(Server):
            def dataReceived(self, data: bytes) -> None:
                if not spoken.called:
                    spoken.callback(None)

        return Mute([])


class SilentFactory(Factory):
    """Closes every link once it was spoken to."""

    noisy = False

    def buildProtocol(self, addr: object) -> Server:
        """One link."""

        class Silent(Server):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.loseConnection()

        return Silent([])


class PlainFactory(Factory):
    """Answers anything with something that is no TLS."""

    noisy = False

    def buildProtocol(self, addr: object) -> Server:
        """The same server, without TLS."""

        class Plain(Server):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(bytes(20))

        return Plain([])


class OptionTests(SynchronousTestCase):
    """``ctiex agent`` and ``ctiex service``."""

    def account(self, *arguments: str, **environment: str) -> ExchangeAccount:
        """The account of a command line."""
        options = Options()
        options.parseOptions(list(arguments))
        return options.account(reactor, environment)

    def refused(self, *arguments: str) -> str:
        """What is said of a command line that can't be used."""
        return str(self.assertRaises(UsageError, self.account, *arguments))

    def test_ssl_is_refused_since_it_verifies_nobody(self) -> None:
        self.assertIn("use tls:HOST:PORT", self.refused("--exchange", "ssl:127.0.0.1:7300"))

    def test_roots_are_a_folder_with_authorities(self) -> None:
        folder = Path(self.mktemp())
        for _ in range(2):
            said = self.refused("--exchange", f"tls:127.0.0.1:7300:trustRoots={folder}")
            self.assertIn(f"trustRoots={folder}: found no *.pem files, expected a folder", said)
            folder.mkdir(exist_ok=True)
        Authority("root").save(folder, "root")
        self.account("--exchange", f"tls:127.0.0.1:7300:trustRoots={folder}")

    def test_what_tls_needs_is_told_where_it_is_missing(self) -> None:
        with patch("ctiex.extras.find_spec", return_value=None):
            said = self.refused("--exchange", "tls:127.0.0.1:7300")
        self.assertIn("--exchange: TLS needs pyOpenSSL and service-identity", said)
        self.assertIn("pip install 'ctiex[tls]'", said)

    def test_secrets_over_plain_tcp_are_an_option_of_their_own(self) -> None:
        self.assertFalse(self.account().plain_secrets)
        self.assertTrue(self.account("--plain-secrets").plain_secrets)

    def test_without_a_secret_it_is_the_demos_for_the_demo_on_this_machine_alone(self) -> None:
        for exchange in ("tcp:127.0.0.1:7300", "tcp:localhost:7300", "unix:/run/ctiex", r"tcp:\:\:1:7300"):
            self.assertEqual(self.account("--exchange", exchange).secret, "demo")
        for arguments in (
            ("--exchange", "tcp:192.0.2.1:7300"),
            ("--exchange", "tls:ctiex.example.net:7300"),
            ("--identity", "desk"),
        ):
            said = self.refused(*arguments)
            self.assertIn("no secret was given for identity", said)
            self.assertIn("--secret-file FILE, or the variable CTIEX_SECRET", said)
            self.assertEqual(self.account(*arguments, CTIEX_SECRET="").secret, "")

    def test_a_guessed_secret_that_is_refused_is_told_as_one(self) -> None:
        for environment, told in (({}, True), ({"CTIEX_SECRET": "sesame"}, False)):
            options = Options()
            options.account(reactor, environment)
            said = options.refused(BindRefused(Status.REFUSED_CREDENTIALS, ""))
            self.assertIs("no secret was given, so the demo's was tried" in said, told)

    def test_an_endpoint_that_can_not_be_used_is_one_clear_error(self) -> None:
        said = self.refused("--exchange", "tcp:[::1]:7300")
        self.assertIn(r'found "tcp:[::1]:7300", expected an endpoint such as', said)
        self.assertIn(r"tcp:\:\:1:7300", said)
        self.account("--exchange", r"tcp:\:\:1:7300")

    def test_with_a_certificate_there_is_no_secret_unless_it_is_given(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = Authority("root").sign("ivr").save(folder, "ivr")
        exchange = f"tls:127.0.0.1:7300:certificate={certificate}:privateKey={key}"
        self.assertEqual(self.account("--exchange", exchange).secret, "")
        self.assertEqual(self.account("--exchange", exchange, CTIEX_SECRET="sesame").secret, "sesame")
        self.assertEqual(self.account().secret, "demo")
