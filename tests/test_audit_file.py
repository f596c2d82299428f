"""The audit's file, which never hurts a call; the exchange that keeps one, and its page."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ctiex.app.exchange import Exchange
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError
from ctiex.messages import Condition
from ctiex.monitoring.audit_events import About, AuditEvent
from ctiex.monitoring.audit_log import AuditLog
from ctiex.monitoring.counters import Counters
from ctiex.monitoring.observer import Observer

from .pages import list_tables, section


class FileTests(SynchronousTestCase):
    """The file, on a clock that stands still."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "audit.jsonl"
        self.clock = Clock()
        self.clock.advance(1_000_000_000.25)

    def open(self, path: Path | None = None, most_waiting: int = 10_000) -> AuditLog:
        self.counts = Counters()
        log = AuditLog(str(path or self.path), self.clock, self.counts, most_waiting, self.clock.seconds)
        log.open()
        self.addCleanup(log.close)
        return log

    def serials(self, path: Path | None = None) -> list[str]:
        """The serials of the records in a file, ``lost N`` for those that are missing."""
        records = [json.loads(line) for line in (path or self.path).read_text().splitlines() if line]
        return [record.get("serial") or f"lost {record['lost']}" for record in records]

    def record(self, log: AuditLog, *serials: str) -> None:
        for serial in serials:
            log.record(AuditEvent.DATA_GIVEN, serial=serial)

    def test_a_record_is_one_object_on_one_line(self) -> None:
        log = self.open()
        log.record(
            AuditEvent.REPORT_REFUSED, serial="7", reason="a\nb\u2028\ud800", condition=Condition.COMPLETED, status=20
        )
        log.close()
        (line,) = self.path.read_bytes().splitlines()
        self.assertEqual(
            json.loads(line),
            {
                "time": "2001-09-09T01:46:40.250Z",
                "event": "report_refused",
                "serial": "7",
                "status": 20,
                "status_text": "unknown serial",
                "condition": 1,
                "condition_text": "completed",
                "reason": "a\nb\u2028\ud800",
            },
        )

    def test_records_of_one_turn_go_out_at_its_end_in_one_write(self) -> None:
        log = self.open()
        writes: list[bytes] = []
        write = os.write
        self.patch(os, "write", lambda descriptor, data: writes.append(data) or write(descriptor, data))
        self.record(log, "1", "2", "3")
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual([data.count(b"\n") for data in writes], [3])
        self.assertEqual(self.serials(), ["1", "2", "3"])

    def test_only_its_owner_may_read_a_file_that_it_makes(self) -> None:
        self.open()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_file_that_others_may_read_is_told(self) -> None:
        self.path.touch(0o644)
        self.path.chmod(0o644)
        with capturedLogs() as events:
            self.open()
        self.assertIn(f"{self.path} has mode 0644: every user of this machine", str(formatEvent(events[0])))

    def test_two_logs_and_a_restart_append_to_one_file(self) -> None:
        first, second = self.open(), self.open()
        for serial in ("1", "3", "5"):
            self.record(first, serial)
            self.record(second, str(int(serial) + 1))
            self.clock.advance(0)
        first.close()
        second.close()
        self.record(self.open(), "7")
        self.clock.advance(0)
        self.assertEqual(self.serials(), ["1", "2", "3", "4", "5", "6", "7"])

    def test_a_rotated_file_is_let_go_of_within_a_second(self) -> None:
        log = self.open()
        self.record(log, "1")
        self.clock.advance(0)
        self.path.rename(self.folder / "old")
        self.record(log, "2")
        self.clock.advance(0)
        self.clock.advance(1)
        self.record(log, "3")
        self.clock.advance(0)
        self.assertEqual(self.serials(self.folder / "old"), ["1", "2"])
        self.assertEqual(self.serials(), ["3"])
        self.path.unlink()
        self.clock.advance(1)
        self.record(log, "4")
        self.clock.advance(0)
        self.assertEqual(self.serials(), ["4"])

    def test_a_file_that_cannot_be_made_anew_leaves_the_old_one_in_use(self) -> None:
        log = self.open()
        self.path.rename(self.folder / "old")
        self.path.mkdir()
        self.clock.advance(1)
        self.record(log, "1")
        with capturedLogs() as logged:
            self.clock.advance(0)
        self.assertEqual(self.serials(self.folder / "old"), ["1"])
        self.assertEqual((len(logged), self.counts.audit_failures), (1, 1))

    def test_a_full_disk_is_told_once_and_its_records_wait(self) -> None:
        named = self.folder / "named"
        named.symlink_to("/dev/full")
        log = self.open(named, most_waiting=3)
        with capturedLogs() as logged:
            for number in range(5):
                self.record(log, str(number))
                self.clock.advance(1)
            self.assertEqual(len(logged), 1)
            self.assertIn("No space left on device", str(formatEvent(logged[0])))
            self.assertGreaterEqual(self.counts.audit_failures, 5)
            self.assertEqual(self.counts.audit_records_lost, 2)
            named.unlink()
            named.symlink_to(self.path)
            self.clock.advance(1)
            self.record(log, "5")
            self.clock.advance(0)
        self.assertEqual(self.serials(), ["0", "1", "2", "lost 2", "5"])
        self.assertEqual(len(logged), 2)
        self.assertIn("is written again", str(formatEvent(logged[1])))

    def test_what_is_left_at_the_end_is_told(self) -> None:
        log = self.open(Path("/dev/full"))
        self.record(log, "1")
        with capturedLogs() as logged:
            log.close()
        self.assertIn("closed without its last 1 records", str(formatEvent(logged[-1])))
        self.assertEqual(self.counts.audit_records_lost, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.record(log, "2")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 250)), min_size=1, max_size=12))
    def test_a_disk_that_takes_a_part_tears_a_line_and_loses_no_record(self, turns: list[tuple[int, int]]) -> None:
        self.path.unlink(missing_ok=True)
        log = self.open(most_waiting=4)
        room = 0
        write = os.write

        def write_some(descriptor: int, data: bytes) -> int:
            nonlocal room
            if not room:
                raise OSError(28, "No space left on device")
            taken = write(descriptor, data if room < 0 else data[:room])
            room = max(room - taken, -1) if room > 0 else room
            return taken

        made = 0
        with self.patched_write(write_some):
            for count, room in [*turns, (0, -1), (1, -1)]:  # noqa: B007
                self.record(log, *(str(made + number) for number in range(count)))
                made += count
                self.clock.advance(1)
        log.close()
        whole: list[str] = []
        for line in self.path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            whole += [record["serial"]] if "serial" in record else ["lost"] * record["lost"]
        self.assertEqual(len(whole), made)
        written = [int(serial) for serial in whole if serial != "lost"]
        self.assertEqual(written, sorted(set(written)))
        self.assertEqual(whole[-1], str(made - 1))

    def patched_write(self, write: Any) -> Any:
        return mock.patch.object(os, "write", write)

    def test_a_line_that_a_crash_has_torn_does_not_spoil_the_next(self) -> None:
        self.path.write_bytes(b'{"time": "2001-09')
        self.record(self.open(), "1")
        self.clock.advance(0)
        self.assertEqual(self.path.read_text().splitlines()[0], '{"time": "2001-09')
        self.assertEqual(json.loads(self.path.read_text().splitlines()[1])["serial"], "1")


