"""Where a durable store is to stand: whether it can, seen without opening or changing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ctiex.errors import ConfigurationError
from ctiex.places import why_not_made, why_not_written
from ctiex.stores.sealing import KEY_VARIABLE, find_key

_HEAD = b"SQLite format 3\0"
"""How every SQLite file begins that isn't empty."""


def check_places(path: Path, key_file: Path) -> None:
    """See that a store's file can be opened or made, and its key too.

    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    wrong = list(_wrong_file(path))
    wrong += _wrong_key(path.is_file() and not wrong, key_file)
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def _wrong_file(path: Path) -> Iterator[str]:
    # What SQLite makes beside it needs room in the folder, whether the file itself is there or not.
    why = why_not_written(path) or why_not_made(path)
    if why:
        yield f"path: {path} {why}"
    elif path.exists() and _head(path) not in (b"", _HEAD):
        yield f"path: {path} isn't a SQLite file, expected a store or a name that is free"


def _head(path: Path) -> bytes:
    """Its first bytes; none where it can't be read, which the start tells."""
    try:
        with path.open("rb") as file:
            return file.read(len(_HEAD))
    except OSError:
        return b""


def _wrong_key(is_store: bool, key_file: Path) -> Iterator[str]:
    """:param is_store: the store is there, so that its key has to be."""
    try:
        if KEY_VARIABLE in os.environ or is_store or key_file.exists():
            find_key(key_file, make=False)
        elif why := why_not_made(key_file):
            yield f"key_file: {key_file} {why}"
    except ConfigurationError as error:
        yield f"key_file: {str(error).removeprefix('key_file ')}"
