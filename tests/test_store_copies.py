"""A copy put back in a store's place: with the tool for it, without it, and beside the log that a crash has left."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from itertools import count
from pathlib import Path

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.records import Snapshot
from ctiex.stores import opening, sqlite_file
from ctiex.stores.copying import back_up, restore
from ctiex.stores.groups import Group
from ctiex.stores.marks import begin, checkpoint, write_out
from ctiex.stores.sealing import Seal
from ctiex.stores.sqlite_file import SqliteFile, StoreInUse
from ctiex.testing.store_contract import make_call

from .test_store_bound import VERSION_1, whole_group

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


class LeftLogTests(CopiesBench):
    """A copy put in place by hand, where a crash has left the log of what stood there."""

    def test_what_happened_behind_the_copy_doesn_t_come_back_in_silence(self) -> None:
        file = self.opened()
        file.write(with_call("1"))
        copy = self.sqlite_backup()
        file.write(with_call("2"))
        self.crash(file)
        self.path.write_bytes(copy.read_bytes())  # cat copy.sqlite > calls.sqlite
        with self.assertRaisesRegex(StoreUnavailable, "calls.sqlite-wal .* another state .*ctiex store restore"):
            self.serials()
        self.assertRaises(StoreUnavailable, SqliteFile, self.path, SEAL, read_only=True)
        self.assertGreater((self.folder / "calls.sqlite-wal").stat().st_size, 0, "nothing was thrown away")
        restore(self.path, copy, SEAL)
        self.assertEqual(self.serials(), ["1"])

    def test_nor_where_nothing_happened_since_the_start_but_the_copy(self) -> None:
        file = self.opened()
        copy = self.sqlite_backup()
        file.write(with_call("2"))
        self.crash(file)
        self.path.write_bytes(copy.read_bytes())
        self.assertRaises(StoreUnavailable, self.serials)

    def test_nor_with_a_copy_of_the_stopped_store(self) -> None:
        self.opened().close()
        copy = self.path.read_bytes()
        file = self.opened()
        file.write(with_call("2"))
        self.crash(file)
        self.path.write_bytes(copy)
        self.assertRaises(StoreUnavailable, self.serials)

    def test_nor_with_a_copy_of_version_1(self) -> None:
        file = self.opened()
        file.write(with_call("2"))
        self.crash(file)
        self.path.unlink()
        with closing(sqlite3.connect(self.folder / "old.sqlite")) as database:
            database.executescript(VERSION_1.read_text(encoding="utf-8"))
        shutil.copy(self.folder / "old.sqlite", self.path)
        self.assertRaises(StoreUnavailable, self.serials)

    def test_a_log_of_a_file_that_is_gone_makes_no_new_store(self) -> None:
        file = self.opened()
        file.write(with_call("2"))
        self.crash(file)
        self.path.unlink()
        with self.assertRaisesRegex(StoreUnavailable, "doesn't exist, but its log calls.sqlite-wal does"):
            self.serials()

    def test_a_log_of_version_1_that_a_crash_has_left_is_taken_up(self) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.executescript(VERSION_1.read_text(encoding="utf-8"))
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("DELETE FROM calls WHERE serial = '9'")
            kept = {name: (self.folder / name).read_bytes() for name in ("calls.sqlite", "calls.sqlite-wal")}
        for name, data in kept.items():
            (self.folder / name).write_bytes(data)
        self.assertEqual(self.serials(), ["007", "8"])


class AnyMomentTests(SynchronousTestCase):
    """A crash, and a copy put back, at any moment."""

    def folder(self) -> Path:
        """In memory where there is such a place: here it matters what is written, not what is synced."""
        memory = Path("/dev/shm")
        folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.sampled_from(["write", "checkpoint", "reader", "leave", "reopen", "restored"]), max_size=8))
    def test_a_crash_alone_loses_nothing_and_a_copy_brings_nothing_that_came_later(self, steps: list[str]) -> None:
        self.play([*steps, "write"])

    def test_a_reader_in_the_way_of_a_checkpoint(self) -> None:
        self.play(["write", "reader", "write", "checkpoint", "write", "checkpoint", "leave", "checkpoint", "write"])

    def play(self, steps: list[str]) -> None:
        moments = _Moments(self.folder())
        for step in steps:
            moments.take(step)
        moments.close()
        for now in moments.crashes:
            self.assertEqual(moments.start(now.file, now.log), now.serials, "after a crash alone")
        for now in moments.crashes:
            for copy in moments.copies:
                if copy.number < now.number and copy.serials != now.serials:
                    self.assertIn(moments.start(copy.file, now.log), (copy.serials, None), "a copy beside that log")


@frozen
class _Files:
    """Files as they stand at a moment, and what an exchange should find in them."""

    number: int
    file: bytes
    log: bytes
    serials: list[str]


class _Moments:
    """Plays steps on a store and keeps every moment of them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "calls.sqlite"
        self._file = SqliteFile(self._path, SEAL)
        self._serials: list[str] = []
        self._readers: list[sqlite3.Connection] = []
        self._names = count()
        self.crashes: list[_Files] = []
        self.copies: list[_Files] = []

    def take(self, step: str) -> None:
        {
            "write": self._write, "checkpoint": self._checkpoint, "reader": self._read, "leave": self._leave,
            "reopen": self._reopen, "restored": self._restore,
        }[step]()  # fmt: skip
        self._crash_here()
        copy = self._folder / f"copy-{next(self._names)}"
        back_up(self._path, copy)
        self.copies.append(_Files(next(self._names), copy.read_bytes(), b"", list(self._serials)))

    def _crash_here(self) -> None:
        log = Path(f"{self._path}-wal")
        files = _Files(
            next(self._names), self._path.read_bytes(), log.read_bytes() if log.exists() else b"", list(self._serials)
        )
        self.crashes.append(files)

    def _write(self) -> None:
        serial = str(next(self._names))
        self._file.write(with_call(serial))
        self._serials = sorted([*self._serials, serial])

    def _checkpoint(self) -> None:
        """With a crash at each of its steps."""
        database, path = self._file._database, self._path
        begin(database, path)
        self._crash_here()
        write_out(database, path)
        self._crash_here()
        checkpoint(database, path)

    def _read(self) -> None:
        reader = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        self._readers.append(reader)

    def _leave(self) -> None:
        while self._readers:
            self._readers.pop().close()

    def _reopen(self) -> None:
        self._file.close()
        self._crash_here()
        self._file = SqliteFile(self._path, SEAL)

    def _restore(self) -> None:
        """The newest copy, by hand."""
        self.close()
        if self.copies and not Path(f"{self._path}-wal").exists():
            self._path.write_bytes(self.copies[-1].file)
            self._serials = self.copies[-1].serials
        self._file = SqliteFile(self._path, SEAL)

    def start(self, file: bytes, log: bytes) -> list[str] | None:
        """What an exchange would find with these; None where it refuses to start."""
        path = self._folder / f"put-{next(self._names)}" / "calls.sqlite"
        path.parent.mkdir()
        path.write_bytes(file)
        Path(f"{path}-wal").write_bytes(log)
        try:
            found = SqliteFile(path, SEAL)
        except StoreUnavailable:
            return None
        try:
            return sorted(call.serial for call in found.read().calls)
        finally:
            found.close()

    def close(self) -> None:
        self._leave()
        self._file.close()