class ExchangeTests(SynchronousTestCase):
    """An exchange that is configured to keep one."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "audit.jsonl"

    def made(self, path: str) -> Exchange:
        return Exchange(parse({"audit": {"file": path}}), MemoryReactorClock())

    def stop(self, exchange: Exchange) -> None:
        stopped = exchange.stopService()
        exchange._reactor.advance(10)
        self.successResultOf(stopped)

    def test_it_tells_of_its_start_and_its_stop_each_time(self) -> None:
        exchange = self.made(str(self.path))
        for _ in range(2):
            exchange.startService()
            self.successResultOf(exchange.started())
            self.stop(exchange)
        told = [json.loads(line) for line in self.path.read_text().splitlines()]
        self.assertEqual([record["event"] for record in told], ["exchange_started", "exchange_stopping"] * 2)
        self.assertEqual({record["exchange"] for record in told}, {"1"})

    def test_a_file_that_cannot_be_opened_keeps_it_from_starting(self) -> None:
        missing = self.path.parent / "nowhere" / "audit.jsonl"
        exchange = self.made(str(missing))
        error = self.assertRaises(ConfigurationError, exchange.startService)
        self.assertEqual(
            str(error), f"audit.file: {missing} can't be opened to append to it: No such file or directory"
        )
        self.stop(exchange)

    def test_without_one_nothing_is_told_to_anybody(self) -> None:
        observer = Exchange(parse({}), MemoryReactorClock()).parts.observer
        self.assertFalse(observer.hears(Observer.request_answered))
        self.assertFalse(observer.hears(Observer.call_offered))


class DocumentationTests(SynchronousTestCase):
    """The page has every event and every key, and no other."""

    def test_events_and_keys_are_documented(self) -> None:
        events, keys = list_tables(section("docs/audit.rst", "Records"))
        self.assertEqual([row[0] for row in events], [f"``{event.value}``" for event in AuditEvent])
        self.assertEqual([row[0] for row in keys], [f"``{key}``" for key in About.__annotations__])
