"""Time: one clock for the whole world, and one for each process, which dies with it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

_Entry = tuple[float, int, DelayedCall, "ProcessClock"]


class ProcessClock(Clock):
    """The clock of one process: once the process has died none of its timers fires.

    It runs as the process's own clock does from when it was started: it never steps.
    """

    def __init__(self, world: WorldClock, begins_at: float) -> None:
        """A process that starts now.

        :param begins_at: what its clock shows now, in seconds.
        """
        super().__init__()
        self._world = world
        self.ahead = begins_at - world.now
        """What its clock shows beyond the world's time, in seconds."""
        self.alive = True

    def seconds(self) -> float:
        """What its clock shows, in seconds."""
        return self._world.now + self.ahead

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any, **kw: Any) -> IDelayedCall:
        """Set a timer; a process that has died may ask for one, which never fires."""
        return self._world.schedule(self, delay, callable, args, kw)

    def getDelayedCalls(self) -> Sequence[DelayedCall]:
        """The timers that are set, in no order."""
        return [call for moment, _, call, whose in self._world.timers if whose is self and _fires(moment, call, self)]


class WorldClock:
    """Fires the timers of all processes in order, one at a time.

    Its time really passes, and never goes back. The wall clock beside it shows what somebody has set it to.

    A heap: task.Clock sorts all timers again at each call, which is slow with hundreds of them.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.wall_ahead = 0.0
        """What the wall clock shows beyond the time that has really passed, in seconds."""
        self.turns = 0
        """How many timers have fired."""
        self.timers: list[_Entry] = []
        self._made = 0
        self._pauses: list[tuple[float, float]] = []
        """When everything stood still, and for how long."""
        self.network = ProcessClock(self, now)
        """Whatever is part of no process."""

    @property
    def wall(self) -> float:
        """What the wall clock shows, in seconds."""
        return self.now + self.wall_ahead

    def schedule(
        self, owner: ProcessClock, delay: float, what: Callable[..., object], args: Any, kwargs: Any
    ) -> DelayedCall:
        """Set a timer of a process."""
        call = DelayedCall(
            owner.seconds() + delay, what, args, kwargs, _nothing, lambda moved: self._push(moved, owner), owner.seconds
        )
        self._push(call, owner)
        return call

    def _push(self, call: DelayedCall, owner: ProcessClock) -> None:
        self._made += 1
        heapq.heappush(self.timers, (call.time - owner.ahead, self._made, call, owner))

    def step(self, until: float) -> bool:
        """Fire the next timer that is due by ``until``; False when there is none, and then it is ``until``."""
        while self.timers and self.timers[0][0] <= until:
            moment, _, call, owner = heapq.heappop(self.timers)
            if not _fires(moment, call, owner):
                continue
            if call.delayed_time:
                call.activate_delay()
                self._push(call, owner)
                continue
            self.now = max(self.now, moment)
            self.turns += 1
            call.called = 1
            call.func(*call.args, **call.kw)
            return True
        self.now = max(self.now, until)
        return False

    def pause(self, seconds: float) -> None:
        """Nobody runs for a while: what became due meanwhile fires late, one after the other."""
        self._pauses.append((self.now, seconds))
        self.now += seconds

    def paused_since(self, moment: float) -> float:
        """For how long everything stood still since then, in seconds."""
        return sum(seconds for when, seconds in self._pauses if when >= moment)


def _fires(moment: float, call: DelayedCall, owner: ProcessClock) -> bool:
    """Whether a timer is to fire at the moment under which it stands: it may have been cancelled, or moved."""
    return owner.alive and bool(call.active()) and call.time - owner.ahead == moment


def _nothing(_: DelayedCall) -> None:
    """A cancelled timer stays where it is until its time has come."""
