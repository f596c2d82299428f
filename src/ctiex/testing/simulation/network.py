"""The network: connections that delay, split and stall what they carry, and are cut at any moment.

Like TCP it keeps the order and never loses a byte in the middle: what is lost with a cut is an end of
what was written. Each side learns of a cut at its own time, or not before it asks for a sign of life.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from random import Random
from struct import pack

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.testing.pairs import MemoryTransport
from ctiex.testing.simulation.clock import ProcessClock, WorldClock

_NEAR, _FAR = 0.0005, 0.02
_ADDRESS = IPv4Address("TCP", "127.0.0.1", 7300)

Accept = Callable[[], IProtocol]


class End(MemoryTransport):
    """One end of a connection; what is written stays here until the network carries it over."""

    peer: End
    protocol: IProtocol

    def __init__(self, network: Network, process: ProcessClock, number: int) -> None:
        super().__init__(_ADDRESS.port)
        self._network = network
        self.process = process
        self._number = number
        self.gone = False
        """Whether the protocol has lost the connection, or its process has died."""
        self.severed = False
        """Whether nothing more that is written here gets through."""
        self.stalled_until = 0.0
        self._carrying = False

    # ------------------------------------------------------------ what a protocol asks of its transport

    def write(self, data: bytes) -> None:
        """Put bytes on their way."""
        if not (self.closing or self.gone or self.severed):
            super().write(data)
            self.carry()

    def loseConnection(self) -> None:
        """Close once everything written is carried over."""
        super().loseConnection()
        self.carry()

    def abortConnection(self) -> None:
        """Close at once."""
        super().abortConnection()
        self.closing = self.severed = True
        self.process.callLater(0, self.lose)
        self._network.tell_lost(self.peer)

    def resumeProducing(self) -> None:
        """Take bytes again."""
        if not self.reading:
            super().resumeProducing()
            self.peer.carry()

    # ------------------------------------------------------------ what the network does

    def carry(self) -> None:
        """Have what was written carried over, after a while."""
        if not self._carrying and (self.under_way or self.closing):
            self._carrying = True
            wait = max(self._network.delay(), self.stalled_until - self._network.clock.now)
            self._network.clock.network.callLater(wait, self._carry)

    def _carry(self) -> None:
        self._carrying = False
        if self.stalled_until > self._network.clock.now:
            self.carry()
        elif self.under_way and self.peer.takes:
            data = self.take(self._network.cut_at(len(self.under_way)))
            self._network.carried(self._number, data)
            self.peer.protocol.dataReceived(data)
            self._carried()
        elif self.under_way and self.peer.gone:
            self.under_way.clear()
            self._carried()
        elif not self.under_way:
            self._carried()

    def _carried(self) -> None:
        if self.under_way:
            self.carry()
            return
        if self.gone:
            return
        self.let_the_producer_go_on()
        if self.closing:
            if self.process.alive:
                self.process.callLater(0, self.lose, ConnectionDone)
            if not self.severed:
                self._network.tell_lost(self.peer, ConnectionDone)

    @property
    def takes(self) -> bool:
        """Whether bytes can be given to its protocol now."""
        return self.reading and not self.gone and not self.closing

    def sever(self, kept: int) -> None:
        """Let the first ``kept`` bytes under way through, and nothing more."""
        self.severed = True
        del self.under_way[kept:]

    def lose(self, reason: type[Exception] = ConnectionLost) -> None:
        """The protocol loses the connection."""
        if not self.gone and self.process.alive:
            self.gone = True
            self.severed = True
            self.protocol.connectionLost(Failure(reason()))


class Network:
    """Everything that connects processes."""

    def __init__(self, clock: WorldClock, random: Random, rough: bool) -> None:
        """A network.

        :param rough: whether it splits what it carries, and is slow at times.
        """
        self.clock = clock
        self._random = random
        self.rough = rough
        self._listeners: dict[str, tuple[ProcessClock, Accept]] = {}
        self._ends: list[End] = []
        """The client's end of every connection, until both sides have lost it."""
        self._made = 0
        self._digest = blake2b(digest_size=16)
        self.bytes_carried = 0

    # ------------------------------------------------------------ how it carries

    def delay(self) -> float:
        """How long the next bytes take, in seconds."""
        if self.rough and self._random.random() < 0.05:
            return self._random.uniform(_FAR, 1.0)
        return self._random.uniform(_NEAR, _FAR)

    def cut_at(self, count: int) -> int:
        """How many of so many bytes are carried over at once."""
        if self.rough and count > 1 and self._random.random() < 0.3:
            return self._random.randrange(1, count)
        return count

    def carried(self, number: int, data: bytes) -> None:
        """Bytes have been carried over: they are part of the trace."""
        self.bytes_carried += len(data)
        self._digest.update(pack(">dI", self.clock.now, number) + data)

    @property
    def digest(self) -> str:
        """Stands for everything that has happened so far."""
        return self._digest.hexdigest()

    # ------------------------------------------------------------ connections

    def listen(self, address: str, process: ProcessClock, accept: Accept) -> None:
        """Have connections to an address accepted by a process."""
        self._listeners[address] = (process, accept)

    def stop_listening(self, address: str) -> None:
        """Refuse connections to it."""
        self._listeners.pop(address, None)

    def connect(self, address: str, process: ProcessClock, factory: IProtocolFactory) -> IProtocol:
        """Connect now.

        :raise ConnectionRefusedError: nobody listens.
        """
        found = self._listeners.get(address)
        if found is None or not found[0].alive:
            raise ConnectionRefusedError
        near, far = factory.buildProtocol(_ADDRESS), found[1]()
        assert near is not None
        self._made += 2
        first, second = End(self, process, self._made), End(self, found[0], self._made + 1)
        first.peer, second.peer = second, first
        first.protocol, second.protocol = near, far
        self._ends = [end for end in self._ends if not (end.gone and end.peer.gone)] + [first]
        far.makeConnection(second)
        near.makeConnection(first)
        return near

    @property
    def open(self) -> list[End]:
        """The client's end of every connection that is there."""
        return [end for end in self._ends if not (end.severed or end.peer.severed)]

    @property
    def left_over(self) -> int:
        """How many bytes are under way."""
        return sum(len(side.under_way) for end in self._ends for side in (end, end.peer) if not side.gone)

    @property
    def ends(self) -> int:
        """How many ends haven't lost their connection yet."""
        return sum((not end.gone) + (not end.peer.gone) for end in self._ends)

    # ------------------------------------------------------------ faults

    def tell_lost(self, end: End, reason: type[Exception] = ConnectionLost) -> None:
        """An end learns after a while that the other one is gone."""
        self.clock.network.callLater(self.delay(), end.lose, reason)

    def cut(self, end: End) -> None:
        """Cut a connection; each side learns of it soon, or not before it misses signs of life."""
        for side in (end, end.peer):
            side.sever(self._random.randint(0, len(side.under_way)))
            if self._random.random() < 0.8:
                self.clock.network.callLater(self._random.choice((0.0, 0.01, 1.0)), side.lose)

    def stall(self, end: End, seconds: float) -> None:
        """Carry nothing in one direction for a while."""
        end.stalled_until = self.clock.now + seconds

    def kill(self, process: ProcessClock) -> None:
        """The connections of a process that has died: a part of what it wrote still gets through."""
        for client in self._ends:
            for end in (client, client.peer):
                if end.process is process and not end.gone:
                    end.sever(self._random.randint(0, len(end.under_way)))
                    end.gone = True
                    if self._random.random() < 0.85:
                        self.clock.network.callLater(self._random.choice((0.0, 0.03, 0.5)), end.peer.lose)


@implementer(IStreamClientEndpoint)
class NetworkEndpoint:
    """Where a process reaches an address."""

    def __init__(self, network: Network, process: ProcessClock, address: str) -> None:
        self._network = network
        self._process = process
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, after a while."""
        connect, delay = self._network.connect, self._network.delay()
        return deferLater(self._process, delay, connect, self._address, self._process, protocolFactory)
