"""The blocking half of the SQLite journal: one file, used from one thread."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import starmap
from pathlib import Path
from typing import IO, TypeVar

from ctiex.errors import StoreUnavailable
from ctiex.records import EPOCH, StoreSnapshot
from ctiex.stores.groups import Group
from ctiex.stores.marks import checkpoint, write_out
from ctiex.stores.opening import expect_folder, opened_alone, opened_to_read, told
from ctiex.stores.progress import Progress
from ctiex.stores.rows import Changed, Row, Rows
from ctiex.stores.schema import version_of
from ctiex.stores.sealing import Seal

_Record = TypeVar("_Record")

ROWS_BETWEEN_CHECKPOINTS = 4_000
"""How many rows are written before the log is written into the file: at most as many pages of 4 KB, rather a fifth."""
_PAGE = 4_096


class StoreInUse(StoreUnavailable):
    """Another process has the store open."""


class SqliteFile:
    """One store file, opened: WAL, every commit synced to the disk, closed to a second process."""

    def __init__(self, path: Path, seal: Seal, read_only: bool = False) -> None:
        """Open it; make it where it isn't there.

        :param read_only: beside the process that has it open; it makes and changes nothing.
        :raise StoreInUse: another process has it.
        :raise StoreUnavailable: it can't be opened, or is no store, or the log beside it isn't its own.
        """
        self._path = path = path.resolve()
        self._rows = Rows(seal)
        self._identity: tuple[int, ...] = ()
        self._rows_written = 0
        self._groups = 0
        self.is_copy = False
        """Whether it isn't the file that stood here last, but another one, or an earlier state of it. It is told so at
        each opening, until :meth:`begin_generation`."""
        with ExitStack() as opened:
            if not read_only:
                opened.enter_context(lock(path))
            with told(path):
                if read_only:
                    self._database = opened.enter_context(closing(opened_to_read(path)))
                else:
                    self._database = opened_alone(path, seal)
                    opened.callback(self._close_whole)
                    self._identity = self._identities()
                    self._begin_progress(opened)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let go of the file; its log goes into it."""
        self._opened.close()

    def _close_whole(self) -> None:
        with ExitStack() as closed:
            try:
                write_out(self._database, self._path)
            except sqlite3.Error:
                # The last to close writes what it can into the file, whose mark doesn't say so: a reader, which
                # writes nothing, is to be the last.
                with suppress(StoreUnavailable, sqlite3.Error):
                    closed.enter_context(closing(opened_to_read(self._path)))
            closed.callback(self._database.close)

    def _begin_progress(self, opened: ExitStack) -> None:
        self._progress = opened.enter_context(closing(Progress(self._path)))
        found = self._database.execute("SELECT generation, max(0, CAST(groups AS INTEGER)) FROM store, mark").fetchone()
        generation, self._groups = found or (None, 0)  # read() refuses a file whose name was taken out
        self.is_copy = self._progress.is_beyond(generation, self._groups)

    def _identities(self) -> tuple[int, ...]:
        """What the file and its WAL are to the file system: tells whether they still stand there.

        :raise OSError: one of them is gone.
        """
        found = [os.stat(name) for name in (self._path, f"{self._path}-wal")]
        return tuple(number for one in found for number in (one.st_dev, one.st_ino))

    # ------------------------------------------------------------ writing

    def write(self, group: Group) -> None:
        """Write a group in one transaction; it is on the disk when this returns.

        :raise StoreUnavailable: it was not written, none of it.
        """
        with told(self._path):
            if self._identities() != self._identity:
                raise StoreUnavailable("another file has taken its place")
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                self._write_calls(group)
                self._write_mailboxes(group)
                self._database.execute("UPDATE mark SET groups = ?", (self._groups + 1,))
                self._write_metadata(group)
        self._groups += 1
        self._progress.note(self._groups)
        self._write_log_into_file()

    def _write_log_into_file(self) -> None:
        """Now and then. An error in it changes nothing that is stored, and it is done later."""
        if self._rows_written < ROWS_BETWEEN_CHECKPOINTS:
            return
        self._rows_written = 0
        with suppress(sqlite3.Error):  # a disk that is full; the next commit says so
            checkpoint(self._database, self._path)

    def _write_calls(self, group: Group) -> None:
        kept = [self._rows.call(call) for call in group.calls.values() if call is not None]
        forgotten = [(serial,) for serial, call in group.calls.items() if call is None]
        contexts = [self._rows.context(call) for call in group.contexts.values() if call is not None]
        wiped = [(serial,) for serial, call in group.contexts.items() if call is None]
        self._rows_written += sum(len(sealed) for _, sealed in contexts) // _PAGE
        self._put("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
        self._put("DELETE FROM calls WHERE serial = ?", forgotten)
        self._put("INSERT OR REPLACE INTO contexts VALUES (?, ?)", contexts)
        self._put("DELETE FROM contexts WHERE serial = ?", wiped)

    def _write_metadata(self, group: Group) -> None:
        known = [self._rows.metadata(name, value) for name, value in group.metadata.items() if value is not None]
        self._put("INSERT OR REPLACE INTO facts VALUES (?, ?)", known)
        removed = [(name,) for name, value in group.metadata.items() if value is None]
        self._put("DELETE FROM facts WHERE name = ?", removed)

    def _write_mailboxes(self, group: Group) -> None:
        events = [
            self._rows.event(event)
            for (agent, sequence), event in group.events.items()
            if sequence > group.dropped.get(agent, 0)
        ]
        self._put("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", events)
        self._put(
            "INSERT OR REPLACE INTO agents VALUES (?, ?, ?)", starmap(self._rows.mailbox, group.last_sequences.items())
        )
        self._put("DELETE FROM events WHERE agent = ? AND sequence <= ?", group.dropped.items())

    def _put(self, statement: str, rows: Iterable[Row]) -> None:
        """Each row by one statement."""
        made = list(rows)
        self._rows_written += len(made)
        self._database.executemany(statement, made)

    # ------------------------------------------------------------ reading

    def read(self, wrong: list[str] | None = None) -> StoreSnapshot:
        """Everything in the file.

        :param wrong: takes what is said of each record that isn't as it was written; None: the first is an error.
        :raise StoreUnavailable: it can't be read, was sealed with another key, or was changed without it.
        """
        with told(self._path):
            self._database.execute("BEGIN")  # one moment of the file, also beside an exchange that writes it
            with self._database:
                found = self._database.execute("SELECT generation, stamp FROM store").fetchone()
                self._rows.check_store(*(found or (None, None)))
                return StoreSnapshot(
                    tuple(self._taken(_CALLS, self._rows.opened_call, wrong))
                    + tuple(self._taken(_WITHOUT_A_CALL, self._rows.opened_call, wrong)),
                    dict(self._taken(_MAILBOXES, self._rows.opened_mailbox, wrong)),
                    tuple(self._taken(_EVENTS, self._rows.opened_event, wrong)),
                    dict(self._taken(_METADATA, self._rows.opened_label, wrong)),
                )

    def _taken(self, statement: str, opened: Callable[..., _Record], wrong: list[str] | None) -> Iterator[_Record]:
        for row in self._database.execute(statement):
            try:
                yield opened(*row)
            except Changed as error:
                if wrong is None:
                    raise
                wrong.append(str(error))

    # ------------------------------------------------------------ the file itself

    def begin_generation(self) -> None:
        """From now on it is another file than the one it was copied from, and without an epoch: that was the other's.

        Both at once: whatever becomes of this process, the next one finds no epoch, or that the file is a copy.

        :raise StoreUnavailable: it can't be written.
        """
        _, generation, _ = row = self._rows.new_store()
        with told(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                self._database.execute("INSERT OR REPLACE INTO store VALUES (?, ?, ?)", row)
                self._database.execute("DELETE FROM facts WHERE name = ?", (EPOCH,))
            self._progress.begin(generation, self._groups)

    @property
    def version(self) -> int:
        """Its schema version."""
        return version_of(self._database)

    def check(self) -> list[str]:
        """What is wrong with the file, a sentence each: SQLite's own check, and every record opened."""
        changed: list[str] = []
        try:
            found = [str(row[0]) for row in self._database.execute("PRAGMA integrity_check") if row[0] != "ok"]
            kept = self.read(changed)
        except (sqlite3.Error, StoreUnavailable) as error:
            return [str(error)]
        return found + changed + list(kept.gaps())


_CALLS = "SELECT calls.*, sealed FROM calls LEFT JOIN contexts USING (serial) ORDER BY serial"
_WITHOUT_A_CALL = (
    f"SELECT serial, {', '.join(['NULL'] * 14)}, sealed FROM contexts WHERE serial NOT IN (SELECT serial FROM calls)"
)
"""Content whose call is gone: none is ever written so."""
_MAILBOXES = "SELECT agent, last_sequence, stamp FROM agents"
_EVENTS = "SELECT agent, sequence, expires, sealed FROM events ORDER BY agent, sequence"
_METADATA = "SELECT name, sealed FROM facts"


def lock(path: Path) -> IO[bytes]:
    """A lock that lasts until this is closed; the kernel gives it back when the process ends, however it ends.

    :raise StoreInUse: another process has it.
    :raise StoreUnavailable: it can't be had at all.
    """
    with told(path):
        expect_folder(path)
        locked = os.fdopen(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "rb")
    try:
        fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        locked.close()
        raise StoreInUse(f"{path}: another process has this store open") from None
    return locked
