"""A whole exchange in memory, message by message: the processor's time of each kind, beside that of a calibration loop.

Run by ``benchmarks/in_memory.py`` in a process of its own, on the ``ctiex`` of whichever checkout stands first on its
path. So that it measures an older one as well as this one, it uses of ``ctiex`` what has long been there: the
messages, the binary codec, and :class:`ctiex.testing.pairs.MemoryExchange` with the two factories of its links.
"""

from __future__ import annotations

import gc
import json
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import thread_time_ns
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

import ctiex
from ctiex.codecs.binary import BinaryCodec
from ctiex.fields import Fields
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLogout,
    Bind,
    CallEnded,
    CallEndedReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectionReply,
    ConnectRequest,
    DataRequest,
    Message,
    Ping,
    Pong,
    Role,
    ServiceEvent,
)
from ctiex.testing.pairs import MemoryExchange

BATCH = 20
"""Messages of one kind that come one behind the other."""
PIECE = 2
"""Messages that are timed together: in so little time it is likely that nothing comes between."""
QUIET = 0.03
"""Which part of the rounds is taken to have had a piece undisturbed."""
CALIBRATION = "calibration"
"""What the calibration loop is called among the kinds of message: one turn of it."""
_BINDS = 10
_WARM_UP = 5
"""Rounds that don't count: Python specializes its code, caches fill."""
_CODEC = BinaryCodec()
_HEADER = struct.Struct(">IBBHI")
_FIELDS = Fields(
    {"account": "1001200300", "language": "en", "area": "010", "vip_level": 3, "callback": True, "queue": "billing"}
)
_PROGRESS, _RESULT = Fields({"step": "menu", "choice": 2}), Fields({"password_ok": True, "attempts": 1})
HAND_OFF = ("ConnectRequest", "ConnectionReply", "DataRequest", "ServiceEvent, progress", "ServiceEvent, final",
            "AgentEventAck")  # fmt: skip
"""The kinds that one hand-off consists of, each once."""


class WrongAnswer(Exception):
    """The exchange didn't do what is to be measured."""


# ---------------------------------------------------------------- the calibration loop


class _Entry:
    __slots__ = ("name", "number", "value")

    def __init__(self, name: str, number: int, value: bytes) -> None:
        self.name, self.number, self.value = name, number, value

    def next(self) -> int:
        self.number += 1
        return self.number


LOOPS = 250
"""Turns of one calibration."""


def calibration() -> int:
    """Work of the kind that an exchange does, none of it the exchange's: bytes, small objects, tables."""
    table: dict[str, _Entry] = {}
    written, body = [], b"\x0513800\x03abc" * 4
    for turn in range(LOOPS):
        frame = _HEADER.pack(len(body), 1, turn & 0x7F, 0, turn) + body
        _, _, kind, _, invoke_id = _HEADER.unpack_from(frame)
        text = frame[13:18].decode() + str(turn)
        entry = table.get(text)
        if entry is None:
            entry = table[text] = _Entry(text, kind, frame[12:])
        if entry.next() and isinstance(entry.value, bytes):
            written.append(b"".join((frame[:8], invoke_id.to_bytes(4, "big"), entry.value)))
    return len(written) + sum(entry.number for entry in table.values())


# ---------------------------------------------------------------- a link without a socket


@implementer(ITransport, IConsumer, IPushProducer)
class Ear:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self._address = IPv4Address("TCP", "127.0.0.1", 49152)

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Keep all of it."""
        self.written.extend(data)

    def loseConnection(self) -> None:
        """Note it."""
        self.closed = True

    abortConnection = loseConnection
    stopProducing = loseConnection

    def getPeer(self) -> IPv4Address:
        """An address of this machine."""
        return self._address

    getHost = getPeer

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Never needs to be told: what was written is never in its way."""

    def unregisterProducer(self) -> None:
        """As before."""

    def pauseProducing(self) -> None:
        """It produces when told to."""

    def resumeProducing(self) -> None:
        """As before."""


