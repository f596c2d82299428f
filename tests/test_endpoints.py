"""Endpoint strings to listen at: what is said of one without opening it is what comes of opening it."""

from __future__ import annotations

import re
import signal
import socket
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, quoteStringArgument
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.app.exchange import Exchange
from ctiex.config.endpoints import make_endpoint, read_endpoint
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError, CtiexError
from ctiex.links.endpoints import plain_host
from ctiex.links.peers import certificate_names
from ctiex.settings import structure
from ctiex.signalling.dial import DialServiceSettings

from .certificates import Authority
from .processes import Program, surroundings
from .waiting import PATIENCE

AUTHORITY = Authority("root")
SERVER = AUTHORITY.sign_server()
SERVICES = {"bill": {"access_code": "7002", "request": {"keep": ["*"]}}}
IDENTITIES = {"desk": {"role": "agent", "secret": "x", "agents": ["*"]}}
LOOPBACK = "interface=127.0.0.1"

TLS = "ctiex-tls:0:" + LOOPBACK + ":certificate={folder}/exchange.pem:key={folder}/exchange.key"
GOOD = (
    f"tcp:0:{LOOPBACK}",
    "tcp:port=0:interface=127.0.0.1:backlog=5",
    r"tcp6:0:interface=\:\:1",
    "unix:{folder}/socket",
    "unix:address={folder}/socket:mode=600:lockfile=0",
    "ssl:0:" + LOOPBACK + ":privateKey={folder}/exchange.key:certKey={folder}/exchange.pem",
    "tls:{folder}/named:0:" + LOOPBACK,
    TLS,
    TLS + ":clients={folder}/root.pem",
)
BAD = (
    "",
    "7300",
    "tcp",
    "tcp:",
    "tcp:http",
    "tcp:70000",
    "tcp:-1",
    f"tcp:0:{LOOPBACK}:backlog=x",
    f"tcp:0:{LOOPBACK}:color=red",
    "tcp6:x",
    "unix:",
    "unix:{folder}/" + "x" * 108,
    "unix:{folder}/socket:mode=888",
    "ssl:0",
    "ssl:0:privateKey={folder}/nothing",
    "tls:{folder}:0:color=red",
    "tls::0",
    "tls:path=:port=0",
    "ctiex-tls:0",
    "ctiex-tls:x:certificate={folder}/exchange.pem",
    "ctiex-tls:0:certificate={folder}/exchange.pem:color=red",
    "systemd:domain=INET",
    "systemd:domain=MOON:index=0",
    "systemd:domain=INET:index=x",
    "systemd:domain=INET:index=0:name=x",
    "stdio:",
    "fd:3",
    "onion:80",
    "haproxy",
    "haproxy:",
)
"""What is none, by its string or by the files that it names."""


class EndpointCase(TestCase):
    """Certificates in a folder, and exchanges that listen anywhere."""

    def setUp(self) -> None:
        """Write the certificates."""
        temporary = TemporaryDirectory()  # with a short name: that of a socket has few bytes
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        (self.folder / "named").mkdir(parents=True)
        SERVER.save(self.folder, "exchange")
        AUTHORITY.save(self.folder, "root")
        (self.folder / "named" / "localhost.pem").write_bytes(SERVER.key_pem + SERVER.certificate_pem)

    def filled(self, listen: str) -> str:
        """An endpoint string with the names of these files."""
        return listen.replace("{folder}", quoteStringArgument(str(self.folder)))

    def told(self, listen: str) -> str:
        """What is said of an endpoint without opening it; nothing, if it is good."""
        try:
            read_endpoint(listen)
        except ConfigurationError as error:
            return str(error)
        return ""

    async def opened(self, listen: str) -> str:
        """What comes of a start; nothing, if it goes well."""
        links = {"agent": {"listen": f"tcp:0:{LOOPBACK}", "plain_secrets": "allowed"}}
        configuration = parse({"links": links, "identities": IDENTITIES, "services": SERVICES})
        ivr_link = evolve(configuration.ivr_link, listen=f"tcp:0:{LOOPBACK}")
        agent_link = evolve(configuration.agent_link, listen=listen)  # that no check has seen
        exchange = Exchange(evolve(configuration, agent_link=agent_link, ivr_link=ivr_link), reactor)
        try:
            exchange.startService()
            await exchange.started()
        except (CannotListenError, CtiexError) as error:
            return str(error)
        finally:
            await exchange.stopService()
        return ""


