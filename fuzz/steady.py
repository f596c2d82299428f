"""A well-behaved pair: an agent and a service that do one hand-off after the other, and check each to its end.

It runs as a process of its own (``python -m fuzz.steady AGENT_PORT SERVICE_PORT CODEC SOURCE``) until its standard
input closes, then prints what it saw as a line of JSON. :class:`SteadyPair` starts one.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from fuzz.speech import Speech, speech_of
from tests.wire_client import AGENT_ROLE, SERVICE_ROLE, Amount, Kind, Message, Moment

_ROOT = Path(__file__).resolve().parent.parent
SOURCE = "127.0.0.2"
"""Where the pair comes from: another source address than every hostile peer's."""
IDENTITIES = """
[identities.steady-agents]
role = "agent"
secret = "steady-secret"
agents = ["1001"]
[identities.steady-service]
role = "service"
secret = "steady-secret"
services = ["steady"]
[services.steady]
access_code = "8000"
keep_closed = 1
"""
"""What an exchange's configuration needs for it."""
_PATIENCE = 30.0
"""How long one answer may take, in seconds."""
_PACE = 0.005
"""Seconds between the beginnings of two hand-offs, at least."""
_FIELDS = [
    ("account", "6222 0011"), ("level", -3), ("vip", True), ("print", b"\x00\xff"), ("bill", Amount("012.50")),
    ("due", Moment(1_795_694_400_000)),
]  # fmt: skip


class Failed(Exception):
    """A hand-off went wrong."""


class SteadyLink:
    """One link of the pair, blocking."""

    def __init__(self, port: int, source: str, speech: Speech) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._speech = speech
        self._data = bytearray()
        self._inbox: list[Message] = []
        self._invoke_id = 0

    def send(self, kind: Kind, invoke_id: int, **values: Any) -> None:
        """Write a message."""
        self.socket.sendall(self._speech.write(kind, invoke_id, values))

    def ask(self, kind: Kind, **values: Any) -> Message:
        """Send a request; its own reply."""
        self._invoke_id += 1
        asked = self._invoke_id
        self.send(kind, asked, **values)
        return self.wait(
            lambda got: got.invoke_id == asked and got.kind in (kind + 1, Kind.ERROR), f"the reply to {kind.name}"
        )

    def wait(self, wanted: Callable[[Message], bool], what: str) -> Message:
        """The first message that is wanted; the others stay."""
        deadline = time.monotonic() + _PATIENCE
        seen = 0
        while True:
            for at in range(seen, len(self._inbox)):
                if wanted(self._inbox[at]):
                    return self._inbox.pop(at)
            seen = len(self._inbox)
            if time.monotonic() > deadline:
                raise Failed(f"no {what} within {_PATIENCE:.0f} s")
            self._read(what)

    def _read(self, what: str) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except OSError as error:
            raise Failed(f"no {what}: {error}") from error
        if not data:
            raise Failed(f"no {what}: the link ended")
        self._data += data
        for frame in self._speech.take(self._data):
            got = self._speech.read(frame)
            if got.kind is Kind.PING:
                self.send(Kind.PONG, got.invoke_id)
            else:
                self._inbox.append(got)


def expect(true: bool, what: str) -> None:
    """Hold a hand-off to a promise."""
    if not true:
        raise Failed(what)


