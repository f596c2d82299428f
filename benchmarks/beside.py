"""This checkout beside another one: what is measured in turns, and whether something has become dearer.

Over sockets: two exchanges run at the same time, the same load fires at them in turns, in an order of its own each
round, and the median of the rounds counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from attrs import frozen

from benchmarks import machine
from benchmarks.configurations import configuration
from benchmarks.contenders import CALLS, service_dialogue
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.filling import AGENTS, LINKS, fill
from benchmarks.generator import Generator
from benchmarks.hand_offs import HandOffs
from benchmarks.server_process import environment
from benchmarks.settings import Settings
from benchmarks.shots import Effort, Gun, Target, rounds
from benchmarks.work import serial_of

ROUNDS = 15
"""Fewer don't tell a dearer exchange from a slow moment."""
MOST = 1.10
"""How many times its cost beside it something over sockets may have."""


def checkout(path: str) -> Path:
    """A folder with a checkout of CTIEX."""
    root = Path(path).resolve()
    if not (root / "src" / "ctiex").is_dir():
        raise argparse.ArgumentTypeError(f"{path} is no checkout: there is no src/ctiex")
    return root


@frozen
class Verdict:
    """What something costs, in parts of what it costs beside it."""

    name: str
    ratios: list[float]
    """Of each pair of measurements."""
    most: float
    """What the median may be."""

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def red(self) -> bool:
        """Whether it costs too much."""
        return self.ratio > self.most


def told(verdicts: Sequence[Verdict], other: Path | None) -> int:
    """Print the verdicts; the exit code."""
    if verdicts:
        print(f"\n{'cost here / there':<24}{'median':>9}{'least':>9}{'most':>9}   there: {other}")
    for one in verdicts:
        mark = f"   RED: more than {one.most:g}" if one.red else ""
        print(f"{one.name:<24}{one.ratio:>9.3f}{min(one.ratios):>9.3f}{max(one.ratios):>9.3f}{mark}")
    return int(any(one.red for one in verdicts))


# ---------------------------------------------------------------- over sockets


def _of(root: Path) -> dict[str, str]:
    """The variables with which a process has the ``ctiex`` of a checkout, and the rest of this one."""
    mine = environment()["PYTHONPATH"]
    return {"PYTHONPATH": mine.replace(str(machine.ROOT / "src"), str(root / "src"), 1)}


@contextmanager
def _targets(
    settings: Settings, name: str, roots: dict[str, Path], gun_at: Callable[[ExchangeProcess, ExitStack], Gun]
) -> Iterator[dict[str, Target]]:
    with ExitStack() as stack:
        targets = {}
        for which, root in roots.items():
            folder = settings.directory / "beside" / name.replace(" ", "") / which
            exchange = ExchangeProcess(folder, configuration(), machine.server_core(), _of(root))
            stack.callback(exchange.stop)
            targets[which] = Target(gun_at(exchange, stack), exchange.processor_seconds)
        yield targets


def _requests(connections: int, in_flight: int) -> Callable[[ExchangeProcess, ExitStack], Gun]:
    def gun_at(exchange: ExchangeProcess, stack: ExitStack) -> Gun:
        fill(exchange, 0, CALLS)
        dialogue = service_dialogue([serial_of(number) for number in range(CALLS)])
        generator = Generator(dialogue, exchange.service_port, connections, in_flight)
        stack.callback(generator.close)
        return generator

    return gun_at


def _hand_offs(exchange: ExchangeProcess, stack: ExitStack) -> Gun:
    load = HandOffs(exchange.agent_port, exchange.service_port, LINKS, AGENTS, 100)
    stack.callback(load.close)
    return load


GUNS: dict[str, Callable[[ExchangeProcess, ExitStack], Gun]] = {
    "DataRequest, 50 x 1": _requests(50, 1),
    "DataRequest, 50 x 16": _requests(50, 16),
    "whole hand-offs": _hand_offs,
}


def measure(settings: Settings, other: Path) -> list[Verdict]:
    """Each kind of load at both exchanges, so many rounds."""
    effort = Effort(settings.effort.seconds, max(ROUNDS, settings.effort.rounds))
    verdicts = []
    for name, gun_at in GUNS.items():
        with _targets(settings, name, {"here": machine.ROOT, "there": other}, gun_at) as both:
            samples = rounds(both, effort, settings.random)
        ratios = [here.us / there.us for here, there in zip(samples["here"], samples["there"], strict=True)]
        print(f"  {name}: {len(ratios)} rounds", flush=True)
        verdicts.append(Verdict(name, ratios, MOST))
    return verdicts


def figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What goes into the results."""
    return {one.name: {"ratio": one.ratio, "ratios": one.ratios, "red": one.red} for one in verdicts}
