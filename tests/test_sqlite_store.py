"""The SQLite journal: the contract, what outlives it, what bounds it, and what is undone."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from ctiex.app.store_codecs import codecs_to_keep
from ctiex.errors import ConfigurationError, StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import CallState, Change
from ctiex.stores import call_store
from ctiex.stores.call_store import CallStore
from ctiex.stores.sqlite import SqliteJournal
from ctiex.testing.store_contract import JournalContract, make_call, make_event

from .call_store_rules import CallStoreRules
from .sqlite_bench import SqliteBench


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


class OutlivesTests(SqliteBench):
    """What was kept is there after the store was closed and opened again."""

    async def test_calls_mailboxes_and_sequences_are_there_again(self) -> None:
        store = await self.open_store()
        calls = (
            make_call(
                "007", data=b"seven", digest=b"d", told=frozenset({10, 11}),
                reports={1: b"\1" * 16, 2**64 - 1: b"\2" * 16}, reference="R-7", asked=b"asked", begun=1, since=2,
                changed=True,
            ),
            make_call("7", state=CallState.CLOSED, calling_number="", digest=b"d", data=b"", ended_as=16),
        )  # fmt: skip
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
