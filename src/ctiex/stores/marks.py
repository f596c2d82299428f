"""Tells the log of a file (``FILE-wal``) from one that was left by another state of it.

SQLite applies whatever log lies beside a file. Where a crash has left one and somebody puts a copy in the file's place,
what happened after the copy comes back, page by page. So the file bears a mark, and the log says which mark its file
has: ``standing``, or ``coming`` while the log is being written into the file, which may have come to any part of it.
The log itself goes on under a mark that its file never has, and so does every copy that is made through SQLite: no log
says of a copy that it is its file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from attrs import frozen

_SIZE = 16
NO_MARK = b""
"""Of a file of schema version 1, which bears none."""
_TRIES = 5
_WAIT_FOR_OTHERS = 5_000
"""How long SQLite waits for another process otherwise, in milliseconds."""


@frozen
class Mark:
    """What a file says of itself, seen with its log or without it."""

    mark: bytes
    standing: bytes = NO_MARK
    coming: bytes = NO_MARK


def new_mark() -> bytes:
    """A mark that no file has."""
    return os.urandom(_SIZE)


def checkpoint(database: sqlite3.Connection, path: Path) -> None:
    """Write the log into the file; where somebody who reads is in the way, a part of it, and the rest later.

    :raise sqlite3.Error: it can't be written.
    """
    if write_out(database, path):
        database.execute("UPDATE mark SET standing = coming, mark = ?", (new_mark(),))
    else:
        database.execute("UPDATE mark SET mark = ?", (new_mark(),))


def write_out(database: sqlite3.Connection, path: Path) -> bool:
    """Write the log into the file, with nothing left in it for the process that closes it; False for a part of it.

    :raise sqlite3.Error: it can't be written.
    """
    begin(database, path)
    # SQLite writes a page as it stands last in the log, or not at all: so the file's mark is one of the two.
    database.execute("PRAGMA busy_timeout = 0")  # nobody waits for a reader
    try:
        (busy, _, _) = database.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    finally:
        database.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_OTHERS}")
    return not busy


def begin(database: sqlite3.Connection, path: Path) -> None:
    """From now on the file may become what its log says."""
    alone, coming = _in_the_file(path), new_mark()
    standing = None if alone is None else alone.mark  # None: torn, and what was said of it goes on
    database.execute(
        "UPDATE mark SET mark = ?, standing = coalesce(?, standing), coming = ?", (coming, standing, coming)
    )


def log_fits(path: Path) -> bool:
    """Whether the log beside a file is its own; nothing is changed.

    The process that has the file open may write meanwhile: then it is looked at again.
    """
    for _ in range(_TRIES):
        if not has_log(path):
            return True
        before, with_log, behind = _in_the_file(path), _with_the_log(path), _in_the_file(path)
        if before == behind:
            return _fits(before, with_log)
    return True  # a process that goes on changing it has checked it itself


def has_log(path: Path) -> bool:
    """Whether something stands in the log beside a file."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def _fits(alone: Mark | None, with_log: Mark | None) -> bool:
    if with_log is None:
        return False
    if alone is None:  # torn while the log was written into it
        return with_log.standing != with_log.coming
    if with_log.mark == NO_MARK:
        return alone.mark == NO_MARK
    return alone.mark in (with_log.standing, with_log.coming)


def _in_the_file(path: Path) -> Mark | None:
    return _read(f"{path.as_uri()}?mode=ro&immutable=1")  # immutable: without the log


def _with_the_log(path: Path) -> Mark | None:
    return _read(f"{path.as_uri()}?mode=ro")  # whose end doesn't write the log into the file


def _read(uri: str) -> Mark | None:
    """The mark; None where it can't be read."""
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database, suppress(sqlite3.Error):
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'mark'").fetchone():
            return Mark(NO_MARK)
        found = database.execute("SELECT mark, standing, coming FROM mark").fetchone()
        return None if found is None else Mark(*found)
    return None
