"""What the exchange owes soon: it is seen to after seconds, not only at the end of all time-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define

from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.ledger import Ledger

WITHIN = 8.0
"""How long what has happened may go unheard while nothing hinders it, in seconds: longer than a retry takes."""


@define(eq=False)
class _Debt:
    """Something that is to be done about a call."""

    epoch: int
    serial: str
    what: str
    paid: Callable[[], bool]
    well_since: float | None = None
    """The last trouble with the call, where the store has taken something since then."""


class Debts:
    """What is owed for one call or another; troubles of the store with that call put it off."""

    def __init__(self, clock: WorldClock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._epoch = 0
        self._troubled: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()
        self._kept_at = 0.0
        """When the store has kept anything last."""

    def forgive(self) -> None:
        """The exchange has died: what it owed is lost with it."""
        self._epoch += 1
        self._under_way.clear()

    def begun(self, serials: Iterable[str]) -> None:
        """The store was asked to keep something of these calls."""
        for serial in serials:
            self._under_way[serial] += 1
            self._troubled[serial] = self._clock.now

    def done(self, serials: Iterable[str], kept: bool) -> None:
        """The store has said what became of it."""
        for serial in serials:
            self._under_way[serial] -= 1
            self._troubled[serial] = self._clock.now
        if kept:
            self._kept_at = self._clock.now

    def owe(self, serial: str, what: str, paid: Callable[[], bool]) -> None:
        """Something is to be done about a call."""
        self._troubled.setdefault(serial, self._clock.now)
        self._ledger.counts["promises checked"] += 1
        self._see_to(_Debt(self._epoch, serial, what, paid))

    def _see_to(self, debt: _Debt) -> None:
        self._clock.network.callLater(WITHIN, self._look, debt)

    def _look(self, debt: _Debt) -> None:
        if debt.epoch != self._epoch or debt.paid():
            return
        troubled = self._troubled[debt.serial]
        quiet = not self._under_way[debt.serial] and self._clock.now - troubled >= WITHIN
        # What the store didn't take is told again once it takes anything at all.
        if quiet and debt.well_since == troubled:
            self._ledger.break_(f"call {debt.serial}: {debt.what}, and nothing has come of it")
            return
        debt.well_since = troubled if quiet and self._kept_at > troubled else None
        self._see_to(debt)
