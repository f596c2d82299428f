"""A call store in one SQLite file: what was acknowledged is there after a crash.

Every commit waits for the disk, on the reactor: right for a site with a few calls a second, no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import field, frozen
from cattrs.preconf.json import make_converter
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ctiex import StoreUnavailable
from ctiex.interfaces import ICallStore
from ctiex.records import Call, CallState, Change, StoredEvent

_TABLES = """
PRAGMA secure_delete = ON;  -- what is wiped from a call is wiped from the file
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS calls (serial TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mailboxes (agent TEXT PRIMARY KEY, dropped INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    agent TEXT, sequence INTEGER, body BLOB NOT NULL, expires REAL NOT NULL, PRIMARY KEY (agent, sequence)
);
CREATE TABLE IF NOT EXISTS labels (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_NO_MAILBOX = (0, 0)
_records = make_converter()


@implementer(ICallStore)
@frozen(eq=False)
class OneFileCallStore:
    """Calls and mailboxes in one SQLite file. Nobody else may have it open."""

    path: str
    _opened: list[sqlite3.Connection] = field(factory=list, init=False)

    @property
    def _database(self) -> sqlite3.Connection:
        if not self._opened:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._opened[0]

    def open(self, reactor: Any) -> None:
        """Open the file, or make it.

        @raise StoreUnavailable: it can't be opened, or is no such file.
        """
        try:
            database = sqlite3.connect(self.path)
            database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None
        self._opened.append(database)

    def close(self) -> None:
        """Let go of the file."""
        while self._opened:
            self._opened.pop().close()

    def commit(self, change: Change) -> None:
        """Keep a change, all of it or nothing; it is on the disk when this returns.

        @raise StoreUnavailable: the disk doesn't take it.
        @raise ValueError: an event isn't numbered one beyond its agent's last.
        """
        try:
            with self._database:  # one transaction, undone by any exception
                self._put(change)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def _put(self, change: Change) -> None:
        execute = self._database.execute
        for call in change.calls:
            execute("REPLACE INTO calls VALUES (?, ?)", (call.serial, _records.dumps(call)))
        for serial in change.forgotten:
            execute("DELETE FROM calls WHERE serial = ?", (serial,))
        for event in change.events:
            self._append(event)
        for agent, sequence in change.dropped:
            execute("UPDATE mailboxes SET dropped = max(dropped, min(last, ?)) WHERE agent = ?", (sequence, agent))
            execute("DELETE FROM events WHERE agent = ? AND sequence <= ?", (agent, sequence))
        for metadata in change.metadata:
            execute("REPLACE INTO labels VALUES (?, ?)", metadata)

    def _append(self, event: StoredEvent) -> None:
        execute = self._database.execute
        execute("INSERT OR IGNORE INTO mailboxes VALUES (?, 0, 0)", (event.agent,))
        next_one = (event.sequence, event.agent, event.sequence - 1)
        if execute("UPDATE mailboxes SET last = ? WHERE agent = ? AND last = ?", next_one).rowcount != 1:
            raise ValueError(f"event {event.sequence} of agent {event.agent!r} is out of order")
        execute("INSERT INTO events VALUES (?, ?, ?, ?)", (event.agent, event.sequence, event.body, event.expires))

    def get(self, serial: str) -> Call | None:
        """The call with this serial; SQLite has it in memory, mostly."""
        found = self._rows("SELECT record FROM calls WHERE serial = ?", serial)
        return _call(found[0][0]) if found else None

    def fetched(self, serial: str, owner: str) -> bytes | None:
        """The data of a call that this owner has fetched before."""
        call = self.get(serial)
        return call.data if call and call.state is CallState.FETCHED and call.owner == owner else None

    def fetch(self, serial: str) -> Deferred[Call | None] | None:
        """None: there is nowhere else to look."""
        return None

    def calls(self) -> Iterable[Call]:
        """Every call."""
        return [_call(record) for (record,) in self._rows("SELECT record FROM calls ORDER BY rowid")]

    def stored(self) -> int:
        """How many calls are kept."""
        return int(self._rows("SELECT count(*) FROM calls")[0][0])

    def agents(self) -> Iterable[str]:
        """Every agent number that ever had an event."""
        return [agent for (agent,) in self._rows("SELECT agent FROM mailboxes")]

    def last_sequence(self, agent: str) -> int:
        """The last sequence assigned to this agent's events; 0 before the first."""
        return self._mailbox(agent)[1]

    def pending(self, agent: str) -> int:
        """How many events wait: sequences have no gaps, so nothing is counted."""
        dropped, last = self._mailbox(agent)
        return last - dropped

    def events(self, agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""
        wanted = "SELECT * FROM events WHERE agent = ? AND sequence > ? ORDER BY sequence"
        return [StoredEvent(*row) for row in self._rows(wanted, agent, after)]

    def metadata(self, name: str) -> str | None:
        """What was last put under this name."""
        found = self._rows("SELECT value FROM labels WHERE name = ?", name)
        return found[0][0] if found else None

    def _mailbox(self, agent: str) -> tuple[int, int]:
        """What has left the mailbox, and what came into it: two sequences."""
        found = self._rows("SELECT dropped, last FROM mailboxes WHERE agent = ?", agent)
        return found[0] if found else _NO_MAILBOX

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._database.execute(query, values).fetchall()


def _call(record: str) -> Call:
    return _records.loads(record, Call)
