"""How long an answer takes when requests come at a steady pace, whether or not the earlier ones are answered."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import histogram
from benchmarks.contenders import CONTENDERS, running
from benchmarks.generator import Generator
from benchmarks.settings import Settings

RATE, CONNECTIONS = 2_000, 50
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def measure(settings: Settings) -> dict[str, Any]:
    """Latency of each server from when a request was due, over all rounds, in microseconds."""
    latency: dict[str, list[list[tuple[int, int]]]] = {}
    with ExitStack() as stack:
        directory = settings.directory / "latency"
        contenders, missing = stack.enter_context(running(directory, settings.contenders))
        generators = {}
        for one in contenders:
            generators[one.name] = Generator(one.dialogue, one.port, CONNECTIONS)
            stack.callback(generators[one.name].close)
            generators[one.name].run(settings.effort.warm_up)
        for _ in range(settings.effort.rounds):
            order = list(generators)
            settings.random.shuffle(order)
            for name in order:
                shot = generators[name].run(settings.effort.seconds, RATE)
                latency.setdefault(name, []).append(shot.latency)
    entries = {name: _entry(name, histogram.added(latency[name])) for name in generators}
    return {
        "titles": {name: CONTENDERS[name][0] for name in entries},
        "rate": RATE,
        "connections": CONNECTIONS,
        "missing": missing,
        "servers": entries,
    }


def _entry(name: str, counts: list[tuple[int, int]]) -> dict[str, Any]:
    """Quantiles and the whole distribution."""
    entry: dict[str, Any] = {key: round(histogram.quantile(counts, share) * 1e6) for key, share in QUANTILES.items()}
    entry["most"] = round(counts[-1][0] / 1e3)
    print(f"  {name}: " + ", ".join(f"{key} {us} us" for key, us in entry.items()), flush=True)
    return entry | {"requests": sum(count for _, count in counts), "histogram": counts}
