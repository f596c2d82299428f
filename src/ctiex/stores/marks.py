"""Tells the log of a file (``FILE-wal``) from one that was left by another state of it.

SQLite applies whatever log lies beside a file. Where a crash has left one and somebody puts a copy in the file's place,
what happened after the copy comes back, page by page. So the file bears a mark, which changes whenever the log is
written into it, and what the log says of the mark has to agree with what the file itself says.

The mark's row, as time passes: ``(A, NULL)`` while the log grows; ``(B, A)`` once it is to be written into the file,
which may have come to any part of it; ``(B, NULL)`` behind that, in the log alone. So a file whose row is ``(B, NULL)``
is a copy that was made through SQLite, and no log belongs to it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from attrs import frozen

_SIZE = 16
NONE_BEFORE = b""
"""What a file's first mark follows."""
_TRIES = 5


@frozen
class Mark:
    """The row of a file, seen with its log or without it."""

    mark: bytes
    before: bytes | None
    """The mark that the file may still have; None where the log isn't being written into it."""


_NO_MARK = Mark(NONE_BEFORE, None)
"""Of a file that had none yet."""


def new_mark() -> bytes:
    """A mark that no file has."""
    return os.urandom(_SIZE)


def begin(database: sqlite3.Connection) -> None:
    """From now on the file may become what its log says. What was begun and not ended before goes on."""
    database.execute("UPDATE mark SET before = mark, mark = ? WHERE before IS NULL", (new_mark(),))


def end(database: sqlite3.Connection) -> None:
    """The file is what its log said; what comes now is in the log alone."""
    database.execute("UPDATE mark SET before = NULL")


def checkpoint(database: sqlite3.Connection) -> bool:
    """Write the log into the file; False when somebody who reads is in the way, and it is to be done later.

    :raise sqlite3.Error: it can't be written.
    """
    begin(database)
    database.execute("PRAGMA busy_timeout = 0")  # nobody waits for a reader
    try:
        (busy, _, _) = database.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    finally:
        database.execute("PRAGMA busy_timeout = 5000")
    return not busy


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
    return True  # whoever goes on changing it has looked itself


def has_log(path: Path) -> bool:
    """Whether something stands in the log beside a file."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def _fits(alone: Mark | None, with_log: Mark | None) -> bool:
    if with_log is None:
        return False
    if with_log == _NO_MARK:  # of schema version 1, which bears no mark
        return alone == _NO_MARK
    if with_log.before is None:
        return alone is not None and alone.before is not None and alone.mark == with_log.mark
    return alone is None or alone.mark in (with_log.mark, with_log.before)  # None: torn while it was written


def _in_the_file(path: Path) -> Mark | None:
    return _read(f"{path.as_uri()}?mode=ro&immutable=1")  # immutable: without the log


def _with_the_log(path: Path) -> Mark | None:
    return _read(f"{path.as_uri()}?mode=ro")  # whose end doesn't write the log into the file


def _read(uri: str) -> Mark | None:
    """The mark; None where it can't be read."""
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'mark'").fetchone():
            return _NO_MARK
        found = database.execute("SELECT mark, before FROM mark").fetchone()
        return None if found is None else Mark(*found)
    except sqlite3.Error:
        return None
    finally:
        database.close()
