"""Power loss, at the level of files: what was synced is there afterwards, and no half of a change."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from ctiex.records import StoreSnapshot
from ctiex.stores.groups import Group
from ctiex.stores.sealing import Seal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call, make_event

SEAL = Seal(b"k" * 32)
HEADER, FRAME = 32, 24 + 4096
"""Sizes in a WAL: its header; the header of a frame with its page, in bytes."""
COMMITS = 6


@frozen
class Synced:
    """The files as they are when a commit has returned, and what they keep."""

    folder: Path
    wal: bytes
    kept: StoreSnapshot


def group(number: int) -> Group:
    """One change: a call with data of several pages, the end of an earlier call, and an event."""
    serial, agent = str(1000 + number), "1001"
    new = make_call(serial, data=b"%d" % number * 4000, asked=b"%d" % number * 2000, reference=f"R-{number}")
    wiped = make_call(str(1000 + number - 1), reference=f"R-{number - 1}").but(wiped=True)
    return Group(
        calls={serial: new, wiped.serial: wiped},
        contexts={serial: new, wiped.serial: wiped},
        events={(agent, number): make_event(agent, number)},
        last_sequences={agent: number},
        dropped={agent: number - 3},
    )


class PowerLossTests(SynchronousTestCase):
    """Every commit is cut wherever the power may go while it is written."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_of_commits(self) -> list[Synced]:
        file = SqliteFile(self.folder / "calls.sqlite", SEAL)
        self.addCleanup(file.close)
        synced = []
        for number in range(1, COMMITS + 1):
            file.write(group(number))
            copy = self.folder / f"synced-{number}"
            copy.mkdir()
            for name in ("calls.sqlite", "calls.sqlite-wal"):
                shutil.copy(self.folder / name, copy / name)
            synced.append(Synced(copy, (copy / "calls.sqlite-wal").read_bytes(), file.read()))
        return synced

    def after_power_loss(self, last: Synced, wal: bytes) -> StoreSnapshot:
        """What is kept when the files are opened again with this WAL."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copy(last.folder / "calls.sqlite", folder / "calls.sqlite")
        (folder / "calls.sqlite-wal").write_bytes(wal)
        file = SqliteFile(folder / "calls.sqlite", SEAL)
        self.assertEqual(file.check(), [])
        kept = file.read()
        file.close()
        return kept

    def test_whatever_is_left_of_what_stood_beside_it_the_file_is_no_copy_and_an_earlier_one_is(self) -> None:
        """What is noted beside the file isn't synced with each commit: the disk may have any note since the start."""
        path, beside = self.folder / "calls.sqlite", self.folder / "calls.sqlite-progress"
        file = SqliteFile(path, SEAL)
        file.begin_generation()
        states = [self.state(path)]
        for number in range(1, COMMITS + 1):
            file.write(group(number))
            states.append(self.state(path))
        file.close()
        for number, (stored, wal, _) in enumerate(states):
            for noted, (_, _, note) in enumerate(states):
                path.write_bytes(stored)
                Path(f"{path}-wal").write_bytes(wal)
                beside.write_bytes(note)
                again = SqliteFile(path, SEAL)
                self.assertEqual(again.is_copy, noted > number, (number, noted))
                again.close()

    def state(self, path: Path) -> tuple[bytes, bytes, bytes]:
        """The file, its log, and what stands beside it."""
        return path.read_bytes(), Path(f"{path}-wal").read_bytes(), Path(f"{path}-progress").read_bytes()

    def test_every_commit_is_synced(self) -> None:
        file = SqliteFile(self.folder / "calls.sqlite", SEAL)
        self.assertEqual(file._database.execute("PRAGMA synchronous").fetchone(), (2,))
        self.assertEqual(file._database.execute("PRAGMA journal_mode").fetchone(), ("wal",))
        file.close()

    def test_a_wal_cut_behind_the_sync_keeps_all_before_and_no_half_of_the_next(self) -> None:
        synced = self.run_of_commits()
        for last, following in pairwise(synced):
            self.assertLess(len(last.wal), len(following.wal))
            for length in _lengths(len(last.wal), len(following.wal)):
                kept = self.after_power_loss(last, following.wal[:length])
                self.assertEqual(kept, following.kept if length == len(following.wal) else last.kept, length)

    def test_frames_that_never_reached_the_disk_undo_the_whole_change(self) -> None:
        """A disk may write the later frames of a commit before the earlier ones."""
        synced = self.run_of_commits()
        for last, following in pairwise(synced):
            for start in range(len(last.wal), len(following.wal), FRAME):
                for at in (start, start + 24, start + FRAME // 2):
                    torn = bytearray(following.wal)
                    torn[at : start + FRAME] = b"\xff" * (start + FRAME - at)
                    self.assertEqual(self.after_power_loss(last, bytes(torn)), last.kept, (start, at))


def _lengths(synced: int, end: int) -> Iterator[int]:
    """Where a WAL may end: at, around, and in the middle of each frame behind what was synced."""
    for start in range(synced, end, FRAME):
        yield from (start, start + 1, start + 23, start + 24, start + 25, start + FRAME // 2, start + FRAME - 1)
    yield end
