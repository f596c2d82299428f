"""Who is compared: how each server is started, and what is asked of it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

from benchmarks import work
from benchmarks.compiling import compiled
from benchmarks.configurations import SECRET, SERVICE_IDENTITY, configuration
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.filling import fill
from benchmarks.machine import server_core
from benchmarks.server_process import ServerProcess, free_port, python
from benchmarks.work import Dialogue
from ctiex.messages import Role

CALLS = 1_000
"""Calls that every server has stored."""
ECHO, EXCHANGE = "twisted-echo", "exchange"


class Missing(Exception):
    """A server that can't be had here: what is missing, and how to get it."""


@frozen
class Contender:
    """A server that runs, and what to ask of it."""

    name: str
    server: ServerProcess
    port: int
    dialogue: Dialogue


Start = Callable[[str, Path], Contender]


def _serials() -> list[str]:
    return [work.serial_of(number) for number in range(CALLS)]


def _exchange(name: str, directory: Path) -> Contender:
    exchange = ExchangeProcess(directory, configuration(), server_core())
    try:
        fill(exchange, 0, CALLS)
    except BaseException:
        exchange.stop()
        raise
    return Contender(name, exchange, exchange.service_port, service_dialogue(_serials()))


def service_dialogue(serials: list[str]) -> Dialogue:
    """DataRequests on bound IVR links."""
    return work.bound(work.data_requests(serials), Role.SERVICE, SERVICE_IDENTITY, SECRET)


def _c_echo(name: str, directory: Path) -> Contender:
    program = compiled("echo")
    if program is None:
        raise Missing("no C compiler; on Debian: apt-get install gcc")
    port = free_port()
    command = [str(program), str(port), str(work.REQUEST_SIZE), str(work.ANSWER_SIZE)]
    return Contender(name, ServerProcess(command, [port], directory, server_core()), port, work.echo())


def _python_peer(module: str, needs: tuple[str, ...], dialogue: Callable[[], Dialogue], *words: str) -> Start:
    """A server of ``benchmarks/peers``."""

    def start(name: str, directory: Path) -> Contender:
        lacking = [package for package in needs if find_spec(package) is None]
        if lacking:
            raise Missing(
                f"without the Python packages {', '.join(lacking)}; make bench installs requirements/bench.txt"
            )
        port = free_port()
        command = python("-m", f"benchmarks.peers.{module}", str(port), str(CALLS), *words)
        return Contender(name, ServerProcess(command, [port], directory, server_core()), port, dialogue())

    return start


def start_redis(directory: Path, core: int, calls: int = CALLS) -> tuple[ServerProcess, int]:
    """A redis that keeps nothing on disk, with the calls as hashes, and its port.

    :raise Missing: there is no redis-server.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("no redis-server; on Debian: apt-get install redis-server")
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = ServerProcess([*command, "--hz", "1", "--dynamic-hz", "no"], [port], directory, core)
    try:
        _fill_redis(port, calls)
    except BaseException:
        server.stop()
        raise
    return server, port


def _fill_redis(port: int, calls: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as link, link.makefile("rb") as answers:
        for serial in map(work.serial_of, range(calls)):
            words = ["HSET", f"call:{serial}", *(word for pair in work.fields_as_text(serial).items() for word in pair)]
            link.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words))
            answer = answers.readline()
            if answer != b":12\r\n":
                raise SystemExit(f"redis answered HSET by {answer!r}")


def _redis(name: str, directory: Path) -> Contender:
    server, port = start_redis(directory, server_core())
    return Contender(name, server, port, work.redis(_serials()))


def _http() -> Dialogue:
    return work.http(_serials())


CONTENDERS: dict[str, tuple[str, Start]] = {
    "c-echo": ("C epoll echo", _c_echo),
    ECHO: ("bare Twisted echo", _python_peer("twisted_echo", (), work.echo)),
    EXCHANGE: ("**the exchange**", _exchange),
    "redis": ("redis HGETALL", _redis),
    "amp": ("Twisted AMP", _python_peer("amp_server", (), lambda: work.amp_calls(_serials()))),
    "uvicorn-fast": (
        "uvicorn (httptools, uvloop), JSON",
        _python_peer("uvicorn_server", ("uvicorn", "starlette", "httptools", "uvloop"), _http, "fast"),
    ),
    "uvicorn": ("uvicorn (as installed), JSON", _python_peer("uvicorn_server", ("uvicorn", "starlette"), _http)),
    "aiohttp": ("aiohttp, JSON", _python_peer("aiohttp_server", ("aiohttp",), _http)),
    "klein": ("Klein, JSON", _python_peer("klein_server", ("klein",), _http)),
}
"""Title and start of each server, by name."""


@contextmanager
def running(directory: Path, names: list[str]) -> Iterator[tuple[list[Contender], dict[str, str]]]:
    """These servers, all up together, and why some of them are not."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        contenders = []
        for name in names:
            try:
                contender = CONTENDERS[name][1](name, directory / name)
            except Missing as reason:
                missing[name] = str(reason)
                print(f"  {name} is skipped: {reason}", flush=True)
                continue
            stack.callback(contender.server.stop)
            contenders.append(contender)
        yield contenders, missing
