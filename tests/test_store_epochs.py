"""The epoch of a durable store: one for ever, and another one once an earlier state was put in the file's place."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import fail
from twisted.logger import capturedLogs, formatEvent

from ctiex.app.exchange import Exchange
from ctiex.config.reading import parse
from ctiex.errors import StoreUnavailable
from ctiex.processing.digests import KEY_LABEL
from ctiex.records import EPOCH, Change
from ctiex.stores import progress
from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.copying import back_up, restore
from ctiex.stores.sealing import Seal, find_key
from ctiex.stores.sqlite import SqliteJournal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call

from .sqlite_bench import SqliteBench

_ALL = ("", "-wal", "-progress")
"""What stands beside each other on the disk when a process has just been killed."""


class EpochBench(SqliteBench):
    """An exchange on one file, which is killed and started again."""

    def configuration(self, codec: str = "binary") -> dict[str, Any]:
        links = {
            side: {"listen": "tcp:0:interface=127.0.0.1", "login_deadline": 1, "codec": codec}
            for side in ("agent", "ivr")
        }
        return {"links": links, "store": {"kind": "sqlite", "path": str(self.path), "lock_wait": 0}}

    async def started(self, codec: str = "binary") -> Exchange:
        exchange = Exchange(parse(self.configuration(codec)), reactor)
        self.addCleanup(exchange.stopService)
        exchange.startService()
        await exchange.started()
        return exchange

    async def epoch(self) -> int:
        """The one that an exchange has that is started here, and stopped."""
        exchange = await self.started()
        epoch = exchange.parts.context.mailboxes.epoch
        await exchange.stopService()
        return epoch

    async def change(self, exchange: Exchange, serial: str) -> None:
        """Something that a copy from before doesn't have."""
        await exchange.parts.committed(Change(calls=(make_call(serial, service="none"),)))

    async def kill(self, exchange: Exchange) -> None:
        """The process is gone, and its files stay as they are."""
        kept = {ending: Path(f"{self.path}{ending}").read_bytes() for ending in _ALL}
        await exchange.stopService()
        for ending, data in kept.items():
            Path(f"{self.path}{ending}").write_bytes(data)

    async def killed_behind_a_copy(self) -> int:
        """A killed exchange's epoch; the copies in ``copies`` don't have what it has committed last."""
        exchange = await self.started()
        await self.change(exchange, "1")
        copies = self.copies()
        copies.mkdir()
        for ending in ("", "-wal"):
            shutil.copy(f"{self.path}{ending}", copies / f"raw{ending}")
        back_up(self.path, copies / "tool")
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copies / "sqlite")) as target:
            source.backup(target)
        await self.change(exchange, "2")
        epoch = exchange.parts.context.mailboxes.epoch
        await self.kill(exchange)
        return epoch

    def copies(self) -> Path:
        return self.path.parent / "copies"

    def put(self, name: str) -> None:
        """Put a copy in the file's place by hand."""
        Path(f"{self.path}-wal").unlink(missing_ok=True)
        shutil.copy(self.copies() / name, self.path)
        if (self.copies() / f"{name}-wal").exists():
            shutil.copy(self.copies() / f"{name}-wal", f"{self.path}-wal")

    def seal(self) -> Seal:
        return Seal(find_key(Path(f"{self.path}.key"), make=False))

    def labels(self) -> dict[str, str]:
        """What stands in the file."""
        with closing(SqliteFile(self.path, self.seal(), read_only=True)) as file:
            return dict(file.read().metadata)


class GoesOnTests(EpochBench):
    """The same file goes on in the same epoch."""

    async def test_a_stop_and_a_kill_keep_it_and_the_key_of_digests(self) -> None:
        epoch = await self.epoch()
        self.assertGreater(epoch, 0)
        key = self.labels()[KEY_LABEL]
        for _ in range(2):
            exchange = await self.started()
            self.assertEqual(exchange.parts.context.mailboxes.epoch, epoch)
            self.assertEqual(exchange.parts.context.digests.key.hex(), key)
            await self.change(exchange, "1")
            await self.kill(exchange)
        self.assertEqual(await self.epoch(), epoch)

    async def test_one_that_is_killed_between_the_commit_and_its_note_goes_on(self) -> None:
        exchange = await self.started()
        epoch, noted = exchange.parts.context.mailboxes.epoch, Path(f"{self.path}-progress")
        before = noted.read_bytes()
        await self.change(exchange, "1")
        self.assertNotEqual(noted.read_bytes(), before)
        await self.kill(exchange)
        noted.write_bytes(before)
        self.assertEqual(await self.epoch(), epoch)

    async def test_a_file_that_is_looked_at_copied_and_checked_goes_on(self) -> None:
        epoch = await self.killed_behind_a_copy()
        with closing(SqliteFile(self.path, self.seal(), read_only=True)) as file:
            self.assertEqual(file.check(), [])
        self.assertEqual(await self.epoch(), epoch)

    async def test_a_file_is_moved_with_what_stands_beside_it(self) -> None:
        epoch = await self.epoch()
        elsewhere = self.path.parent / "elsewhere"
        elsewhere.mkdir()
        for ending in ("", ".key", "-progress"):
            shutil.move(f"{self.path}{ending}", elsewhere / f"calls.sqlite{ending}")
        self.path = elsewhere / "calls.sqlite"
        self.assertEqual(await self.epoch(), epoch)


