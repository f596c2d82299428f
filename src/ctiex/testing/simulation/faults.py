"""What goes wrong, by class, and how often or how likely."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum
from random import Random
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from ctiex.testing.simulation.world import World


class Fault(Enum):
    """A class of faults, as ``ctiex simulate --faults`` names it."""

    NETWORK = "network"
    """Splits, delays, stalls, cuts, half-open connections."""
    CRASH = "crash"
    """The exchange crashes, or is told to leave, and comes back."""
    STORE = "store"
    """A slow disk, and one that is full for a while."""
    COMMIT = "commit"
    """Each single change is refused, fails, or takes seconds, whatever becomes of those around it."""
    LOSS = "loss"
    """A backup of the store is restored; or it forgets everything, as one in memory does."""
    CLOCK = "clock"
    """The wall clock is set back and forward; everything stands still for a while."""
    SERVICE = "service"
    """Services crash, stop, refuse, raise, hang, never answer, and ask for what isn't theirs; customers hang up."""
    LATE = "late"
    """Signalling drivers go on about calls that have ended."""
    AGENT = "agent"
    """Applications crash, are busy, cancel and use serials again; agents go away, and take each other over."""


ALL = frozenset(Fault)
NONE: frozenset[Fault] = frozenset()


def faults_named(text: str) -> frozenset[Fault]:
    """The faults that a comma-separated list names; ``all`` and ``none`` are known too.

    :raise ValueError: a name is unknown.
    """
    if text in ("all", "none"):
        return ALL if text == "all" else NONE
    return frozenset(Fault(name.strip()) for name in text.split(","))


@frozen
class Troubles:
    """How likely what befalls each single change of the store, from 0 to 1."""

    refused: float = 0.0
    """The store raises when it is asked to keep it."""
    failed: float = 0.0
    """Its group isn't written."""
    slow: float = 0.0
    """Its group takes seconds."""
    slowest: float = 12.0
    """How many at most: more than some who wait have patience for."""


WELL = Troubles()


@frozen
class Mishap:
    """One way in which something goes wrong."""

    fault: Fault
    interval: float
    """How many seconds pass between two of them, on average."""
    happen: Callable[[World, Random], None]


STEPS = (1, 5, 60, 600, 3_600, 86_400)
"""By how much the wall clock is set, in seconds."""
TROUBLES = (
    WELL,
    Troubles(refused=0.1),
    Troubles(failed=0.15),
    Troubles(failed=0.5),
    Troubles(slow=0.03),
    Troubles(refused=0.08, failed=0.1, slow=0.01),
)
LATE_WORDS = ("offered", "accepted", "refused", "unreachable", "returned", "agent_lost", "hung_up")

MISHAPS: tuple[Mishap, ...] = (
    Mishap(Fault.NETWORK, 9.0, lambda world, dice: world.cut(dice.randrange(1_000))),
    Mishap(Fault.NETWORK, 24.0, lambda world, dice: world.stall(dice.randrange(1_000), dice.uniform(1.0, 40.0))),
    Mishap(Fault.CRASH, 30.0, lambda world, dice: world.crash_exchange(dice.choice((0.0, 1.0, 5.0, 30.0)))),
    Mishap(Fault.CRASH, 90.0, lambda world, dice: world.leave_exchange(dice.choice((0.0, 2.0)))),
    Mishap(Fault.STORE, 42.0, lambda world, dice: world.fill_disk(dice.choice((0.02, 1.0, 12.0)))),
    Mishap(Fault.STORE, 36.0, lambda world, dice: world.slow_disk(dice.choice((0.1, 1.0, 4.0)))),
    Mishap(Fault.COMMIT, 30.0, lambda world, dice: world.trouble_store(dice.choice(TROUBLES))),
    Mishap(Fault.LOSS, 15.0, lambda world, dice: world.back_up()),
    Mishap(Fault.LOSS, 100.0, lambda world, dice: world.restore(dice.choice((0.0, 5.0)))),
    Mishap(Fault.LOSS, 400.0, lambda world, dice: world.forget(dice.choice((0.0, 5.0)))),
    Mishap(Fault.CLOCK, 54.0, lambda world, dice: world.pause(dice.choice((1.0, 5.0, 15.0, 35.0, 100.0)))),
    Mishap(Fault.CLOCK, 27.0, lambda world, dice: world.set_clock(dice.choice((-1, 1)) * dice.choice(STEPS))),
    Mishap(Fault.SERVICE, 40.0, lambda world, dice: world.crash_service(dice.randrange(3), dice.choice((0.0, 8.0)))),
    Mishap(Fault.SERVICE, 72.0, lambda world, dice: world.stop_service(dice.randrange(3), dice.choice((8.0, 20.0)))),
    Mishap(Fault.SERVICE, 18.0, lambda world, dice: world.probe(dice.randrange(3), dice.randrange(1_000))),
    Mishap(Fault.SERVICE, 6.0, lambda world, dice: world.hang_up(dice.randrange(1_000))),
    Mishap(Fault.LATE, 4.0, lambda world, dice: world.speak_late(dice.choice(LATE_WORDS), dice.randrange(1_000))),
    Mishap(Fault.AGENT, 30.0, lambda world, dice: world.crash_agent(dice.randrange(3), dice.choice((0.0, 10.0, 60.0)))),
    Mishap(Fault.AGENT, 24.0, lambda world, dice: world.take_over(dice.randrange(3))),
    Mishap(
        Fault.AGENT,
        24.0,
        lambda world, dice: world.away(dice.randrange(5), dice.choice((1.0, 10.0, 60.0, 130.0, 130.0))),
    ),
    Mishap(Fault.AGENT, 60.0, lambda world, dice: world.busy(dice.randrange(3), dice.choice((10.0, 130.0, 130.0)))),
    Mishap(Fault.AGENT, 9.0, lambda world, dice: world.cancel(dice.randrange(1_000))),
    Mishap(Fault.AGENT, 9.0, lambda world, dice: world.query(dice.randrange(5))),
)


def plan(world: World, faults: Collection[Fault], dice: Random) -> None:
    """Have mishaps of these classes happen, again and again, until the world is healed."""

    def again(mishap: Mishap) -> None:
        def happen() -> None:
            if not world.healed:
                mishap.happen(world, dice)
                again(mishap)

        world.clock.network.callLater(dice.expovariate(1 / mishap.interval), happen)

    for mishap in MISHAPS:
        if mishap.fault in faults:
            again(mishap)
