"""What hostile peers do on their sockets; :mod:`benchmarks.hostile` says what each is to come to."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, frame, message
from tests.wire_frames import VERSION

_ROOT = Path(__file__).resolve().parent.parent
LONG_FRAME = (65_536).to_bytes(4, "big") + bytes([VERSION, Kind.CONNECT_REQUEST, 0, 0, 0, 0, 0, 9])
"""The head of a frame of the greatest length."""
UNFINISHED = LONG_FRAME + bytes(65_536 - 8 - 1)
"""All of it but its last byte."""
_PONG = frame(Kind.PONG, b"", 0)
_SMALL_BUFFER = 4096
_FROM_ONE_ADDRESS = 200
_AT_ONCE = 25


@dataclass(frozen=True)
class Target:
    """Where the exchange listens."""

    agent_port: int
    service_port: int
    metrics_port: int = 0
    directory: Path = Path()
    """Its files: ``log`` and ``audit.log``."""


@dataclass(eq=False)
class HostileLink:
    """A socket that doesn't block, and whether the exchange has ended it."""

    socket: socket.socket
    ended: bool = False
    opened: float = field(default_factory=time.monotonic)
    rest: bytes = b""

    def drain(self) -> bytes:
        """What came; notes the end."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.ended = self.ended or not data
        return data

    def send(self, data: bytes) -> int:
        """Send what the kernel takes; how many bytes that were."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.ended = True
            return 0


def bind_frame(to_services: bool, secret: str = "hostile-secret") -> bytes:
    """A Bind under the peers' own identity."""
    role, identity = (SERVICE_ROLE, "hostile-service") if to_services else (AGENT_ROLE, "hostile-agents")
    return _bind(role, identity, secret)


def _bind(role: int, identity: str, secret: str) -> bytes:
    return message(Kind.BIND, 1, role=role, identity=identity, secret=secret, min_version=VERSION, max_version=VERSION,
                   software="", features="")  # fmt: skip


def source(number: int) -> str:
    """The address that a peer comes from: the next one for every 200, since the links of one address are limited."""
    return f"127.0.{1 + number // _FROM_ONE_ADDRESS}.1"


def connect(port: int, small_buffers: bool = False, number: int = 0) -> socket.socket:
    """A connection, blocking."""
    made = socket.socket()
    made.bind((source(number), 0))
    if small_buffers:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
    made.settimeout(20)
    made.connect(("127.0.0.1", port))
    return made


Doing = Callable[[list[HostileLink]], object]
"""What peers do on their links again and again."""


def open_links(
    target: Target,
    count: int,
    bind: bool = False,
    to_services: bool = False,
    small_buffers: bool = False,
    meanwhile: Doing = len,
) -> list[HostileLink]:
    """So many links; bound ones have read their BindReply, which has to be 0.

    :param meanwhile: what those that are open do while the others are opened.
    """
    links: list[HostileLink] = []
    port = target.service_port if to_services else target.agent_port
    for number in range(count):
        made = connect(port, small_buffers, number)
        if bind:
            made.sendall(bind_frame(to_services))
            answer = made.recv(4096)
            if answer[5:6] != bytes([Kind.BIND_REPLY]) or answer[12:14] != b"\0\0":
                raise AssertionError(f"a hostile peer could not bind: {answer!r}")
        elif number % _AT_ONCE == 0:
            time.sleep(0.005)  # the kernel holds 50 connections for the exchange, and drops others for a second
        made.setblocking(False)
        links.append(HostileLink(made))
        if number % _AT_ONCE == 0:
            meanwhile(links)
    return links


def take_all(target: Target, count: int) -> dict[str, list[HostileLink]]:
    """As many connections as there may be: bound ones of one identity, unbound ones, and idle ones at another port."""
    crowds = {
        "bound": [reach(target.agent_port, at, bind_frame(False)) for at in range(count)],
        "unbound": [reach(target.service_port, at) for at in range(count)],
        "at the port of metrics": [reach(target.metrics_port, at) for at in range(count)],
    }
    time.sleep(0.5)
    for links in crowds.values():
        count_ended(links)
    return crowds


