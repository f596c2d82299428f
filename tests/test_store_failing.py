"""Commits that fail, several in a row and in between: what holds is what was kept, and what still waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from attrs import define
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import Call, Change, StoreSnapshot
from ctiex.stores.call_store import CallStore, JournaledCallStore
from ctiex.stores.groups import Group
from ctiex.testing.fakes import WaitingStore
from ctiex.testing.simulation.store import Disk

from .call_store_rules import CallStoreRules
from .test_stores import Model, change_of, steps

quick = settings(deadline=None)
Plan = list[tuple[str, str, int]]
_EVENT: Plan = [("event", "1001", 1)]


@implementer(IJournal)
class JournalByHand:
    """A journal on a disk that takes a group, or doesn't, when the test says so."""

    in_groups = True

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._work: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def open(self, reactor: Any) -> StoreSnapshot:
        return self._disk.read()

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._work.append((lambda: self._disk.write(Group.of(changes, before)), done))
        return done

    def close(self) -> None:
        """What is written stays."""

    def write(self, well: bool) -> None:
        """The disk takes the group that is on its way, or not."""
        if self._work:
            work, done = self._work.pop(0)
            self._disk.failing = not well
            try:
                done.callback(work())
            except StoreUnavailable:
                done.errback(Failure())


@define(eq=False)
class Commit:
    """A change that the store was given."""

    change: Change
    outcome: str = "waits"


def model_of(changes: list[Change]) -> Model:
    """What these changes come to, one after the other."""
    model = Model()
    for change in changes:
        assert model.commit(change)
    return model


def _step() -> st.SearchStrategy[tuple[str, Plan]]:
    nothing: Plan = []
    turns = st.sampled_from(["turn", "turn", "well", "well", "fails"])
    return st.one_of(st.tuples(st.just("commit"), steps), st.tuples(turns, st.just(nothing)))


class FailingGroupsTests(SynchronousTestCase):
    """The groups that go to a journal, beside a list of changes."""

    def setUp(self) -> None:
        self.disk, self.clock = Disk(), Clock()
        self.journal, self.store = self.opened()
        self.commits: list[Commit] = []
        self.again: Plan | None = None

    def opened(self) -> tuple[JournalByHand, JournaledCallStore]:
        journal = JournalByHand(self.disk)
        store = JournaledCallStore(journal)
        self.successResultOf(store.open(self.clock))
        return journal, store

    @given(st.lists(_step(), max_size=25), st.none() | steps)
    @example(
        [("commit", [("event", "1001", 1)]), ("turn", []), ("commit", [("event", "1001", 1)]), ("fails", [])] * 3, None
    )
    @quick
    def test_what_is_seen_is_what_was_kept_and_what_waits(
        self, script: list[tuple[str, Plan]], again: Plan | None
    ) -> None:
        self.setUp()
        self.again = again
        for what, plan in script:
            self.take(what, plan)
            self.check()
        for _ in range(2 * len(script) + 4):
            self.take("turn", [])
            self.take("well", [])
        self.check()
        self.assertNotIn("waits", {one.outcome for one in self.commits})

    def take(self, what: str, plan: Plan) -> None:
        if what == "commit":
            self.commit(plan)
        elif what == "turn":
            self.clock.advance(0)
        else:
            self.journal.write(well=what == "well")

    def commit(self, plan: Plan) -> None:
        change = change_of(self.model("kept", "waits"), plan)
        one = Commit(change)
        try:
            waiting = self.store.commit(change)
        except ValueError:  # a number that is no agent's next: nothing of it is there
            return
        self.commits.append(one)
        if waiting is None:
            one.outcome = "kept"
        else:
            waiting.addCallbacks(lambda _: self.kept(one), lambda failure: self.lost(one, failure))

    def kept(self, one: Commit) -> None:
        one.outcome = "kept"

    def lost(self, one: Commit, failure: Failure) -> None:
        """Whoever hears of it may commit at once: nothing that was lost is seen any more."""
        failure.trap(StoreUnavailable)
        waits = [other for other in self.commits if other.outcome == "waits"]
        self.assertIs(one, waits[0], "in their order")
        one.outcome = "lost"
        if self.again is not None and not any(other.outcome == "waits" for other in self.commits):
            plan, self.again = self.again, None
            self.check()
            self.commit(plan)

    def model(self, *outcomes: str) -> Model:
        return model_of([one.change for one in self.commits if one.outcome in outcomes])

    def check(self) -> None:
        self.assert_same(self.store, self.model("kept", "waits"))
        _, again = self.opened()
        self.assert_same(again, self.model("kept"))

    def assert_same(self, store: CallStore, model: Model) -> None:
        self.assertEqual({call.serial: call for call in store.calls()}, model.calls)
        for agent in ("1001", "1002"):
            self.assertEqual(store.last_sequence(agent), len(model.events.get(agent, [])))
            self.assertEqual(list(store.events(agent)), model.waiting(agent))
        self.assertEqual(set(store.agents()), set(model.events))


class FailingFakeTests(SynchronousTestCase):
    """The store of the tests, whose commits fail where a test says so."""

    @given(st.lists(st.tuples(st.sampled_from(["commit", "fire", "fail"]), st.integers(0, 3), steps), max_size=20))
    @quick
    def test_it_undoes_as_the_durable_one_does(self, script: list[tuple[str, int, Plan]]) -> None:
        store, kept = WaitingStore(), 0
        changes: list[Change] = []
        for what, number, plan in script:
            if what == "commit":
                change = change_of(model_of(changes), plan)
                try:
                    waiting = store.commit(change)
                except ValueError:
                    continue
                changes.append(change)
                if waiting is None:  # an empty one, behind which nothing waits
                    kept += 1
                else:
                    waiting.addErrback(lambda failure: failure.trap(StoreUnavailable) and None)
            elif what == "fire":
                kept = min(len(changes), kept + number)
                store.fire(number)
            else:
                store.fail(number)
                del changes[kept + number :]
            model = model_of(changes)
            self.assertEqual({call.serial: call for call in store.calls()}, model.calls)
            for agent in ("1001", "1002"):
                self.assertEqual(list(store.events(agent)), model.waiting(agent))


class RefusingStore(WaitingStore):
    """One that never waits, and refuses at once while it is unavailable."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = False


class RefusingStoreTests(CallStoreRules, TestCase):
    """The rules of all call stores, with one that raises."""

    def make_store(self) -> CallStore:
        return RefusingStore()

    def break_store(self, store: CallStore) -> bool:
        cast(RefusingStore, store).unavailable = True
        return True

    def mend_store(self, store: CallStore) -> None:
        cast(RefusingStore, store).unavailable = False
