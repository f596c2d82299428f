"""The blocking half of the SQLite store: one file, used from one thread."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import define, field, frozen

from ctiex.errors import StoreUnavailable
from ctiex.records import Call, CallState, StoredEvent
from ctiex.stores.schema import VERSION, migrate, version_of
from ctiex.stores.sealing import Seal

_CONTEXT = struct.Struct(">HBI")
"""Lengths of the calling number, the digest and the data in a sealed context."""
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # every commit is synced to the disk
    "secure_delete = ON",  # what is wiped is overwritten
    "temp_store = MEMORY",
    "journal_size_limit = 67108864",  # of the WAL, after a checkpoint, in bytes
)


class StoreInUse(StoreUnavailable):
    """Another process has the store open."""


@define
class Group:
    """What many changes come to, written by one commit."""

    calls: dict[str, Call | None] = field(factory=dict)
    """By serial; None: forgotten."""
    contexts: dict[str, Call | None] = field(factory=dict)
    """Calls whose number, digest and data are to be written; None: wiped."""
    last_sequences: dict[str, int] = field(factory=dict)
    events: dict[tuple[str, int], StoredEvent] = field(factory=dict)
    dropped: dict[str, int] = field(factory=dict)
    """By agent: its events up to and including this sequence leave the mailbox."""
    labels: dict[str, str] = field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.calls or self.events or self.dropped or self.labels)


@frozen
class Kept:
    """Everything that a file keeps."""

    calls: tuple[Call, ...]
    last_sequences: dict[str, int]
    events: tuple[StoredEvent, ...]
    labels: dict[str, str]


class SqliteFile:
    """One store file, opened: WAL, every commit synced to the disk, closed to a second process."""

    def __init__(self, path: Path, seal: Seal, read_only: bool = False) -> None:
        """Open it; make it where it isn't there.

        :param read_only: beside the process that has it open; it makes and changes nothing.
        :raise StoreInUse: another process has it.
        :raise StoreUnavailable: it can't be opened, or is no store.
        """
        self._path = path = path.resolve()
        self._seal = seal
        self._lock = None if read_only else _lock(path)
        try:
            self._database = _open(path, read_only)
            self._identity = () if read_only else self._identities()
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            self._unlock()
            raise StoreUnavailable(f"{path}: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
        self._unlock()

    def _identities(self) -> tuple[int, ...]:
        """What the file and its WAL are to the file system: tells whether they still stand there.

        :raise OSError: one of them is gone.
        """
        found = [os.stat(name) for name in (self._path, f"{self._path}-wal")]
        return tuple(number for one in found for number in (one.st_dev, one.st_ino))

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ------------------------------------------------------------ writing

    def write(self, group: Group) -> None:
        """Write a group in one transaction; it is on the disk when this returns.

        :raise StoreUnavailable: it was not written, none of it.
        """
        try:
            if self._identities() != self._identity:
                raise StoreUnavailable("another file has taken its place")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._write_calls(group)
                self._write_events(group)
                self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", group.labels.items())
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            raise StoreUnavailable(f"{self._path}: {error}") from None

    def _write_calls(self, group: Group) -> None:
        kept = [_row(call) for call in group.calls.values() if call is not None]
        forgotten = [(serial,) for serial, call in group.calls.items() if call is None]
        contexts = [(serial, self._context(call)) for serial, call in group.contexts.items() if call is not None]
        wiped = [(serial,) for serial, call in group.contexts.items() if call is None]
        self._database.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
        self._database.executemany("DELETE FROM calls WHERE serial = ?", forgotten)
        self._database.executemany("INSERT OR REPLACE INTO contexts VALUES (?, ?)", contexts)
        self._database.executemany("DELETE FROM contexts WHERE serial = ?", wiped)

    def _write_events(self, group: Group) -> None:
        sealed = [
            (event.agent, event.sequence, event.expires, self._seal.seal(event.body, _place(agent, sequence)))
            for (agent, sequence), event in group.events.items()
            if sequence > group.dropped.get(agent, 0)
        ]
        self._database.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", sealed)
        self._database.executemany("INSERT OR REPLACE INTO agents VALUES (?, ?)", group.last_sequences.items())
        self._database.executemany("DELETE FROM events WHERE agent = ? AND sequence <= ?", group.dropped.items())

    def _context(self, call: Call) -> bytes:
        number = call.calling_number.encode()
        lengths = _CONTEXT.pack(len(number), len(call.digest), len(call.data))
        return self._seal.seal(lengths + number + call.digest + call.data, call.serial.encode())

    # ------------------------------------------------------------ reading

    def read(self) -> Kept:
        """Everything in the file.

        :raise StoreUnavailable: it can't be read, or was sealed with another key.
        """
        try:
            self._database.execute("BEGIN")  # one moment of the file, also beside an exchange that writes it
            try:
                return Kept(tuple(self.calls()), self._last_sequences(), tuple(self._events()), self._labels())
            finally:
                self._database.execute("ROLLBACK")
        except (sqlite3.Error, ValueError, TypeError, struct.error, StoreUnavailable) as error:
            raise StoreUnavailable(f"{self._path}: {error}") from None

    def calls(self) -> Iterator[Call]:
        """Every call."""
        rows = self._database.execute(
            "SELECT calls.*, sealed FROM calls LEFT JOIN contexts USING (serial) ORDER BY serial"
        )
        for serial, agent, service, identity, state, deadline, owner, told, event_ids, sealed in rows:
            number, digest, data = self._opened(serial, sealed)
            yield Call(
                serial, agent, service, identity, number, digest, data, CallState(state), deadline, owner,
                frozenset(told), frozenset(_unpacked(event_ids)),
            )  # fmt: skip

    def _opened(self, serial: str, sealed: bytes | None) -> tuple[str, bytes, bytes]:
        if sealed is None:
            return "", b"", b""
        context = self._seal.open(sealed, serial.encode())
        number, digest, _ = _CONTEXT.unpack_from(context)
        at = _CONTEXT.size
        return (
            context[at : at + number].decode(),
            context[at + number : at + number + digest],
            context[at + number + digest :],
        )

    def _events(self) -> Iterator[StoredEvent]:
        rows = self._database.execute("SELECT agent, sequence, expires, sealed FROM events ORDER BY agent, sequence")
        for agent, sequence, expires, sealed in rows:
            yield StoredEvent(agent, sequence, self._seal.open(sealed, _place(agent, sequence)), expires)

    def _last_sequences(self) -> dict[str, int]:
        return dict(self._database.execute("SELECT agent, last_sequence FROM agents").fetchall())

    def _labels(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT name, value FROM facts").fetchall())

    # ------------------------------------------------------------ checks

    @property
    def version(self) -> int:
        """Its schema version."""
        return version_of(self._database)

    def check(self) -> list[str]:
        """What is wrong with the file, a sentence each: SQLite's own check, and every record opened."""
        try:
            found = [str(row[0]) for row in self._database.execute("PRAGMA integrity_check") if row[0] != "ok"]
            kept = self.read()
        except (sqlite3.Error, StoreUnavailable) as error:
            return [str(error)]
        return found + list(gaps(kept))