def reach(port: int, number: int, data: bytes = b"") -> HostileLink:
    """A connection, on which this is sent and answered; maybe one that was closed at once."""
    made = socket.socket()
    link = HostileLink(made)
    try:
        made.bind((source(number), 0))
        made.settimeout(20)
        made.connect(("127.0.0.1", port))
        if data:
            made.sendall(data)
            made.recv(4096)
    except ConnectionError:
        link.ended = True
    made.setblocking(False)
    return link


def bind_as(port: int, identity: str, secret: str) -> int | None:
    """The status that answers a good Bind from an address that nobody else comes from; None where the link ends."""
    made = socket.create_connection(("127.0.0.1", port), 20, source_address=("127.0.0.3", 0))
    try:
        made.sendall(_bind(AGENT_ROLE, identity, secret))
        return _bind_status(made)
    except ConnectionError:
        return None
    finally:
        made.close()


def fill_with_calls(target: Target, count: int) -> tuple[Counter[int], list[HostileLink]]:
    """Calls with 60 kB of data each, one behind the other; how many got each status, and the links that have them."""
    made, service = connect(target.agent_port), connect(target.service_port)
    service.sendall(bind_frame(True))
    service.recv(4096)
    made.sendall(bind_frame(False) + message(Kind.AGENT_LOGIN, 2, agent="2000", epoch=0, resume_after=0))
    statuses: Counter[int] = Counter()
    rest = b""
    for number in range(count):
        fields = [("data", "x" * 60_000)]
        made.sendall(message(Kind.CONNECT_REQUEST, 1_000 + number, serial="", agent="2000", service="hostile",
                             calling_number="138", reference="", fields=fields))  # fmt: skip
        while True:
            reply, rest = _next_frame(made, rest)
            if reply[5] == Kind.CONNECT_REPLY:
                statuses[int.from_bytes(reply[12:14], "big")] += 1
                break
        if statuses[14] > 100:
            break
    return statuses, [HostileLink(made), HostileLink(service)]


