"""Started, stopped, and started again while it still stops: what Twisted's services may be asked at any moment."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger

from ctiex.links.waiters import Waiters

_log = Logger()


class Stage(Enum):
    """How far it is."""

    NEW = "new"
    """Not started yet: requests wait until it is."""
    STOPPED = "stopped"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    """It still stops, and is to run again once it has stopped."""


_STARTED = {
    Stage.NEW: Stage.RUNNING,
    Stage.STOPPED: Stage.RUNNING,
    Stage.RUNNING: Stage.RUNNING,
    Stage.STOPPING: Stage.RESTARTING,
    Stage.RESTARTING: Stage.RESTARTING,
}
_TO_STOP = {
    Stage.NEW: Stage.STOPPED,
    Stage.STOPPED: Stage.STOPPED,
    Stage.RUNNING: Stage.STOPPING,
    Stage.STOPPING: Stage.STOPPING,
    Stage.RESTARTING: Stage.STOPPING,
}
_HAS_STOPPED = {Stage.STOPPING: Stage.STOPPED, Stage.RESTARTING: Stage.RUNNING}


class Lifecycle:
    """Begins and ends one thing, one after the other: it never begins before the end of what was before."""

    def __init__(self, begin: Callable[[], object], end: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self.stage = Stage.NEW
        self._begin = begin
        self._end = end
        self._stopping: Waiters[None] = Waiters()

    @property
    def wanted(self) -> bool:
        """Whether it runs, or is to."""
        return self.stage not in (Stage.STOPPING, Stage.STOPPED)

    @property
    def takes(self) -> bool:
        """Whether it takes anything new now: not while it stops, though it is to run again."""
        return self.stage in (Stage.NEW, Stage.RUNNING)

    def start(self) -> None:
        """Begin, at once or when it has stopped."""
        begins = self.stage in (Stage.NEW, Stage.STOPPED)
        self.stage = _STARTED[self.stage]
        if begins:
            self._begin()

    def stop(self) -> Deferred[None]:
        """End; fires once it has ended, whatever it is asked meanwhile."""
        before, self.stage = self.stage, _TO_STOP[self.stage]
        if self.stage is Stage.STOPPED:
            return succeed(None)
        stopped = self._stopping.add()
        if before is Stage.RUNNING:
            ended = ensureDeferred(self._end())
            ended.addErrback(lambda failure: _log.failure("stopping failed", failure))
            ended.addCallback(lambda _: self._ended())
        return stopped

    def _ended(self) -> None:
        self.stage = _HAS_STOPPED[self.stage]
        if self.stage is Stage.RUNNING:
            self._begin()
        self._stopping.fire(None)
