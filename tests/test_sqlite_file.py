"""The file of the SQLite journal: where it is, whose it is, what nobody may read, and what is no store."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import capturedLogs, formatEvent

from ctiex.errors import ConfigurationError, StoreUnavailable
from ctiex.records import CallState, Change
from ctiex.stores.copying import back_up, restore
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call, make_event

from .sqlite_bench import _KEY, SqliteBench


class RelativeNameTests(SqliteBench):
    """A store that is named from the folder where the exchange runs, as a process that was killed has left it."""

    async def killed(self) -> None:
        """From here on this process runs in a folder with a file, its key, and a log that isn't empty."""
        store = await self.open_store()
        await store.commit(Change(calls=(make_call("007"),)))
        left = self.path.parent / "left"
        left.mkdir()
        for ending in ("", "-wal", ".key"):
            shutil.copy(f"{self.path}{ending}", left)
        await store.close()
        self.assertGreater((left / "calls.sqlite-wal").stat().st_size, 0)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(left)
        self.path = Path("calls.sqlite")

    async def serials(self) -> list[str]:
        store = await self.open_store()
        kept = [call.serial for call in store.calls()]
        await store.close()
        return kept

    async def test_it_opens_with_all_that_was_kept(self) -> None:
        await self.killed()
        self.assertEqual(await self.serials(), ["007"])

    async def test_it_is_looked_at_copied_and_put_back(self) -> None:
        await self.killed()
        seal, copy = Seal(find_key(Path("calls.sqlite.key"), make=False)), Path("copy.sqlite")
        file = SqliteFile(self.path, seal, read_only=True)
        self.assertEqual(file.check(), [])
        file.close()
        back_up(self.path, copy)
        restore(self.path, copy, seal)
        self.assertEqual(await self.serials(), ["007"])


class OneProcessTests(SqliteBench):
    """Nobody else writes to the file."""

    async def test_a_second_store_on_the_same_file_is_refused(self) -> None:
        store = await self.open_store()
        with self.assertRaisesRegex(StoreUnavailable, "another process has this store open"):
            await self.open_store()
        await store.close()
        await (await self.open_store()).close()

    async def test_a_file_of_something_else_is_refused(self) -> None:
        self.path.write_bytes(b"no database at all, but longer than a header" * 10)
        (self.path.parent / "calls.sqlite.key").write_text(_KEY)
        with self.assertRaisesRegex(StoreUnavailable, "not a database"):
            await self.open_store()

    async def test_another_applications_database_is_refused(self) -> None:
        with sqlite3.connect(self.path) as other:
            other.execute("CREATE TABLE theirs (x)")
        other.close()
        (self.path.parent / "calls.sqlite.key").write_text(_KEY)
        with self.assertRaisesRegex(StoreUnavailable, "not a CTIEX store"):
            await self.open_store()

    async def test_a_later_version_is_refused(self) -> None:
        await (await self.open_store()).close()
        with sqlite3.connect(self.path) as later:
            later.execute("PRAGMA user_version = 99")
        later.close()
        with self.assertRaisesRegex(StoreUnavailable, "schema version 99"):
            await self.open_store()


