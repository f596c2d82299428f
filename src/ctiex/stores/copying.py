"""A copy of a store's file, and a copy put in the file's place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ctiex.errors import StoreUnavailable
from ctiex.records import StoreSnapshot
from ctiex.stores.opening import opened_to_read, told
from ctiex.stores.sealing import Seal, sync_folder, unfinished
from ctiex.stores.sqlite_file import SqliteFile, lock

_MOST_NAMED = 3


def back_up(path: Path, copy: Path) -> None:
    """Copy one moment of a file, its log included, also while an exchange writes it; for its owner's eyes only.

    :raise StoreUnavailable: it can't be read, or there is a file of that name already.
    """
    with told(path):
        source = opened_to_read(path.resolve())
    with closing(source), told(copy), unfinished(copy) as new:
        _copy(source, new)
        os.link(new, copy)
        sync_folder(copy.parent)


def restore(path: Path, copy: Path, seal: Seal) -> StoreSnapshot:
    """Put a copy in a file's place, in one moment, and take away the log of what stood there.

    The file is a generation of its own from then on, without an epoch, so that it can't be mistaken for the one that
    went on.

    :raise StoreInUse: an exchange has the file open.
    :raise StoreUnavailable: the copy isn't sound, or is sealed with another key; everything is as it was.
    """
    path = path.resolve()
    with lock(path), told(copy), unfinished(path) as new:
        with closing(opened_to_read(copy.resolve())) as source:
            _copy(source, new)
        kept = _made_ready(new, seal)
        os.replace(new, path)
        # Behind it: a log that is left beside the copy is noticed, one that is gone too early isn't.
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        sync_folder(path.parent)
    return kept


def _copy(source: sqlite3.Connection, new: Path) -> None:
    with closing(sqlite3.connect(new, isolation_level=None)) as target:
        source.backup(target)


def _made_ready(new: Path, seal: Seal) -> StoreSnapshot:
    """What the copy keeps, once it is sound and of the present version.

    :raise StoreUnavailable: it isn't sound, in the words of the check.
    """
    try:
        file = SqliteFile(new, seal)
    except StoreUnavailable as error:
        raise _unsound([str(error)], new) from None
    with closing(file):
        if wrong := file.check():
            raise _unsound(wrong, new)
        file.begin_generation()
        return file.read()


def _unsound(wrong: list[str], new: Path) -> StoreUnavailable:
    """Without the name that the copy has for this moment."""
    named = [sentence.removeprefix(f"{new}: ") for sentence in wrong[:_MOST_NAMED]]
    more = f" (and {len(wrong) - _MOST_NAMED} more problems)" if len(wrong) > _MOST_NAMED else ""
    return StoreUnavailable("; ".join(named) + more)
