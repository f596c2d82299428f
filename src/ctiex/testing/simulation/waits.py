"""How long calls wait in each state, by the time that really passes, whatever the wall clock says."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from ctiex.messages import Condition
from ctiex.processing.context import ServiceSettings
from ctiex.processing.states import TIMEOUT_OF
from ctiex.records import Call, CallState
from ctiex.testing.simulation.clock import WorldClock
from ctiex.testing.simulation.ledger import Ledger

_TICK = 0.25
"""How late a time-out may be that nothing hinders, in seconds."""
_LATE = 40.0
"""How late one may be that troubles of the store put off, or that a restart has begun again, in seconds."""


@define(eq=False)
class _Wait:
    """A call in a state."""

    state: CallState
    since: float
    service: str
    exact: bool = True
    """Whether it has gone on undisturbed: nothing was undone, and the exchange is the same."""
    returned: bool = False
    """Whether the customer is back: then something else is waited for."""

    def disturbed(self, now: float) -> None:
        """It may begin again."""
        self.exact, self.since = False, now


@define(eq=False)
class Waits:
    """Every call's wait, held against the time-out of its state."""

    clock: WorldClock
    ledger: Ledger
    services: dict[str, ServiceSettings]
    _waits: dict[str, _Wait] = field(factory=dict)

    def moved(self, before: Call | None, after: Call, timed_out: bool) -> None:
        """The store is asked to keep a call as it is from now on."""
        wait = self._waits.get(after.serial)
        if timed_out and before is not None and wait is not None and not wait.returned:
            self._over(after.serial, wait)
        entered = before is None or TIMEOUT_OF[before.state] != TIMEOUT_OF[after.state]
        if entered or wait is None or TIMEOUT_OF[wait.state] != TIMEOUT_OF[after.state]:
            wait = self._waits[after.serial] = _Wait(after.state, self.clock.now, after.service, entered)
        wait.returned = Condition.RETURNED in after.told

    def forgotten(self, serial: str) -> None:
        """The store is asked to forget a call."""
        wait = self._waits.get(serial)
        if wait is not None:
            self._over(serial, wait)
            wait.exact = False  # should it fail, it is tried again

    def undone(self, serials: Iterable[str]) -> None:
        """The store could not keep it: it is in a state of before."""
        for serial in serials:
            if serial in self._waits:
                self._waits[serial].disturbed(self.clock.now)

    def restarted(self) -> None:
        """Another process goes on: what it waits for may begin again, and not more than that."""
        for wait in self._waits.values():
            wait.disturbed(self.clock.now)

    def look(self, calls: Iterable[Call]) -> None:
        """See that none of these calls, as they are now, has waited for longer than its state may last."""
        for call in calls:
            wait = self._waits.get(call.serial)
            if wait is None or TIMEOUT_OF[wait.state] != TIMEOUT_OF[call.state]:
                wait = self._waits[call.serial] = _Wait(call.state, self.clock.now, call.service, exact=False)
            due = self.clock.now - wait.since - self.clock.paused_since(wait.since)
            self.ledger.hold(
                due <= self._timeout(wait) + _LATE, f"call {call.serial} has been {call.state.value} for {due:.3f} s"
            )

    def _timeout(self, wait: _Wait) -> float:
        return float(getattr(self.services[wait.service].timeouts, TIMEOUT_OF[wait.state]))

    def _over(self, serial: str, wait: _Wait) -> None:
        """A time-out has come."""
        timeout, waited = self._timeout(wait), self.clock.now - wait.since
        due = waited - self.clock.paused_since(wait.since)
        if wait.exact:
            what = f"call {serial}: {wait.state.value} has timed out after {waited:.3f} s, not {timeout:.3f}"
            self.ledger.hold(timeout - 0.001 <= waited and due <= timeout + _TICK, what)
