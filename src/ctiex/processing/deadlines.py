"""Many deadlines on one timer: setting and clearing one costs O(1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import islice
from math import ceil, floor

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger()
_TICK = 0.125
"""Deadlines that fall into the same tick fire together, in seconds; never early."""
_FAR = 7_200 * 8
"""How many ticks away a deadline is far: it falls into every 64th alone, up to 8 seconds late, so that a day of
mailboxes that come and go leaves thousands of ticks behind, not hundreds of thousands."""
_FAR_STEP = 64
_AT_ONCE = 500
"""Deadlines that fire in one turn of the reactor: many that have come due while nobody ran let others have theirs."""


def _at_once(go_on: Callable[[], None]) -> None:
    go_on()


class Deadlines:
    """Calls ``due(key)`` once the deadline that was last set for ``key`` has come.

    It is up to an eighth of a second late, or 8 seconds if it was set more than two hours before.

    A deadline is a moment of the clock, in seconds. Keys that come due together do so in the
    order in which they were set.
    """

    def __init__(
        self,
        clock: IReactorTime,
        due: Callable[[str], None],
        settle: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        """No deadlines yet.

        :param settle: calls its argument once what many deadlines brought is done, and more may come due.
        """
        self._clock = clock
        self._due = due
        self._settle = settle
        self._settling = False
        self._tick_of: dict[str, int] = {}
        self._keys_at: dict[int, dict[str, None]] = {}
        self._ticks: list[int] = []
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._tick_of)

    def __contains__(self, key: str) -> bool:
        return key in self._tick_of

    def set(self, key: str, moment: float) -> None:
        """Set or move the deadline of a key. A moment that has passed comes due at the next tick."""
        if self._stopped:
            return
        self.clear(key)
        # Never in the tick that may be firing now: a key that sets itself again would hold the reactor.
        now = floor(self._clock.seconds() / _TICK)
        tick = max(ceil(moment / _TICK), now + 1)
        if tick - now > _FAR:
            tick = ceil(tick / _FAR_STEP) * _FAR_STEP
        self._tick_of[key] = tick
        keys = self._keys_at.get(tick)
        if keys is None:
            keys = self._keys_at[tick] = {}
            heapq.heappush(self._ticks, tick)
            self._schedule()
        keys[key] = None

    def clear(self, key: str) -> None:
        """Forget the deadline of a key, if it has one."""
        tick = self._tick_of.pop(key, None)
        if tick is not None:
            self._keys_at.get(tick, {}).pop(key, None)

    def stop(self) -> None:
        """Forget all deadlines, and take no more."""
        self._stopped = True
        self._tick_of.clear()
        self._keys_at.clear()
        self._ticks.clear()
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _schedule(self) -> None:
        """See that the timer fires at the first tick, and not later."""
        if self._settling:
            return
        first = self._ticks[0] * _TICK
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= first:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, first - self._clock.seconds()), self._fire)

    def _tell(self, key: str) -> None:
        try:
            self._due(key)
        except Exception:  # the other deadlines of this tick must not be lost with it
            _log.failure("a deadline's work failed")

    def _fire(self) -> None:
        now = self._clock.seconds()
        left = _AT_ONCE
        while left and self._ticks and self._ticks[0] * _TICK <= now:
            tick = self._ticks[0]
            keys = self._keys_at[tick]
            for key in list(islice(keys, left)):
                # A key before it may have cleared or moved this one.
                if key in keys and not self._stopped:
                    left -= 1
                    del keys[key], self._tick_of[key]
                    self._tell(key)
            if not keys and self._ticks and self._ticks[0] == tick:
                heapq.heappop(self._ticks)
                self._keys_at.pop(tick, None)
        if not left:
            self._settling = True
            self._settle(self._go_on)
        elif self._ticks:
            self._schedule()

    def _go_on(self) -> None:
        self._settling = False
        if self._ticks:
            self._schedule()