class CopyTests(EpochBench):
    """An earlier state in the file's place is noticed, however it came there."""

    async def test_a_whole_folder_that_is_put_back_begins_a_new_epoch_and_keeps_it(self) -> None:
        folder = self.path.parent / "live"
        folder.mkdir()
        self.path = folder / "calls.sqlite"
        epoch, backup = await self.epoch(), folder.parent / "backup"
        for _ in range(3):  # the file system may give a number again
            shutil.copytree(folder, backup)
            shutil.rmtree(folder)
            shutil.copytree(backup, folder)
            shutil.rmtree(backup)
            again = await self.epoch()
            self.assertNotEqual(again, epoch)
            self.assertEqual(await self.epoch(), again)
            epoch = again

    async def test_a_file_system_that_tells_no_file_from_the_one_before_goes_on_as_ever(self) -> None:
        def unknown(*_: object) -> bytes:
            raise OSError(25, "Inappropriate ioctl for device")

        self.patch(progress.fcntl, "ioctl", unknown)
        epoch = await self.epoch()
        self.assertEqual(await self.epoch(), epoch)

    async def test_each_kind_of_copy_begins_a_new_epoch_and_keeps_it(self) -> None:
        seen = {await self.killed_behind_a_copy()}
        for name in ("raw", "tool", "sqlite"):
            self.put(name)
            with capturedLogs() as logs:
                epoch = await self.epoch()
            self.assertNotIn(epoch, seen, name)
            self.assertIn("numbered in a new epoch", " ".join(map(str, map(formatEvent, logs))))
            seen.add(epoch)
            self.assertEqual(await self.epoch(), epoch, name)

    async def test_a_restored_copy_begins_one_too(self) -> None:
        epoch = await self.killed_behind_a_copy()
        kept = restore(self.path, self.copies() / "tool", self.seal())
        self.assertNotIn(EPOCH, kept.metadata)
        self.assertIn(KEY_LABEL, kept.metadata, "repeats are told from others all the same")
        again = await self.epoch()
        self.assertNotEqual(again, epoch)
        self.assertEqual(await self.epoch(), again)

    async def test_a_restored_copy_of_the_last_state_begins_one_too(self) -> None:
        """It has come as far as the one before; whether that went on somewhere else isn't known."""
        epoch = await self.epoch()
        copy = self.path.parent / "copy"
        back_up(self.path, copy)
        restore(self.path, copy, self.seal())
        self.assertNotEqual(await self.epoch(), epoch)

    async def test_a_later_copy_of_the_first_time_is_noticed_behind_an_earlier_one(self) -> None:
        """The store has begun anew with an early copy, and come less far since than the later copy."""
        exchange = await self.started()
        back_up(self.path, self.path.parent / "early")
        for serial in range(9):
            await self.change(exchange, str(serial))
        self.copies().mkdir()
        back_up(self.path, self.copies() / "late")
        first = exchange.parts.context.mailboxes.epoch
        await exchange.stopService()
        shutil.copy(self.path.parent / "early", self.path)
        second = await self.epoch()
        self.put("late")
        third = await self.epoch()
        self.assertEqual(len({first, second, third}), 3)

    async def test_a_file_without_what_stood_beside_it_begins_a_new_epoch(self) -> None:
        epoch, noted = await self.epoch(), Path(f"{self.path}-progress")
        for left in (None, b"", b"\0" * 40, noted.read_bytes()[:-1]):
            noted.unlink()
            if left is not None:
                noted.write_bytes(left)
            again = await self.epoch()
            self.assertNotEqual(again, epoch, left)
            epoch = again

    async def test_another_store_in_its_place_begins_a_new_epoch(self) -> None:
        epoch = await self.epoch()
        first, self.path = self.path, self.path.parent / "other.sqlite"
        other = await self.epoch()
        shutil.move(self.path, first)
        shutil.move(f"{self.path}.key", f"{first}.key")
        self.path = first
        self.assertNotIn(await self.epoch(), (epoch, other))


