"""The log beside a store's file: what a crash leaves of it, and a copy put there by hand."""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import count
from pathlib import Path

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.stores import sqlite_file
from ctiex.stores.copying import back_up, restore
from ctiex.stores.marks import begin, checkpoint, write_out
from ctiex.stores.sqlite_file import SqliteFile

from .copies_bench import SEAL, CopiesBench, with_call


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

    def test_a_log_of_a_file_that_is_gone_makes_no_new_store(self) -> None:
        file = self.opened()
        file.write(with_call("2"))
        self.crash(file)
        self.path.unlink()
        with self.assertRaisesRegex(StoreUnavailable, "doesn't exist, but its log calls.sqlite-wal does"):
            self.serials()


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
        self.assertEqual(
            {one.name for one in self.folder.iterdir()}, {"calls.sqlite", "calls.sqlite.lock", "calls.sqlite-progress"}
        )
