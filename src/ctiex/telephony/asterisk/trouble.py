"""What keeps a peer away, said once: it is tried again and again, and the log is for what is new."""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

_MOST_REASONS = 5
"""How many different reasons are logged in one outage."""


@define(eq=False)
class Trouble:
    """One peer's outages: each reason is logged once in an outage."""

    log: Logger
    whose: str
    """Who is away, as the line begins."""
    _told: set[str] = field(init=False, factory=set)

    def tell(self, reason: str) -> None:
        """Say it, if it wasn't said before."""
        if reason not in self._told and len(self._told) < _MOST_REASONS:
            self._told.add(reason)
            self.log.warn("{whose}: {reason}", whose=self.whose, reason=reason)

    def is_over(self) -> bool:
        """What comes next is new. Returns whether there was any trouble."""
        was_told = bool(self._told)
        self._told.clear()
        return was_told
