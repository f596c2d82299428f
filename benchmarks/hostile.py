"""Hostile peers against an exchange in a process of its own, while a well-behaved pair does its hand-offs.

``python -m benchmarks.hostile`` prints a table: each kind of peer, the pair's hand-offs meanwhile, memory before, at
its peak and afterwards. It exits with 1 when a hand-off failed or a bound was passed. docs/hostile-input.rst has more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import hostile_peers as peers
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.hostile_scenarios import CROWDED, MB, PROMPT_ENOUGH, SCENARIOS, Row, Scenario, raise_open_files
from benchmarks.server_process import free_port
from fuzz.frames import complaints
from fuzz.steady import IDENTITIES, SteadyPair

_SAMPLE_EVERY = 0.02
_SETTLED = 0.5
"""Seconds that the exchange gets to clear away what the peers left."""
WORST = 10.0
"""The longest that a hand-off of the pair may take meanwhile, in seconds; its own patience is longer."""
PROMPT = (0.25, 1.0)
"""The same where nothing but the exchange's own fairness keeps it down: the median and the longest, in seconds."""
LEAST_FOR_EACH = 16 << 10
FOR_EACH_LINK = {
    "unfinished frames": 3 * 65_536,
    "flood of agents": 2 * MB,
    "flood of services": 2 * MB,
    "crowd that pings": 3 * 65_536,
    "crowd that asks": 3 * 65_536,
    "crowd that errs": 3 * 65_536,
}
"""What a link may take at the peak, in bytes: a frame and its copy, or unread output and a segment."""
LEFT_BEHIND = 48 * MB
"""What may stay when the peers are gone: the allocator gives little back."""
OPEN_FILES = {"descriptors": 256}
"""How many open files an exchange may have; as many as this process where nothing is said."""
CONFIGURATION = """
[metrics]
listen = "tcp:{metrics}:interface=127.0.0.1"
[audit]
file = "audit.log"
[store]
kind = "{store}"
[limits]
bytes_per_identity = 20000000
calls_per_agent = 100000
mailbox = 100000
mailbox_bytes = 20000000
[links.agent]
heartbeat = {heartbeat}
login_deadline = 2
[links.ivr]
heartbeat = {heartbeat}
login_deadline = 2
[identities.hostile-agents]
role = "agent"
secret = "hostile-secret"
agents = ["2000-2099"]
[identities.hostile-service]
role = "service"
secret = "hostile-secret"
services = ["hostile"]
[services.hostile]
access_code = "8001"
"""


class Watch:
    """Looks at a process's memory for as long as it is entered."""

    def __init__(self, exchange: ExchangeProcess) -> None:
        self._exchange = exchange
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.peak = 0

    def _look(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY):
            self.peak = max(self.peak, self._exchange.resident_bytes())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def run(
    name: str,
    scale: int | None = None,
    prompt: tuple[float, float] = PROMPT_ENOUGH,
    patience: float = 1.0,
    crowded: float = CROWDED,
    store: str = "memory",
) -> Row:
    """One kind of peer against an exchange of its own.

    :param scale: how many peers; None: as many as its default says.
    :param prompt: how long the pair's hand-offs may take where fairness is tried, median and longest, in seconds.
    :param patience: how many times as long anything else may take as on a quiet machine.
    :param crowded: how long a crowd is at work, in seconds.
    :param store: the kind of the exchange's store.
    """
    raise_open_files()
    scenario, default, heartbeat = SCENARIOS[name]
    row = Row(name, prompt=prompt, patience=patience, crowded=crowded)
    with tempfile.TemporaryDirectory(prefix="ctiex-hostile-") as made:
        directory = Path(made)
        metrics = free_port()
        written = CONFIGURATION.format(heartbeat=heartbeat, metrics=metrics, store=store) + IDENTITIES
        exchange = ExchangeProcess(directory, written, open_files=OPEN_FILES.get(name))
        target = peers.Target(exchange.agent_port, exchange.service_port, metrics, directory)
        try:
            _meet(row, exchange, scenario, target, scale or default)
        finally:
            exchange.stop()
        row.broken += complaints((directory / "log").read_text(errors="replace"))
    return row


def _meet(row: Row, exchange: ExchangeProcess, scenario: Scenario, target: peers.Target, scale: int) -> None:
    pair = SteadyPair(exchange.agent_port, exchange.service_port)
    time.sleep(_SETTLED)
    row.before = exchange.resident_bytes()
    try:
        with Watch(exchange) as watch:
            row.what = scenario(row, target, scale)
        time.sleep(_SETTLED)
        row.peak, row.after = max(watch.peak, row.before), exchange.resident_bytes()
    finally:
        row.pair = pair.stop().between(row.since, row.until)
    _judge(row)


def _judge(row: Row) -> None:
    row.hold(not row.pair.failure, f"the well-behaved pair: {row.pair.failure}")
    median, worst = row.prompt if row.since else (WORST, WORST)
    row.hold(row.pair.worst < worst, f"a hand-off of the pair took {row.pair.worst:.1f} s")
    row.hold(row.pair.median < median, f"the hand-offs of the pair took {row.pair.median:.2f} s (median)")
    most = FOR_EACH_LINK.get(row.name, LEAST_FOR_EACH)
    if row.links:
        row.hold(row.for_each_link < most, f"{row.for_each_link:,.0f} bytes for each link, at most {most:,}")
    row.hold(row.after - row.before < LEFT_BEHIND, f"{(row.after - row.before) / MB:.0f} MiB were left behind")


def show(row: Row) -> None:
    """Print one row of the table."""
    pair = row.pair
    memory = f"{row.before / 1e6:5.0f} {row.peak / 1e6:5.0f} {row.after / 1e6:5.0f}"
    hand_offs = f"{pair.completed:6,} {pair.median * 1e3:5.0f} {pair.worst * 1e3:6.0f}"
    print(f"{row.name:<24}{hand_offs}   {memory}   {row.for_each_link / 1e3 if row.links else 0:6.1f}   {row.what}")
    for line in row.broken:
        print(f"  BROKEN: {line}")
    sys.stdout.flush()


def main() -> int:
    """Every kind of peer, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(SCENARIOS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times as many peers")
    parser.add_argument(
        "--store", choices=("memory", "sqlite"), default="memory", help="what the exchange keeps calls in"
    )
    chosen = parser.parse_args()
    print(f"{'':<24}{'hand-offs: n, median, worst ms':<21}   memory MB: before, peak, after; kB for each link")
    broken = 0
    for name in chosen.names or SCENARIOS:
        row = run(name, max(1, int(SCENARIOS[name][1] * chosen.scale)), PROMPT, store=chosen.store)
        show(row)
        broken += len(row.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