class Pair:
    """Both links, bound."""

    def __init__(self, agent_port: int, service_port: int, speech: Speech, source: str) -> None:
        self._agent = SteadyLink(agent_port, source, speech)
        self._service = SteadyLink(service_port, source, speech)
        for link, role, name in (
            (self._agent, AGENT_ROLE, "steady-agents"), (self._service, SERVICE_ROLE, "steady-service"),
        ):  # fmt: skip
            got = link.ask(
                Kind.BIND, role=role, identity=name, secret="steady-secret", min_version=2, max_version=2, software="",
                features="",
            )  # fmt: skip
            expect(got.outcome == (Kind.BIND_REPLY, 0), f"{name} is not bound: {got}")
        expect(self._agent.ask(Kind.AGENT_LOGIN, agent="1001", epoch=0, resume_after=0)["status"] == 0, "no login")
        self._number = time.time_ns() // 1_000_000  # beyond what an earlier pair has used

    def hand_off(self) -> None:
        """One whole hand-off; the data has to be the agent's, and the result the service's."""
        self._number += 1
        serial = f"77{self._number:014d}"
        got = self._agent.ask(
            Kind.CONNECT_REQUEST, serial=serial, agent="1001", service="steady", calling_number="138",
            reference=f"r{serial}", fields=_FIELDS,
        )  # fmt: skip
        expect(got.outcome == (Kind.CONNECT_REPLY, 0), f"not kept: {got}")
        offered = self._service.wait(
            lambda got: got.kind is Kind.CONNECTION and got["calling_number"] == f"138**{serial}", "Connection"
        )
        self._service.send(Kind.CONNECTION_REPLY, offered.invoke_id, status=0, detail="")
        data = self._service.ask(Kind.DATA_REQUEST, serial=serial, exchange_address="")
        expect(data.outcome == (Kind.DATA_RESULT, 0) and data["fields"] == _FIELDS, f"other data: {data}")
        expect(data["reference"] == f"r{serial}", f"another reference: {data}")
        told = self._service.ask(
            Kind.SERVICE_EVENT, event_id=1, serial=serial, agent="1001", condition=1, fields=[("n", self._number)]
        )
        expect(told.outcome == (Kind.SERVICE_EVENT_REPLY, 0), f"the result is not kept: {told}")
        for condition in (10, 11, 12, 1):
            event = self._agent.wait(lambda got: got.kind is Kind.AGENT_EVENT, f"event {condition}")
            found = (event["serial"], event["condition"])
            expect(found == (serial, condition), f"another event: {event}")
        expect(event["fields"] == [("n", self._number)], f"another result: {event}")
        self._agent.send(Kind.AGENT_EVENT_ACK, 0, agent="1001", sequence=event["sequence"])


@dataclass
class Figures:
    """What a pair saw: hand-offs that completed, the first one that didn't, and how long each took, in seconds."""

    completed: int = 0
    failure: str = ""
    times: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    """When each of them began, by the machine's monotonic clock."""

    def between(self, begin: float, end: float) -> Figures:
        """Only those that began then, or were under way."""
        chosen = [at for at, began in enumerate(self.began) if began < end and began + self.times[at] > begin]
        times, moments = [self.times[at] for at in chosen], [self.began[at] for at in chosen]
        return Figures(len(chosen), self.failure, times, moments)

    @property
    def median(self) -> float:
        """Of the seconds that a hand-off took."""
        return median(self.times) if self.times else 0.0

    @property
    def worst(self) -> float:
        """The longest, in seconds."""
        return max(self.times, default=0.0)


class SteadyPair:
    """A pair at work in a process of its own."""

    def __init__(self, agent_port: int, service_port: int, codec: str = "binary", source: str = SOURCE) -> None:
        command = [sys.executable, "-m", "fuzz.steady", str(agent_port), str(service_port), codec, source]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # bound, and through its first hand-off

    def stop(self) -> Figures:
        """End it after the hand-off under way; what it saw."""
        out, _ = self._process.communicate(b"")
        try:
            return Figures(**json.loads(out))
        except ValueError:
            return Figures(failure=f"the pair's process ended with {self._process.returncode}")


def main(agent_port: str, service_port: str, codec: str, source: str) -> None:
    """Work until standard input closes."""
    figures = Figures()
    running = _until_closed()
    try:
        pair = Pair(int(agent_port), int(service_port), speech_of(codec), source)
        while running():
            begun = time.monotonic()
            pair.hand_off()
            took = time.monotonic() - begun
            figures.completed += 1
            figures.times.append(round(took, 6))
            figures.began.append(begun)
            if figures.completed == 1:
                print("ready", flush=True)
            time.sleep(max(0.0, _PACE - took))
    except Exception as error:
        figures.failure = f"hand-off {figures.completed + 1}: {type(error).__name__}: {error}"
        if not figures.completed:
            print("failed", flush=True)
        sys.stdin.read()
    print(json.dumps(asdict(figures)), flush=True)


def _until_closed() -> Callable[[], bool]:
    watch = selectors.DefaultSelector()
    watch.register(sys.stdin, selectors.EVENT_READ)
    return lambda: not watch.select(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
