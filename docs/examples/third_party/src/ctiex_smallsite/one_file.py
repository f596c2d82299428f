"""A journal in one SQLite file: what was acknowledged is there after a crash.

Every change waits for the disk, on the reactor: right for a site with a few calls a second, no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cattrs.preconf.json import make_converter
from zope.interface import implementer

from ctiex import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import Call, Change, StoredEvent, StoreSnapshot

_TABLES = """
PRAGMA secure_delete = ON;  -- what is wiped from a call is wiped from the file
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS calls (serial TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mailboxes (agent TEXT PRIMARY KEY, last_sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    agent TEXT, sequence INTEGER, body BLOB NOT NULL, expires REAL NOT NULL, PRIMARY KEY (agent, sequence)
);
CREATE TABLE IF NOT EXISTS metadata (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_records = make_converter()


@implementer(IJournal)
class OneFileJournal:
    """Calls and mailboxes in one SQLite file. Nobody else may have it open."""

    in_groups = False

    def __init__(self, path: str) -> None:
        """A journal that isn't opened yet."""
        self._path = path

    def open(self, reactor: Any) -> StoreSnapshot:
        """Read the file, or make it.

        @raise StoreUnavailable: it can't be opened, or is no such file.
        """
        with self._told():
            self._database = sqlite3.connect(self._path)
            try:
                self._database.executescript(_TABLES)
                return self._read()
            except sqlite3.Error:
                self.close()
                raise

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> None:
        """Keep changes, all of them or nothing; they are on the disk when this returns.

        @raise StoreUnavailable: the disk doesn't take them.
        """
        with self._told(), self._database:  # one transaction, undone by any exception
            for change in changes:
                self._put(change)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _read(self) -> StoreSnapshot:
        rows = self._database.execute
        return StoreSnapshot(
            calls=[_records.loads(record, Call) for (record,) in rows("SELECT record FROM calls")],
            last_sequences=dict(rows("SELECT * FROM mailboxes")),
            events=[StoredEvent(*row) for row in rows("SELECT * FROM events ORDER BY agent, sequence")],
            metadata=dict(rows("SELECT * FROM metadata")),
        )

    def _put(self, change: Change) -> None:
        put = self._database.executemany
        put("REPLACE INTO calls VALUES (?, ?)", [(call.serial, _records.dumps(call)) for call in change.calls])
        put("DELETE FROM calls WHERE serial = ?", [(serial,) for serial in change.forgotten])
        put("REPLACE INTO mailboxes VALUES (?, ?)", [(event.agent, event.sequence) for event in change.events])
        put(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [(event.agent, event.sequence, event.body, event.expires) for event in change.events],
        )
        put("DELETE FROM events WHERE agent = ? AND sequence <= ?", change.dropped)
        put("REPLACE INTO metadata VALUES (?, ?)", change.metadata)
        put("DELETE FROM metadata WHERE name = ?", [(name,) for name in change.removed])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from None
