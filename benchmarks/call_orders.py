"""What an order costs over TCP: an exchange with the simulated platform in a process of its own, and a bare echo there.

``python -m benchmarks.call_orders CALLS`` is that process: it prints the ports of both, and lives until its input ends.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from attrs import frozen
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.stdio import StandardIO

from benchmarks import machine
from benchmarks.call_measures import as_in_earnest
from benchmarks.call_worlds import DESKS, Simulated, WrongCourse
from benchmarks.server_process import environment, pinned
from ctiex.call_messages import (
    Action,
    CallChange,
    CallControl,
    CallControlReply,
    CallEvent,
    Monitor,
    MonitorReply,
    Snapshot,
)
from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import Frame
from ctiex.interfaces.call_platform import LegState
from ctiex.messages import KIND_OF, Bind, BindReply, Message, Role
from ctiex.testing.simulated_platform.devices import Device

AGENT = "1001"
_HEADER = struct.Struct(">IBBHI")
_PATIENCE = 10.0


# ---------------------------------------------------------------- the server's side


class _Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def serve(calls: int) -> None:
    """Run an exchange and an echo until the input ends.

    :param calls: how many are under way; the first is that of the agent.
    """
    from twisted.internet import reactor as the_reactor

    reactor: Any = the_reactor
    world = Simulated(reactor)
    board = world.platform.board
    for number in range(calls):
        agent = str(int(AGENT) + number)
        board.devices[agent] = Device(agent)
        board.calls_in(f"138{number:08d}", agent)
        [ringing] = [leg for leg in board.legs.of_agent(agent) if leg.state is LegState.ALERTING]
        board.pick_up(ringing)
    world.platform.come()
    as_in_earnest()
    factories = world.exchange.agent_links, Factory.forProtocol(_Echo)
    ports = [reactor.listenTCP(0, factory, interface="127.0.0.1") for factory in factories]
    print(*(port.getHost().port for port in ports), flush=True)

    class Leaving(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            if reactor.running:
                reactor.stop()

    StandardIO(Leaving())
    reactor.run()


@contextmanager
def served(calls: int) -> Iterator[tuple[int, int]]:
    """The ports of an exchange and of an echo."""
    command = [sys.executable, "-m", "benchmarks.call_orders", str(calls)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, cwd=machine.ROOT, env=environment(), preexec_fn=pinned(machine.server_core())
    )  # fmt: skip
    try:
        assert process.stdout is not None
        exchange, echo = map(int, process.stdout.readline().split())
        yield exchange, echo
    finally:
        process.communicate()


# ---------------------------------------------------------------- the desk's side


class Desk:
    """A client that waits for each answer."""

    def __init__(self, port: int) -> None:
        """Be connected."""
        self._codec = BinaryCodec()
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._invoke_id = 0

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def frame(self, message: Message) -> bytes:
        """The bytes of the next request."""
        self._invoke_id += 1
        return self._codec.frame(KIND_OF[type(message)], self._invoke_id, self._codec.encode_body(message))

    def write(self, data: bytes) -> None:
        """Write them."""
        self._socket.sendall(data)

    def read(self, size: int) -> bytes:
        """So many bytes."""
        while len(self._unread) < size:
            data = self._socket.recv(65_536)
            if not data:
                raise WrongCourse("the exchange has closed the link")
            self._unread += data
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def next(self) -> Message:
        """The next message."""
        length, _, kind, _, invoke_id = _HEADER.unpack(self.read(_HEADER.size))
        body = self.read(length + 4 - _HEADER.size)
        message: Message = self._codec.decode_body(Frame(kind, invoke_id, body))
        return message

    def until(self, kind: type[Message], status: int = 0) -> Any:
        """The next message of this class; it has to be of this status."""
        while not isinstance(message := self.next(), kind):
            pass
        if getattr(message, "status", 0) != status:
            raise WrongCourse(f"answered by {message}")
        return message

    def ask(self, message: Message, kind: type[Message]) -> tuple[float, Any]:
        """Ask, and wait for the answer; how long that took."""
        frame = self.frame(message)
        began = perf_counter()
        self.write(frame)
        answer = self.until(kind)
        return perf_counter() - began, answer


@frozen
class Orders:
    """What was measured, in seconds, one beside the other."""

    replies: list[float]
    """From writing an order until its reply is read."""
    events: list[float]
    """Until the event is read that tells what it did."""
    echoes: list[float]
    """The same frame through a bare echo."""


def measure(orders: int, calls: int) -> Orders:
    """Hold a customer and fetch them again, over and over, and the echo between."""
    found = Orders([], [], [])
    with served(calls) as (port, echo_port):
        desk, echo = Desk(port), Desk(echo_port)
        try:
            desk.ask(Bind(Role.AGENT, DESKS.name, "secret", software="bench", features="calls"), BindReply)
            desk.ask(Monitor(AGENT), MonitorReply)
            call = desk.until(Snapshot).call
            for number in range(orders):
                _order(desk, echo, call, number % 2 == 0, found)
        finally:
            desk.close()
            echo.close()
    return found


def _order(desk: Desk, echo: Desk, call: str, hold: bool, found: Orders) -> None:
    action, change = (Action.HOLD, CallChange.HELD) if hold else (Action.RETRIEVE, CallChange.RETRIEVED)
    frame = desk.frame(CallControl(action, AGENT, call))
    began = perf_counter()
    desk.write(frame)
    desk.until(CallControlReply)
    found.replies.append(perf_counter() - began)
    while desk.until(CallEvent).event != change:
        pass
    found.events.append(perf_counter() - began)
    began = perf_counter()
    echo.write(frame)
    if echo.read(len(frame)) != frame:
        raise WrongCourse("the echo answers something else")
    found.echoes.append(perf_counter() - began)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
