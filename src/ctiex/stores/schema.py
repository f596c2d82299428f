"""The tables of the SQLite store, by version, and how one version becomes the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from attrs import frozen

from ctiex.errors import StoreUnavailable
from ctiex.stores.marks import NO_MARK, new_mark
from ctiex.stores.rows import Rows
from ctiex.stores.sealing import Seal

APPLICATION_ID = 0x43544958
"""``CTIX``: tells a CTIEX store from any other SQLite file."""


def _name(database: sqlite3.Connection, seal: Seal) -> None:
    """Name a new file, and mark it."""
    database.execute("INSERT INTO store VALUES (?, ?, ?)", Rows(seal).new_store())
    database.execute("INSERT INTO mark VALUES (1, ?, ?, ?, 0)", (new_mark(), NO_MARK, NO_MARK))


@frozen
class SchemaStep:
    """How a file of the version before (at first: an empty one) becomes one of the next version."""

    script: str
    fill: Callable[[sqlite3.Connection, Seal], None]
    """What is to be done behind the script, in the same transaction."""


MIGRATIONS: tuple[SchemaStep, ...] = (
    SchemaStep(
        # `store` has one row, which names the file; `mark` one, which tells its log from another's (marks.py), and how
        # many groups were written into it (progress.py).
        """
        CREATE TABLE calls (
            serial TEXT PRIMARY KEY,
            agent TEXT NOT NULL,
            service TEXT NOT NULL,
            identity TEXT NOT NULL,
            state TEXT NOT NULL,
            deadline REAL NOT NULL,
            owner TEXT NOT NULL,
            told BLOB NOT NULL,
            reports BLOB NOT NULL,
            begun INTEGER NOT NULL,
            since INTEGER NOT NULL,
            ended_as INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            refused INTEGER NOT NULL,
            stamp BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE contexts (serial TEXT PRIMARY KEY, sealed BLOB NOT NULL);
        CREATE TABLE agents (
            agent TEXT PRIMARY KEY, last_sequence INTEGER NOT NULL, stamp BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE events (
            agent TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            expires REAL NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (agent, sequence)
        ) WITHOUT ROWID;
        CREATE TABLE facts (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), generation BLOB NOT NULL, stamp BLOB NOT NULL);
        CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL, standing BLOB NOT NULL,
                           coming BLOB NOT NULL, groups INTEGER NOT NULL);
        """,
        _name,
    ),
)
"""Each turns a file of the version before (the first one: an empty file) into the next version."""

_FIRST = 4
"""Those before were never released: 1 and 2 had bodies of another wire format, 3 knew of no refusal."""
VERSION = _FIRST + len(MIGRATIONS) - 1


def migrate(database: sqlite3.Connection, seal: Seal) -> None:
    """Bring a file to this version, step by step, each in one transaction.

    :raise StoreUnavailable: it is no CTIEX store, or one of a later version, or was sealed with another key.
    """
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = version_of(database) if tables else _FIRST - 1
    for number in range(version + 1, VERSION + 1):
        _take(MIGRATIONS[number - _FIRST], number, database, seal)


def _take(step: SchemaStep, version: int, database: sqlite3.Connection, seal: Seal) -> None:
    with database:  # commits it, or rolls it back
        database.executescript(f"BEGIN IMMEDIATE; {step.script}")
        step.fill(database, seal)
        database.execute(f"PRAGMA user_version = {version}")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def version_of(database: sqlite3.Connection) -> int:
    """The schema version of a store file.

    :raise StoreUnavailable: it is no CTIEX store, or one of a version that isn't known.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StoreUnavailable("it is a SQLite file, but not a CTIEX store")
    if 0 < version < _FIRST:
        raise StoreUnavailable(f"it has schema version {version}, which was never released: begin with a new store")
    if not _FIRST <= version <= VERSION:
        known = f"this CTIEX knows version {_FIRST}" if _FIRST == VERSION else f"versions {_FIRST} to {VERSION}"
        raise StoreUnavailable(f"it has schema version {version}; {known}")
    return int(version)
