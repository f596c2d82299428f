"""Much work, a lot at a time: others have their turn of the reactor between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger()

Work = Callable[[], None]

AT_ONCE = 100
"""How much is done in one turn of the reactor: some milliseconds of it, where each is a call that is offered."""


def at_once(go_on: Work) -> None:
    """Nothing has to settle."""
    go_on()


class Lots:
    """Does what it is given in order, ``AT_ONCE`` in a turn."""

    def __init__(self, clock: IReactorTime, settled: Callable[[Work], None] = at_once) -> None:
        """Nothing to do yet.

        :param settled: calls its argument once what the last lot brought is done, such as its commits.
        """
        self._clock = clock
        self._settled = settled
        self._waiting: deque[Work] = deque()
        self._pausing = False
        self._turn: IDelayedCall | None = None
        self._stopped = False

    def do(self, work: Iterable[Work]) -> None:
        """Do all of this, the first lot now if nothing else waits."""
        if self._stopped:
            return
        self._waiting.extend(work)
        if not self._pausing:
            self._go_on()

    def stop(self) -> None:
        """Forget what waits, and take no more."""
        self._stopped = True
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _go_on(self) -> None:
        self._turn = None
        self._pausing = True  # what is done may bring more
        for _ in range(min(AT_ONCE, len(self._waiting))):
            try:
                self._waiting.popleft()()
            except Exception:  # the rest must not be lost with it
                _log.failure("one step of a batch failed")
        self._pausing = bool(self._waiting) and not self._stopped
        if self._pausing:
            self._settled(self._next_turn)

    def _next_turn(self) -> None:
        if not self._stopped:
            self._turn = self._clock.callLater(0, self._go_on)
