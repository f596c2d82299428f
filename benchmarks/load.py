"""Load for an exchange: agents on several links, a service that accepts, frames made in advance."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Iterator

from ctiex.codecs.binary import BinaryCodec
from ctiex.fields import Fields
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    Bind,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    Message,
    Ping,
    Pong,
    Role,
)

_HEADER = struct.Struct(">IBBHI")
_CODEC = BinaryCodec()
_CONNECT_REPLY, _AGENT_EVENT = KIND_OF[ConnectReply], KIND_OF[AgentEvent]
_CONNECTION, _PING = KIND_OF[Connection], KIND_OF[Ping]
_ACCEPTED = _CODEC.encode_body(ConnectionReply(0))
_PONG = _CODEC.encode_body(Pong())
SEQUENCE, _BEFORE_AGENT = 8, 16
"""In an AgentEvent: how long its sequence is, and where its agent number stands."""
_SILENT = 20.0
"""The load gives up after so many seconds in which nothing came."""


def frame_of(message: Message, invoke_id: int) -> bytes:
    """A whole frame."""
    return _CODEC.frame(KIND_OF[type(message)], invoke_id, _CODEC.encode_body(message))


class Link:
    """One bound link over loopback."""

    def __init__(self, port: int, role: Role, identity: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self.ask(Bind(role, identity, "demo"))
        self.failed = 0

    def ask(self, message: Message) -> None:
        """Send a request and wait for its reply, which has to have status 0."""
        self.socket.sendall(frame_of(message, 1))
        for kind, _, body in self.read():
            if kind == KIND_OF[type(message)] + 1 and body[:2] == b"\0\0":
                return
        raise SystemExit(f"the exchange refused a {type(message).__name__}")

    def read(self) -> Iterator[tuple[int, int, bytes]]:
        """The frames that came: kind, invoke id, body."""
        data = self._unread + self.socket.recv(1 << 18)
        at = 0
        while len(data) - at >= _HEADER.size:
            length, _, kind, _, invoke_id = _HEADER.unpack_from(data, at)
            if len(data) - at < 4 + length:
                break
            yield kind, invoke_id, data[at + _HEADER.size : at + 4 + length]
            at += 4 + length
        self._unread = data[at:]

    def take(self) -> bytes:
        """Read what came, and give what is to be sent for it."""
        return b"".join(self.answer(*frame) for frame in self.read())

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """What is to be sent for a frame."""
        return _CODEC.frame(KIND_OF[Pong], invoke_id, _PONG) if kind == _PING else b""


def told_by(event: bytes) -> tuple[bytes, int]:
    """The agent number and the condition of an AgentEvent: sequence, time, agent, serial, reference, condition."""
    at = _BEFORE_AGENT
    agent = event[at + 1 : at + 1 + event[at]]
    for _ in ("agent", "serial", "reference"):
        at += 1 + event[at]
    return agent, event[at]


class ServiceLink(Link):
    """Accepts every Connection."""

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """Accept."""
        if kind == _CONNECTION:
            return _CODEC.frame(KIND_OF[ConnectionReply], invoke_id, _ACCEPTED)
        return super().answer(kind, invoke_id, body)


class AgentLink(Link):
    """Keeps a number of ConnectRequests in flight, and acknowledges every event."""

    def __init__(self, port: int, agents: list[str], in_flight: int) -> None:
        super().__init__(port, Role.AGENT, "agent-demo")
        for agent in agents:
            self.ask(AgentLogin(agent))
        self._in_flight = in_flight
        self._requests: list[bytes] = []
        self._next = 0
        self.kept = self.connected = 0
        self._acks = {
            agent.encode(): _CODEC.encode_body(AgentEventAck(agent, 1)).rpartition(struct.pack(">Q", 1))[0]
            for agent in agents
        }

    def load(self, requests: list[bytes]) -> bytes:
        """Begin with these frames; gives the first of them."""
        self._requests, self.kept, self.connected, self._next = requests, 0, 0, self._in_flight
        return b"".join(requests[: self._in_flight])

    @property
    def done(self) -> bool:
        """Whether every call was kept, and is with its service."""
        return self.kept == self.connected == len(self._requests)

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """The next request for a reply, an acknowledgement for an event."""
        if kind == _CONNECT_REPLY:
            if body[:2] != b"\0\0":
                raise SystemExit(f"a ConnectRequest was answered {int.from_bytes(body[:2], 'big')}")
            self.kept += 1
            self._next += 1
            return self._requests[self._next - 1] if self._next <= len(self._requests) else b""
        if kind == _AGENT_EVENT:
            agent, condition = told_by(body)
            self.connected += condition == Condition.CONNECTED
            return _CODEC.frame(KIND_OF[AgentEventAck], 0, self._acks[agent] + body[:SEQUENCE])
        return super().answer(kind, invoke_id, body)


class Load:
    """Several agent links and service links to one exchange."""

    def __init__(self, agent_port: int, service_port: int, links: int, agents: int, in_flight: int) -> None:
        """Bind them all.

        :param agents: agent numbers logged in on each link.
        :param in_flight: ConnectRequests of each link that wait for their reply.
        """
        self.agents = [[f"{link + 1}{agent:04d}" for agent in range(agents)] for link in range(links)]
        """The agent numbers of each link."""
        self._links = [AgentLink(agent_port, numbers, in_flight) for numbers in self.agents]
        self._services = [ServiceLink(service_port, Role.SERVICE, "service-demo") for _ in range(2)]
        self._selector = selectors.DefaultSelector()
        for link in (*self._links, *self._services):
            self._selector.register(link.socket, selectors.EVENT_READ, link)

    def requests(self, calls: int, fields: Fields) -> list[list[bytes]]:
        """Frames of so many ConnectRequests, shared out among the links; each asks for a serial."""
        return [
            [
                frame_of(
                    ConnectRequest("", agents[i % len(agents)], "number-broadcast", "13800138000", fields=fields), i + 1
                )
                for i in range(calls // len(self.agents))
            ]
            for agents in self.agents
        ]

    def run(self, requests: list[list[bytes]]) -> None:
        """Send them all, and wait until each call was kept, accepted and told to its agent."""
        for link, frames in zip(self._links, requests, strict=True):
            link.socket.sendall(link.load(frames))
        heard = time.monotonic()
        while not all(link.done for link in self._links):
            for key, _ in self._selector.select(1):
                heard = time.monotonic()
                if answers := key.data.take():
                    key.data.socket.sendall(answers)
            if time.monotonic() - heard > _SILENT:
                raise SystemExit("the exchange has gone silent")

    def close(self) -> None:
        """End all links."""
        self._selector.close()
        for link in (*self._links, *self._services):
            link.socket.close()