def gaps(kept: Kept) -> Iterator[str]:
    """What is missing in the agents' mailboxes, a sentence each."""
    last: dict[str, int] = {}
    for event in kept.events:
        if event.agent in last and event.sequence != last[event.agent] + 1:
            yield f"agent {event.agent}: event {event.sequence} follows {last[event.agent]}"
        last[event.agent] = event.sequence
    for agent, sequence in last.items():
        if sequence != kept.last_sequences.get(agent):
            yield f"agent {agent}: the last event is {sequence}, the last sequence {kept.last_sequences.get(agent)}"


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    if read_only:
        return _checked(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None))
    # Made here, since SQLite would make it readable by everybody.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            database.execute(f"PRAGMA {pragma}")
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _checked(database: sqlite3.Connection) -> sqlite3.Connection:
    """The database, if it is a store of this version."""
    try:
        version = version_of(database)
        if version < VERSION:
            raise StoreUnavailable(
                f"it has schema version {version}; start the exchange on it to bring it to {VERSION}"
            )
    except BaseException:
        database.close()
        raise
    return database


def _lock(path: Path) -> int:
    """A lock that the kernel gives back when the process ends, however it ends."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreInUse(f"{path}: another process has this store open") from None
    return descriptor


def _place(agent: str, sequence: int) -> bytes:
    return f"{agent}/{sequence}".encode()


def _row(call: Call) -> tuple[object, ...]:
    return (
        call.serial, call.agent, call.service, call.identity, call.state.value, call.deadline, call.owner,
        bytes(sorted(call.told)), _packed(call.event_ids),
    )  # fmt: skip


def _packed(numbers: Iterable[int]) -> bytes:
    ordered = sorted(numbers)
    return struct.pack(f">{len(ordered)}Q", *ordered)


def _unpacked(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 8}Q", data)
