"""Writing at once: whatever the kernel takes of it, everything goes out, once and in order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as real_reactor
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.links.direct_send import send, sends_at_once

reactor: Any = real_reactor
TAKES = st.one_of(st.integers(0, 8), st.none())
"""How many bytes a kernel takes at most; None: it refuses."""


class Socket:
    """Takes what it is told to."""

    def __init__(self) -> None:
        self.most: int | None = 0
        self.taken = b""

    def send(self, data: bytes) -> int:
        if self.most is None:
            raise BlockingIOError
        self.taken += data[: self.most]
        return len(data[: self.most])


class Transport:
    """As much of Twisted's as sending looks at."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.dataBuffer = b""
        self._tempDataLen = 0
        self.disconnecting = False
        self.waiting = b""

    def write(self, data: bytes) -> None:
        self.waiting += data
        self._tempDataLen += len(data)


class SendTests(SynchronousTestCase):
    """One reply after the other."""

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), TAKES), max_size=12))
    def test_everything_goes_out_once_and_in_order(self, outputs: list[tuple[bytes, int | None]]) -> None:
        transport = Transport()
        for output, most in outputs:
            transport.socket.most = most
            send(transport, output)
        sent = b"".join(output for output, _ in outputs)
        self.assertEqual(transport.socket.taken + transport.waiting, sent)

    def test_nothing_overtakes_what_waits_or_the_end(self) -> None:
        for name, value in (("dataBuffer", b"earlier"), ("_tempDataLen", 7), ("disconnecting", True)):
            transport = Transport()
            transport.socket.most = 100
            setattr(transport, name, value)
            send(transport, b"later")
            self.assertEqual((transport.socket.taken, transport.waiting), (b"", b"later"), name)


class _Collector(Protocol):
    """Takes everything until the connection ends."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.ended.callback(self.data)


class TcpTests(TestCase):
    """Real transports."""

    async def connected(self) -> tuple[Any, _Collector]:
        """A server's transport, and the client at its other end."""
        accepted: Deferred[Protocol] = Deferred()

        class Server(Protocol):
            def connectionMade(self) -> None:
                accepted.callback(self)

        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Server))
        self.addCleanup(port.stopListening)
        client = _Collector()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), client)
        return (await accepted).transport, client

    async def test_only_twisteds_own_plain_tcp_is_asked(self) -> None:
        transport, client = await self.connected()
        self.assertTrue(sends_at_once(transport))
        self.assertTrue(sends_at_once(client.transport))
        for other in (None, StringTransport(), Transport()):
            self.assertFalse(sends_at_once(other))  # type: ignore[arg-type]
        subclass = type("Own", (tcp.Server,), {})
        self.assertFalse(sends_at_once(subclass.__new__(subclass)))
        transport.TLS = True
        self.assertFalse(sends_at_once(transport))
        transport.TLS = False
        transport.loseConnection()
        await client.ended

    async def test_more_than_the_kernel_takes_arrives_whole_before_the_end(self) -> None:
        transport, client = await self.connected()
        outputs = [bytes([number]) * size for number in range(80) for size in (10, 100_000)]
        client.transport.pauseProducing()  # type: ignore[union-attr]
        for output in outputs:
            send(transport, output)
        self.assertTrue(transport.dataBuffer or transport._tempDataLen, "the kernel has taken all of it")
        transport.loseConnection()
        client.transport.resumeProducing()  # type: ignore[union-attr]
        self.assertTrue(await client.ended == b"".join(outputs))
