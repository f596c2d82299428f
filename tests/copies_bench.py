"""A folder with a store, and others where copies of it go."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ctiex.stores.groups import Group
from ctiex.stores.sealing import Seal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call

SEAL = Seal(b"k" * 32)


def with_call(serial: str) -> Group:
    """A call, and what it brings along, of several pages."""
    call = make_call(serial, data=serial.encode() * 2_000)
    return Group(calls={serial: call}, contexts={serial: call})


class CopiesBench(SynchronousTestCase):
    """A folder with a store, and others where copies go."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "calls.sqlite"

    def opened(self, path: Path | None = None) -> SqliteFile:
        file = SqliteFile(path or self.path, SEAL)
        self.addCleanup(file.close)
        return file

    def serials(self, path: Path | None = None) -> list[str]:
        """Those that an exchange would start with."""
        file = SqliteFile(path or self.path, SEAL)
        try:
            return [call.serial for call in file.read().calls]
        finally:
            file.close()

    def sqlite_backup(self, name: str = "copy.sqlite") -> Path:
        """As ``sqlite3 calls.sqlite ".backup copy.sqlite"`` does it."""
        copy = self.folder / name
        with (
            closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return copy

    def crash(self, file: SqliteFile) -> None:
        """The process is gone: the files stay as they are."""
        names = ("calls.sqlite", "calls.sqlite-wal")
        kept = {name: (self.folder / name).read_bytes() for name in names}
        file.close()
        for name, data in kept.items():
            (self.folder / name).write_bytes(data)
