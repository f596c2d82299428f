"""Faults that the exchange and its clients once had, planted again to see that the simulation finds them.

``python -m tests.planted_faults`` plants each of them in as many worlds as it takes, four to a seed and 250 calls to a
world, and prints which world found it, and how.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial

from attrs import evolve, frozen

from ctiex.interfaces import IServiceSession
from ctiex.messages import Condition
from ctiex.processing.identities import ANY_OWNER
from ctiex.processing.states import TRANSITIONS, Step
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.simulation.faults import ALL, Fault
from ctiex.testing.simulation.runs import CALLS_OF_A_WORLD, world_seed
from ctiex.testing.simulation.world import Outcome, World

Spoil = Callable[[MemoryExchange], None]
_RETRY_AFTER = 5.0


@frozen
class Planted:
    """A fault, and the promise that it breaks."""

    name: str
    what: str
    """What goes wrong."""
    spoil: Spoil
    breaks: str
    """A pattern of how the simulation says so."""
    faults: frozenset[Fault] = ALL


def _offer_before_it_is_kept(exchange: MemoryExchange, again: bool) -> None:
    """A Connection is written at once, whatever the store says of whose call it is.

    :param again: a step that the store didn't take is taken once more after a while, whatever stands by then.
    """
    life, store = exchange.processing._life, exchange.store

    def take(serial: str, session: IServiceSession | None) -> None:
        call = store.get(serial)
        owner = ANY_OWNER if session is None else session.identity

        def lost() -> None:
            if again:
                exchange.clock.callLater(_RETRY_AFTER, take, serial, session)

        if call is not None and (call.state, Step.OFFER) in TRANSITIONS:
            life.owners.offered(call, session)
            life.step(evolve(call, owner=owner), Step.OFFER, Condition.CONNECTING, lost=lost)

    def offered(serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        take(serial, session)
        write()

    vars(exchange.processing.watcher)["offered"] = offered


def _ends_told_once(exchange: MemoryExchange) -> None:
    """An end that a driver tells, and that the store doesn't take, is never told again."""
    life, store = exchange.processing._life, exchange.store

    def end(condition: Condition, serial: str, *status: int) -> None:
        call = store.get(serial)
        if call is not None:
            life.end(call, condition)

    vars(exchange.processing.watcher).update(
        hung_up=partial(end, Condition.ABANDONED), unreachable=partial(end, Condition.UNREACHABLE)
    )


PLANTED = (
    Planted(
        "stale owner",
        "an offer that the store didn't take is made once more, and takes the call from whoever has it by then",
        partial(_offer_before_it_is_kept, again=True),
        "its data goes to|there is no such call|is refused as unknown|is kept, whose call it isn't",
    ),
    Planted(
        "offer lost",
        "a Connection is written before it is kept whose call it is, and the store doesn't take that",
        partial(_offer_before_it_is_kept, again=False),
        "there is no such call|is refused as unknown|a service has accepted it",
    ),
    Planted(
        "hang-up lost",
        "a hang-up that the store didn't take is never told again",
        _ends_told_once,
        "the customer has hung up|the customer had hung up|nobody is left to try",
    ),
)


def worlds(planted: Planted, seed: int, calls: int = 1_000) -> Iterator[Outcome]:
    """The worlds of a run with a fault."""
    for number in range(calls // CALLS_OF_A_WORLD):
        yield World(world_seed(seed, number), planted.faults, spoil=planted.spoil).run(CALLS_OF_A_WORLD)


def found(planted: Planted, seed: int, calls: int = 1_000) -> Outcome | None:
    """The first world of a run that finds a fault; None if none does."""
    return next((outcome for outcome in worlds(planted, seed, calls) if outcome.broken is not None), None)


def main(seeds: list[int]) -> None:
    """Plant each fault with each seed."""
    for planted in PLANTED:
        for seed in seeds:
            outcome = found(planted, seed)
            told = "NOT FOUND" if outcome is None else f"world {outcome.seed}, {outcome.broken}"
            print(f"{planted.name}, seed {seed}: {told}", flush=True)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2, 3])
