"""The tables of the SQLite store, by version, and how one version becomes the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from attrs import frozen

from ctiex.errors import StoreUnavailable
from ctiex.stores.sealing import Seal
from ctiex.stores.version_1 import bind_rows

APPLICATION_ID = 0x43544958
"""``CTIX``: tells a CTIEX store from any other SQLite file."""


def _nothing_more(database: sqlite3.Connection, seal: Seal) -> None:
    """The script was all."""


@frozen
class SchemaStep:
    """How a file of the version before (0: an empty one) becomes one of the next version."""

    script: str
    fill: Callable[[sqlite3.Connection, Seal], None] = _nothing_more
    """What is to be done behind the script, in the same transaction."""


MIGRATIONS: tuple[SchemaStep, ...] = (
    SchemaStep(
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
            event_ids BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE contexts (serial TEXT PRIMARY KEY, sealed BLOB NOT NULL);
        CREATE TABLE agents (agent TEXT PRIMARY KEY, last_sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE events (
            agent TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            expires REAL NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (agent, sequence)
        ) WITHOUT ROWID;
        CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """
    ),
    SchemaStep(
        # `store` has one row, which names the file; `mark` one, which tells its log from another's (marks.py).
        """
        ALTER TABLE calls ADD COLUMN stamp BLOB NOT NULL DEFAULT x'';
        ALTER TABLE agents ADD COLUMN stamp BLOB NOT NULL DEFAULT x'';
        ALTER TABLE facts ADD COLUMN stamp BLOB NOT NULL DEFAULT x'';
        CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), generation BLOB NOT NULL, stamp BLOB NOT NULL);
        CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL, standing BLOB NOT NULL,
                           coming BLOB NOT NULL);
        """,
        bind_rows,
    ),
)
"""Each turns a file of the version before (0: an empty one) into the next version."""

VERSION = len(MIGRATIONS)


def migrate(database: sqlite3.Connection, seal: Seal) -> int:
    """Bring a file to this version, step by step, each in one transaction; gives the version that it had.

    :raise StoreUnavailable: it is no CTIEX store, or one of a later version, or was sealed with another key.
    """
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = version_of(database) if tables else 0
    for number in range(version, VERSION):
        _take(MIGRATIONS[number], number + 1, database, seal)
    return version


def _take(step: SchemaStep, version: int, database: sqlite3.Connection, seal: Seal) -> None:
    with database:  # commits it, or rolls it back
        database.executescript(f"BEGIN IMMEDIATE; {step.script}")
        step.fill(database, seal)
        database.execute(f"PRAGMA user_version = {version}")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def version_of(database: sqlite3.Connection) -> int:
    """The schema version of a store file.

    :raise StoreUnavailable: it is no CTIEX store, or one of a later version.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StoreUnavailable("it is a SQLite file, but not a CTIEX store")
    if version > VERSION:
        raise StoreUnavailable(f"it has schema version {version}; this CTIEX knows versions up to {VERSION}")
    return int(version)