class WrittenLogTests(CopiesBench):
    """The log is written into the file now and then, so that it doesn't grow without end."""

    def test_the_log_stays_bounded_and_what_it_held_is_in_the_file(self) -> None:
        self.patch(sqlite_file, "ROWS_BETWEEN_CHECKPOINTS", 20)
        file = self.opened()
        sizes = set()
        for number in range(200):
            file.write(with_call(f"{number:04d}"))
            sizes.add((self.folder / "calls.sqlite-wal").stat().st_size)
        self.assertLess(max(sizes), 1_000_000)
        self.assertGreater(self.path.stat().st_size, 1_000_000)
        self.crash(file)
        self.assertEqual(len(self.serials()), 200)

    def test_a_stopped_store_is_one_file(self) -> None:
        file = self.opened()
        file.write(with_call("1"))
        file.close()
        self.assertEqual({one.name for one in self.folder.iterdir()}, {"calls.sqlite", "calls.sqlite.lock"})


class ReadOnlyCopyTests(CopiesBench):
    """A copy on a medium that can't be written."""

    def test_it_is_read_and_nothing_is_made_beside_it(self) -> None:
        file = self.opened()
        file.write(with_call("1"))
        file.close()
        folder = self.folder / "medium"
        folder.mkdir()
        copy = folder / "copy.sqlite"
        shutil.copy(self.path, copy)
        self.patch(os, "access", lambda *_: False)
        made: list[str] = []
        read = SqliteFile(copy, SEAL, read_only=True)
        self.assertEqual(([call.serial for call in read.read().calls], read.check()), (["1"], []))
        made += [one.name for one in folder.iterdir()]
        read.close()
        self.assertEqual(made, ["copy.sqlite"])

    def test_one_whose_log_can_t_be_read_there_says_what_to_do(self) -> None:
        file = self.opened()
        file.write(with_call("1"))
        self.crash(file)
        self.patch(os, "access", lambda *_: False)

        def refuse(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("unable to open database file")

        self.patch(opening, "version_of", refuse)
        with self.assertRaisesRegex(StoreUnavailable, "copy both files elsewhere"):
            SqliteFile(self.path, SEAL, read_only=True)


class RestoreTests(CopiesBench):
    """``restore`` puts a sound copy in place, or changes nothing."""

    def copied(self) -> tuple[Path, Snapshot]:
        file = self.opened()
        file.write(whole_group())
        copy = self.folder / "copy.sqlite"
        back_up(self.path, copy)
        kept = file.read()
        file.write(with_call("2"))
        file.close()
        return copy, kept

    def test_the_copy_is_what_the_store_begins_with(self) -> None:
        copy, kept = self.copied()
        self.assertEqual(restore(self.path, copy, SEAL), kept)
        file = self.opened()
        self.assertEqual((file.read(), file.check()), (kept, []))

    def test_a_lost_store_is_restored_too(self) -> None:
        copy, kept = self.copied()
        self.path.unlink()
        restore(self.path, copy, SEAL)
        self.assertEqual(self.opened().read(), kept)

    def test_the_log_of_a_crash_is_taken_away(self) -> None:
        copy, kept = self.copied()
        file = self.opened()
        file.write(with_call("3"))
        self.crash(file)
        restore(self.path, copy, SEAL)
        self.assertEqual(self.opened().read(), kept)

    def test_a_restore_that_ends_before_the_log_is_gone_is_noticed_and_done_again(self) -> None:
        copy, kept = self.copied()
        file = self.opened()
        file.write(with_call("3"))
        self.crash(file)
        log = self.folder / "calls.sqlite-wal"
        left = log.read_bytes()
        restore(self.path, copy, SEAL)
        log.write_bytes(left)
        self.assertRaisesRegex(StoreUnavailable, "another state", self.serials)
        restore(self.path, copy, SEAL)
        self.assertEqual(self.opened().read(), kept)

    def test_nothing_else_is_left_and_the_copy_is_as_it_was(self) -> None:
        copy, _ = self.copied()
        before = copy.read_bytes()
        restore(self.path, copy, SEAL)
        names = {one.name for one in self.folder.iterdir()} - {"copy.sqlite-wal", "copy.sqlite-shm"}
        self.assertEqual(names, {"calls.sqlite", "calls.sqlite.lock", "copy.sqlite"})
        self.assertEqual(copy.read_bytes(), before)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_it_is_a_generation_of_its_own(self) -> None:
        copy, _ = self.copied()
        restore(self.path, copy, SEAL)
        generations = set()
        for path in (copy, self.path):
            with closing(sqlite3.connect(path)) as database:
                generations.add(database.execute("SELECT generation FROM store").fetchone())
        self.assertEqual(len(generations), 2)

    def test_it_refuses_while_an_exchange_has_the_store(self) -> None:
        copy, _ = self.copied()
        file = self.opened()
        self.assertRaises(StoreInUse, restore, self.path, copy, SEAL)
        file.write(with_call("3"))

    def test_a_copy_of_version_1_is_restored_in_the_present_version(self) -> None:
        copy = self.folder / "old.sqlite"
        with closing(sqlite3.connect(copy)) as database:
            database.executescript(VERSION_1.read_text(encoding="utf-8"))
        restore(self.path, copy, SEAL)
        self.assertEqual(self.serials(), ["007", "8", "9"])

    def test_a_copy_that_isn_t_sound_changes_nothing(self) -> None:
        copy, _ = self.copied()
        good = copy.read_bytes()
        changed = self.folder / "changed.sqlite"
        changed.write_bytes(good)
        with closing(sqlite3.connect(changed, isolation_level=None)) as database:
            database.execute("UPDATE calls SET owner = 'two' WHERE serial = '007'")
        torn = self.folder / "torn.sqlite"
        torn.write_bytes(good[: len(good) // 2])
        empty = self.folder / "empty.sqlite"
        empty.touch()
        before = self.path.read_bytes()
        for bad, words in (
            (changed, "call 007 was changed without the key"), (torn, "malformed"), (empty, "empty"),
            (self.folder / "none.sqlite", "there is no such file"),
        ):  # fmt: skip
            with self.subTest(bad=bad.name):
                with self.assertRaisesRegex(StoreUnavailable, f"{bad.name}: .*{words}"):
                    restore(self.path, bad, SEAL)
                self.assertEqual(self.path.read_bytes(), before)
        with self.assertRaisesRegex(StoreUnavailable, "sealed with another key"):
            restore(self.path, copy, Seal(b"K" * 32))
        self.assertEqual(self.serials(), ["007", "2", "8", "9"])

    def test_a_copy_is_made_beside_an_exchange_and_for_its_owner_alone(self) -> None:
        file = self.opened()
        file.write(with_call("1"))
        copy = self.folder / "copy.sqlite"
        back_up(self.path, copy)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.serials(copy), ["1"])
        self.assertRaisesRegex(StoreUnavailable, "File exists", back_up, self.path, copy)
