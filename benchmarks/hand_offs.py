"""Whole hand-offs as load: agents that ask, services that take the call, fetch its data and report."""

from __future__ import annotations

import selectors
import struct
import time
from itertools import count

from benchmarks.configurations import AGENT_IDENTITY, SERVICE, SERVICE_IDENTITY
from benchmarks.generator import Shot, WrongAnswer
from benchmarks.load import SEQUENCE, Link, frame_of, told_by
from benchmarks.work import EXCHANGE_ADDRESS, fields_of, serial_of
from ctiex.fields import Fields
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Role,
    ServiceEvent,
    ServiceEventReply,
)

_ACCEPTED = frame_of(ConnectionReply(0), 1)
_INVOKE_AT, _BODY_AT = 8, 12
_RESULT = Fields({"password_ok": True, "attempts": 1, "digits": "4711"})
_SILENT = 20.0


def under(frame: bytes, invoke_id: int) -> bytes:
    """The same frame under another invoke id."""
    return frame[:_INVOKE_AT] + struct.pack(">I", invoke_id) + frame[_BODY_AT:]


class AcknowledgingAgent(Link):
    """Agents on one link; the events of one read are acknowledged together, once for each agent."""

    def __init__(self, port: int, agents: list[str]) -> None:
        super().__init__(port, Role.AGENT, AGENT_IDENTITY)
        for agent in agents:
            self.ask(AgentLogin(agent))
        self._acks = {agent.encode(): frame_of(AgentEventAck(agent, 0), 0)[:-SEQUENCE] for agent in agents}
        self._seen: dict[bytes, bytes] = {}

    def take(self) -> bytes:
        """What is to be sent for what came, acknowledgements behind it."""
        output = super().take()
        acks = b"".join(self._acks[agent] + sequence for agent, sequence in self._seen.items())
        self._seen.clear()
        return output + acks

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """Note an event."""
        if kind != KIND_OF[AgentEvent]:
            return super().answer(kind, invoke_id, body)
        agent, condition = told_by(body)
        self._seen[agent] = body[:SEQUENCE]
        return self.told(condition)

    def told(self, condition: int) -> bytes:
        """What is to be sent for an event."""
        return b""


class HandingAgent(AcknowledgingAgent):
    """Keeps a number of hand-offs under way: a new one for each that has its result."""

    def __init__(self, port: int, agents: list[str], numbers: count[int]) -> None:
        super().__init__(port, agents)
        self._numbers = numbers
        self._templates = [_template(agent) for agent in agents]
        self.begun = self.done = 0
        self.going_on = True

    def next(self) -> bytes:
        """A ConnectRequest of another call."""
        self.begun += 1
        number = next(self._numbers)
        serial = serial_of(number).encode()
        template = self._templates[number % len(self._templates)]
        return under(template.replace(_PLACE, serial), self.begun)

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """A ConnectReply has to say 0."""
        if kind == KIND_OF[ConnectReply]:
            if body[:2] != b"\0\0":
                raise WrongAnswer(f"a ConnectRequest was answered {int.from_bytes(body[:2], 'big')}")
            return b""
        return super().answer(kind, invoke_id, body)

    def told(self, condition: int) -> bytes:
        """The next hand-off for the end of another."""
        if condition < Condition.COMPLETED or condition in (10, 11, 12, 13):
            return b""
        if condition != Condition.COMPLETED:
            raise WrongAnswer(f"a call ended with condition {condition}")
        self.done += 1
        return self.next() if self.going_on else b""


_PLACE = serial_of(10**20 - 1).encode()


def _template(agent: str) -> bytes:
    fields = {**fields_of(_PLACE.decode()), "account": "1001200300"}
    return frame_of(ConnectRequest(_PLACE.decode(), agent, SERVICE, "13800138000", fields=Fields(fields)), 1)


class HandedService(Link):
    """Accepts a call, fetches its data, reports its result."""

    def __init__(self, port: int) -> None:
        super().__init__(port, Role.SERVICE, SERVICE_IDENTITY)
        self._numbers = count(1)
        self._request = frame_of(DataRequest(_PLACE.decode(), EXCHANGE_ADDRESS), 1)
        self._event = frame_of(ServiceEvent(0, _PLACE.decode(), "", Condition.COMPLETED, _RESULT), 1)

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """What follows each message of the exchange."""
        number = next(self._numbers) & 0x7FFFFFFF
        if kind == KIND_OF[Connection]:
            at = 1 + body[0]
            serial = body[at + 1 : at + 1 + body[at]].rpartition(b"**")[2]
            return under(_ACCEPTED, invoke_id) + under(self._request.replace(_PLACE, serial), number)
        if kind == KIND_OF[DataResult]:
            if body[:2] != b"\0\0":
                raise WrongAnswer(f"a DataRequest was answered {int.from_bytes(body[:2], 'big')}")
            return under(self._event.replace(_PLACE, body[3 : 3 + body[2]]), number)
        if kind == KIND_OF[ServiceEventReply]:
            if body[8:10] != b"\0\0":
                raise WrongAnswer(f"a ServiceEvent was answered {int.from_bytes(body[8:10], 'big')}")
            return b""
        return super().answer(kind, invoke_id, body)


class HandOffs:
    """Several agent links and service links, as one load."""

    def __init__(self, agent_port: int, service_port: int, links: int, agents: int, under_way: int) -> None:
        """Bind them all.

        :param agents: agent numbers on each agent link.
        :param under_way: hand-offs of each agent link at the same time.
        """
        numbers = count()
        each = [[f"{link + 1}{agent:04d}" for agent in range(agents)] for link in range(links)]
        self._agents = [HandingAgent(agent_port, names, numbers) for names in each]
        self._links = [*self._agents, *(HandedService(service_port) for _ in range(2))]
        self._under_way = under_way
        self._selector = selectors.DefaultSelector()
        for link in self._links:
            self._selector.register(link.socket, selectors.EVENT_READ, link)

    def run(self, seconds: float, rate: float = 0) -> Shot:
        """Hand over for so long, and wait for the results that are under way."""
        started = heard = time.monotonic()
        before = self.done
        for agent in self._agents:
            agent.going_on = True
            agent.socket.sendall(b"".join(agent.next() for _ in range(self._under_way)))
        while any(agent.done < agent.begun for agent in self._agents):
            for key, _ in self._selector.select(0.05):
                heard = time.monotonic()
                if output := key.data.take():
                    key.data.socket.sendall(output)
            now = time.monotonic()
            for agent in self._agents:
                agent.going_on = now < started + seconds
            if now - heard > _SILENT:
                raise WrongAnswer("the exchange has gone silent")
        return Shot(self.done - before, heard - started, [])

    @property
    def done(self) -> int:
        """Hand-offs that ended with their result at the agent."""
        return sum(agent.done for agent in self._agents)

    def close(self) -> None:
        """Close the links."""
        self._selector.close()
        for link in self._links:
            link.socket.close()
