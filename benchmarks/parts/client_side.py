"""What a request costs its client: ours, and txredisapi's ``HGETALL``."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

from benchmarks.configurations import configuration
from benchmarks.contenders import CALLS, Missing, start_redis
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.filling import fill
from benchmarks.generator import OrderedProcess, Shot
from benchmarks.machine import load_cores, processor_seconds, server_core
from benchmarks.server_process import python
from benchmarks.settings import Settings
from benchmarks.shots import Sample, Target, ratio, rounds, summary

IN_FLIGHT = 50
RIVALS = {"txredisapi": ("txredisapi",), "txredisapi-hiredis": ("txredisapi", "hiredis")}
"""Clients of redis, with the packages that they need."""
TITLES = {
    "served-call": "``await call.data()`` of AutomaticService",
    "link": "``ask`` on its bound link",
    "txredisapi": "txredisapi, HGETALL",
    "txredisapi-hiredis": "txredisapi with hiredis, HGETALL",
}


class Client:
    """A client in a process of its own, on the core of what is measured."""

    def __init__(self, kind: str, port: int) -> None:
        words = (kind, str(port), str(CALLS), str(IN_FLIGHT))
        self._process = OrderedProcess(server_core(), python("-m", "benchmarks.client_process", *words))
        self.close = self._process.close
        self._process.answer()

    def run(self, seconds: float, rate: float = 0) -> Shot:
        """Let it keep asking."""
        self._process.order(f"run {seconds} {rate}")
        said = self._process.answer()
        return Shot(said["answers"], said["seconds"], [])

    def processor_seconds(self) -> float:
        """What it has used."""
        return processor_seconds(self._process.pid)


def measure(settings: Settings) -> dict[str, Any]:
    """The processor's time of each client for one request, the servers on another core."""
    with ExitStack() as stack:
        ports, missing = _servers(settings, stack)
        clients = {}
        for kind, port in ports.items():
            clients[kind] = Client(kind, port)
            stack.callback(clients[kind].close)
        targets = {kind: Target(client, client.processor_seconds) for kind, client in clients.items()}
        samples = rounds(targets, settings.effort, settings.random)
    entries = {kind: _entry(kind, samples) for kind in samples}
    return {"titles": TITLES, "in_flight": IN_FLIGHT, "missing": missing, "clients": entries}


def _servers(settings: Settings, stack: ExitStack) -> tuple[dict[str, int], dict[str, str]]:
    """Start the servers: the port for each client, and why some clients are left out."""
    directory, core = settings.directory / "client-side", load_cores()[0]
    exchange = ExchangeProcess(directory / "exchange", configuration(), core)
    stack.callback(exchange.stop)
    fill(exchange, 0, CALLS)
    ports, missing = {"served-call": exchange.service_port, "link": exchange.service_port}, {}
    for rival, packages in RIVALS.items():
        lacking = [package for package in packages if find_spec(package) is None]
        if lacking:
            missing[rival] = f"without {', '.join(lacking)}; make bench installs requirements/bench.txt"
    try:
        redis, port = start_redis(directory / "redis", core)
        stack.callback(redis.stop)
        ports |= {rival: port for rival in RIVALS if rival not in missing}
    except Missing as reason:
        missing |= {rival: str(reason) for rival in RIVALS}
    for rival, why in missing.items():
        print(f"  {rival} is skipped: {why}", flush=True)
    return ports, missing


def _entry(kind: str, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    """``to``: how many times its cost each rival's is."""
    entry = summary(samples[kind]) | {"to": {to: ratio(samples[to], samples[kind]) for to in RIVALS if to in samples}}
    print(f"  {kind}: {entry['us']} us", flush=True)
    return entry
