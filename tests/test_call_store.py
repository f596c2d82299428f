"""The call store with a journal: what it gives it and when, what it undoes, and in which order it tells."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import ISharedJournal
from ctiex.records import Call, Change, StoreSnapshot
from ctiex.stores.call_store import CallStore, JournaledCallStore
from ctiex.testing.store_contract import make_call, make_event

from .call_store_rules import CallStoreRules
from .list_journals import ListJournal, ListJournalOfGroups, PromptGroups

_ONE, _TWO, _THREE, _FOUR = (Change(events=(make_event("1001", number),)) for number in (1, 2, 3, 4))
_NOTHING = Change()


# ---------------------------------------------------------------- the rules of all call stores


class AtOnceRulesTests(CallStoreRules, TestCase):
    """With a journal that takes each change at once."""

    def make_store(self) -> CallStore:
        return JournaledCallStore(ListJournal())

    def break_store(self, store: Any) -> bool:
        store.journal.full = True
        return True

    def mend_store(self, store: Any) -> None:
        store.journal.full = False


class GroupsRulesTests(AtOnceRulesTests):
    """With a journal that takes groups."""

    reactor = reactor

    def make_store(self) -> CallStore:
        return JournaledCallStore(PromptGroups())


# ---------------------------------------------------------------- each change at once


class AtOnceTests(SynchronousTestCase):
    """A journal that takes each change at once."""

    def setUp(self) -> None:
        self.journal = ListJournal([_ONE])
        self.store = JournaledCallStore(self.journal)
        self.successResultOf(self.store.open(Clock()))

    def test_what_was_kept_before_is_there(self) -> None:
        self.assertEqual(self.store.last_sequence("1001"), 1)

    def test_a_change_is_kept_when_commit_returns(self) -> None:
        self.assertIsNone(self.store.commit(_TWO))
        self.assertEqual(self.journal.kept, [_ONE, _TWO])

    def test_a_change_that_breaks_the_numbering_never_reaches_the_journal(self) -> None:
        self.assertRaises(ValueError, self.store.commit, _THREE)
        self.assertEqual(self.journal.kept, [_ONE])

    def test_an_empty_change_never_reaches_the_journal(self) -> None:
        self.assertIsNone(self.store.commit(_NOTHING))
        self.assertEqual(self.journal.kept, [_ONE])

    def test_what_the_journal_fails_with_comes_out_and_the_change_is_undone(self) -> None:
        for error in (StoreUnavailable("full"), ZeroDivisionError()):
            self.patch(self.journal, "append", Mock(side_effect=error))
            self.assertRaises(type(error), self.store.commit, _TWO)
            self.assertEqual(self.store.last_sequence("1001"), 1)

    def test_a_snapshot_with_gaps_is_not_loaded_and_its_journal_is_closed(self) -> None:
        journal = ListJournal()
        events = (make_event("1001", 1), make_event("1001", 3))
        for last in ({"1001": 3}, {}):
            with self.subTest(last):
                journal.closed = 0
                self.patch(journal, "open", lambda reactor, last=last: StoreSnapshot((), last, events, {}))
                store = JournaledCallStore(journal)
                self.assertIn("1001", str(self.failureResultOf(store.open(Clock()), StoreUnavailable).value))
                self.assertEqual((journal.closed, list(store.agents())), (1, []))

    def test_nor_is_one_with_a_call_that_no_store_could_hold(self) -> None:
        journal = ListJournal()
        snapshot = StoreSnapshot((make_call("7"), make_call("8", digest=bytes(300))), {"1001": 0}, (), {})
        self.patch(journal, "open", lambda reactor: snapshot)
        store = JournaledCallStore(journal)
        self.assertIn("call 8 ", str(self.failureResultOf(store.open(Clock()), StoreUnavailable).value))
        self.assertEqual((journal.closed, store.stored(), list(store.agents())), (1, 0, []))

    def test_it_tells_what_a_change_replaces(self) -> None:
        self.store.commit(Change(calls=(make_call("7"),)))
        found: list[Any] = []
        self.patch(self.journal, "append", lambda changes, before: found.extend(map(before, ("7", "8", "9"))))
        self.store.commit(Change(calls=(make_call("7", owner="ivr"), make_call("8")), forgotten=("9",)))
        self.assertEqual(found, [make_call("7"), None, None])


# ---------------------------------------------------------------- groups


class GroupsTests(SynchronousTestCase):
    """A journal that takes groups."""

    def setUp(self) -> None:
        self.clock, self.journal = Clock(), ListJournalOfGroups()
        self.store = JournaledCallStore(self.journal)
        self.successResultOf(self.store.open(self.clock))
        self.told: list[str] = []

    def commit(self, name: str, change: Change) -> None:
        waiting = self.store.commit(change)
        assert waiting is not None
        waiting.addCallbacks(lambda _: self.told.append(name), lambda failure: self.lost(name, failure))

    def lost(self, name: str, failure: Any) -> None:
        failure.trap(StoreUnavailable)
        self.told.append(f"not {name}")

    def test_changes_of_a_turn_go_together_and_those_that_come_meanwhile_after_them(self) -> None:
        self.commit("one", _ONE)
        self.commit("two", _TWO)
        self.assertEqual(self.journal.groups, [])
        self.clock.advance(0)
        self.commit("three", _THREE)
        self.clock.advance(1)
        self.assertEqual(self.journal.groups, [(_ONE, _TWO)])
        self.journal.write()
        self.assertEqual((self.told, self.journal.groups), (["one", "two"], [(_ONE, _TWO), (_THREE,)]))
        self.journal.write()
        self.assertEqual(self.told, ["one", "two", "three"])

    def test_they_are_told_in_order_where_the_next_group_is_kept_at_once(self) -> None:
        self.commit("one", _ONE)
        self.clock.advance(0)
        self.commit("two", _TWO)
        append = self.journal.append

        def prompt(*arguments: Any) -> Deferred[None]:
            appended = append(*arguments)
            self.journal.write()
            return appended

        self.patch(self.journal, "append", prompt)
        self.journal.write()
        self.clock.advance(0)
        self.assertEqual(self.told, ["one", "two"])

    def test_groups_that_are_kept_at_once_may_follow_one_another_for_ever(self) -> None:
        def kept(_: object) -> None:
            self.told.append("")
            if len(self.told) < 2_000:
                self.store.commit(Change(metadata=(("count", str(len(self.told))),))).addCallback(kept)  # type: ignore[union-attr]

        self.patch(self.journal, "append", lambda *_: succeed(None))
        self.store.commit(_ONE).addCallback(kept)  # type: ignore[union-attr]
        self.clock.pump([0] * 10_000)
        self.assertEqual((len(self.told), self.store.metadata("count")), (2_000, "1999"))

    def test_a_group_that_fails_takes_along_what_came_meanwhile_and_nothing_else(self) -> None:
        self.commit("one", _ONE)
        self.clock.advance(0)
        self.journal.write()
        self.commit("two", _TWO)
        self.clock.advance(0)
        self.commit("three", _THREE)
        self.journal.full = True
        self.journal.write()
        self.assertEqual(self.told, ["one", "not two", "not three"])
        self.assertEqual(self.store.last_sequence("1001"), 1)
        self.journal.full = False
        self.commit("two again", _TWO)
        self.clock.advance(0)
        self.journal.write()
        self.assertEqual((self.told[-1], self.journal.kept), ("two again", [_ONE, _TWO]))

    def test_an_empty_change_waits_for_all_before_it(self) -> None:
        self.assertIsNone(self.store.commit(_NOTHING))
        self.commit("one", _ONE)
        self.commit("nothing", _NOTHING)
        self.clock.advance(0)
        self.commit("nothing more", _NOTHING)
        self.assertEqual(self.told, [])
        self.journal.write()
        self.journal.write()
        self.assertEqual(self.told, ["one", "nothing", "nothing more"])
        self.assertEqual(self.journal.groups, [(_ONE,), ()])
        self.assertIsNone(self.store.commit(_NOTHING))

    def test_an_empty_change_fails_with_those_before_it(self) -> None:
        self.commit("one", _ONE)
        self.clock.advance(0)
        self.commit("nothing", _NOTHING)
        self.journal.full = True
        self.journal.write()
        self.assertEqual(self.told, ["not one", "not nothing"])

    def test_it_tells_what_a_group_replaces(self) -> None:
        self.store.commit(Change(calls=(make_call("7"),)))
        self.clock.advance(0)
        self.journal.write()
        found: list[Any] = []
        self.patch(self.journal, "append", lambda changes, before: found.extend(map(before, ("7", "8"))))
        for change in (make_call("7", owner="a"), make_call("7", owner="b"), make_call("8"), make_call("8", owner="b")):
            self.store.commit(Change(calls=(change,)))
        self.clock.advance(0)
        self.assertEqual(found, [make_call("7"), None])

    def test_an_append_that_raises_is_one_that_fails(self) -> None:
        self.journal.groups = None  # type: ignore[assignment]
        waiting = self.store.commit(_ONE)
        assert waiting is not None
        self.clock.advance(0)
        self.failureResultOf(waiting, AttributeError)
        self.assertEqual(self.store.last_sequence("1001"), 0)


# ---------------------------------------------------------------- open and close


class OpenAndCloseTests(SynchronousTestCase):
    """A journal is used between the two, and closed once."""

    def setUp(self) -> None:
        self.clock, self.journal = Clock(), ListJournalOfGroups()
        self.store = JournaledCallStore(self.journal)

    def open(self) -> None:
        self.successResultOf(self.store.open(self.clock))

    def test_it_takes_nothing_before_it_is_open(self) -> None:
        opening: Deferred[Any] = Deferred()
        self.patch(self.journal, "open", lambda reactor: opening)
        waiting = self.store.open(self.clock)
        self.assertRaises(StoreUnavailable, self.store.commit, _ONE)
        opening.callback(ListJournal([_ONE]).open(None))
        self.successResultOf(waiting)
        self.assertIsNotNone(self.store.commit(_TWO))

    def test_one_that_can_t_be_opened_says_so_and_isn_t_closed(self) -> None:
        for failed in (lambda reactor: fail(StoreUnavailable("gone")), lambda reactor: open("/none/such")):
            self.patch(self.journal, "open", failed)
            self.failureResultOf(self.store.open(self.clock), StoreUnavailable, FileNotFoundError)
            self.successResultOf(self.store.close())
        self.assertEqual(self.journal.closed, 0)

    def test_what_waits_is_kept_before_it_closes(self) -> None:
        self.open()
        waiting = self.store.commit(_ONE)
        closing = self.store.close()
        self.assertRaises(StoreUnavailable, self.store.commit, _TWO)
        self.assertNoResult(closing)
        self.journal.write()
        self.successResultOf(closing)
        self.assertIsNotNone(waiting)
        self.assertEqual((self.journal.kept, self.journal.closed), ([_ONE], 1))
        self.assertEqual(list(self.store.agents()), [])

    def test_it_is_closed_once(self) -> None:
        self.open()
        waiting = self.store.commit(_ONE)
        assert waiting is not None
        waiting.addCallback(lambda _: self.store.close())
        self.clock.advance(0)
        self.journal.write()
        self.successResultOf(self.store.close())
        self.assertEqual(self.journal.closed, 1)
        self.assertRaises(StoreUnavailable, self.store.commit, _TWO)

    def test_a_journal_that_fails_to_close_says_so(self) -> None:
        self.open()
        self.patch(self.journal, "close", lambda: fail(OSError("no such disk")))
        self.failureResultOf(self.store.close(), OSError)


# ---------------------------------------------------------------- beyond the index


@implementer(ISharedJournal)
class _Shared(ListJournal):
    def fetch(self, serial: str) -> Deferred[Call | None] | None:
        return fail(StoreUnavailable("away")) if serial == "7" else None


class LookUpTests(SynchronousTestCase):
    """A call that isn't in the index."""

    def test_a_journal_that_others_write_too_is_asked(self) -> None:
        store = JournaledCallStore(_Shared())
        waiting = store.fetch("7")
        assert waiting is not None
        self.failureResultOf(waiting, StoreUnavailable)
        self.assertIsNone(store.fetch("8"))

    def test_no_other_is(self) -> None:
        for store in (JournaledCallStore(ListJournal()), CallStore()):
            self.assertIsNone(store.fetch("7"))
