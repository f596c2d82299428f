"""One way to commit a change and to go on behind it, with no Deferred where none is needed.

While the store accepts no changes, that is logged once, and once more when it is available again; what nobody
else repeats is done again then.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ctiex.errors import StoreUnavailable
from ctiex.lots import Lots
from ctiex.monitoring.observer import Observer
from ctiex.outage import Outage
from ctiex.processing.stored_time import StoredTime
from ctiex.records import Call, Change

_log = Logger()

RETRY_AFTER = 5.0
"""How long a deadline is put off whose work the store didn't take, in seconds."""
_PROBE_AFTER = 0.5
"""How soon a store that failed is tried again, in seconds; twice as long each time that it fails, up to RETRY_AFTER."""
_PROBE = Change(metadata=(("store probe", ""),))
_NOTHING = Change()

Commit = Callable[[Change], Deferred[None] | None]


def nothing() -> None:
    """Nobody waits for the outcome."""


def _guarded(work: Callable[[], None]) -> None:
    """Work behind the store's: what goes wrong in it is its own, and not the store's."""
    try:
        work()
    except Exception:
        _log.failure("a callback failed after a commit")


class Commits:
    """Commits changes to a store and tells each one's outcome, and that of a look-up that waits."""

    def __init__(self, commit: Commit, clock: StoredTime, observer: Observer) -> None:
        """Nothing is known of the store yet.

        :param commit: as :meth:`ctiex.stores.call_store.CallStore.commit`.
        """
        self._commit = commit
        self.time = clock
        self._observer = observer
        self.outage = Outage(self._began_to_fail, self._well)
        """Lasts while the store takes no changes."""
        self._again: dict[str, Callable[[], None]] = {}
        self._lots = Lots(clock, self.settled)
        self._probe_after = _PROBE_AFTER
        self._well_at = -RETRY_AFTER
        self._probing: IDelayedCall | None = None
        self._stopped = False

    def commit(
        self, change: Change, committed: Callable[[], None] = nothing, failed: Callable[[], None] = nothing
    ) -> None:
        """Commit a change; call ``committed`` once it is committed, at once if the store is that fast.

        ``failed`` is called instead when the store could not take it: then it is undone.
        """
        if change is not _NOTHING:
            news = self.time.news()
            if news is not None:
                change = evolve(change, metadata=(*change.metadata, news))
        try:
            waiting = self._commit(change)
        except Exception:  # a store's fault must not become that of the link whose change it was
            self._failed(Failure(), failed)
            return
        if waiting is None:
            if self.outage.failures and change is not _NOTHING:
                self.outage.worked()
            committed()
        else:
            # One pair of callbacks, not two: under load many thousands of these wait at a time.
            waiting.addCallbacks(
                self._committed_later, self._failed_later, callbackArgs=(committed,), errbackArgs=(failed,)
            )

    def heard(
        self, looking: Deferred[Call | None], found: Callable[[Call | None], None], failed: Callable[[], None]
    ) -> None:
        """Go on with what a look-up beyond memory finds; ``failed`` is called instead when the store can't look."""
        looking.addCallbacks(lambda call: _guarded(lambda: found(call)), self._failed_later, errbackArgs=(failed,))

    def tell_time(self) -> None:
        """Have the store know of the wall clock what it doesn't know yet."""
        news = self.time.news()
        if news is not None:
            self.commit(Change(metadata=(news,)))

    def settled(self, go_on: Callable[[], None], failed: Callable[[], None] | None = None) -> None:
        """Go on once the store is done with every change before, whatever came of them.

        :param failed: called instead when the store could not take them all.
        """
        self.commit(_NOTHING, go_on, go_on if failed is None else failed)

    def again(self, key: str, work: Callable[[], None]) -> None:
        """Do something once more, from within ``failed``, when the store is well again; for each key the last one."""
        self._again[key] = work

    def stop(self) -> None:
        """Let go of the timers."""
        self._stopped = True
        self._again.clear()
        self._lots.stop()
        self._stop_probing()

    def _committed_later(self, _: object, committed: Callable[[], None]) -> None:
        self.outage.worked()
        _guarded(committed)

    def _failed_later(self, failure: Failure, failed: Callable[[], None]) -> None:
        _guarded(lambda: self._failed(failure, failed))

    def _failed(self, failure: Failure, failed: Callable[[], None]) -> None:
        self._observer.store_failed(probed=failed == self._probe_failed)
        self.time.not_committed()
        if not (self.outage.lasts or failure.check(StoreUnavailable)):
            _log.failure("the call store failed", failure)
        if not self.outage.lasts and self.time.seconds() - self._well_at >= RETRY_AFTER:
            self._probe_after = _PROBE_AFTER  # else it isn't really well: it takes some changes and others not
        self.outage.failed(failure.getErrorMessage())
        if self._probing is None and not self._stopped:
            self._probing = self.time.callLater(self._probe_after, self._probe)
        failed()

    def _began_to_fail(self, reason: str) -> None:
        _log.error("the call store is unavailable (logged once until it is back): {reason}", reason=reason)

    def _probe(self) -> None:
        """Check whether the store accepts changes again: one that isn't ready gets no requests that would try."""
        self._probing = None
        self._probe_after = min(2 * self._probe_after, RETRY_AFTER)
        self.commit(_PROBE, failed=self._probe_failed)

    def _probe_failed(self) -> None:
        """Another one is set already."""

    def _well(self, failures: int) -> None:
        _log.info("the call store is available again; {count} changes failed", count=failures)
        self._well_at = self.time.seconds()
        self._stop_probing()
        again, self._again = self._again, {}
        self._lots.do(again.values())

    def _stop_probing(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None
