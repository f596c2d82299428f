"""Rounds of shots: each fires at every target once, in an order of its own, so that slow moments hit all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from random import Random
from statistics import median
from typing import Any, Protocol

from attrs import frozen

from benchmarks.generator import Shot, WrongAnswer

_SETTLED = 0.02
"""Seconds in which a server goes to sleep, so that the scheduler has accounted for it."""


class Gun(Protocol):
    """What fires a shot."""

    def run(self, seconds: float, rate: float = 0) -> Shot:
        """Fire it."""


@frozen
class Target:
    """What is measured, and what loads it."""

    gun: Gun
    processor_seconds: Callable[[], float]
    """What the measured process has used so far."""


@frozen
class Effort:
    """How long and how often."""

    seconds: float
    """Length of a shot."""
    rounds: int
    warm_up: float = 0.3
    """Length of the first shot at each target, which doesn't count."""


@frozen
class Sample:
    """One shot's figures."""

    us: float
    """The processor's time for each request, in microseconds."""
    per_second: float
    """Answers in a second of the wall clock."""
    busy: float
    """The share of a core that the measured process had: near 1, it was the limit and not the load."""


def fire(target: Target, seconds: float, rate: float = 0) -> Sample:
    """One shot, with the processor's time around it."""
    time.sleep(_SETTLED)
    before = target.processor_seconds()
    shot = target.gun.run(seconds, rate)
    time.sleep(_SETTLED)
    used = target.processor_seconds() - before
    if not shot.answers:
        raise SystemExit("a shot without a single answer measures nothing")
    return Sample(used / shot.answers * 1e6, shot.answers / shot.seconds, used / shot.seconds)


def rounds(targets: Mapping[str, Target], effort: Effort, random: Random) -> dict[str, list[Sample]]:
    """The samples of each target, in the order of the rounds."""
    samples: dict[str, list[Sample]] = {name: [] for name in targets}
    for name in targets:
        _fire_at(name, targets, effort.warm_up)
    for _ in range(effort.rounds):
        order = list(targets)
        random.shuffle(order)
        for name in order:
            samples[name].append(_fire_at(name, targets, effort.seconds))
    return samples


def _fire_at(name: str, targets: Mapping[str, Target], seconds: float) -> Sample:
    try:
        return fire(targets[name], seconds)
    except WrongAnswer as wrong:
        raise WrongAnswer(f"{name}: {wrong}") from None


def summary(samples: list[Sample]) -> dict[str, Any]:
    """What goes into the results."""
    return {
        "us": round(median(sample.us for sample in samples), 3),
        "us_of_shots": [round(sample.us, 3) for sample in samples],
        "per_second": round(median(sample.per_second for sample in samples)),
        "busy": round(median(sample.busy for sample in samples), 2),
    }


def ratio(of: list[Sample], to: list[Sample]) -> dict[str, float]:
    """How many times the cost of ``to`` that of ``of`` is: the median of the rounds, and the least and the most."""
    each = [one.us / other.us for one, other in zip(of, to, strict=True)]
    return {"median": round(median(each), 3), "least": round(min(each), 3), "most": round(max(each), 3)}
