"""The cost of an answer, for the exchange and its peers, in four shapes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks.contenders import CONTENDERS, ECHO, EXCHANGE, Contender, running
from benchmarks.generator import Generator
from benchmarks.settings import Settings
from benchmarks.shots import Sample, Target, ratio, rounds, summary

SHAPES = ((1, 1), (50, 1), (50, 16), (1000, 1))
"""(connections, requests in flight on each)."""


def name_of(shape: tuple[int, int]) -> str:
    """The shape in the results."""
    return f"{shape[0]}x{shape[1]}"


def measure(settings: Settings) -> dict[str, Any]:
    """Each shape with the processor's time of each server, and ratios to the bare Twisted echo of the same rounds."""
    with running(settings.directory / "answers", settings.contenders) as (contenders, missing):
        shapes = {name_of(shape): _shape(settings, contenders, shape) for shape in SHAPES}
    return {"titles": {name: CONTENDERS[name][0] for name in settings.contenders}, "missing": missing, "shapes": shapes}


def _shape(settings: Settings, contenders: list[Contender], shape: tuple[int, int]) -> dict[str, Any]:
    with ExitStack() as stack:
        targets = {}
        for one in contenders:
            generator = Generator(one.dialogue, one.port, *shape)
            stack.callback(generator.close)
            targets[one.name] = Target(generator, one.server.processor_seconds)
        samples = rounds(targets, settings.effort, settings.random)
    for name, of_server in samples.items():
        said = summary(of_server)
        print(f"  {name_of(shape)} {name}: {said['us']} us, {said['per_second']:,}/s", flush=True)
    return {name: _entry(name, samples) for name in samples}


def _entry(name: str, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    """``to_echo`` above 1: cheaper than the echo. ``of_exchange``: how many times the exchange's cost."""
    entry = summary(samples[name])
    if ECHO in samples:
        entry["to_echo"] = ratio(samples[ECHO], samples[name])
    if EXCHANGE in samples:
        entry["of_exchange"] = ratio(samples[name], samples[EXCHANGE])
    return entry
