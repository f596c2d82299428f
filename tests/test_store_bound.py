"""What stands in a store's file is bound to the key: changed without it, no row decides anything any more."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import StoreUnavailable
from ctiex.records import CallState, Change, StoreSnapshot
from ctiex.stores.call_store import JournaledCallStore
from ctiex.stores.groups import Group
from ctiex.stores.sealing import Seal, bound
from ctiex.stores.sqlite import SqliteJournal
from ctiex.stores.sqlite_file import SqliteFile
from ctiex.testing.store_contract import make_call, make_event

KEY = b"k" * 32
FETCHED = make_call(
    "007", state=CallState.FETCHED, owner="one", data=b"data of 007", digest=b"digest of 007", deadline=1700000000.25,
    told=frozenset({10, 11}), reports={1: b"first report: 16", 2**64 - 1: b"last report is16"},
    reference="reference of 007", asked=b"asked for 007", begun=1_795_000_000_123, since=1_795_000_001_234,
    changed=True,
)  # fmt: skip
ASKED = make_call("8", agent="1002", data=b"data of 8", digest=b"digest of 8")
CLOSED = make_call("9", state=CallState.CLOSED, owner="two", calling_number="", data=b"", ended_as=16)
CALLS = (FETCHED, ASKED, CLOSED)
LABELS = {"agent codec": "binary", "ivr codec": "binary", "agent number 1001": "agents", "agent number 1002": "agents"}
WITHOUT_MEANING = {
    "mark": "tells a log from another's, and a file from its copy: who can write it can write a whole copy"
}
"""Tables of which no row is bound."""


def whole_group() -> Group:
    """Something in every table."""
    return Group(
        calls={call.serial: call for call in CALLS},
        contexts={call.serial: call for call in CALLS},
        last_sequences={"1001": 3, "1002": 1},
        events={("1001", n): make_event("1001", n) for n in (1, 2, 3)} | {("1002", 1): make_event("1002", 1)},
        dropped={"1001": 1},
        metadata=dict(LABELS),
    )


class BoundBench(SynchronousTestCase):
    """A stopped store, and somebody who can write to its file and has no key."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "calls.sqlite"

    def make(self) -> None:
        file = SqliteFile(self.path, Seal(KEY))
        file.write(whole_group())
        file.close()

    def read(self, key: bytes = KEY) -> StoreSnapshot:
        file = SqliteFile(self.path, Seal(key))
        try:
            return file.read()
        finally:
            file.close()

    def check(self) -> list[str]:
        file = SqliteFile(self.path, Seal(KEY), read_only=True)
        try:
            return file.check()
        finally:
            file.close()

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            for statement in statements:
                self.assertGreater(database.execute(statement).rowcount, 0, statement)

    def refused(self, record: str) -> None:
        """The store isn't opened, and the check names the record."""
        with self.assertRaisesRegex(StoreUnavailable, f"{record} was changed without the key") as caught:
            self.read()
        for secret in ("13800138000", "data of", "digest of", "reference of", "asked for", "report", "6666"):
            self.assertNotIn(secret, str(caught.exception))
        self.assertTrue(any(record in sentence for sentence in self.check()), self.check())


