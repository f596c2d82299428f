"""A restart with many calls that are being signalled: all are served, and nobody else waits.

``python -m benchmarks.restart``: the exchange is killed with so many calls on the way to services that don't answer;
another one takes up its file, and services come back that do. A link of nobody's concern pings all the while.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from multiprocessing.connection import Connection as Pipe
from os import kill
from pathlib import Path
from signal import SIGKILL

from benchmarks.configurations import AGENT_IDENTITY, SERVICE, configuration
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.hand_offs import AcknowledgingAgent, HandedService
from benchmarks.load import Link, frame_of
from ctiex.fields import Fields
from ctiex.messages import KIND_OF, Condition, Connection, ConnectRequest, Ping, Pong, Role

_LINKS, _AGENTS, _SILENT_SERVICES, _IN_FLIGHT = 4, 60, 60, 200
_PING_EVERY = 0.02
_MOST_WAIT = 0.25
_GIVE_UP = 300.0
_FIELDS = Fields({"account": "1001200300", "language": "en"})
_CONFIGURATION = configuration("sqlite") + "signalling_timeout = 3600\n"


class _Silent(Link):
    """A service that doesn't answer Connections."""

    def answer(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """Nothing, but for a Ping."""
        return b"" if kind == KIND_OF[Connection] else super().answer(kind, invoke_id, body)


class _Asking(AcknowledgingAgent):
    """Sends its ConnectRequests, a number of them at a time, and counts what becomes of them."""

    def __init__(self, port: int, agents: list[str], calls: int) -> None:
        super().__init__(port, agents)
        self.frames = [
            frame_of(ConnectRequest("", agents[i % len(agents)], SERVICE, "13800138000", fields=_FIELDS), i + 1)
            for i in range(calls)
        ]
        self.connecting = self.completed = 0
        self._sent = 0

    def more(self, number: int = 1) -> bytes:
        """The next requests."""
        self._sent += number
        return b"".join(self.frames[self._sent - number : self._sent])

    def told(self, condition: int) -> bytes:
        """Another request for a call that is being signalled."""
        self.completed += condition == Condition.COMPLETED
        if condition != Condition.CONNECTING:
            return b""
        self.connecting += 1
        return self.more()


def _run(links: Sequence[Link], done: Callable[[], bool]) -> None:
    """Answer what comes on these links until ``done()``."""

    until = time.monotonic() + _GIVE_UP
    with selectors.DefaultSelector() as selector:
        for link in links:
            selector.register(link.socket, selectors.EVENT_READ, link)
        while not done():
            if time.monotonic() > until:
                raise SystemExit("the calls don't come to an end")
            for key, _ in selector.select(0.1):
                if output := key.data.take():
                    key.data.socket.sendall(output)


def _begin(exchange: ExchangeProcess, calls: int) -> None:
    """Bring so many calls on their way."""
    silent = [_Silent(exchange.service_port, Role.SERVICE, "service-demo") for _ in range(_SILENT_SERVICES)]
    asking = [_Asking(exchange.agent_port, _numbers(link), calls // _LINKS) for link in range(_LINKS)]
    for one in asking:
        one.socket.sendall(one.more(_IN_FLIGHT))
    _run([*silent, *asking], lambda: sum(one.connecting for one in asking) >= calls)
    kill(exchange.pid, SIGKILL)
    for link in (*silent, *asking):
        link.socket.close()


def _numbers(link: int) -> list[str]:
    return [f"{link + 1}{agent:04d}" for agent in range(_AGENTS)]


def _ping(port: int, stop: Pipe) -> None:
    """Ping until something comes by the pipe, and say how long each Pong took."""
    link, waits = Link(port, Role.AGENT, AGENT_IDENTITY), []
    stop.send(None)
    for number in count(2):
        sent = time.monotonic()
        link.socket.sendall(frame_of(Ping(), number))
        while not any(kind == KIND_OF[Pong] for kind, _, _ in link.read()):
            pass
        waits.append(time.monotonic() - sent)
        if stop.poll(_PING_EVERY):
            break
    stop.send(waits)


def _serve(exchange: ExchangeProcess, calls: int) -> list[float]:
    """Have all calls served; gives how long each Pong took meanwhile, in seconds."""
    here, there = multiprocessing.Pipe()
    pinging = multiprocessing.Process(target=_ping, args=(exchange.agent_port, there))
    pinging.start()
    here.recv()  # it is bound
    agents = [_Asking(exchange.agent_port, _numbers(link), 0) for link in range(_LINKS)]
    services = [HandedService(exchange.service_port) for _ in range(2)]
    _run([*agents, *services], lambda: sum(one.completed for one in agents) >= calls)
    here.send(None)
    waits: list[float] = here.recv()
    pinging.join()
    return waits


def measure(directory: Path, calls: int) -> float:
    """Print what it took; gives the longest that a Pong waited, in seconds."""
    exchange = ExchangeProcess(directory, _CONFIGURATION)
    _begin(exchange, calls)
    exchange.stop()
    exchange = ExchangeProcess(directory, _CONFIGURATION)
    began = time.monotonic()
    waits = sorted(_serve(exchange, calls))
    took = time.monotonic() - began
    lines = len(exchange.log.read_text().splitlines())
    exchange.stop()
    print(f"{calls:,} calls were being signalled; all were served {took:.1f} s after the start, {lines} log lines")
    print(
        f"Pongs meanwhile: {len(waits):,}, median {waits[len(waits) // 2] * 1e3:.1f} ms, worst {waits[-1] * 1e3:.0f} ms"
    )
    return waits[-1]


def main() -> int:
    """1 when somebody waited longer than they may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=25_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctiex-restart-") as name:
        worst = measure(Path(name), options.calls)
    return 1 if worst > _MOST_WAIT else 0


if __name__ == "__main__":
    raise SystemExit(main())
