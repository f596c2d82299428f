"""How a store's file is opened, made where it isn't there, and refused where it isn't what it should be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctiex.errors import StoreUnavailable
from ctiex.stores.marks import checkpoint, has_log, log_fits, write_out
from ctiex.stores.schema import migrate, version_of
from ctiex.stores.sealing import Seal, sync_folder, unfinished

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # every commit is synced to the disk
    "secure_delete = ON",  # what is wiped is overwritten
    "temp_store = MEMORY",
    "wal_autocheckpoint = 0",  # the log is written into the file by marks.checkpoint alone
    "journal_size_limit = 67108864",  # of the WAL, after a checkpoint, in bytes
)
_RESTORE = "`ctiex store restore` puts a copy in place"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise any error about a file with the file's name.

    :raise StoreUnavailable: something did.
    """
    try:
        yield
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f"{error.filename}: "
        raise StoreUnavailable(f"{path}: {where}{error.strerror}") from None
    except (sqlite3.Error, ValueError, StoreUnavailable) as error:
        raise StoreUnavailable(f"{path}: {error}") from None


def opened_alone(path: Path, seal: Seal) -> sqlite3.Connection:
    """The file to read and write, for the one process that has its lock.

    :raise StoreUnavailable: it is no store of ours, or the log beside it isn't its own, or it can't be written.
    :raise OSError: it can't be made.
    :raise sqlite3.Error: it can't be read.
    """
    expect_sound(path)
    if not path.exists():
        make(path, seal)
    try:
        os.close(os.open(path, os.O_RDWR))  # SQLite would only say so at the first change
    except OSError as error:
        raise StoreUnavailable(f"an exchange writes to it, and can't: {error.strerror}") from None
    return _opened(path, seal)


def _opened(path: Path, seal: Seal) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            database.execute(f"PRAGMA {pragma}")
        migrate(database, seal)
        checkpoint(database, path)
    except BaseException:
        database.close()
        raise
    return database


def expect_sound(path: Path) -> None:
    """Look at the files, before anything is opened.

    :raise StoreUnavailable: what is there isn't a store with its own log, nor nothing at all.
    """
    expect_folder(path)
    if not path.exists():
        if has_log(path):
            raise StoreUnavailable(
                f"it doesn't exist, but its log {path.name}-wal does; {_RESTORE}, or remove that log for a new store"
            )
    elif not path.is_file():
        raise StoreUnavailable("it isn't a file")
    elif path.stat().st_size == 0:
        raise StoreUnavailable(f"it is empty, so it isn't a store; {_RESTORE}, or remove this file for a new store")
    elif not log_fits(path):
        raise StoreUnavailable(
            f"the log {path.name}-wal beside it belongs to another state of it, and would bring that state back;"
            f" {_RESTORE}"
        )


def expect_folder(path: Path) -> None:
    """Look for the folder that a file is to stand in.

    :raise StoreUnavailable: there is no such folder.
    """
    if not path.parent.is_dir():
        raise StoreUnavailable(f"there is no folder {path.parent}")


def make(path: Path, seal: Seal) -> None:
    """A new file that is there whole or not at all, for its owner's eyes only.

    :raise OSError: it can't be made.
    :raise sqlite3.Error: likewise.
    """
    with unfinished(path) as new:
        database = _opened(new, seal)
        write_out(database, new)
        database.close()
        os.link(new, path)
    sync_folder(path.parent)


def opened_to_read(path: Path) -> sqlite3.Connection:
    """Open the file beside a process that has it open.

    :raise StoreUnavailable: it is no store of this version, or the log beside it isn't its own.
    :raise sqlite3.Error: it can't be opened.
    """
    if not path.is_file():
        raise StoreUnavailable("there is no such file")
    writable = os.access(path.parent, os.W_OK)
    if writable:
        expect_sound(path)
    database = _connected_to_read(path, alone=not writable and not has_log(path))
    try:
        version_of(database)
    except sqlite3.OperationalError:
        database.close()
        if writable:
            raise
        raise StoreUnavailable(
            "its log can't be read in a folder that this user can't write: copy both files elsewhere"
        ) from None
    except BaseException:
        database.close()
        raise
    return database


def _connected_to_read(path: Path, alone: bool) -> sqlite3.Connection:
    """:param alone: no process has it open; otherwise SQLite creates files beside it."""
    immutable = "&immutable=1" if alone else ""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro{immutable}", uri=True, isolation_level=None)
