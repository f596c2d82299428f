"""One link that sends mutated frames in batches and holds every answer to the description."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fuzz.mutating import Values, mutator_of, valid_values
from fuzz.speech import NEVER_ANSWERED, REPLIES, TO_AGENT, TO_SERVICE, Invalid, Speech
from fuzz.streams import Seen, healed, seen_in
from tests.wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Message

_BATCH = 32
_BATCHES = 12
"""Batches on one link before it is opened anew."""
_VERBATIM = 0.12
"""The share of frames that are sent as they are, so that sessions get somewhere."""
_UNHEALED = 0.2
"""The share of frames with bytes missing that swallow what comes behind them."""
_SILENCE = 20.0
"""How long an answer may take, in seconds."""
_MARK = 0xF0000000
_MOST_SERIALS = 400
_ENDS = (1, 3, 4)
"""What an Error under invoke id 0 says when it ends the link."""
_TAKEN_OVER = 13
_MAY_END = (Kind.UNBIND, Kind.BIND)
_OF_AGENTS = (
    Kind.AGENT_LOGIN, Kind.AGENT_LOGIN, Kind.CONNECT_REQUEST, Kind.CONNECT_REQUEST, Kind.CONNECT_REQUEST,
    Kind.CANCEL_REQUEST, Kind.AGENT_LOGOUT, Kind.AGENT_EVENT_ACK, Kind.AGENT_EVENT_ACK, Kind.CALL_QUERY,
    Kind.UPDATE_REQUEST, Kind.UPDATE_REQUEST, Kind.MONITOR, Kind.AGENT_STATE, Kind.CALL_CONTROL, Kind.CALL_DATA,
)  # fmt: skip
_OF_SERVICES = (
    Kind.DATA_REQUEST, Kind.DATA_REQUEST, Kind.DATA_REQUEST, Kind.SERVICE_EVENT, Kind.SERVICE_EVENT,
    Kind.CONNECTION_REPLY, Kind.CALL_ENDED_REPLY, Kind.DATA_CHANGED_REPLY,
)  # fmt: skip
_OF_ALL = (Kind.PING, Kind.PONG, Kind.ERROR, Kind.BIND)


class Broken(Exception):
    """The exchange did something that the description doesn't allow."""


@dataclass
class Shared:
    """What all fuzzed links of one run have in common."""

    speech: Speech
    rng: random.Random
    agent_port: int
    service_port: int
    serials: list[str] = field(default_factory=lambda: ["404"])
    answers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    fuzzed: int = 0
    sent: int = 0
    links: int = 0

    def learn(self, serial: str) -> None:
        """A serial that the exchange knows."""
        if len(self.serials) < _MOST_SERIALS:
            self.serials.append(serial)
        else:
            self.serials[self.rng.randrange(_MOST_SERIALS)] = serial


