"""A copy put back in a store's place with the tool for it, and one that can't be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ctiex.errors import StoreUnavailable
from ctiex.records import StoreSnapshot
from ctiex.stores import opening
from ctiex.stores.copying import back_up, restore
from ctiex.stores.sealing import Seal
from ctiex.stores.sqlite_file import SqliteFile, StoreInUse

from .copies_bench import SEAL, CopiesBench, with_call
from .test_store_bound import whole_group


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

    def copied(self) -> tuple[Path, StoreSnapshot]:
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
        self.assertEqual(names, {"calls.sqlite", "calls.sqlite.lock", "calls.sqlite-progress", "copy.sqlite"})
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