def _next_frame(link: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    while len(rest) < 4 or len(rest) < 4 + int.from_bytes(rest[:4], "big"):
        came = link.recv(1 << 16)
        if not came:
            raise AssertionError("the link ended")
        rest += came
    end = 4 + int.from_bytes(rest[:4], "big")
    return rest[:end], rest[end:]


def close(links: list[HostileLink]) -> None:
    """End them all."""
    for link in links:
        link.socket.close()


class Trickle:
    """A byte at a time on each link, of a frame that never ends."""

    def __init__(self, start: bytes = LONG_FRAME[:4]) -> None:
        self._start = start
        self._begun: set[HostileLink] = set()
        self.lived: list[float] = []
        """How long those have lived that were ended, in seconds."""

    def __call__(self, links: list[HostileLink]) -> None:
        """One byte more."""
        open_still = [link for link in links if not link.ended]
        for link in open_still:
            link.send(b"\1" if link in self._begun else self._start)
            link.drain()
        self.lived += [time.monotonic() - link.opened for link in open_still if link.ended]
        self._begun.update(links)

    def go_on(self, links: list[HostileLink], seconds: float) -> None:
        """One more every tenth of a second, until all are ended at most."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not all(link.ended for link in links):
            self(links)
            time.sleep(0.1)


def send_all(links: list[HostileLink], data: bytes) -> None:
    """The same bytes on every link, to their end."""
    for link in links:
        link.socket.settimeout(20)
        link.socket.sendall(data)
        link.socket.setblocking(False)


def flood(links: list[HostileLink], seconds: float) -> int:
    """Good requests as fast as they are taken, no answer read; how many bytes were taken."""
    ping = frame(Kind.PING, b"", 7)
    login = message(Kind.AGENT_LOGIN, 8, agent="2000", epoch=0, resume_after=0)
    data = (ping + login) * 1000
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        open_still = [link for link in links if not link.ended]
        if not open_still:
            break
        _, writable, _ = select.select([], [link.socket for link in open_still], [], 0.1)
        ready = set(writable)
        for link in open_still:
            if link.socket in ready:
                taken = link.send(link.rest or data)
                link.rest = (link.rest or data)[taken:]
                sent += taken
    for link in links:
        _note_reset(link)
    return sent


def _note_reset(link: HostileLink) -> None:
    """Whether the link is gone, without taking any answer that waits."""
    poll = select.poll()
    poll.register(link.socket, select.POLLRDHUP)
    if any(event & (select.POLLHUP | select.POLLERR | select.POLLRDHUP) for _, event in poll.poll(0)):
        link.ended = True


def count_ended(links: list[HostileLink]) -> int:
    """How many the exchange has ended by now."""
    for link in links:
        while not link.ended and link.drain():
            pass
    return sum(link.ended for link in links)


def answer_pings(links: list[HostileLink], wait: float = 0) -> None:
    """Answer the pings that are there, and those that come within so many milliseconds."""
    poller, by_number = select.poll(), {link.socket.fileno(): link for link in links if not link.ended}
    for number in by_number:
        poller.register(number, select.POLLIN)
    for number, _ in poller.poll(wait):
        if by_number[number].drain():
            by_number[number].send(_PONG)


def stopped_process(target: Target, count: int, wait: float) -> tuple[float, int]:
    """Links of a process that stops: seconds until the exchange has ended them, and how many it has."""
    command = [sys.executable, "-m", "benchmarks.hostile_peers", str(target.agent_port), str(count)]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        while established(target.agent_port, process.pid) and time.monotonic() < begun + wait:
            time.sleep(0.05)
        took = time.monotonic() - begun
        os.kill(process.pid, signal.SIGCONT)
        out, _ = process.communicate(b"\n", 20)
    finally:
        process.kill()
        process.wait()
    return took, int(out)


def established(port: int, process: int) -> int:
    """How many connections to this port of loopback a process has that neither side has ended."""
    mine = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[2].endswith(f":{port:04X}") and parts[3] == "01" and f"socket:[{parts[9]}]" in mine:
            count += 1
    return count


def storm(target: Target, count: int) -> Counter[str]:
    """Connections one behind the other, each given up in its own way; how many of each kind.

    Those with a wrong secret come from addresses of their own, since an address is locked out for them.
    """
    kinds: Counter[str] = Counter()
    ways = (
        ("closed at once", b"", 0), ("bound and cut", bind_frame(False), 0),
        ("wrong secret and gone", bind_frame(False, "wrong"), 1), ("cut within a frame", bind_frame(False)[:9], 0),
    )  # fmt: skip
    for number in range(count):
        name, data, wrong = ways[number % len(ways)]
        address = 10 * wrong + number % 10
        made = connect(target.agent_port, number=address * _FROM_ONE_ADDRESS)
        try:
            made.sendall(data)
            if data and len(data) > 9 and not wrong:
                name += f" (answered {_bind_status(made)})"
        except ConnectionError:
            name += " (reset)"
        made.close()
        kinds[name] += 1
    return kinds


def _bind_status(link: socket.socket) -> int | None:
    """The status of the BindReply that comes; None where the link ends instead."""
    answer = link.recv(4096)
    while answer and answer[5] != Kind.BIND_REPLY:
        answer = link.recv(4096)
    return int.from_bytes(answer[12:14], "big") if answer else None


def main(port: str, count: str) -> None:
    """Bind so many links and be silent; when told to, say how many of them have been ended."""
    links = open_links(Target(int(port), 0), int(count), bind=True)
    print("bound", flush=True)
    sys.stdin.readline()
    print(count_ended(links), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