class Link:
    """The exchange's end of a link, and what it has said on it."""

    def __init__(self, factory: Any) -> None:
        self.ear = Ear()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.ear)
        self.receive: Callable[[bytes], None] = self.protocol.dataReceived

    def heard(self) -> Iterator[tuple[int, int, Message]]:
        """Kind, invoke id and content of all that was written since the last time."""
        decoder = _CODEC.decoder(65_536)
        decoder.receive(b"".join(self.ear.written))
        self.ear.written.clear()
        for frame in decoder.frames():
            yield frame.kind, frame.invoke_id, _CODEC.decode_body(frame)

    def close(self) -> None:
        """The other side hangs up."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


def framed(message: Message, invoke_id: int = 0) -> bytes:
    """A whole frame."""
    return _CODEC.frame(KIND_OF[type(message)], invoke_id, _CODEC.encode_body(message))


# ---------------------------------------------------------------- one round


class Round:
    """One new exchange, and every kind of message in its turn: no round finds more in the exchange than another."""

    def __init__(self, cost: Callable[[str, int, Iterable[Callable[[], object]]], None]) -> None:
        """:param cost: runs and times a batch, under its name, of so many messages, piece by piece."""
        self._cost = cost
        self._exchange = MemoryExchange()
        self._numbers = [f"1{number:03d}" for number in range(BATCH)]
        self._serials = [f"{number:020d}" for number in range(BATCH)]
        self._others = [f"{number:020d}" for number in range(BATCH, 2 * BATCH)]
        self._agent, self._service = self._bound()

    def _bound(self) -> tuple[Link, Link]:
        """Binds of agents, timed, of which one link stays; and the session of an automatic service."""
        links = [Link(self._exchange.agent_links) for _ in range(_BINDS)]
        self._send("Bind", [(link, framed(Bind(Role.AGENT, "agents", "secret"), 1)) for link in links])
        for link in links:
            _all_ok([link], 1)
        for link in links[1:]:
            link.close()
        service = Link(self._exchange.ivr_links)
        service.receive(framed(Bind(Role.SERVICE, "services", "secret"), 1))
        _all_ok([service], 1)
        return links[0], service

    def _send(self, name: str, frames: Sequence[tuple[Link, bytes]]) -> None:
        """Time what the exchange does with these, each received by itself."""
        work = [(link.receive, data) for link, data in frames]
        pieces = [partial(_receive, work[at : at + PIECE]) for at in range(0, len(work), PIECE)]
        next_turn = partial(self._exchange.clock.advance, 0)
        self._cost(name, len(work), [*pieces, next_turn])

    def _ask(self, name: str, link: Link, messages: Iterable[Message], status: int | None = 0) -> None:
        """Requests of one link; all are answered with this status, where they are answered at all."""
        frames = [(link, framed(message, number)) for number, message in enumerate(messages, 1)]
        self._send(name, frames)
        if status is not None:
            _all_ok([link], len(frames), status)

    def run(self) -> None:
        """Everything."""
        agent, service, numbers = self._agent, self._service, self._numbers
        self._ask("AgentLogin", agent, map(AgentLogin, numbers))
        self._ask("Ping", agent, [Ping()] * BATCH, None)
        _same(sum(isinstance(said, Pong) for _, _, said in agent.heard()), BATCH, "Pongs")
        self._hand_over()
        self._cancel()
        self._ask("DataRequest, refused", service, [DataRequest("404", "exchange:7301")] * BATCH, 20)
        self._ask("AgentLogout", agent, map(AgentLogout, numbers))

    def _connect(self, serials: Sequence[str]) -> None:
        """Ask for these calls, and have the service accept them."""
        requests = [
            ConnectRequest(serial, number, "bill", "13800138000", fields=_FIELDS)
            for serial, number in zip(serials, self._numbers, strict=True)
        ]
        self._ask("ConnectRequest", self._agent, requests)
        offered = [invoke_id for _, invoke_id, said in self._service.heard() if isinstance(said, Connection)]
        _same(len(offered), len(serials), "Connections")
        accepted = framed(ConnectionReply(0), 0)
        answers = [accepted[:8] + invoke_id.to_bytes(4, "big") + accepted[12:] for invoke_id in offered]
        self._send("ConnectionReply", [(self._service, answer) for answer in answers])
        _same(len(self._events(Condition.CONNECTED)), len(serials), "events CONNECTED")

    def _hand_over(self) -> None:
        agent, service, serials = self._agent, self._service, self._serials
        self._connect(serials)
        requests = [DataRequest(serial, "exchange:7301") for serial in serials]
        self._ask("DataRequest", service, requests)
        self._ask("DataRequest, again", service, requests)
        _same(len(self._events(Condition.DATA_FETCHED)), BATCH, "events DATA_FETCHED")
        for name, condition, fields in (("progress", Condition.PROGRESS, _PROGRESS),
                                        ("final", Condition.COMPLETED, _RESULT)):  # fmt: skip
            reports = [ServiceEvent(int(condition), serial, "", condition, fields) for serial in serials]
            self._ask(f"ServiceEvent, {name}", service, reports)
            events = self._events(condition)
            _same(len(events), BATCH, f"events {condition.name}")
        self._send("AgentEventAck", [(agent, framed(AgentEventAck(one.agent, one.sequence))) for one in events])
        _all_ok([agent], 0)

    def _cancel(self) -> None:
        self._connect(self._others)
        self._ask("CancelRequest", self._agent, map(CancelRequest, self._others))
        ended = [invoke_id for _, invoke_id, said in self._service.heard() if isinstance(said, CallEnded)]
        _same(len(ended), BATCH, "CallEnded")
        self._send("CallEndedReply", [(self._service, framed(CallEndedReply(), invoke_id)) for invoke_id in ended])
        _all_ok([self._service], 0)

    def _events(self, condition: Condition) -> list[AgentEvent]:
        return [
            said for _, _, said in self._agent.heard() if isinstance(said, AgentEvent) and said.condition == condition
        ]


def _receive(work: Iterable[tuple[Callable[[bytes], None], bytes]]) -> None:
    for receive, data in work:
        receive(data)


def _all_ok(links: Sequence[Link], count: int, status: int = 0) -> None:
    """Every reply has this status; what else was said stays to be heard."""
    for link in links:
        said = [(invoke_id, message) for _, invoke_id, message in link.heard()]
        unasked = [one for one in said if isinstance(one[1], AgentEvent | Connection | CallEnded)]
        _same([getattr(one[1], "status", None) for one in said if one not in unasked], [status] * count, "replies")
        link.ear.written.extend(framed(message, invoke_id) for invoke_id, message in unasked)


def _same(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise WrongAnswer(f"{what}: {found}, expected {expected}")


# ---------------------------------------------------------------- measuring


Took = Mapping[str, Sequence[float]]
"""What the pieces of one round took, in microseconds for each message of their kind: together they are its cost."""


class Costs:
    """What each piece of a round took; a calibration loop runs before each batch."""

    def __init__(self, nanoseconds: Callable[[], int] = thread_time_ns) -> None:
        """:param nanoseconds: what this thread has had of the processor so far."""
        self._nanoseconds = nanoseconds
        self._pieces: dict[str, list[int]] = defaultdict(list)
        self._messages: Counter[str] = Counter()

    def take(self, name: str, messages: int, pieces: Iterable[Callable[[], object]]) -> None:
        """Run a batch of so many messages, in pieces that are timed apart."""
        for kind, count, parts in ((CALIBRATION, LOOPS, [calibration]), (name, messages, pieces)):
            self._messages[kind] += count
            self._pieces[kind] += [self._timed(part) for part in parts]

    def _timed(self, work: Callable[[], object]) -> int:
        begun = self._nanoseconds()
        work()
        return self._nanoseconds() - begun

    def took(self) -> Took:
        """All of it."""
        each = {kind: 1_000 * messages for kind, messages in self._messages.items()}
        return {kind: [piece / each[kind] for piece in pieces] for kind, pieces in self._pieces.items()}


def undisturbed(rounds: Sequence[Took]) -> dict[str, float]:
    """What a message of each kind costs, and a whole hand-off, in microseconds, when nothing comes between.

    Whatever does, makes a piece dearer, and nothing makes one cheaper: so of each piece one of its least counts. The
    very least would be as much a matter of chance as the most.
    """
    least = int(len(rounds) * QUIET)
    places = {kind: zip(*(one[kind] for one in rounds), strict=True) for kind in rounds[0]}
    found = {kind: sum(sorted(place)[least] for place in pieces) for kind, pieces in places.items()}
    return {**found, "a whole hand-off": sum(found[name] for name in HAND_OFF)}


def measure() -> Took:
    """One round; garbage is collected behind it, never within what is timed."""
    costs = Costs()
    Round(costs.take).run()
    gc.collect()
    return costs.took()


def main() -> None:
    """For each line of the input a round: a line of JSON. The first line tells which ``ctiex`` it is."""
    gc.disable()
    for _ in range(_WARM_UP):
        measure()
    gc.freeze()
    print(json.dumps(str(Path(ctiex.__file__).parent)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


if __name__ == "__main__":
    main()
