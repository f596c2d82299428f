"""Started, stopped, and started again while it still stops: what Twisted's services may be asked at any moment."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger

from ctiex.links.waiters import Waiters

_log = Logger()


class ClientStage(Enum):
    """How far it is."""

    NEW = "new"
    """Not started yet: requests wait until it is."""
    STOPPED = "stopped"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    """It still stops, and is to run again once it has stopped."""


_STARTED = {
    ClientStage.NEW: ClientStage.RUNNING,
    ClientStage.STOPPED: ClientStage.RUNNING,
    ClientStage.RUNNING: ClientStage.RUNNING,
    ClientStage.STOPPING: ClientStage.RESTARTING,
    ClientStage.RESTARTING: ClientStage.RESTARTING,
}
_TO_STOP = {
    ClientStage.NEW: ClientStage.STOPPED,
    ClientStage.STOPPED: ClientStage.STOPPED,
    ClientStage.RUNNING: ClientStage.STOPPING,
    ClientStage.STOPPING: ClientStage.STOPPING,
    ClientStage.RESTARTING: ClientStage.STOPPING,
}
_HAS_STOPPED = {ClientStage.STOPPING: ClientStage.STOPPED, ClientStage.RESTARTING: ClientStage.RUNNING}


@define(eq=False)
class Lifecycle:
    """Begins and ends one thing, one after the other: it never begins before the end of what was before."""

    _begin: Callable[[], object]
    _end: Callable[[], Coroutine[Any, Any, object]]
    stage: ClientStage = field(default=ClientStage.NEW, init=False)
    _stopping: Waiters[None] = field(factory=Waiters, init=False)

    @property
    def wanted(self) -> bool:
        """Whether it runs, or is to."""
        return self.stage not in (ClientStage.STOPPING, ClientStage.STOPPED)

    @property
    def takes(self) -> bool:
        """Whether it takes anything new now: not while it stops, though it is to run again."""
        return self.stage in (ClientStage.NEW, ClientStage.RUNNING)

    def start(self) -> None:
        """Begin, at once or when it has stopped."""
        begins = self.stage in (ClientStage.NEW, ClientStage.STOPPED)
        self.stage = _STARTED[self.stage]
        if begins:
            self._begin()

    def stop(self) -> Deferred[None]:
        """End; fires once it has ended, whatever it is asked meanwhile."""
        before, self.stage = self.stage, _TO_STOP[self.stage]
        if self.stage is ClientStage.STOPPED:
            return succeed(None)
        stopped = self._stopping.add()
        if before is ClientStage.RUNNING:
            ended = ensureDeferred(self._end())
            ended.addErrback(lambda failure: _log.failure("stopping failed", failure))
            ended.addCallback(lambda _: self._ended())
        return stopped

    def _ended(self) -> None:
        self.stage = _HAS_STOPPED[self.stage]
        if self.stage is ClientStage.RUNNING:
            self._begin()
        self._stopping.fire(None)