class FuzzedLink:
    """A link to one of the two ports; the even ones are agents, and every fourth of each isn't bound first.

    A batch ends with a Ping: its Pong says that the exchange has judged the whole batch and lives on.
    """

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared, self._rng = shared, shared.rng
        self._mutator = mutator_of(shared.speech, shared.rng)
        self._to_agents = number % 2 == 0
        self._binds = number // 2 % 4 != 3
        self._agents = [f"20{(number * 3 + at) % 20:02d}" for at in range(3)]
        self.open_again()

    def open_again(self) -> None:
        """Begin anew on a new connection."""
        port = self._shared.agent_port if self._to_agents else self._shared.service_port
        self.socket = socket.create_connection(("127.0.0.1", port), _SILENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended = False
        self._data = bytearray()
        self._asked: set[tuple[int, int]] = set()
        self._ids = {0}
        self._kinds: set[int] = set()
        self._live: list[tuple[Kind, int, Values]] = []
        self._last: Message | None = None
        self._batches = 0
        self._invoke_id = 0
        self._expected: int | None = None
        self._shared.links += 1
        self._send_batch(self._bind() if self._binds else b"")

    def _bind(self) -> bytes:
        role, name = (AGENT_ROLE, "fuzz-agents") if self._to_agents else (SERVICE_ROLE, "fuzz-service")
        values = {"role": role, "identity": name, "secret": "fuzz-secret", "min_version": 2, "max_version": 2,
                  "software": "fuzz", "features": "updates calls"}  # fmt: skip
        data = self._shared.speech.write(Kind.BIND, 1, values)
        for agent in self._agents if self._to_agents else ():
            data += self._shared.speech.write(Kind.AGENT_LOGIN, 2, {"agent": agent, "epoch": 0, "resume_after": 0})
        return data

    # ------------------------------------------------------------ out

    def _send_batch(self, first: bytes = b"") -> None:
        data, verbatim = bytearray(first), len(seen_in(self._shared.speech, first).asked)
        for _ in range(_BATCH):
            unit, plain = self._unit()
            verbatim += plain
            data += unit
        if self._rng.random() < 0.1:
            data += self._leave()
        whole, seen = healed(self._shared.speech, bytes(data))
        self._mark = _MARK + self._batches
        whole += self._shared.speech.write(Kind.PING, self._mark, {})
        self._remember(seen, verbatim)
        self._batches += 1
        self._sent_at = time.monotonic()
        with suppress(OSError):  # what the exchange said before it ended the link is still to be read
            self.socket.sendall(whole)

    def _remember(self, seen: Seen, verbatim: int) -> None:
        self._asked.update(seen.asked)
        self._asked.add((Kind.PING, self._mark))
        self._ids.update(invoke_id for _, invoke_id in seen.asked)
        self._kinds.update(kind for kind, _ in seen.asked if kind >= 0)
        self._expected = seen.ends_with
        self._due = seen.ends_with is not None or any(kind in _MAY_END for kind, _ in seen.asked)
        self._shared.sent += len(seen.asked) + (seen.ends_with is not None) + 1
        self._shared.fuzzed += max(0, len(seen.asked) + (seen.ends_with is not None) - verbatim)

    def _unit(self) -> tuple[bytes, int]:
        """Some bytes, and how many frames of them are as they should be."""
        kind, invoke_id, values = self._next()
        if self._rng.random() < _VERBATIM:
            return self._shared.speech.write(kind, invoke_id, values), 1
        made = self._mutator.mutate(kind, invoke_id, values)
        if self._rng.random() < _UNHEALED:
            return made, 0
        return healed(self._shared.speech, made)[0], 0

    def _next(self) -> tuple[Kind, int, Values]:
        """What a session would say next."""
        rng = self._rng
        if self._live and rng.random() < 0.5:
            return self._live.pop(rng.randrange(len(self._live)))
        drawn = rng.random()
        of_role = _OF_AGENTS if self._to_agents else _OF_SERVICES
        if not self._binds and drawn < 0.3:
            kind = Kind.BIND
        elif drawn < 0.85:
            kind = rng.choice(of_role)
        else:
            kind = rng.choice(_OF_ALL if drawn < 0.95 else list(Kind))
        if kind is Kind.UNBIND:
            kind = Kind.PING
        self._invoke_id += 1
        return kind, self._invoke_id, valid_values(kind, rng, self._agents, self._shared.serials)

    def _leave(self) -> bytes:
        self._invoke_id += 1
        return self._shared.speech.write(Kind.UNBIND, self._invoke_id, {"status": 0, "detail": ""})

    # ------------------------------------------------------------ in

    def readable(self) -> None:
        """Take what came, check it, and go on behind the Pong of the batch."""
        try:
            data = self.socket.recv(1 << 18)
        except OSError:
            self._closed(reset=True)
            return
        if not data:
            self._closed()
            return
        self._data += data
        try:
            for answer in self._taken():
                self._check(answer)
        except (Broken, Invalid) as error:
            self._shared.broken.append(f"{type(error).__name__}: {error}")
            self._give_up()

    def _taken(self) -> Iterator[Message]:
        for frame in self._shared.speech.take(self._data):
            yield self._shared.speech.read(frame)

    def _check(self, answer: Message) -> None:
        kind = answer.kind
        self._shared.answers[self._name_of(answer)] += 1
        self._last = answer
        if kind not in (TO_AGENT if self._to_agents else TO_SERVICE):
            raise Broken(f"a message of the other link: {answer}")
        if kind is Kind.ERROR:
            if answer.invoke_id not in self._ids:
                raise Broken(f"an Error under an invoke id that nobody used: {answer}")
            if answer["about"] and answer["about"] not in self._kinds and answer["status"] != _TAKEN_OVER:
                raise Broken(f"an Error about a kind that nobody sent: {answer}")
        elif kind in REPLIES and (kind - 1, answer.invoke_id) not in self._asked:
            raise Broken(f"a reply that nobody asked for: {answer}")
        elif kind in NEVER_ANSWERED and answer.invoke_id:
            raise Broken(f"an event under an invoke id: {answer}")
        self._react(answer)

    def _name_of(self, answer: Message) -> str:
        return f"Error {answer['status']}" if answer.kind is Kind.ERROR else answer.kind.name

    def _react(self, answer: Message) -> None:
        match answer.kind:
            case Kind.PONG if answer.invoke_id == self._mark:
                if self._expected is not None:
                    raise Broken(f"the link goes on behind what should have ended it with {self._expected}")
                if self._batches < _BATCHES:
                    self._send_batch()
                else:
                    self._give_up()
            case Kind.CONNECTION:
                serial = answer["calling_number"].rpartition("**")[2]
                self._shared.learn(serial)
                self._serve(serial, answer.invoke_id)
            case Kind.CALL_ENDED:
                self._live.append((Kind.CALL_ENDED_REPLY, answer.invoke_id, {}))
            case Kind.DATA_CHANGED:
                self._live.append((Kind.DATA_CHANGED_REPLY, answer.invoke_id, {}))
            case Kind.AGENT_EVENT:
                values = {"agent": answer["agent"], "sequence": answer["sequence"]}
                self._live.append((Kind.AGENT_EVENT_ACK, 0, values))
                del self._live[:-50]

    def _serve(self, serial: str, invoke_id: int) -> None:
        base = self._invoke_id
        self._invoke_id += 3
        report: Values = {"event_id": 1, "serial": serial, "agent": "", "fields": [("digits", "1234")]}
        self._live += [
            (Kind.CONNECTION_REPLY, invoke_id, {"status": 0, "detail": ""}),
            (Kind.DATA_REQUEST, base + 1, {"serial": serial, "exchange_address": ""}),
            (Kind.SERVICE_EVENT, base + 2, {**report, "condition": 0}),
            (Kind.SERVICE_EVENT, base + 3, {**report, "event_id": 2, "condition": self._rng.randrange(1, 4)}),
        ]
        del self._live[:-50]

    # ------------------------------------------------------------ ends

    def _closed(self, reset: bool = False) -> None:
        """The exchange has ended the link: it has to have said why.

        A link that is closed while more comes in is reset (RFC 1122, 4.2.2.13), and that may overtake the reason. It is
        let pass where the end was due, and counted.
        """
        self._give_up()
        last = self._last
        told = last is not None and (
            (last.kind is Kind.ERROR and last.invoke_id == 0 and last["status"] in _ENDS)
            or last.kind is Kind.UNBIND_REPLY
            or (last.kind is Kind.BIND_REPLY and last["status"] != 0)
        )
        if not told and reset and self._due:
            self._shared.answers["(reset before its reason was read)"] += 1
        elif not told:
            self._shared.broken.append(f"a link ended without its reason; the last that came was {last}")
        elif self._data:
            self._shared.broken.append(f"a link ended within a frame: {bytes(self._data[:80])!r}")

    def _give_up(self) -> None:
        self.ended = True
        self.socket.close()

    def check_silence(self, now: float) -> None:
        """Hold the exchange to answering in time.

        :raise Broken: it has not.
        """
        if not self.ended and now - self._sent_at > _SILENCE:
            self._sent_at = now
            raise Broken(f"silent for {_SILENCE:.0f} s; the last that came was {self._last}")
