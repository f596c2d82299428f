"""The load generator for machines without a C compiler: the same plan, orders and checks as ``load.c``.

It is a script of the standard library alone, so that it starts quickly.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import struct
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.histogram import middle_of, step_of

SILENT = 20.0
_PING, _PONG, _KIND_AT = 5, 6, 5
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class WrongAnswer(Exception):
    """What is wrong, in words."""


class Plan:
    """What to send, and what to expect; ``load.c`` explains the lines."""

    def __init__(self, lines: TextIO) -> None:
        self.requests: list[bytes] = []
        self.expect: list[tuple[int, bytes]] = []
        self.match: list[tuple[int, int, int]] = []
        self.words: dict[str, list[str]] = {"in-flight": ["1"], "connections": ["1"], "size": ["0"]}
        for line in lines:
            key, *words = line.split()
            if key == "open":
                break
            match key:
                case "request":
                    self.requests.append(bytes.fromhex(words[0]))
                case "expect":
                    self.expect.append((int(words[0]), bytes.fromhex(words[1])))
                case "match":
                    self.match.append((int(words[0]), int(words[1]), int(words[2])))
                case _:
                    self.words[key] = words
        self.framing, *fixed = self.words["framing"]
        self.fixed = int(fixed[0]) if fixed else 0
        self.size = int(self.words["size"][0])
        self.heartbeat = "heartbeat" in self.words
        self.counter = int(self.words["counter"][0]) if "counter" in self.words else None

    def end(self, data: bytes, at: int) -> int:
        """Where the answer that begins at ``at`` ends; -1 when it isn't all there."""
        whole = getattr(self, f"_end_{self.framing}")(data, at)
        return whole if whole <= len(data) else -1

    def _end_fixed(self, data: bytes, at: int) -> int:
        return at + self.fixed

    def _end_length32(self, data: bytes, at: int) -> int:
        return at + 4 + int.from_bytes(data[at : at + 4], "big") if len(data) - at >= 4 else -1

    def _end_line(self, data: bytes, at: int) -> int:
        return data.find(b"\n", at) + 1 or -1

    def _end_http(self, data: bytes, at: int) -> int:
        head = data.find(b"\r\n\r\n", at)
        if head < 0:
            return -1
        found = _LENGTH.search(data, at, head)
        if found is None:
            raise WrongAnswer(f"an HTTP answer without Content-Length: {data[at:head]!r}")
        return head + 4 + int(found[1])

    def _end_resp(self, data: bytes, at: int) -> int:
        line = data.find(b"\r\n", at) + 2
        if line == 1 or data[at : at + 1] not in (b"*", b"$"):
            return line if line > 1 else -1
        count = int(data[at + 1 : line - 2])
        if data[at : at + 1] == b"$":
            return line if count < 0 else line + count + 2
        for _ in range(count):
            line = self._end_resp(data, line) if line < len(data) else -1
            if not 0 < line <= len(data):
                return -1
        return line

    def check(self, answer: bytes, request: bytes) -> None:
        """:raise WrongAnswer: it isn't the answer to this request."""
        if self.size and len(answer) != self.size:
            raise WrongAnswer(f"wrong answer of {len(answer)} bytes, which is the wrong size: {answer[:300]!r}")
        for offset, expected in self.expect:
            expect(answer, offset, expected)
        for at, own, size in self.match:
            at += len(answer) if at < 0 else 0
            if answer[at : at + size] != request[own : own + size]:
                raise WrongAnswer(f"wrong answer of {len(answer)} bytes, which doesn't match its request: {answer!r}")


def expect(answer: bytes, offset: int, expected: bytes) -> None:
    """:raise WrongAnswer: other bytes stand there."""
    at = offset + len(answer) if offset < 0 else offset
    if answer[at : at + len(expected)] != expected:
        raise WrongAnswer(f"wrong answer of {len(answer)} bytes, without the expected bytes: {answer[:300]!r}")


