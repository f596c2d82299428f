"""What keeping calls costs: SQLite against memory under load, and a store that is full of live calls.

Run by ``make bench-store``; benchmarks/README.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from attrs import evolve

from benchmarks.configurations import LIMITS
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.load import Load
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import DataResult
from ctiex.records import Call, CallState
from ctiex.stores.groups import Group
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile

_LINKS, _AGENTS, _IN_FLIGHT = 4, 50, 100
_FIELDS = Fields({"account": "1001200300", "area": "010", "language": "en", "vip_level": 3, "callback": True})
_SETTLED = 0.3
"""Seconds after a shot in which the exchange takes the last acknowledgements."""
_AT_ONCE = 1_000
_MEMORY = LIMITS + '[store]\nkind = "memory"\n'
_SQLITE = LIMITS + '[store]\nkind = "sqlite"\npath = "calls.sqlite"\n'
_SHORT = '[services.number-broadcast]\naccess_code = "7001"\nkeep_closed = 1\n'
_MOST_RATIO = 2.0


# ---------------------------------------------------------------- a ConnectRequest under load


def shot(exchange: ExchangeProcess, load: Load, requests: list[list[bytes]]) -> float:
    """The processor's time that the exchange needs for one of these ConnectRequests, in seconds."""
    before = exchange.processor_seconds()
    load.run(requests)
    time.sleep(_SETTLED)
    return (exchange.processor_seconds() - before) / sum(len(frames) for frames in requests)


def compare(directory: Path, shots: int, calls: int) -> float:
    """Print what a ConnectRequest costs through either store; gives the ratio."""
    exchanges = {
        name: ExchangeProcess(directory / name, text) for name, text in (("memory", _MEMORY), ("sqlite", _SQLITE))
    }
    loads = {
        name: Load(exchange.agent_port, exchange.service_port, _LINKS, _AGENTS, _IN_FLIGHT)
        for name, exchange in exchanges.items()
    }
    requests = loads["memory"].requests(calls, _FIELDS)
    costs: dict[str, list[float]] = {name: [] for name in exchanges}
    try:
        for number in range(-1, shots):  # the first one warms up
            for name, exchange in exchanges.items():
                cost = shot(exchange, loads[name], requests)
                if number >= 0:
                    costs[name].append(cost)
    finally:
        for name in exchanges:
            loads[name].close()
            exchanges[name].stop()
    print(f"A ConnectRequest under load, {_LINKS} links with {_IN_FLIGHT} in flight each, {shots} shots of {calls:,}:")
    for name, measured in costs.items():
        print(
            f"  {name}: {median(measured) * 1e6:.0f} us of processor each"
            f" (from {min(measured) * 1e6:.0f} to {max(measured) * 1e6:.0f})"
        )
    ratio = median(costs["sqlite"]) / median(costs["memory"])
    print(f"  ratio: {ratio:.2f} (at most {_MOST_RATIO})", flush=True)
    return ratio


# ---------------------------------------------------------------- a store full of live calls


def live_calls(count: int, size: int, deadline: float) -> Iterator[Call]:
    """Calls that a service has accepted.

    :param size: bytes of the encoded context.
    """
    codec = BinaryCodec()
    for number in range(count):
        serial, agent = f"{number:020d}", f"{number % (count // 100):06d}"
        data = codec.encode_body(DataResult(Status.OK, serial, agent, fields=Fields({"notes": "x" * size})))
        yield Call(
            serial, agent, "number-broadcast", "agent-demo", "13800138000", bytes(16), data, CallState.CONNECTED,
            deadline, owner="service-demo", told=frozenset({10, 11}),
        )  # fmt: skip


def fill(directory: Path, count: int, size: int) -> None:
    """Make a store file with so many live calls."""
    directory.mkdir(parents=True, exist_ok=True)
    file = opened(directory)
    group = Group()
    for call in live_calls(count, size, time.time() + 86_400):
        group.calls[call.serial] = group.contexts[call.serial] = call
        if len(group.calls) == _AT_ONCE:
            file.write(group)
            group = Group()
    file.write(group)
    file.close()


def opened(directory: Path) -> SqliteFile:
    """The store file of an exchange that doesn't run."""
    return SqliteFile(directory / "calls.sqlite", Seal(find_key(directory / "calls.sqlite.key", make=True)))


def let_time_out(directory: Path) -> None:
    """Every call's time is over: written with the key, since a row that was changed without it is refused."""
    file = opened(directory)
    calls = [evolve(call, deadline=0.0) for call in file.read().calls]
    for start in range(0, len(calls), _AT_ONCE):
        file.write(Group(calls={call.serial: call for call in calls[start : start + _AT_ONCE]}))
    file.close()


def kept_calls(path: Path) -> int:
    """How many calls a store file holds."""
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return int(database.execute("SELECT count(*) FROM calls").fetchone()[0])
    finally:
        database.close()


def empty(directory: Path) -> tuple[float, int]:
    """What an exchange needs to start without any calls: processor seconds, and resident bytes."""
    exchange = ExchangeProcess(directory, _SQLITE + _SHORT)
    try:
        return exchange.processor_seconds(), exchange.resident_bytes()
    finally:
        exchange.stop()


def measure(directory: Path, count: int, size: int, base: tuple[float, int]) -> None:
    """Print what so many live calls cost at the start, in memory, and at their end."""
    fill(directory, count, size)
    exchange = ExchangeProcess(directory, _SQLITE + _SHORT)
    start, started = exchange.start_seconds, exchange.processor_seconds()
    resident = exchange.resident_bytes()
    exchange.stop()
    let_time_out(directory)
    exchange = ExchangeProcess(directory, _SQLITE + _SHORT)
    while kept_calls(directory / "calls.sqlite"):
        time.sleep(0.25)
    ended = exchange.processor_seconds() - started
    exchange.stop()
    print(
        f"  {count:>9,} {start:>9.2f} {(started - base[0]) / count * 1e6:>8.0f} {resident / 1e6:>10.0f}"
        f" {(resident - base[1]) / count / 1e3:>9.2f} {ended / count * 1e6:>12.0f}",
        flush=True,
    )


def measure_all(directory: Path, counts: list[int], size: int) -> None:
    """Print a line for each number of live calls."""
    base = empty(directory / "empty")
    print(f"Live calls of {size:,} bytes in the store (an empty one: {base[0]:.2f} s, {base[1] / 1e6:.0f} MB):")
    print("      calls  start, s  us/call  memory, MB  kB/call  end, us/call", flush=True)
    for count in counts:
        measure(directory / str(count), count, size, base)


def main() -> int:
    """Print both parts; 1 when SQLite costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--shots", type=int, default=7)
    parser.add_argument("--calls", type=int, default=4_000, help="ConnectRequests in a shot")
    parser.add_argument("--live", default="3000,30000,300000", help="numbers of live calls; empty: none")
    parser.add_argument("--size", type=int, default=2_000, help="bytes of a live call's context")
    parser.add_argument("--directory", help="on the disk to be measured; a temporary one without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctiex-bench-", dir=options.directory) as name:
        ratio = compare(Path(name), options.shots, options.calls)
        if options.live:
            measure_all(Path(name), [int(count) for count in options.live.split(",")], options.size)
    return 1 if ratio > _MOST_RATIO else 0


if __name__ == "__main__":
    raise SystemExit(main())
