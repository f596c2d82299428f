"""Latencies, counted in steps 3 % wide: small, and easy to add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

STEPS, DOUBLINGS = 32, 26
"""32 steps for each doubling, from 1 us to a minute."""


def step_of(seconds: float) -> int:
    """The step that a latency falls into."""
    us, doublings = seconds * 1e6, 0
    while us >= 2 and doublings < DOUBLINGS - 1:
        us, doublings = us / 2, doublings + 1
    return doublings * STEPS + (0 if us < 1 else min(STEPS - 1, int((us - 1) * STEPS)))


def middle_of(step: int) -> int:
    """The middle of a step, in nanoseconds."""
    return round(1e3 * (1 + (step % STEPS + 0.5) / STEPS) * (1 << step // STEPS))


def added(histograms: Iterable[Iterable[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Several as one: (nanoseconds, count), in order."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        for nanoseconds, count in histogram:
            total[nanoseconds] += count
    return sorted(total.items())


def quantile(histogram: list[tuple[int, int]], share: float) -> float:
    """The latency that this share of the requests doesn't exceed, in seconds.

    :raise ValueError: the histogram is empty.
    """
    wanted = share * sum(count for _, count in histogram)
    seen = 0
    for nanoseconds, count in histogram:
        seen += count
        if seen >= wanted:
            return nanoseconds / 1e9
    raise ValueError("no latency was recorded")
