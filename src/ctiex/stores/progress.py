"""Tells a store's file from an earlier state of it that was put in its place, such as a backup.

How many groups of changes were written stands in the file, and beside it in ``FILE-progress``, which no backup takes
along: a file that has come less far than what stands beside it isn't the one that was here last. Where a backup took
it along nevertheless, what was put back is another file to the file system than the one that it says it is.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from struct import Struct, error

from ctiex.stores.sealing import sync_folder
from ctiex.stores.sqlite_settings import PROGRESS

_PROGRESS = Struct(">16sQQQ")
"""The generation of the file, how many groups were written into it; the number of the one beside it to the file system,
and which one under that number it is."""
_FS_IOC_GETVERSION = 0x8008_7601
_VERSION = Struct("=Q")


class Progress:
    """How far a file had come, as it stands beside it."""

    def __init__(self, path: Path) -> None:
        """:raise OSError: it can't be made."""
        self._path = Path(f"{path}{PROGRESS}")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._here = os.fstat(self._descriptor).st_ino, _version(self._descriptor)
        self._generation = b""

    def is_beyond(self, generation: bytes | None, groups: int) -> bool:
        """Whether another file, or a later state of this one, stood here before; also where nothing is known.

        That is so too of what was itself copied to here: how much happened since isn't known.

        :raise OSError: it can't be read.
        """
        self._generation = generation or b""
        try:
            noted_generation, noted, *here = _PROGRESS.unpack(os.pread(self._descriptor, _PROGRESS.size, 0))
        except error:
            return True
        return bool(noted_generation != generation or noted > groups or tuple(here) != self._here)

    def begin(self, generation: bytes, groups: int) -> None:
        """Note another file than before, so that a loss of power leaves this, or what is noted later, and not nothing.

        :raise OSError: it can't be written.
        """
        self._generation = generation
        self._write(groups)
        os.fsync(self._descriptor)
        sync_folder(self._path.parent)

    def note(self, groups: int) -> None:
        """So many groups are in the file.

        It isn't synced: behind a loss of power it may say less than the file, and a copy of then goes unnoticed. The
        group is in the file, so that an error here is none of it.
        """
        with suppress(OSError):
            self._write(groups)

    def _write(self, groups: int) -> None:
        os.pwrite(self._descriptor, _PROGRESS.pack(self._generation, groups, *self._here), 0)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def _version(descriptor: int) -> int:
    """Tells a file from the one before that had its number; 0 where the file system keeps nothing of the kind."""
    try:
        return int(_VERSION.unpack(fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, bytes(_VERSION.size)))[0])
    except OSError:
        return 0