class Connection:
    """One connection, and what waits for its answer on it."""

    def __init__(self, load: Load, number: int) -> None:
        plan = self._plan = load.plan
        self._load = load
        host, port = plan.words["connect"]
        self.socket = socket.create_connection((host, int(port)), SILENT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._unread = b""
        self._next = number * 7919 % max(1, len(plan.requests))
        self._waiting: deque[tuple[bytes, float]] = deque()
        if "prologue" in plan.words:
            self._introduce(int(plan.words["prologue"][0]), bytes.fromhex(plan.words["prologue"][1]))

    def _introduce(self, answers: int, prologue: bytes) -> None:
        self.socket.sendall(prologue)
        came: list[bytes] = []
        while len(came) < answers:
            came += self._take()
        if "prologue-expect" in self._plan.words:
            offset, expected = self._plan.words["prologue-expect"]
            expect(came[0], int(offset), bytes.fromhex(expected))

    def send(self, count: int, due: float) -> None:
        """Send so many requests in one write."""
        output = []
        for _ in range(count):
            request = self._plan.requests[self._next]
            self._next = (self._next + 1) % len(self._plan.requests)
            self._waiting.append((request, due))
            output.append(self._load.numbered(request))
        self.socket.sendall(b"".join(output))

    def _take(self) -> list[bytes]:
        data = self.socket.recv(1 << 18)
        if not data:
            raise WrongAnswer("the server closed a connection")
        data, at, answers = self._unread + data, 0, []
        while at < len(data) and (end := self._plan.end(data, at)) > 0:
            answer, at = data[at:end], end
            if self._plan.heartbeat and len(answer) == 12 and answer[_KIND_AT] == _PING:
                self.socket.sendall(answer[:_KIND_AT] + bytes([_PONG]) + answer[_KIND_AT + 1 :])
            else:
                answers.append(answer)
        self._unread = data[at:]
        return answers

    def readable(self, latency: Counter[int] | None) -> int:
        """Take and check what came; gives how many answers."""
        answers = self._take()
        for answer in answers:
            if not self._waiting:
                raise WrongAnswer(f"wrong answer of {len(answer)} bytes, which nobody asked for: {answer[:300]!r}")
            request, due = self._waiting.popleft()
            self._plan.check(answer, request)
            if latency is not None:
                latency[step_of(time.monotonic() - due)] += 1
        return len(answers)


class Load:
    """All connections of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._sent = 0
        self._selector = selectors.DefaultSelector()
        self._connections = [Connection(self, number) for number in range(int(plan.words["connections"][0]))]
        for connection in self._connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)

    def numbered(self, request: bytes) -> bytes:
        """The request with a number of its own, where the plan wants one."""
        if self.plan.counter is None:
            return request
        self._sent += 1
        at = self.plan.counter
        return request[:at] + struct.pack(">Q", self._sent) + request[at + 8 :]

    def orders(self) -> None:
        """Do what is asked, until it is to quit; answer Pings meanwhile."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    key.data.readable(None)
                    continue
                key_word, *words = sys.stdin.readline().split() or ["quit"]
                if key_word == "quit":
                    return
                self._selector.unregister(sys.stdin)
                tell(self._shot(float(words[0]), float(words[1])))
                self._selector.register(sys.stdin, selectors.EVENT_READ, None)

    def _shot(self, seconds: float, rate: float) -> dict[str, Any]:
        latency: Counter[int] | None = Counter() if rate else None
        started = heard = time.monotonic()
        answers = sent = 0
        if not rate:
            in_flight = int(self.plan.words["in-flight"][0])
            for connection in self._connections:
                connection.send(in_flight, started)
            sent = in_flight * len(self._connections)
        while True:
            now = time.monotonic()
            running = now < started + seconds
            while rate and (due := started + sent / rate) <= now and due < started + seconds:
                self._connections[sent % len(self._connections)].send(1, due)
                sent += 1
            if not running and answers == sent:
                break
            for key, _ in self._selector.select(0 if rate and running else 0.05):
                taken = key.data.readable(latency)
                answers += taken
                heard = time.monotonic()
                if taken and running and not rate:
                    key.data.send(taken, now)
                    sent += taken
            if answers < sent and time.monotonic() - heard > SILENT:
                raise WrongAnswer(f"no answer for {SILENT:.0f} seconds")
        histogram = [] if latency is None else [(middle_of(step), n) for step, n in sorted(latency.items())]
        return {"answers": answers, "seconds": heard - started, "latency": histogram}


def tell(said: dict[str, Any]) -> None:
    """Answer an order."""
    print(json.dumps(said), flush=True)


def main() -> int:
    """Read the plan, open the connections, and take orders."""
    try:
        load = Load(Plan(sys.stdin))
        tell({"ready": int(load.plan.words["connections"][0])})
        load.orders()
    except (WrongAnswer, OSError) as error:
        tell({"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