class SealedTests(SqliteBench):
    """What is in the file is of no use without the key, and wiped when the call closes."""

    async def test_neither_data_nor_numbers_nor_events_can_be_read_in_the_files(self) -> None:
        store = await self.open_store()
        call = make_call(
            "7", calling_number="marker-number", data=b"marker-data", digest=b"marker-digest", asked=b"marker-asked",
            reference="marker-reference",
        )  # fmt: skip
        await store.commit(Change(calls=(call,), events=(evolve(make_event("1001", 1), body=b"marker-event"),)))
        await store.close()
        for file in self.path.parent.iterdir():
            self.assertNotIn(b"marker", file.read_bytes(), file.name)

    async def test_a_closed_call_leaves_no_data_behind(self) -> None:
        store = await self.open_store()
        call = make_call("7", data=b"secret" * 100, calling_number="138", reference="R-7", asked=b"secret" * 100)
        await store.commit(Change(calls=(call,)))
        closed = call.but(state=CallState.CLOSED, wiped=True)
        await store.commit(Change(calls=(closed,)))
        await store.close()
        database = sqlite3.connect(self.path)
        self.assertLess(database.execute("SELECT max(length(sealed)) FROM contexts").fetchone()[0], 100)
        database.close()
        again = await self.open_store()
        self.assertEqual(again.get("7"), closed)
        self.assertEqual((closed.calling_number, closed.reference, closed.data, closed.asked), ("", "", b"", b""))
        self.assertEqual(closed.digest, call.digest, "it tells repeats as long as the record is kept")
        await again.close()

    async def test_another_key_opens_nothing(self) -> None:
        store = await self.open_store()
        await store.commit(Change(calls=(make_call("7", data=b"secret"),)))
        await store.close()
        (self.path.parent / "calls.sqlite.key").write_text(_KEY)
        with self.assertRaisesRegex(StoreUnavailable, "another key"):
            await self.open_store()

    async def test_a_missing_key_of_a_file_that_is_there_is_told(self) -> None:
        await (await self.open_store()).close()
        (self.path.parent / "calls.sqlite.key").unlink()
        with self.assertRaisesRegex(ConfigurationError, "key_file .*calls.sqlite.key"):
            await self.open_store()

    async def test_the_key_and_the_file_are_for_their_owner_alone(self) -> None:
        await (await self.open_store()).close()
        for name in ("calls.sqlite", "calls.sqlite.key", "calls.sqlite-progress"):
            self.assertEqual((self.path.parent / name).stat().st_mode & 0o077, 0, name)


class UnsoundFileTests(SqliteBench):
    """What stands in the store's place and is no store, said in words that help."""

    async def refused(self, words: str) -> None:
        with self.assertRaisesRegex(StoreUnavailable, words):
            await self.open_store()

    async def test_a_folder_that_isn_t_there_is_said_and_no_key_is_looked_for(self) -> None:
        self.path = self.path.parent / "none" / "calls.sqlite"
        await self.refused(f"{self.path}: there is no folder {self.path.parent}")

    async def test_a_file_of_no_bytes_is_no_new_store(self) -> None:
        self.path.touch()
        await self.refused("calls.sqlite: it is empty, so it isn't a store; `ctiex store restore`")
        self.assertEqual(self.path.stat().st_size, 0)
        self.assertFalse(Path(f"{self.path}.key").exists(), "nor is it given a key")

    async def test_a_folder_in_its_place_is_said(self) -> None:
        self.path.mkdir()
        await self.refused("calls.sqlite: it isn't a file")

    async def test_a_file_that_can_t_be_written_is_said(self) -> None:
        await (await self.open_store()).close()
        opened = os.open

        def refuse(file: Any, flags: int, *mode: int) -> int:
            if Path(file) == self.path and flags & os.O_RDWR:
                raise PermissionError(13, "Permission denied", str(file))
            return opened(file, flags, *mode)

        self.patch(os, "open", refuse)
        await self.refused("calls.sqlite: an exchange writes to it, and can't: Permission denied")

    async def test_a_store_that_is_being_made_is_there_whole_or_not_at_all(self) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "link", fail)
        Path(f"{self.path}.key").write_text(_KEY)
        await self.refused("No space left on device")
        self.assertEqual({one.name for one in self.path.parent.iterdir()}, {"calls.sqlite.key", "calls.sqlite.lock"})


class WideModeTests(SqliteBench):
    """Files that were there before, and that others may get at."""

    async def warnings(self) -> list[str]:
        with capturedLogs() as events:
            await (await self.open_store()).close()
        return [formatEvent(event) for event in events if event["log_level"].name == "warn"]

    async def test_the_store_and_its_key_are_named_with_their_modes(self) -> None:
        await (await self.open_store()).close()
        self.assertEqual(await self.warnings(), [])
        self.path.chmod(0o644)
        Path(f"{self.path}.key").chmod(0o660)
        store, key = await self.warnings()
        self.assertIn(f"{self.path} has mode 0644: every user of this machine may read or change it", store)
        self.assertIn(f"{self.path}.key has mode 0660: its group may read or change it", key)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o644, "it is told, and not changed")
