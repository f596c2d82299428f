"""What is known of a call behind a restart, by what stands in the file: all that it was to tell, and to recognize."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import IJournal, decoded
from ctiex.messages import (
    KIND_OF,
    CallEnded,
    CallQuery,
    CallQueryReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataChanged,
    DataResult,
    OpenCall,
    UpdateReply,
    UpdateRequest,
)
from ctiex.records import Call, Change, StoreSnapshot
from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.groups import Group
from ctiex.stores.sealing import Seal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.fakes import FakeServiceSession
from ctiex.testing.pairs import agents

from . import processing_bench
from .processing_bench import Bench

_AGENTS = agents()
_FIELDS, _OTHERS = Fields({"account": "42"}), Fields({"account": "43"})


@implementer(IJournal)
class FileJournal:
    """A store's file, written at once."""

    in_groups = False

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, Seal(b"k" * 32))

    def open(self, reactor: Any) -> StoreSnapshot:
        return self._file.read()

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> None:
        self._file.write(Group.of(changes, before))

    def close(self) -> None:
        self._file.close()


class DurableCallsTests(SynchronousTestCase):
    """An exchange, and the next one on the same file."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path, self.clock, self.started = Path(folder.name) / "calls.sqlite", Clock(), 0
        self.clock.advance(1_795_000_000)
        self.patch(processing_bench, "FakeServiceSession", partial(FakeServiceSession, answers_notices=False))
        self.bench = self.start()

    def start(self) -> Bench:
        self.started += 1
        store = JournaledCallStore(FileJournal(self.path))
        self.successResultOf(store.open(self.clock))
        self.addCleanup(store.close)
        return Bench(store, self.clock, random=Random(self.started))

    def restart(self) -> None:
        """The next process, in another second."""
        self.bench.processing.stop()
        self.successResultOf(self.bench.store.close())
        self.clock.advance(1)
        self.bench = self.start()

    def ask(self, fields: Fields = _FIELDS, reference: str = "customer 7") -> int:
        """The status of a ConnectRequest."""
        replies: list[ConnectReply] = []
        request = ConnectRequest("007", "1001", "bill", "138", reference, fields)
        self.bench.processing.connect(_AGENTS, self.bench.outlet, request, replies.append)
        return replies[0].status

    def asked_and_accepted(self) -> None:
        self.assertEqual(self.ask(), Status.OK)
        self.bench.session.accept()

    def reported(self, event_id: int, condition: int = 0, fields: Fields = _FIELDS) -> int:
        (reply,) = self.bench.report("007", condition, event_id, fields=fields)
        return reply.status

    def data(self) -> DataResult:
        body = self.bench.data("007")
        assert isinstance(body, bytes)
        result = decoded(BinaryCodec(), KIND_OF[DataResult], body)
        assert isinstance(result, DataResult)
        return result

    def open_calls(self) -> Sequence[OpenCall]:
        replies: list[CallQueryReply] = []
        self.bench.processing.query(_AGENTS, CallQuery("1001"), replies.append)
        return replies[0].calls

    def update(self, fields: Fields) -> None:
        replies: list[UpdateReply] = []
        self.bench.processing.update(_AGENTS, UpdateRequest("007", fields), replies.append)
        self.assertEqual([reply.status for reply in replies], [Status.OK])

    def test_a_repeated_request_is_told_from_another_use_of_its_serial(self) -> None:
        self.asked_and_accepted()
        self.restart()
        self.assertEqual((self.ask(), self.ask(_OTHERS), self.ask(reference="customer 8")), (0, 22, 22))
        self.assertEqual(self.bench.cancel()[0].status, Status.OK)
        self.restart()
        self.assertEqual((self.ask(), self.ask(_OTHERS)), (24, 22))

    def test_a_repeated_report_is_told_from_another_one_under_its_number(self) -> None:
        self.asked_and_accepted()
        self.assertEqual((self.reported(2**64 - 1), self.reported(0, fields=_OTHERS)), (0, 0))
        self.restart()
        self.assertEqual((self.reported(2**64 - 1), self.reported(0, fields=_OTHERS)), (43, 43))
        self.assertEqual((self.reported(0), self.reported(2**64 - 1, condition=1)), (25, 25))
        self.assertEqual(self.reported(5, condition=1), 0)
        self.restart()
        self.assertEqual((self.reported(5, condition=1), self.reported(5, 1, _OTHERS), self.reported(6)), (43, 25, 24))

    def test_an_end_is_told_until_it_was_answered(self) -> None:
        self.asked_and_accepted()
        self.assertEqual(self.bench.cancel()[0].status, Status.OK)
        for _ in range(2):
            self.restart()
            self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.CANCELLED)])
        self.bench.session.hear()
        self.restart()
        self.assertEqual(self.bench.session.ended, [])

    def test_a_change_is_told_until_it_was_answered_and_its_data_stays(self) -> None:
        self.asked_and_accepted()
        self.assertEqual(self.data().fields, _FIELDS)
        self.update(_OTHERS)
        self.restart()
        self.assertEqual(self.bench.session.changed, [DataChanged("007")])
        self.assertEqual(self.data().fields, _OTHERS)
        self.assertEqual((self.ask(), self.ask(_OTHERS)), (0, 22), "a repeat is one of what was asked for at first")
        self.bench.session.hear()
        self.restart()
        self.assertEqual(self.bench.session.changed, [])

    def test_the_reference_and_the_times_of_a_call_stay(self) -> None:
        self.asked_and_accepted()
        self.clock.advance(5)
        self.data()
        before = self.open_calls()
        self.restart()
        self.assertEqual(self.open_calls(), before)
        (known,) = before
        self.assertEqual((known.reference, known.since), ("customer 7", 1_795_000_005_000))
        self.assertEqual((self.data().reference, self.data().agent), ("customer 7", "1001"))
        self.assertEqual(self.reported(1, condition=1), 0)
        told = self.bench.outlet.events[-1]
        self.assertEqual((told.condition, told.reference, told.time), (1, "customer 7", 1_795_000_006_000))
