"""Whether a request costs the same with many calls stored, or many links bound; and the collector's pause."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import work
from benchmarks.configurations import SECRET, SERVICE_IDENTITY, configuration
from benchmarks.contenders import service_dialogue
from benchmarks.exchange_process import WatchedExchange
from benchmarks.filling import fill
from benchmarks.generator import Generator
from benchmarks.machine import may_open, server_core
from benchmarks.parts.calls import fetch_all
from benchmarks.settings import Settings
from benchmarks.shots import Sample, Target, ratio, rounds, summary
from benchmarks.work import Dialogue
from ctiex.messages import Role

_ASKED_FOR = 20_000
"""Of many stored calls so many are asked for, spread over all of them."""
_STORED = 1_000
_ACTIVE = 10
"""Links that ask, however many are bound."""
_FILES_BESIDE = 200


def measure(settings: Settings) -> dict[str, Any]:
    """The cost of a DataRequest by calls and by links."""
    return {"calls": _by_calls(settings), "links": _by_links(settings)}


def _exchange(settings: Settings, name: str, stack: ExitStack) -> WatchedExchange:
    exchange = WatchedExchange(settings.directory / "growth" / name, configuration(), server_core())
    stack.callback(exchange.stop)
    return exchange


def _by_calls(settings: Settings) -> dict[str, Any]:
    """One DataRequest, 50 links with one in flight each; memory and the collector's pause at each number of calls."""
    counts = [1_000, settings.pick(100_000, 5_000), settings.pick(1_000_000, 20_000)]
    held: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        targets = {}
        for count in counts:
            exchange = _exchange(settings, f"calls-{count}", stack)
            print(f"  storing {count:,} calls", flush=True)
            fill(exchange, 0, count)
            held[str(count)] = {**exchange.report(), "resident_bytes": exchange.resident_bytes()}
            asked = [work.serial_of(number) for number in range(0, count, max(1, count // _ASKED_FOR))]
            generator = Generator(service_dialogue(asked), exchange.service_port, 50)
            stack.callback(generator.close)
            fetch_all(generator, len(asked))
            targets[str(count)] = Target(generator, exchange.processor_seconds)
        samples = rounds(targets, settings.effort, settings.random)
    return {count: entry | held[count] for count, entry in _entries("stored calls", samples).items()}


def _by_links(settings: Settings) -> dict[str, Any]:
    """One DataRequest of ten busy links, while all others are bound and idle."""
    counts = [10, settings.pick(1_000, 100), settings.pick(10_000, 500)]
    asked = service_dialogue([work.serial_of(number) for number in range(_STORED)])
    idle = work.bound(Dialogue((), "length32"), Role.SERVICE, SERVICE_IDENTITY, SECRET)
    with ExitStack() as stack:
        targets = {}
        for count in counts:
            if not may_open(count + _FILES_BESIDE):
                print(f"  {count:,} links are skipped: so many files may not be open; raise ulimit -n", flush=True)
                continue
            exchange = _exchange(settings, f"links-{count}", stack)
            fill(exchange, 0, _STORED)
            if count > _ACTIVE:
                stack.callback(Generator(idle, exchange.service_port, count - _ACTIVE).close)
            generator = Generator(asked, exchange.service_port, _ACTIVE)
            stack.callback(generator.close)
            fetch_all(generator, _STORED)
            targets[str(count)] = Target(generator, exchange.processor_seconds)
        samples = rounds(targets, settings.effort, settings.random)
    return _entries("links", samples)


def _entries(what: str, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    """``to_least``: how many times the cost with the fewest."""
    least = next(iter(samples.values()))
    entries = {}
    for count, each in samples.items():
        entries[count] = summary(each) | {"to_least": ratio(each, least)}
        print(f"  {int(count):,} {what}: {entries[count]['us']} us", flush=True)
    return entries
