"""Which refusals are recorded in the audit: so many in a second for each party, however many links it has."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

from ctiex.limits import Limits
from ctiex.monitoring.counters import Counters
from ctiex.rates import Pace

_MOST_PARTIES = 10_000
"""Parties whose refusals were left out, and that wait for a record to be told in; the oldest goes first."""


@define
class Refusals:
    """Counts what is left out, so that the party's next record can tell of it."""

    limits: Limits
    counts: Counters
    _pace: Pace = field(factory=Pace, init=False)
    _left_out: OrderedDict[str, int] = field(factory=OrderedDict, init=False)

    def told(self, party: str, now: float) -> bool:
        """Whether this refusal is recorded; else it is counted."""
        if self._pace.take(party, self.limits.audited_refusals_per_second, now):
            return True
        self.leave_out(party)
        return False

    def leave_out(self, party: str) -> None:
        """One more without a record of its own."""
        self.counts.audit_refusals_left_out += 1
        self._left_out[party] = self._left_out.get(party, 0) + 1
        if len(self._left_out) > _MOST_PARTIES:
            self._left_out.popitem(last=False)

    def more(self, party: str) -> int:
        """How many were left out since this was asked last."""
        return self._left_out.pop(party, 0)
