"""What the exchange owes soon: it is seen to after seconds, not only at the end of all time-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.ledger import Ledger

WITHIN = 8.0
"""How long what has happened may go unheard while nothing hinders it, in seconds: longer than a retry takes."""


class Debts:
    """What is owed for one call or another; troubles of the store with that call put it off."""

    def __init__(self, clock: WorldClock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._epoch = 0
        self._troubled: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()

    def forgive(self) -> None:
        """The exchange has died: what it owed is lost with it."""
        self._epoch += 1
        self._under_way.clear()

    def begun(self, serials: Iterable[str]) -> None:
        """The store was asked to keep something of these calls."""
        for serial in serials:
            self._under_way[serial] += 1
            self._troubled[serial] = self._clock.now

    def done(self, serials: Iterable[str]) -> None:
        """The store has said what became of it."""
        for serial in serials:
            self._under_way[serial] -= 1
            self._troubled[serial] = self._clock.now

    def owe(self, serial: str, what: str, paid: Callable[[], bool]) -> None:
        """Something is to be done about a call."""
        self._see_to(self._epoch, serial, what, paid)

    def _see_to(self, epoch: int, serial: str, what: str, paid: Callable[[], bool]) -> None:
        def look() -> None:
            if epoch != self._epoch or paid():
                return
            quiet_for = self._clock.now - self._troubled.get(serial, 0.0)
            if self._under_way[serial] > 0 or quiet_for < WITHIN:
                self._see_to(epoch, serial, what, paid)
            else:
                self._ledger.hold(False, f"call {serial}: {what}, and nothing has come of it")

        self._ledger.counts["promises checked"] += 1
        self._clock.network.callLater(WITHIN, look)
