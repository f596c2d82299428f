"""The durable call store: answers from memory, keeps in a SQLite file, many changes to a commit.

While one group is on its way to the disk the next one gathers, so under load one sync serves
all who wait. A change that could not be kept is undone, together with every one made after it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.file_modes import warn_of_wide_mode
from ctiex.interfaces import ICallStore
from ctiex.records import Call, Change, StoredEvent
from ctiex.stores.memory import MemoryCallStore, Undo
from ctiex.stores.opening import expect_sound, told
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import Group, Kept, SqliteFile, StoreInUse, gaps
from ctiex.stores.sqlite_settings import LOCK_WAIT

_log = Logger()

MOST_WAITING = 20_000
"""Changes that may wait for the disk; beyond it the store is unavailable until it catches up."""
_ASK_AGAIN = 0.1


@contextmanager
def _no_collection() -> Iterator[None]:
    """Many records, and none of them garbage: looking through them again and again would take most of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@define
class _Gathering:
    """The changes that the next commit will keep."""

    group: Group = field(factory=Group)
    undo: Undo = field(factory=Undo)
    waiting: list[Deferred[None]] = field(factory=list)


@implementer(ICallStore)
class SQLiteCallStore:
    """Calls and mailboxes in a SQLite file, all of them in memory too."""

    def __init__(self, path: Path, key_file: Path, lock_wait: float = LOCK_WAIT) -> None:
        """A store that isn't opened yet.

        :param lock_wait: how long ``open`` waits while another process has the file, in seconds.
        """
        self._path = path
        self._key_file = key_file
        self._lock_wait = lock_wait
        self._memory = MemoryCallStore()
        self._reactor: Any = None
        self._threads = ThreadPool(1, 1, "ctiex-store")
        self._file: SqliteFile | None = None
        self._gathering = _Gathering()
        self._writing: _Gathering | None = None
        self._brought_from = 0
        self._closing: Deferred[None] | None = None

    # ------------------------------------------------------------ open and close

    def open(self, reactor: Any) -> Deferred[None]:
        """Read everything that the file keeps; fires once it is in memory.

        Another process may be about to leave: it is given ``lock_wait`` to let go of the file.
        """
        self._reactor = reactor
        self._threads.start()
        opening: Deferred[Any] = ensureDeferred(self._read())
        opening.addCallbacks(self._take_up, self._not_opened)
        return opening

    async def _read(self) -> Kept:
        until, told = self._reactor.seconds() + self._lock_wait, False
        while True:
            try:
                kept: Kept = await self._in_thread(self._opened)
                return kept
            except StoreInUse:
                if self._reactor.seconds() >= until:
                    raise
            if not told:
                _log.info("{path}: another process has it open; waiting up to {wait:g} s",
                          path=str(self._path), wait=self._lock_wait)  # fmt: skip
                told = True
            await deferLater(self._reactor, _ASK_AGAIN)

    def _opened(self) -> Kept:
        with told(self._path):
            expect_sound(self._path.resolve())  # before the key is looked for, which a new store makes
        seal = Seal(find_key(self._key_file, make=not self._path.exists()))
        self._file = SqliteFile(self._path, seal)
        self._brought_from = self._file.brought_from
        with _no_collection():
            kept = self._file.read()
        for gap in gaps(kept):
            raise StoreUnavailable(f"{self._path}: {gap}; `ctiex store check` says what else")
        return kept

    def _take_up(self, kept: Kept) -> None:
        self._memory.take_up(kept.calls, kept.last_sequences, kept.events, kept.metadata)
        _log.info("{path}: {calls} calls, {events} events waiting", path=str(self._path), calls=len(kept.calls),
                  events=len(kept.events))  # fmt: skip
        for file in (self._path, self._key_file):
            warn_of_wide_mode(file)
        self._tell_of_an_older_version()

    def _tell_of_an_older_version(self) -> None:
        if self._brought_from == 1:
            _log.warn("{path} had schema version 1, whose rows aren't bound to the key: they were imported as they are",
                      path=str(self._path))  # fmt: skip

    def _not_opened(self, failure: Failure) -> Failure:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._threads.stop()
        return failure

    def close(self) -> Deferred[None]:
        """Keep what waits, and let go of the file."""
        if self._file is None or self._closing is not None:
            return succeed(None)
        closing: Deferred[None] = Deferred()
        self._closing = closing
        self._write_next()
        return closing

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _closed(self, _: object) -> None:
        self._threads.stop()
        self._memory.close()
        if self._closing is not None:
            self._closing.callback(None)

    # ------------------------------------------------------------ changes

    def commit(self, change: Change) -> Deferred[None] | None:
        """Keep a change in the next commit; it is seen at once."""
        if not (change.calls or change.events or change.dropped or change.forgotten or change.metadata):
            return self._all_before()
        if self._file is None or self._closing is not None:
            raise StoreUnavailable(f"{self._path}: the store is closed")
        if len(self._gathering.waiting) >= MOST_WAITING:
            raise StoreUnavailable(f"{self._path}: already {MOST_WAITING} changes wait for the disk")
        before = [self._memory.get(call.serial) for call in change.calls]
        self._memory.remember(change, self._gathering.undo)
        self._memory.commit(change)
        self._gather(change, before)
        return self._wait()

    def _all_before(self) -> Deferred[None] | None:
        if self._writing is None and not self._gathering.waiting:
            return None
        return self._wait()

    def _wait(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._gathering.waiting.append(waiting)
        if self._writing is None and len(self._gathering.waiting) == 1:
            # Not before this turn of the reactor is done: what else it brings goes along.
            self._reactor.callLater(0, self._write_next)
        return waiting

    def _gather(self, change: Change, before: Iterable[Call | None]) -> None:
        """:param before: the calls that stood where the change puts its own."""
        group = self._gathering.group
        for call, old in zip(change.calls, before, strict=True):
            if old is None or not _same_context(old, call):
                group.contexts[call.serial] = call if call.data or call.digest or call.calling_number else None
            group.calls[call.serial] = call
        for serial in change.forgotten:
            group.calls[serial] = group.contexts[serial] = None
        for event in change.events:
            group.events[event.agent, event.sequence] = event
            group.last_sequences[event.agent] = event.sequence
        for agent, sequence in change.dropped:
            # No further than now: an event that comes after it stays.
            sequence = min(sequence, self._memory.last_sequence(agent))
            group.dropped[agent] = max(sequence, group.dropped.get(agent, 0))
        if change.metadata:
            group.metadata.update(change.metadata)

    # ------------------------------------------------------------ groups

    def _write_next(self) -> None:
        if self._writing is not None:
            return
        if self._gathering.waiting:
            self._writing, self._gathering = self._gathering, _Gathering()
            group = self._writing.group
            self._in_thread(lambda: self._write(group)).addCallbacks(self._written, self._not_written)
        elif self._closing is not None:
            self._in_thread(self._close_file).addBoth(self._closed)

    def _write(self, group: Group) -> None:
        if self._file is None:
            raise StoreUnavailable(f"{self._path}: the store is closed")
        if group:
            self._file.write(group)

    def _written(self, _: None) -> None:
        written, self._writing = self._writing, None
        assert written is not None
        self._write_next()
        for waiting in written.waiting:
            waiting.callback(None)

    def _not_written(self, failure: Failure) -> None:
        """Undo what was not committed, the newest first, and everything that was based on it."""
        assert self._writing is not None
        written, gathered = self._writing, self._gathering
        self._writing, self._gathering = None, _Gathering()
        for lost in (gathered, written):
            self._memory.undo(lost.undo)
        for waiting in (*written.waiting, *gathered.waiting):
            waiting.errback(failure)
        self._write_next()

    def _in_thread(self, work: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._threads, work)

    # ------------------------------------------------------------ answers, from memory

    def get(self, serial: str) -> Call | None:
        """The call with this serial, or None."""
        return self._memory.get(serial)

    def fetch(self, serial: str) -> Deferred[Call | None] | None:
        """None: everything is in memory."""
        return None

    def fetched(self, serial: str, owner: str) -> bytes | None:
        """The data of a call that this owner has fetched before."""
        return self._memory.fetched(serial, owner)

    def calls(self) -> Iterable[Call]:
        """Every call, as of now."""
        return self._memory.calls()

    def stored(self) -> int:
        """How many calls are stored."""
        return self._memory.stored()

    def agents(self) -> Iterable[str]:
        """Every agent number that ever had an event, as of now."""
        return self._memory.agents()

    def last_sequence(self, agent: str) -> int:
        """The last sequence assigned to this agent's events."""
        return self._memory.last_sequence(agent)

    def pending(self, agent: str) -> int:
        """How many events wait in the agent's mailbox."""
        return self._memory.pending(agent)

    def events(self, agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""
        return self._memory.events(agent, after)

    def metadata(self, name: str) -> str | None:
        """What was last put under this name."""
        return self._memory.metadata(name)


def _same_context(old: Call, new: Call) -> bool:
    return old.data == new.data and old.digest == new.digest and old.calling_number == new.calling_number