class VerdictTests(EndpointCase):
    """Every kind that Twisted and we know, alone and behind a proxy."""

    async def test_what_is_good_is_listened_at(self) -> None:
        for listen in GOOD:
            for wrapped in ("", "haproxy:", "haproxy:haproxy:"):
                filled = wrapped + self.filled(listen)
                self.assertEqual((filled, self.told(filled)), (filled, ""))
                self.assertEqual((filled, await self.opened(filled)), (filled, ""))

    async def test_what_is_none_is_said_to_be_none_and_is_not_listened_at(self) -> None:
        for listen in BAD:
            for wrapped in ("", "haproxy:"):
                filled = wrapped + self.filled(listen)
                for said in (self.told(filled), await self.opened(filled)):
                    self.assertRegex(said, f'found "(haproxy:?)?{re.escape(self.filled(listen))}"')
                    self.assertIn("expected", said)
                    self.assertNotIn("_Recorder", said)

    async def test_a_socket_that_systemd_does_not_hand_over_is_told_by_the_start(self) -> None:
        for listen in ("systemd:domain=INET:index=0", "haproxy:systemd:UNIX:name=x"):
            self.assertEqual(self.told(listen), "")  # only systemd knows
            self.assertIn("systemd has passed no such socket", await self.opened(listen))

    @given(
        st.sampled_from(["", "tcp:", "tcp6:", "unix:", "tls:", "haproxy:", "haproxy:tcp:0"]),
        st.text(st.sampled_from("tcpunixhaoryslz:=\\0123456789.- \0é"), max_size=30),
    )
    @settings(deadline=None)
    def test_any_text_is_read_or_refused_in_words(self, begins: str, text: str) -> None:
        listen = begins + text
        try:
            listening = read_endpoint(listen)
        except ConfigurationError as error:
            self.assertTrue(re.match(r'found ".*", expected ', str(error), re.S), error)
        else:
            self.assertEqual(listening.description, listen)
            self.assertTrue(re.match(r"(haproxy:)*(tcp6?|unix|tls|ssl):", listen), listen)

    def test_no_kind_is_hidden_from_what_is_looked_at(self) -> None:
        """Twisted takes a backslash away before it looks at the kind."""
        for listen in (r"t\cp:7300", r"hapr\oxy:tcp:7300", r"haproxy:t\cp:7300", r"\tcp:70000", r"st\dio:"):
            with self.subTest(listen), self.assertRaises(ConfigurationError) as caught:
                read_endpoint(listen)
            self.assertIn(f'found "{listen.removeprefix("haproxy:")}", expected ', str(caught.exception))

    def test_nor_that_of_what_is_dialled(self) -> None:
        self.assertEqual(plain_host(r"t\cp:198.51.100.7:7400"), "198.51.100.7")
        for address in (r"s\sl:host:7400", "SSL:host:7400"):
            with self.subTest(address), self.assertRaises(ConfigurationError) as caught:
                structure({"address": address}, DialServiceSettings)
            self.assertIn("doesn't verify the server's certificate", str(caught.exception))

    def test_a_wrapped_endpoint_is_as_local_and_as_plain_as_what_it_wraps(self) -> None:
        for listen in (*GOOD, "tcp:7300", "tcp6:7300", "systemd:INET:index=0", "systemd:UNIX:index=0"):
            bare, wrapped = (read_endpoint(each + self.filled(listen)) for each in ("", "haproxy:"))
            for what in ("interface", "port", "local", "plain", "files", "path"):
                self.assertEqual(getattr(wrapped, what), getattr(bare, what), (listen, what))

    def test_a_family_of_systemd_is_read_wherever_it_stands(self) -> None:
        for listen, local in (
            ("systemd:UNIX:index=0", True),
            ("systemd:index=0:domain=UNIX", True),
            (r"systemd:INET:name=domain\=UNIX", False),
        ):
            self.assertEqual((read_endpoint(listen).local, read_endpoint(listen).plain), (local, not local))


@implementer(IPlugin, IStreamServerEndpointStringParser)
@frozen
class OwnParser:
    """An endpoint of a third party."""

    prefix = "house"

    def parseStreamServer(self, reactor: Any, *args: str, **kwargs: str) -> Any:
        """Takes one word."""
        (word,) = args
        return reactor.listenHouse(word) if word == "asks" else object()


