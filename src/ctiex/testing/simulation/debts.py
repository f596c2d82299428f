"""What the exchange owes soon: it is seen to after seconds, not only at the end of all time-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define, field

from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.ledger import Ledger

WITHIN = 8.0
"""How long what has happened may go unheard while nothing hinders it, in seconds: longer than a retry takes."""
_LOOK_EVERY = 1.0


@define(eq=False)
class _Debt:
    """Something that is to be done about a call."""

    epoch: int
    serial: str
    what: str
    paid: Callable[[], bool]
    troubled: float | None = None
    """When the store had to do with the call last."""
    well_since: float = 0.0
    """When it was seen that the store has kept something since then: what it didn't take is told again now."""


@define(eq=False)
class Debts:
    """What is owed for one call or another; troubles of the store with that call put it off."""

    _clock: WorldClock
    _ledger: Ledger
    _epoch: int = 0
    _nobody: bool = False
    """Whether nobody is there who could owe anything."""
    _troubled: dict[str, float] = field(factory=dict)
    _under_way: Counter[str] = field(factory=Counter)
    _kept_at: float = 0.0
    """When the store has kept anything last."""
    _at_work: int = 0
    """How many changes it was asked to keep, and hasn't said anything of."""
    _moved_at: float = 0.0
    """When that changed last, or began."""

    def forgive(self, for_good: bool = True) -> None:
        """The exchange has died: what it owed is lost with it.

        :param for_good: nothing is owed before the next one begins.
        """
        self._epoch += 1
        self._nobody = for_good
        self._under_way.clear()
        self._at_work = 0

    def begin(self) -> None:
        """An exchange begins."""
        self._nobody = False

    def begun(self, serials: Iterable[str]) -> None:
        """The store was asked to keep something of these calls, or of none."""
        if not self._at_work:
            self._moved_at = self._clock.now
        self._at_work += 1
        for serial in serials:
            self._under_way[serial] += 1
            self._troubled[serial] = self._clock.now

    def done(self, serials: Iterable[str], kept: bool) -> None:
        """The store has said what became of it."""
        self._at_work -= 1
        self._moved_at = self._clock.now
        for serial in serials:
            self._under_way[serial] -= 1
            self._troubled[serial] = self._clock.now
        if kept:
            self._kept_at = self._clock.now

    def owe(self, serial: str, what: str, paid: Callable[[], bool]) -> None:
        """Something is to be done about a call."""
        if self._nobody:
            return
        self._troubled.setdefault(serial, self._clock.now)
        self._ledger.counts["promises checked"] += 1
        self._see_to(_Debt(self._epoch, serial, what, paid))

    def _see_to(self, debt: _Debt) -> None:
        self._clock.network.callLater(_LOOK_EVERY, self._look, debt)

    def _look(self, debt: _Debt) -> None:
        if debt.epoch != self._epoch or debt.paid():
            return
        troubled = self._troubled[debt.serial]
        stuck = self._at_work > 0 and self._clock.now - self._moved_at > _LOOK_EVERY
        if stuck or self._under_way[debt.serial] or self._kept_at < troubled:
            debt.troubled = None
        elif debt.troubled != troubled:
            debt.troubled, debt.well_since = troubled, self._clock.now
        elif self._clock.now - debt.well_since - self._clock.paused_since(debt.well_since) >= WITHIN:
            self._ledger.break_(f"call {debt.serial}: {debt.what}, and nothing has come of it")
            return
        self._see_to(debt)
