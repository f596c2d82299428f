"""Many worlds, one after the other, until so many customers have been served or a promise is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from hashlib import blake2b

from attrs import define, field

from ctiex.testing.simulation.faults import ALL, Fault
from ctiex.testing.simulation.world import World, WorldOutcome

CALLS_OF_A_WORLD = 250


@define
class Tally:
    """What was survived."""

    worlds: int = 0
    calls: int = 0
    counts: Counter[str] = field(factory=Counter)
    digest: str = ""
    """Stands for everything that happened in all worlds."""
    broken: WorldOutcome | None = None
    """The first world in which a promise was broken."""

    def add(self, outcome: WorldOutcome, calls: int) -> None:
        """One more world is over."""
        self.worlds += 1
        self.calls += calls
        self.counts.update(outcome.counts)
        self.digest = blake2b(f"{self.digest}{outcome.digest}".encode(), digest_size=16).hexdigest()
        if outcome.broken is not None:
            self.broken = outcome


def world_seed(seed: int, number: int) -> int:
    """The seed of one of the worlds of a run; that of the first is the run's own."""
    if number == 0:
        return seed
    return int.from_bytes(blake2b(f"{seed}/{number}".encode(), digest_size=6).digest(), "big")


def run(
    calls: int, seed: int, faults: Collection[Fault] = ALL, progress: Callable[[int], None] = lambda _: None
) -> Tally:
    """Simulate so many calls, in worlds of a few hundred each; ends at the first broken promise.

    :param progress: hears how many calls are over so far.
    """
    tally = Tally()
    while tally.calls < calls and tally.broken is None:
        some = min(CALLS_OF_A_WORLD, calls - tally.calls)
        tally.add(World(world_seed(seed, tally.worlds), faults).run(some), some)
        progress(tally.calls)
    return tally
