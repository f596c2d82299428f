"""The tables of the SQLite store, by version, and how one version becomes the next."""

from __future__ import annotations

import sqlite3

from ctiex.errors import StoreUnavailable

APPLICATION_ID = 0x43544958
"""``CTIX``: tells a CTIEX store from any other SQLite file."""

MIGRATIONS: tuple[str, ...] = (
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
    """,
)
"""Each turns a file of the version before it (0: an empty one) into the next version."""

VERSION = len(MIGRATIONS)


def migrate(database: sqlite3.Connection) -> None:
    """Bring a file to this version, step by step, each in one transaction.

    :raise StoreUnavailable: it is no CTIEX store, or one of a later version.
    """
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = version_of(database) if tables else 0
    for step in range(version, VERSION):
        script = f"BEGIN IMMEDIATE; {MIGRATIONS[step]} PRAGMA user_version = {step + 1};"
        database.executescript(f"{script} PRAGMA application_id = {APPLICATION_ID}; COMMIT;")


def version_of(database: sqlite3.Connection) -> int:
    """The schema version of a store file.

    :raise StoreUnavailable: it is no CTIEX store, or one of a later version.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StoreUnavailable("it is a SQLite file, but no CTIEX store")
    if version > VERSION:
        raise StoreUnavailable(f"it has schema version {version}; this CTIEX knows versions up to {VERSION}")
    return int(version)
