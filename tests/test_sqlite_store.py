"""The SQLite journal: the contract, what outlives it, what is undone, and what nobody may read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from ctiex.app.store_codecs import codecs_to_keep
from ctiex.errors import ConfigurationError, StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import CallState, Change
from ctiex.stores import call_store
from ctiex.stores.call_store import CallStore, JournaledCallStore
from ctiex.stores.copying import back_up, restore
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite import SqliteJournal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import JournalContract, make_call, make_event

from .call_store_rules import CallStoreRules


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


class SqliteContractTests(JournalContract, SqliteBench):
    """The same tests as for every other journal."""

    reactor = reactor

    def make_journal(self, place: str) -> SqliteJournal:
        path = self.path.parent / place
        return SqliteJournal(path, Path(f"{path}.key"), lock_wait=0)

    def break_journal(self, journal: IJournal) -> bool:
        return self.take_away(self.path.parent / "here")

    def mend_journal(self, journal: IJournal) -> None:
        self.bring_back(self.path.parent / "here")


class SqliteCallStoreTests(CallStoreRules, SqliteBench):
    """The same tests as for every other call store."""

    reactor = reactor
    make_store = SqliteBench.make_store

    def break_store(self, store: CallStore) -> bool:
        return self.take_away(self.path)

    def mend_store(self, store: CallStore) -> None:
        self.bring_back(self.path)


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


class OutlivesTests(SqliteBench):
    """What was kept is there after the store was closed and opened again."""

    async def test_calls_mailboxes_and_sequences_are_there_again(self) -> None:
        store = await self.open_store()
        calls = (
            make_call("007", data=b"seven", digest=b"d", told=frozenset({10, 11}), event_ids=frozenset({1, 2**64 - 1})),
            make_call("7", state=CallState.CLOSED, calling_number="", digest=b"", data=b""),
        )
        await store.commit(Change(calls=calls, events=tuple(make_event("1001", n) for n in (1, 2, 3))))
        await store.commit(Change(dropped=(("1001", 2),)))
        await store.close()
        again = await self.open_store()
        self.assertEqual(sorted(again.calls(), key=lambda call: call.serial), list(calls))
        self.assertEqual(again.last_sequence("1001"), 3)
        self.assertEqual(list(again.events("1001")), [make_event("1001", 3)])
        await again.close()

    async def test_the_last_sequence_outlives_its_events(self) -> None:
        store = await self.open_store()
        await store.commit(Change(events=(make_event("1001", 1),)))
        await store.commit(Change(dropped=(("1001", 1),)))
        await store.close()
        again = await self.open_store()
        self.assertEqual((again.last_sequence("1001"), again.pending("1001")), (1, 0))
        await again.close()

    async def test_an_event_that_comes_and_goes_in_one_group_is_gone(self) -> None:
        store = await self.open_store()
        waiting = [
            store.commit(Change(events=(make_event("1001", 1), make_event("1001", 2)))),
            store.commit(Change(dropped=(("1001", 1),))),
            store.commit(Change(events=(make_event("1001", 3),))),
        ]
        await gatherResults([one for one in waiting if one is not None])
        await store.close()
        again = await self.open_store()
        self.assertEqual([event.sequence for event in again.events("1001")], [2, 3])
        await again.close()

    async def test_a_serial_that_is_forgotten_and_used_again_has_its_new_data(self) -> None:
        store = await self.open_store()
        await store.commit(Change(calls=(make_call("7", data=b"old"),)))
        store.commit(Change(forgotten=("7",)))
        await store.commit(Change(calls=(make_call("7", data=b"new"),)))
        await store.close()
        again = await self.open_store()
        found = again.get("7")
        assert found is not None
        self.assertEqual(found.data, b"new")
        await again.close()

    async def test_closing_keeps_what_still_waits(self) -> None:
        store = await self.open_store()
        waiting = store.commit(Change(calls=(make_call("7"),)))
        await store.close()
        assert waiting is not None
        await waiting
        again = await self.open_store()
        self.assertIsNotNone(again.get("7"))
        await again.close()

    async def test_one_sync_serves_all_who_wait(self) -> None:
        store = await self.open_store()
        commits: list[int] = []
        file = self.file_of(store)
        write = file.write
        file.write = lambda group: (commits.append(len(group.calls)), write(group))[1]  # type: ignore[method-assign]
        waiting = [store.commit(Change(calls=(make_call(str(n)),))) for n in range(500)]
        await gatherResults([one for one in waiting if one is not None])
        self.assertEqual(sum(commits), 500)
        self.assertLess(len(commits), 5)
        await store.close()


class BoundedTests(SqliteBench):
    """Neither the file nor what waits for the disk grows without end."""

    async def test_calls_that_come_and_go_leave_the_file_as_large_as_it_was(self) -> None:
        store = await self.open_store()
        sizes = []
        for turn in range(12):
            calls = tuple(make_call(f"{turn}{number:04d}", data=b"x" * 2_000) for number in range(300))
            await store.commit(Change(calls=calls))
            await store.commit(Change(forgotten=tuple(call.serial for call in calls)))
            sizes.append(sum(file.stat().st_size for file in self.path.parent.iterdir()))
        await store.close()
        self.assertLessEqual(max(sizes[6:]), 1.5 * max(sizes[:6]))

    async def test_changes_beyond_what_may_wait_for_the_disk_are_refused(self) -> None:
        self.patch(call_store, "MOST_WAITING", 10)
        store = await self.open_store()
        waiting = [store.commit(Change(calls=(make_call(str(number)),))) for number in range(10)]
        with self.assertRaisesRegex(StoreUnavailable, "wait for the journal"):
            store.commit(Change(calls=(make_call("one more"),)))
        self.assertIsNone(store.get("one more"))
        await gatherResults([one for one in waiting if one is not None])
        await store.commit(Change(calls=(make_call("11"),)))
        await store.close()


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


_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class SealedTests(SqliteBench):
    """What is in the file is of no use without the key, and wiped when the call closes."""

    async def test_neither_data_nor_numbers_nor_events_can_be_read_in_the_files(self) -> None:
        store = await self.open_store()
        call = make_call("7", calling_number="marker-number", data=b"marker-data", digest=b"marker-digest")
        await store.commit(Change(calls=(call,), events=(evolve(make_event("1001", 1), body=b"marker-event"),)))
        await store.close()
        for file in self.path.parent.iterdir():
            self.assertNotIn(b"marker", file.read_bytes(), file.name)

    async def test_a_closed_call_leaves_no_data_behind(self) -> None:
        store = await self.open_store()
        call = make_call("7", data=b"secret", calling_number="138")
        await store.commit(Change(calls=(call,)))
        await store.commit(
            Change(calls=(evolve(call, state=CallState.CLOSED, data=b"", digest=b"", calling_number=""),))
        )
        await store.close()
        database = sqlite3.connect(self.path)
        self.assertEqual(database.execute("SELECT count(*) FROM contexts").fetchone(), (0,))
        database.close()

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
        for name in ("calls.sqlite", "calls.sqlite.key"):
            self.assertEqual((self.path.parent / name).stat().st_mode & 0o077, 0, name)


class UnavailableTests(SqliteBench):
    """A store that can't keep a change undoes it, says so, and goes on once it can."""

    async def test_a_file_that_is_gone_undoes_what_was_built_on_it(self) -> None:
        store = await self.open_store()
        await store.commit(Change(calls=(make_call("1"),), events=(make_event("1001", 1),)))
        os.rename(self.path, f"{self.path}.away")
        first = store.commit(Change(calls=(make_call("2"),), events=(make_event("1001", 2),)))
        second = store.commit(Change(forgotten=("1",), events=(make_event("1001", 3),), dropped=(("1001", 2),)))
        for waiting in (first, second):
            assert waiting is not None
            with self.assertRaises(StoreUnavailable):
                await waiting
        self.assertIsNone(store.get("2"))
        self.assertIsNotNone(store.get("1"))
        self.assertEqual([event.sequence for event in store.events("1001")], [1])
        self.assertEqual(store.last_sequence("1001"), 1)
        os.rename(f"{self.path}.away", self.path)
        await store.commit(Change(calls=(make_call("3"),), events=(make_event("1001", 2),)))
        await store.close()
        again = await self.open_store()
        self.assertEqual({call.serial for call in again.calls()}, {"1", "3"})
        self.assertEqual([event.sequence for event in again.events("1001")], [1, 2])
        await again.close()

    async def test_a_full_disk_is_told_and_overcome(self) -> None:
        store = await self.open_store()
        await store.commit(Change(calls=(make_call("1"),)))
        database = self.file_of(store)._database
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        large = make_call("2", data=b"x" * 100_000)
        with self.assertRaisesRegex(StoreUnavailable, "full"):
            await store.commit(Change(calls=(large,)))
        self.assertIsNone(store.get("2"))
        database.execute("PRAGMA max_page_count = 1000000")
        await store.commit(Change(calls=(large,)))
        await store.close()
        again = await self.open_store()
        self.assertEqual(again.get("2"), large)
        await again.close()

    async def test_a_closed_store_takes_nothing(self) -> None:
        store = await self.open_store()
        await store.close()
        with self.assertRaises(StoreUnavailable):
            store.commit(Change(calls=(make_call("7"),)))


