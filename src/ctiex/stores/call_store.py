"""The call store: the index, and the journal that its changes are appended to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal, ISharedJournal
from ctiex.records import Call, Change, StoreSnapshot
from ctiex.stores.index import CallIndex, Undo

MOST_WAITING = 20_000
"""Changes that may wait for the journal; beyond it the store is unavailable until that catches up."""


def _nothing() -> None:
    pass


class CallStore(CallIndex):
    """The memory pool [0049]: calls by serial, and the agents' mailboxes, as long as this process lives."""

    def open(self, reactor: Any) -> Deferred[None]:
        """Load what was stored before; fires once it is loaded.

        :param reactor: for threads and time.
        :raise StoreUnavailable: (the Deferred fails with it) it can't be read.
        """
        return succeed(None)

    def close(self) -> Deferred[None]:
        """Finish the commits under way and release everything."""
        self.clear()
        return succeed(None)

    def commit(self, change: Change) -> Deferred[None] | None:
        """Commit a change, all of it or nothing; reads see it at once.

        None: it is durable. A Deferred: it fires when it is durable, those of several changes in their order; if
        it fails, this change and every one made after it are undone. An empty change waits for all before it.

        :raise StoreUnavailable: (or the Deferred fails with it) it wasn't committed: status 50.
        :raise ValueError: an event isn't numbered one beyond its agent's last; nothing is committed.
        """
        self.apply(change)
        return None

    def fetch(self, serial: str) -> Deferred[Call | None] | None:
        """Look beyond the index; None if there is no such place."""
        return None


@define
class _Group:
    """Changes that the journal gets together."""

    changes: list[Change] = field(factory=list)
    undo: Undo = field(factory=Undo)
    waiting: list[Deferred[None]] = field(factory=list)


class JournaledCallStore(CallStore):
    """A call store that outlives the process.

    While the journal keeps one group of changes the next one gathers, so under load one sync serves all who wait.
    """

    def __init__(self, journal: IJournal) -> None:
        """A store that isn't opened yet."""
        super().__init__()
        self.journal = journal
        self._reactor: Any = None
        self._open = False
        self._gathering = _Group()
        self._writing: _Group | None = None
        self._closing: Deferred[None] | None = None

    # ------------------------------------------------------------ open and close

    def open(self, reactor: Any) -> Deferred[None]:
        """Load what the journal holds."""
        opening: Deferred[Any] = maybeDeferred(self.journal.open, reactor)
        return opening.addCallback(self._opened, reactor)

    def _opened(self, snapshot: StoreSnapshot, reactor: Any) -> Deferred[None]:
        missing = "; ".join(snapshot.gaps())
        try:
            if missing:
                raise StoreUnavailable(missing)
            self.load(snapshot)
        except Exception:
            failure = Failure()
            self.clear()
            return maybeDeferred(self.journal.close).addBoth(lambda _: failure)
        self._reactor, self._open = reactor, True
        return succeed(None)

    def close(self) -> Deferred[None]:
        """Have the journal keep what waits, and release everything."""
        if not self._open:
            return succeed(None)
        closing: Deferred[None] = Deferred()
        self._open, self._closing = False, closing
        self._write_next()
        return closing

    def _closed(self, result: object, closing: Deferred[Any]) -> None:
        self.clear()
        closing.callback(result)

    # ------------------------------------------------------------ changes

    def commit(self, change: Change) -> Deferred[None] | None:
        """Apply a change to the index, and append it to the journal."""
        if not (
            change.calls or change.events or change.dropped or change.forgotten or change.metadata or change.removed
        ):
            return self._wait() if self._writing is not None or self._gathering.waiting else None
        if not self._open:
            raise StoreUnavailable("the store is closed")
        gathering = self._gathering
        if len(gathering.waiting) >= MOST_WAITING:
            raise StoreUnavailable(f"already {MOST_WAITING} changes wait for the journal")
        self.remember(change, gathering.undo)
        self.apply(change)
        gathering.changes.append(change)
        if self.journal.in_groups:
            return self._wait()
        self._append_at_once()
        return None

    def fetch(self, serial: str) -> Deferred[Call | None] | None:
        """Have a journal that other processes write too look the call up."""
        shared: Any = self.journal
        return shared.fetch(serial) if ISharedJournal.providedBy(shared) else None

    def _append_at_once(self) -> None:
        written, self._gathering = self._gathering, _Group()
        try:
            self.journal.append(written.changes, written.undo.before)
        except BaseException:
            self.undo(written.undo)
            raise

    # ------------------------------------------------------------ groups

    def _wait(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._gathering.waiting.append(waiting)
        if self._writing is None and len(self._gathering.waiting) == 1:
            # Not before this turn of the reactor is done: what else it brings goes along.
            self._reactor.callLater(0, self._write_next)
        return waiting

    def _write_next(self) -> None:
        self._begin_next()()

    def _begin_next(self) -> Callable[[], object]:
        """Begin to write the next group, or to close; what this returns has the outcome heard."""
        if self._writing is not None:
            return _nothing
        if self._gathering.waiting:
            self._writing, self._gathering = self._gathering, _Group()
            append: Callable[..., Any] = self.journal.append
            appending = maybeDeferred(append, self._writing.changes, self._writing.undo.before)
            hear = partial(appending.addCallbacks, self._written, self._not_written)
            # In another turn what is done at once: else one would stand on the other without end.
            return partial(self._reactor.callLater, 0, hear) if appending.called else hear
        if self._closing is not None:
            closing, self._closing = self._closing, None
            return partial(maybeDeferred(self.journal.close).addBoth, self._closed, closing)
        return _nothing

    def _written(self, _: None) -> None:
        assert self._writing is not None
        written, self._writing = self._writing, None
        hear = self._begin_next()  # before the others go on, and heard behind them: it may be done at once
        for waiting in written.waiting:
            waiting.callback(None)
        hear()

    def _not_written(self, failure: Failure) -> None:
        """Undo what was not kept, the newest first, and everything that was based on it."""
        assert self._writing is not None
        written, gathered = self._writing, self._gathering
        self._writing, self._gathering = None, _Group()
        for lost in (gathered, written):
            self.undo(lost.undo)
        for waiting in (*written.waiting, *gathered.waiting):
            waiting.errback(failure)
        self._write_next()