class ChangedRowTests(BoundBench):
    """A row that was changed, moved or put together of others."""

    def test_a_call_that_was_given_to_another_service_and_another_agent_is_refused(self) -> None:
        self.make()
        self.change("UPDATE calls SET owner = 'two', agent = '6666' WHERE serial = '007'")
        self.refused("call 007")

    def test_every_column_of_every_table_is_bound(self) -> None:
        self.make()
        whole = self.path.read_bytes()
        for table, column in list(self.columns()):
            for number in range(self.rows(table)):
                with self.subTest(table=table, column=column, number=number):
                    self.path.write_bytes(whole)
                    self.put_another_value(table, column, number)
                    with self.assertRaises(StoreUnavailable):
                        self.read()
                    self.assertNotEqual(self.check(), [])

    def columns(self) -> Iterator[tuple[str, str]]:
        with closing(sqlite3.connect(self.path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in set(tables) - set(WITHOUT_MEANING):
                found = database.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
                yield from ((table, column) for (column,) in found if (table, column) != ("store", "one"))

    def rows(self, table: str) -> int:
        with closing(sqlite3.connect(self.path)) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def put_another_value(self, table: str, column: str, number: int) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            values = [value for (value,) in database.execute(f"SELECT {column} FROM {table} LIMIT 1 OFFSET {number}")]
            row = database.execute(f"SELECT * FROM {table} LIMIT 1 OFFSET {number}")
            names = [one[0] for one in row.description]
            where = " AND ".join(f"{name} IS ?" for name in names)
            changed = database.execute(
                f"UPDATE {table} SET {column} = ? WHERE {where}", (_other(values[0]), *row.fetchone())
            )
            self.assertEqual(changed.rowcount, 1)

    def test_a_value_of_another_type_is_refused_like_any_other(self) -> None:
        self.make()
        whole = self.path.read_bytes()
        for value in ("NULL", "7", "x'00'", "'text'", "1.5"):
            for statement in (
                *(
                    f"UPDATE OR REPLACE calls SET {column} = {value} WHERE serial = '007'"
                    for column in ("deadline", "told", "reports", "begun", "since", "ended_as", "changed", "stamp")
                ),
                f"UPDATE contexts SET sealed = {value} WHERE serial = '007'",
                f"UPDATE events SET sealed = {value} WHERE agent = '1002'",
                f"UPDATE agents SET stamp = {value} WHERE agent = '1002'",
            ):
                with self.subTest(statement=statement):
                    self.path.write_bytes(whole)
                    try:
                        self.change(statement)
                    except sqlite3.IntegrityError:
                        continue  # the table itself takes no NULL
                    with self.assertRaisesRegex(StoreUnavailable, "changed without the key"):
                        self.read()

    def test_content_under_another_serial_is_refused(self) -> None:
        self.make()
        self.change(
            "UPDATE contexts SET serial = 'x' WHERE serial = '007'",
            "UPDATE contexts SET serial = '007' WHERE serial = '8'",
            "UPDATE contexts SET serial = '8' WHERE serial = 'x'",
        )
        self.refused("call 007")
        self.assertEqual(len(self.check()), 2)

    def test_content_that_the_same_serial_had_before_is_refused(self) -> None:
        self.make()
        before = self.value("SELECT hex(sealed) FROM contexts WHERE serial = '007'")
        file = SqliteFile(self.path, Seal(KEY))
        again = make_call("007", data=b"the next call's")
        file.write(Group(calls={"007": again}, contexts={"007": again}))
        file.close()
        self.assertEqual(self.read().calls[0].data, b"the next call's")
        self.change(f"UPDATE contexts SET sealed = x'{before}' WHERE serial = '007'")
        self.refused("call 007")

    def test_content_that_was_taken_out_or_left_alone_is_refused(self) -> None:
        self.make()
        self.change("DELETE FROM contexts WHERE serial = '007'")
        self.refused("call 007")
        self.path.unlink()
        self.make()
        self.change("DELETE FROM calls WHERE serial = '007'")
        self.refused("call 007")

    def test_the_stamps_of_two_calls_can_t_be_exchanged(self) -> None:
        self.make()
        other = self.value("SELECT hex(stamp) FROM calls WHERE serial = '8'")
        self.change(f"UPDATE calls SET stamp = x'{other}' WHERE serial = '9'")
        self.refused("call 9")

    def test_a_stamp_of_one_table_is_none_of_another(self) -> None:
        self.make()
        stamp = self.value("SELECT hex(stamp) FROM agents WHERE agent = '1001'")
        self.change(f"INSERT INTO facts VALUES ('1001', x'{stamp}')")
        self.refused("label 1001")

    def test_an_event_under_another_number_is_refused(self) -> None:
        self.make()
        self.change("UPDATE events SET agent = '1003' WHERE agent = '1002'")
        self.refused("event 1 of agent 1003")

    def test_events_that_were_taken_out_are_missed_up_to_the_last(self) -> None:
        self.make()
        self.change("DELETE FROM events WHERE agent = '1001' AND sequence = 3")
        self.assertIn("the last event is 2, the last sequence 3", " ".join(self.check()))
        self.change("UPDATE agents SET last_sequence = 2 WHERE agent = '1001'")
        self.refused("the numbering of agent 1001")

    def test_a_mailbox_without_its_numbering_is_missed(self) -> None:
        self.make()
        self.change("DELETE FROM agents WHERE agent = '1002'")
        self.assertIn("agent 1002: the last event is 1, the last sequence None", " ".join(self.check()))

    def test_what_stands_in_a_changed_row_reaches_no_terminal(self) -> None:
        self.make()
        self.change("UPDATE calls SET serial = char(27) || '[31m' || serial WHERE serial = '9'")
        changed, left_alone = self.check()
        self.assertTrue(changed.isprintable(), changed)
        self.assertIn(r"call '\x1b[31m9'", changed)
        self.assertIn("call 9 ", left_alone)

    def test_every_changed_record_is_named_by_the_check(self) -> None:
        self.make()
        self.change("UPDATE calls SET owner = 'six'", "UPDATE events SET expires = 1", "UPDATE facts SET sealed = 'x'")
        self.assertEqual(len([one for one in self.check() if "changed without the key" in one]), 3 + 3 + 4)

    def value(self, statement: str) -> str:
        with closing(sqlite3.connect(self.path)) as database:
            return str(database.execute(statement).fetchone()[0])


def _other(value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bytes):
        return value[:-1] + bytes((value[-1] ^ 1,)) if value else b"\1"
    if isinstance(value, str):
        return f"{value}0"
    assert isinstance(value, int | float)
    return value + 10


class OtherKeyTests(BoundBench):
    """A file that is sealed with another key."""

    def test_it_is_told_from_a_changed_record(self) -> None:
        self.make()
        with self.assertRaisesRegex(StoreUnavailable, "sealed with another key") as caught:
            self.read(b"K" * 32)
        self.assertNotIn("changed", str(caught.exception))

    def test_it_is_told_of_a_store_that_holds_nothing(self) -> None:
        SqliteFile(self.path, Seal(KEY)).close()
        with self.assertRaisesRegex(StoreUnavailable, "sealed with another key"):
            self.read(b"K" * 32)


class BoundPartsTests(SynchronousTestCase):
    """What is bound is never what other parts come to."""

    @given(st.lists(st.binary()), st.lists(st.binary()))
    def test_other_parts_are_other_bytes(self, ours: list[bytes], theirs: list[bytes]) -> None:
        if len(ours) == len(theirs):
            self.assertEqual(ours == theirs, bound(*ours) == bound(*theirs))


class SealedTests(BoundBench):
    """What can't be read without the key."""

    def test_neither_content_nor_labels_nor_events_stand_in_the_file_in_clear(self) -> None:
        key = "5ec2e7" * 8
        file = SqliteFile(self.path, Seal(KEY))
        group = whole_group()
        group.metadata["digest key"] = key
        file.write(group)
        log = Path(f"{self.path}-wal").read_bytes()
        file.close()
        self.assertEqual(self.read().metadata["digest key"], key)
        for written in (log, self.path.read_bytes()):
            self.assertIn(b"digest key", written, "the name of a label is no secret")
            for secret in (key, bytes.fromhex(key), "13800138000", "data of", "reference of", "asked for", "event 2"):
                self.assertNotIn(secret.encode() if isinstance(secret, str) else secret, written)

    def test_a_label_is_bound_to_its_name(self) -> None:
        self.make()
        self.change(
            "UPDATE facts SET name = 'x' WHERE name = 'agent codec'",
            "UPDATE facts SET name = 'agent codec' WHERE name = 'agent number 1001'",
        )
        self.refused("label 'agent codec'")


class UnreleasedVersionTests(BoundBench):
    """Files of the schema versions that no release has written."""

    def test_they_are_refused_as_what_they_are_and_stay_as_they_are(self) -> None:
        self.make()
        for version in (1, 2, 3):
            self.change_version(version)
            before = self.path.read_bytes()
            words = f"schema version {version}, which was never released: begin with a new store"
            self.assertRaisesRegex(StoreUnavailable, words, SqliteFile, self.path, Seal(KEY))
            self.assertRaisesRegex(StoreUnavailable, words, SqliteFile, self.path, Seal(KEY), read_only=True)
            self.assertEqual(self.path.read_bytes(), before)

    def change_version(self, version: int) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute(f"PRAGMA user_version = {version}")


class OpenedStoreTests(TestCase):
    """The exchange's store itself."""

    async def test_it_doesn_t_open_with_a_changed_call_and_says_what_to_do(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "calls.sqlite"
        store = JournaledCallStore(SqliteJournal(path, Path(f"{path}.key"), lock_wait=0))
        await store.open(reactor)
        await store.commit(Change(calls=(FETCHED,)))
        await store.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE calls SET owner = 'two', agent = '6666'")
        with self.assertRaisesRegex(StoreUnavailable, "call 007 was changed .*ctiex store check.*ctiex store restore"):
            await SqliteJournal(path, Path(f"{path}.key"), lock_wait=0).open(reactor)
