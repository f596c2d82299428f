"""A folder with an SQLite journal in it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.sqlite import SqliteJournal
from ctiex.stores.sqlite_file import SqliteFile


class SqliteBench(TestCase):
    """A folder of its own for each test."""

    reactor: Any = reactor

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "calls.sqlite"

    def make_store(self, lock_wait: float = 0) -> JournaledCallStore:
        return JournaledCallStore(SqliteJournal(self.path, Path(f"{self.path}.key"), lock_wait))

    async def open_store(self) -> JournaledCallStore:
        store = self.make_store()
        await store.open(reactor)
        return store

    def file_of(self, store: JournaledCallStore) -> SqliteFile:
        journal = store.journal
        assert isinstance(journal, SqliteJournal)
        return journal._file

    def take_away(self, path: Path) -> bool:
        os.rename(path, f"{path}.away") if path.exists() else None
        return True

    def bring_back(self, path: Path) -> None:
        os.rename(f"{path}.away", path)


_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
