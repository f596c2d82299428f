"""The journal in a SQLite file, written in a thread of its own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.file_modes import warn_of_wide_mode
from ctiex.interfaces import IJournal
from ctiex.records import EPOCH, Call, Change, StoreSnapshot
from ctiex.stores.groups import Group
from ctiex.stores.opening import expect_sound, told
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile, StoreInUse
from ctiex.stores.sqlite_settings import LOCK_WAIT

_log = Logger()

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


@implementer(IJournal)
class SqliteJournal:
    """Calls and mailboxes in a SQLite file: a group of changes is a transaction, and a sync."""

    in_groups = True
    _file: SqliteFile
    """What was opened."""

    def __init__(self, path: Path, key_file: Path, lock_wait: float = LOCK_WAIT) -> None:
        """A journal that isn't opened yet.

        :param lock_wait: how long ``open`` waits while another process has the file, in seconds.
        """
        self._path = path
        self._key_file = key_file
        self._lock_wait = lock_wait
        self._reactor: Any = None
        self._threads = ThreadPool(1, 1, "ctiex-store")

    def open(self, reactor: Any) -> Deferred[StoreSnapshot]:
        """Read everything that the file keeps.

        Another process may be about to leave: it is given ``lock_wait`` to let go of the file.
        """
        self._reactor = reactor
        self._threads.start()
        return ensureDeferred(self._read()).addCallbacks(self._opened, self._stopped)

    async def _read(self) -> StoreSnapshot:
        until, told = self._reactor.seconds() + self._lock_wait, False
        while True:
            try:
                kept: StoreSnapshot = await self._in_thread(self._read_file)
                return kept
            except StoreInUse:
                if self._reactor.seconds() >= until:
                    raise
            if not told:
                _log.info("{path}: another process has it open; waiting up to {wait:g} s",
                          path=str(self._path), wait=self._lock_wait)  # fmt: skip
                told = True
            await deferLater(self._reactor, _ASK_AGAIN)

    def _read_file(self) -> StoreSnapshot:
        with told(self._path):
            expect_sound(self._path.resolve())  # before the key is looked for, which a new store makes
        seal = Seal(find_key(self._key_file, make=not self._path.exists()))
        with ExitStack() as opened:
            file = opened.enter_context(closing(SqliteFile(self._path, seal)))
            with _no_collection():
                kept = file.read()
            for gap in kept.gaps():
                raise StoreUnavailable(f"{self._path}: {gap}; `ctiex store check` says what else")
            if file.is_copy:
                file.begin_generation()
                kept = evolve(kept, metadata={name: kept.metadata[name] for name in kept.metadata if name != EPOCH})
            opened.pop_all()
        self._file = file
        return kept

    def _opened(self, kept: StoreSnapshot) -> StoreSnapshot:
        _log.info("{path}: {calls} calls, {events} events waiting", path=str(self._path), calls=len(kept.calls),
                  events=len(kept.events))  # fmt: skip
        for file in (self._path, self._key_file):
            warn_of_wide_mode(file)
        if self._file.is_copy and kept.metadata:
            _log.warn("{path} is a copy, maybe of an earlier state: agents' events are numbered in a new epoch",
                      path=str(self._path))  # fmt: skip
        return kept

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        """Write a group in one transaction."""
        return self._in_thread(lambda: self._write(Group.of(changes, before)))

    def _write(self, group: Group) -> None:
        if group:
            self._file.write(group)

    def close(self) -> Deferred[None]:
        """Let go of the file."""
        return self._in_thread(self._file.close).addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        self._threads.stop()
        return result

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._threads, work)
