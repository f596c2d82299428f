"""The time of stored deadlines: it goes on over restarts, whatever is done to the wall clock meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()

LABEL = "wall clock ahead"
"""Under this name a store keeps how far the wall clock had got ahead of stored time, in seconds."""
_NOTICED = 1.0
"""By how much the wall clock has to be set to be worth a word, in seconds; what NTP slews is less."""


@implementer(IReactorTime)
class StoredTime:
    """Runs as the clock of the process does, and begins where that of the process before would be now.

    How far the wall clock was set ahead of it, or back, goes into the store with the next change. A step that is
    followed by no change at all before the process dies is not known to the next one.
    """

    def __init__(self, clock: IReactorTime, wall: Callable[[], float]) -> None:
        """As the process' clock, until :meth:`go_on`.

        :param clock: one that doesn't step.
        :param wall: the wall clock, in seconds since the epoch.
        """
        self._clock = clock
        self._wall = wall
        self._behind = 0.0
        self._told = 0.0

    def go_on(self, told: str | None) -> None:
        """Begin where the process before would be.

        :param told: what the store has under :data:`LABEL`; None: nothing.
        """
        self._told = 0.0 if told is None else float(told)
        self._behind = self._clock.seconds() - (self._wall() - self._told)

    @property
    def ahead(self) -> float:
        """How far the wall clock is ahead of it, in seconds."""
        return self._wall() - self.seconds()

    def news(self) -> tuple[str, str] | None:
        """What the store is to be told of the wall clock, where that was set since it was told last."""
        ahead = self._wall() - (self._clock.seconds() - self._behind)  # asked with every change: no call in between
        if abs(ahead - self._told) < _NOTICED:
            return None
        if self._told < inf:
            _log.warn("the wall clock jumped by {seconds:.0f} s; timeouts aren't affected", seconds=ahead - self._told)
        self._told = ahead
        return LABEL, repr(ahead)

    def not_committed(self) -> None:
        """The store may have failed to commit it."""
        self._told = inf

    def of_process(self, moment: float) -> float:
        """A moment of this time on the process' own clock."""
        return moment + self._behind

    def seconds(self) -> float:
        """Stored time, in seconds."""
        return self._clock.seconds() - self._behind

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:
        """As the process' clock does it."""
        return self._clock.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """Those of the process' clock."""
        return self._clock.getDelayedCalls()
