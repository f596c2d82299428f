"""Many deadlines on one timer: setting and clearing one costs O(1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import ceil, floor

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ctiex.lots import at_once

_log = Logger()
_TICK = 0.125
"""Deadlines that fall into the same tick fire together, in seconds; never early."""
_FAR = 7_200 * 8
"""How many ticks away a deadline is far: it falls into every 64th alone, up to 8 seconds late, so that a day of
mailboxes that come and go leaves thousands of ticks behind, not hundreds of thousands."""
_FAR_STEP = 64
_AT_ONCE = 500
"""Timers that fire in one turn of the reactor: many that came due during a pause leave turns to others."""
_LEFT_LYING = 1_000
"""Entries of moved and cleared deadlines that may lie about, beside as many as there are deadlines."""

_Bucket = list[str]
"""The keys of one tick in the order in which they were set, those that have moved on since included."""


class TimerWheel:
    """Calls ``due(key)`` once the deadline that was last set for ``key`` has come.

    It is up to an eighth of a second late, or 8 seconds if it was set more than two hours before.

    A deadline is a moment of the clock, in seconds. Keys that come due together do so in the
    order in which they were set to that tick. A deadline takes some 50 bytes: an entry in its tick's bucket, and
    the bucket by its key. One that is moved or cleared leaves its entry behind, which counts for nothing.
    """

    def __init__(
        self,
        clock: IReactorTime,
        due: Callable[[str], None],
        settle: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        """No deadlines yet.

        :param settle: calls its argument once what many deadlines brought is done, and more may come due.
        """
        self._clock = clock
        self._due = due
        self._settle = settle
        self._settling = False
        self._bucket_of: dict[str, _Bucket] = {}
        self._buckets: dict[int, _Bucket] = {}
        self._ticks: list[int] = []
        self._entries = 0
        self._timer: IDelayedCall | None = None
        self._fires_at = 0.0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._bucket_of)

    def __contains__(self, key: str) -> bool:
        return key in self._bucket_of

    def set(self, key: str, moment: float) -> None:
        """Set or move the deadline of a key. A moment that has passed comes due at the next tick."""
        if self._stopped:
            return
        bucket = self._bucket_at(self._tick(moment))
        if self._bucket_of.get(key) is bucket:
            return
        bucket.append(key)
        self._bucket_of[key] = bucket
        self._entries += 1
        if self._entries > 2 * len(self._bucket_of) + _LEFT_LYING:
            self._tidy()

    def _tick(self, moment: float) -> int:
        # Never the tick that may be firing now: a key that sets itself again would hold the reactor.
        now = floor(self._clock.seconds() / _TICK)
        tick = max(ceil(moment / _TICK), now + 1)
        return ceil(tick / _FAR_STEP) * _FAR_STEP if tick - now > _FAR else tick

    def _bucket_at(self, tick: int) -> _Bucket:
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = []
            heapq.heappush(self._ticks, tick)
            self._schedule()
        return bucket

    def clear(self, key: str) -> None:
        """Forget the deadline of a key, if it has one. Without any there is no timer."""
        self._bucket_of.pop(key, None)
        if not self._bucket_of:
            self._forget_all()

    def _tidy(self) -> None:
        """Throw away what lies about: the cost is shared by as many deadlines that were moved."""
        for bucket in self._buckets.values():
            bucket[:] = dict.fromkeys(key for key in bucket if self._bucket_of.get(key) is bucket)
        self._entries = len(self._bucket_of)

    def stop(self) -> None:
        """Forget all deadlines, and take no more."""
        self._stopped = True
        self._forget_all()

    def _forget_all(self) -> None:
        self._bucket_of.clear()
        self._buckets.clear()
        self._ticks.clear()
        self._entries = 0
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _schedule(self) -> None:
        """See that the timer fires at the first tick, and not later, unless what fired isn't settled yet."""
        if self._settling or not self._ticks:
            return
        first = self._ticks[0] * _TICK
        if self._timer is not None and self._timer.active():
            if self._fires_at <= first:
                return
            self._timer.cancel()
        self._fires_at = first
        self._timer = self._clock.callLater(max(0.0, first - self._clock.seconds()), self._fire)

    def _tell(self, key: str) -> None:
        try:
            self._due(key)
        except Exception:  # the other deadlines of this tick must not be lost with it
            _log.failure("a timer's callback failed")

    def _fire(self) -> None:
        now = self._clock.seconds()
        left = _AT_ONCE
        while left and self._ticks and self._ticks[0] * _TICK <= now:
            left -= self._fire_some(self._ticks[0], left)
        if not self._bucket_of:
            self._forget_all()
        elif not left:
            self._settling = True
            self._settle(self._go_on)
        else:
            self._schedule()

    def _fire_some(self, tick: int, most: int) -> int:
        """Tell keys of the first tick, and drop it once it is empty; returns how many were told."""
        bucket = self._buckets[tick]
        some = bucket[:most]
        del bucket[:most]
        self._entries -= len(some)
        told = 0
        for key in some:
            # A key before it may have cleared or moved this one.
            if self._bucket_of.get(key) is bucket and not self._stopped:
                del self._bucket_of[key]
                told += 1
                self._tell(key)
        if not bucket and self._ticks and self._ticks[0] == tick:
            del self._buckets[heapq.heappop(self._ticks)]
        return told

    def _go_on(self) -> None:
        self._settling = False
        self._schedule()
