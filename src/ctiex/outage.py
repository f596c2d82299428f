"""Tells of what stops working once, and once more when it works again, however often it is asked for meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

_MOST_REASONS = 5
"""How many different reasons are logged in one outage of a peer."""


@define
class Outage:
    """Whether something works, as far as was seen last; who made it hears of each change and of nothing else."""

    began: Callable[[str], None]
    """Hears why it stopped working."""
    ended: Callable[[int], None]
    """Hears, once it works again, how often it failed."""
    failures: int = field(default=0, init=False)
    """How often it failed since it worked; 0 while it works."""

    @property
    def lasts(self) -> bool:
        """Whether it doesn't work."""
        return self.failures > 0

    def failed(self, reason: str) -> None:
        """It didn't work."""
        self.failures += 1
        if self.failures == 1:
            self.began(reason)

    def worked(self) -> None:
        """It worked."""
        failures, self.failures = self.failures, 0
        if failures:
            self.ended(failures)


@define(eq=False)
class PeerOutage:
    """A peer that is away is tried again and again, and the log is for what is new: each reason once in an outage."""

    log: Logger
    peer: str
    """Who is away, as the line begins."""
    _told: set[str] = field(init=False, factory=set)

    def failed(self, reason: str) -> None:
        """Say what keeps it away, if that wasn't said before."""
        if reason not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(reason)
            self.log.warn("{peer}: {reason}", peer=self.peer, reason=reason)

    def worked(self) -> bool:
        """It is there: what comes next is new. Returns whether anything had kept it away."""
        was_told = bool(self._told)
        self._told.clear()
        return was_told