class ThirdPartyTests(SynchronousTestCase):
    """Endpoints of other packages."""

    def test_they_are_taken_as_far_as_their_parser_takes_them(self) -> None:
        parsers = [OwnParser()]
        with patch("twisted.internet.endpoints.getPlugins", lambda interface, package=None: iter(parsers)):
            for listen in ("house:one", "house:asks"):
                self.assertFalse(read_endpoint(listen).local)
            error = self.assertRaises(ConfigurationError, read_endpoint, "house:one:two")
        self.assertIn('found "house:one:two", expected an endpoint', str(error))


# ---------------------------------------------------------------- behind a proxy


class Speaker(Protocol):
    """Keeps who the other side is said to be, by address and by certificate."""

    def __init__(self, seen: Deferred[tuple[str, tuple[str, ...]]]) -> None:
        self._seen = seen

    def dataReceived(self, data: bytes) -> None:
        """Tell it."""
        assert self.transport is not None
        peer: Any = self.transport.getPeer()
        self._seen.callback((peer.host, certificate_names(self.transport)))


class ProxyHeader(Protocol):
    """A proxy that passes TLS on: it tells in clear whose connection it is, before the handshake."""

    def connectionMade(self) -> None:
        """Tell it, then be a client with TLS."""
        transport: Any = self.transport
        transport.write(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 7300\r\n")
        roots = trustRootFromCertificates([Certificate.loadPEM(AUTHORITY.pem)])
        transport.startTLS(optionsForClientTLS("localhost", roots))
        transport.write(b"hello")


class ProxyTests(EndpointCase):
    """``haproxy:ctiex-tls:...``."""

    async def test_the_address_that_a_proxy_tells_before_the_handshake_is_the_client_s(self) -> None:
        seen: Deferred[tuple[str, tuple[str, ...]]] = Deferred()
        listen = self.filled(f"haproxy:{TLS}")
        port = await make_endpoint(reactor, listen).listen(Factory.forProtocol(lambda: Speaker(seen)))
        self.addCleanup(port.stopListening)
        client = await clientFromString(reactor, f"tcp:127.0.0.1:{port.getHost().port}").connect(
            Factory.forProtocol(ProxyHeader)
        )
        self.assertEqual(await seen, ("192.0.2.7", ()))
        gone: Deferred[None] = Deferred()
        client.connectionLost = lambda reason=connectionDone: gone.callback(None)
        client.transport.loseConnection()
        await gone

    async def test_a_connection_that_the_links_turn_away_is_closed(self) -> None:
        class Nobody(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> None:
                return None

        port = await make_endpoint(reactor, self.filled(f"haproxy:{TLS}")).listen(Nobody())
        self.addCleanup(port.stopListening)
        gone: Deferred[Failure] = Deferred()

        class Client(Protocol):
            def connectionLost(self, reason: Failure = connectionDone) -> None:
                gone.callback(None)

        await clientFromString(reactor, f"tcp:127.0.0.1:{port.getHost().port}").connect(Factory.forProtocol(Client))
        await gone


# ---------------------------------------------------------------- from systemd


HANDS_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="agents")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does: the socket as descriptor 3, and the variables that say so."""


@pytest.mark.parametrize("wrapped", ["", "haproxy:"])
def test_a_socket_from_systemd_is_listened_at(wrapped: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as handed_over, socket.create_server(("127.0.0.1", 0)) as free:
        port, other = handed_over.getsockname()[1], free.getsockname()[1]
        free.close()
        twist = (sys.executable, "-m", "twisted", "--log-format=text", "ctiex")
        links = ("--agent-listen", f"{wrapped}systemd:INET:name=agents", "--ivr-listen", f"tcp:{other}:{LOOPBACK}")
        command = [sys.executable, "-c", HANDS_OVER, str(handed_over.fileno()), *twist, *links, "--config", "own.toml"]
        (tmp_path / "own.toml").write_text(
            '[links.agent]\nplain_secrets = "allowed"\n[identities.a]\nrole = "agent"\nsecret = "x"\nagents = ["*"]\n'
        )
        running = Program[str](
            command, cwd=tmp_path, env=surroundings(), pass_fds=[handed_over.fileno()],
            stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True,
        )  # fmt: skip
    with running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if "is ready" in line:
                break
        assert re.search(rf"is ready: agents at 127\.0\.0\.1:{port}", said), said
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
            pass
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=PATIENCE)
