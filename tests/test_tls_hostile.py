"""Whatever comes in the place of a handshake, and handshakes refused by the thousand."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ctiex.tls.contexts import HandshakeRefusals, ServerContexts, TlsLinkFactory
from ctiex.tls.endpoint import TlsFiles

from .effort import examples
from .tls_bench import EXCHANGE, Server, log_of


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