class HandedOverTests(SqliteBench):
    """A second exchange takes a store over, and knows what it is encoded with."""

    async def test_one_that_comes_a_moment_early_waits_for_the_file(self) -> None:
        first = await self.open_store()
        await first.commit(Change(calls=(make_call("7"),)))
        second = self.make_store(lock_wait=10)
        opening = second.open(reactor)
        await first.close()
        await opening
        self.assertEqual(second.get("7"), make_call("7"))
        await second.close()

    async def test_a_store_that_could_not_be_opened_closes_at_once(self) -> None:
        first, second = await self.open_store(), self.make_store()
        with self.assertRaises(StoreUnavailable):
            await second.open(reactor)
        self.successResultOf(second.close())
        await first.close()

    async def test_other_codecs_are_refused_while_it_holds_anything_encoded(self) -> None:
        store = await self.open_store()
        await store.commit(codecs_to_keep(store, "binary", "binary"))
        self.assertEqual(codecs_to_keep(store, "binary", "binary"), Change())
        self.assertEqual(codecs_to_keep(store, "json", "binary").metadata, (("agent codec", "json"),))
        await store.commit(Change(calls=(make_call("7"),)))
        await store.close()
        again = await self.open_store()
        with self.assertRaisesRegex(ConfigurationError, r"\[links.ivr\] codec: found 'json'.*1 open call.*'binary'"):
            codecs_to_keep(again, "binary", "json")
        await again.close()

    async def test_an_event_behind_a_drop_that_went_too_far_stays(self) -> None:
        store = await self.open_store()
        store.commit(Change(events=(make_event("1001", 1),), dropped=(("1001", 9),)))
        await store.commit(Change(events=(make_event("1001", 2),)))
        await store.close()
        again = await self.open_store()
        self.assertEqual([event.sequence for event in again.events("1001")], [2])
        await again.close()


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