class KilledWhileItBeginsTests(EpochBench):
    """A copy is noticed though the exchange is killed, at whatever moment, before it has named the new epoch."""

    async def open_store(self) -> JournaledCallStore:
        store = await super().open_store()
        self.addCleanup(store.close)
        return store

    async def test_nothing_that_an_opened_copy_commits_loses_the_notice(self) -> None:
        epoch = await self.killed_behind_a_copy()
        self.put("tool")
        store = await self.open_store()
        self.assertIsNone(store.metadata(EPOCH))
        await self.dies(store)
        self.assertNotIn(EPOCH, self.labels())
        store = await self.open_store()
        for serial in range(9):  # it comes further than the file was before
            await store.commit(Change(calls=(make_call(str(serial)),)))  # type: ignore[misc]
        await self.dies(store)
        self.assertNotIn(EPOCH, self.labels())
        self.assertNotEqual(await self.epoch(), epoch)

    async def dies(self, store: JournaledCallStore) -> None:
        kept = {ending: Path(f"{self.path}{ending}").read_bytes() for ending in _ALL}
        await store.close()
        for ending, data in kept.items():
            Path(f"{self.path}{ending}").write_bytes(data)

    async def test_a_process_that_ends_between_the_two_files_leaves_the_notice(self) -> None:
        epoch = await self.killed_behind_a_copy()
        self.put("tool")
        noted = Path(f"{self.path}-progress")
        before = noted.read_bytes()
        store = await self.open_store()
        await store.close()
        noted.write_bytes(before)  # the file has its new generation, and what stands beside it not yet
        again = await self.epoch()
        self.assertNotEqual(again, epoch)
        self.assertEqual(await self.epoch(), again)

    async def test_a_copy_that_can_t_be_opened_stays_a_copy(self) -> None:
        epoch = await self.killed_behind_a_copy()
        self.put("tool")
        whole = self.path.read_bytes()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("UPDATE calls SET owner = 'two'")
        with self.assertRaisesRegex(StoreUnavailable, "was changed without the key"):
            await self.open_store()
        self.path.write_bytes(whole)
        self.assertNotEqual(await self.epoch(), epoch)


class BeforeAnythingElseTests(EpochBench):
    """The epoch is in the store before anything else is, and before an agent hears of it."""

    def appended(self) -> list[Sequence[Change]]:
        """What any journal is given from now on."""
        given: list[Sequence[Change]] = []
        append = SqliteJournal.append

        def append_and_note(journal: Any, changes: Sequence[Change], before: Any) -> Any:
            given.append(tuple(changes))
            return append(journal, changes, before)

        self.patch(SqliteJournal, "append", append_and_note)
        return given

    async def test_a_new_store_keeps_it_first(self) -> None:
        given = self.appended()
        exchange = await self.started()
        self.assertEqual([name for name, _ in given[0][0].metadata], [EPOCH, KEY_LABEL])
        self.assertEqual(dict(given[0][0].metadata)[EPOCH], str(exchange.parts.context.mailboxes.epoch))

    async def test_so_does_a_copy_and_its_key_stays(self) -> None:
        await self.killed_behind_a_copy()
        self.put("tool")
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("DELETE FROM facts WHERE name = 'ivr codec'")  # it has something else to keep as well
        given = self.appended()
        await self.started()
        self.assertEqual([name for name, _ in given[0][0].metadata], [EPOCH])
        self.assertEqual([name for name, _ in given[1][0].metadata], ["ivr codec"])

    async def test_an_exchange_whose_store_doesn_t_take_it_doesn_t_start(self) -> None:
        self.patch(SqliteJournal, "append", lambda *_: fail(StoreUnavailable("disk is full")))
        exchange = Exchange(parse(self.configuration()), reactor)
        exchange.startService()
        with self.assertRaisesRegex(StoreUnavailable, "disk is full"):
            await exchange.started()
        self.assertEqual((exchange.listening, exchange.agent_port), (False, None))
        await exchange.stopService()
