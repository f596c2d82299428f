"""One way to commit a change and to go on behind it, with no Deferred where none is needed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import ICallStore
from ctiex.processing.counts import Counts
from ctiex.records import Call, Change

_log = Logger()

RETRY_AFTER = 5.0
"""How long to wait before what a store didn't take and nobody repeats is tried again, in seconds."""


def _nothing() -> None:
    pass


def _guarded(_: object, work: Callable[[], None]) -> None:
    """Work behind the store's: what goes wrong in it is its own, and not the store's."""
    try:
        work()
    except Exception:
        _log.failure("work behind the call store failed")


class Keeper:
    """Commits changes to a store and tells each one's outcome, and that of a look-up that waits."""

    def __init__(self, store: ICallStore, counts: Counts) -> None:
        self._store = store
        self._counts = counts

    def keep(self, change: Change, kept: Callable[[], None] = _nothing, lost: Callable[[], None] = _nothing) -> None:
        """Commit a change; call ``kept`` once it is kept, at once where the store is that fast.

        ``lost`` is called instead when the store could not take it: then it is undone.
        """
        try:
            waiting: Deferred[None] | None = self._store.commit(change)
        except Exception:  # a store's fault must not become that of the link whose change it was
            self._lost(Failure(), lost)
            return
        if waiting is None:
            kept()
        else:
            # One pair of callbacks, not two: under load many thousands of these wait at a time.
            waiting.addCallbacks(_guarded, self._lost_later, callbackArgs=(kept,), errbackArgs=(lost,))

    def heard(
        self, looking: Deferred[Call | None], found: Callable[[Call | None], None], lost: Callable[[], None]
    ) -> None:
        """Go on with what a look-up beyond memory finds; ``lost`` is called instead when the store can't look."""
        looking.addCallbacks(lambda call: _guarded(None, lambda: found(call)), self._lost_later, errbackArgs=(lost,))

    def settled(self, go_on: Callable[[], None]) -> None:
        """Go on once the store is done with every change before, whatever came of them."""
        self.keep(Change(), go_on, go_on)

    def _lost_later(self, failure: Failure, lost: Callable[[], None]) -> None:
        _guarded(failure, lambda: self._lost(failure, lost))

    def _lost(self, failure: Failure, lost: Callable[[], None]) -> None:
        self._counts.store_failures += 1
        if failure.check(StoreUnavailable):
            _log.error("the call store is unavailable: {reason}", reason=failure.getErrorMessage())
        else:
            _log.failure("the call store failed", failure)
        lost()
