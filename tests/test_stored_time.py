"""Stored deadlines mean the same after a restart, whatever was done to the wall clock while the exchange ran."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Limits
from ctiex.messages import AgentLogin, Condition
from ctiex.processing.stored_time import LABEL, StoredTime
from ctiex.records import CallState, StoredEvent, StoreSnapshot
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import WaitingStore
from ctiex.testing.store_contract import make_call
from tests.processing_bench import Bench


class Machine:
    """A machine whose wall clock somebody sets; each process on it has a clock of its own that never steps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.set_by = 0.0

    def wall(self) -> float:
        return 1.8e9 + self.passed + self.set_by

    def process(self) -> Clock:
        clock = Clock()
        clock.advance(self.wall())
        return clock

    def advance(self, clock: Clock, seconds: float) -> None:
        self.passed += seconds
        clock.advance(seconds)


_STEPS = st.lists(
    st.tuples(st.floats(0, 1e5), st.one_of(st.just(0.0), st.floats(-1e6, 1e6)), st.booleans()), max_size=12
)


class OverRestarts(SynchronousTestCase):
    @given(_STEPS)
    @settings(deadline=None)
    def test_it_runs_on_as_time_really_passes(self, steps: list[tuple[float, float, bool]]) -> None:
        machine, told = Machine(), None
        clock = machine.process()
        time = StoredTime(clock, machine.wall)
        time.go_on(told)
        began = time.seconds()
        for passed, step, restarts in steps:
            machine.advance(clock, passed)
            machine.set_by += step
            told = (time.news() or (LABEL, told))[1]
            if restarts:
                clock = machine.process()
                time = StoredTime(clock, machine.wall)
                time.go_on(told)
            # Below a second it isn't noticed, which may add up over restarts.
            self.assertLessEqual(abs(time.seconds() - began - machine.passed), len(steps))
            self.assertLess(abs(time.of_process(time.seconds()) - clock.seconds()), 1e-5)

    def test_what_is_told_once_is_not_told_again_unless_it_may_be_lost(self) -> None:
        machine = Machine()
        time = StoredTime(machine.process(), machine.wall)
        time.go_on(None)
        self.assertIsNone(time.news())
        machine.set_by = 600
        self.assertEqual(time.news(), (LABEL, repr(time.ahead)))
        self.assertIsNone(time.news())
        time.not_committed()
        self.assertEqual(time.news(), (LABEL, repr(time.ahead)))


class Calls(SynchronousTestCase):
    """A call that a service has, and a closed one, when the clock is set and the exchange is started anew."""

    def _restarted(self, step: float, store: Any = None) -> tuple[Bench, Bench, Machine]:
        machine = Machine()
        store = CallStore() if store is None else store
        before = Bench(store, machine.process(), wall=machine.wall)
        before.accepted("1")
        before.accepted("2")
        before.report("2")
        machine.set_by = step
        machine.advance(before.clock, 10)
        before.processing.drain()
        before.processing.stop()
        return before, Bench(store, machine.process(), wall=machine.wall), machine

    def test_each_waits_for_as_long_as_it_was_to(self) -> None:
        for step in (-86_400.0, -600.0, 600.0, 86_400.0):
            before, again, _ = self._restarted(step)
            again.clock.advance(109)
            self.assertEqual(self._states(before), (CallState.CONNECTED, CallState.CLOSED), step)
            again.clock.advance(2)
            self.assertEqual(self._states(before), (CallState.CLOSED, CallState.CLOSED), step)
            again.clock.advance(600 - 10 - 111 - 1)
            self.assertEqual(self._states(before)[1], CallState.CLOSED, step)
            again.clock.advance(2)
            self.assertIsNone(self._states(before)[1], step)

    def test_time_outs_of_one_process_come_in_time_whatever_the_one_before_saw(self) -> None:
        for step in (-86_400.0, 86_400.0):
            _, again, _ = self._restarted(step)
            again.exchange.mailboxes.login(again.outlet, AgentLogin("1001"))
            for serial, at in (("3", 0), ("4", 1)):
                again.clock.advance(at)
                again.connect(serial)
                again.session.accept()
            again.clock.advance(118.5)
            self.assertNotIn(("3", 15), self._told(again), step)
            again.clock.advance(1)
            self.assertIn(("3", 15), self._told(again), step)

    def test_it_is_told_with_the_next_change_and_again_where_that_was_lost(self) -> None:
        machine, store = Machine(), WaitingStore()
        store.waits = False
        bench = Bench(store, machine.process(), wall=machine.wall)
        machine.set_by = 600
        store.unavailable = True
        bench.connect()
        self.assertIsNone(store.metadata(LABEL))
        store.unavailable = False
        bench.connect()
        metadata = store.metadata(LABEL)
        assert metadata is not None
        self.assertLess(abs(float(metadata) - 600), 1)

    @staticmethod
    def _told(bench: Bench) -> list[tuple[str, int]]:
        return [(event.serial, int(event.condition)) for event in bench.outlet.events]

    @staticmethod
    def _states(bench: Bench) -> tuple[CallState | None, ...]:
        calls = [bench.store.get(serial) for serial in ("1", "2")]
        return tuple(None if call is None else call.state for call in calls)


class Mailboxes(SynchronousTestCase):
    """Events that wait at a start: none is kept for longer than any may be, whatever clock it was made by."""

    ttl = 1_000.0

    def _started(self, *expire: float) -> Bench:
        """An exchange that starts at moment 50 with these events of agent 1001, by when they are to expire."""
        before = Bench()
        call = make_call("9")
        bodies = [before.exchange.mailboxes.compose(call, Condition.CONNECTING).body for _ in expire]
        events = [StoredEvent("1001", at + 1, body, expire[at], "9") for at, body in enumerate(bodies)]
        store = CallStore()
        store.load(StoreSnapshot((), {"1001": len(events)}, events))
        clock = Clock()
        clock.advance(50)
        return Bench(store, clock, limits=Limits(mailbox_ttl=self.ttl))

    def test_one_that_another_clock_would_keep_for_years_expires_in_the_time_that_any_has(self) -> None:
        for far in (self.ttl + 60, 1.8e9):
            bench = self._started(far)
            bench.clock.advance(self.ttl - 1)
            self.assertEqual(bench.store.pending("1001"), 1, far)
            bench.clock.advance(2)
            self.assertEqual((bench.store.pending("1001"), bench.exchange.counters.agent_events_expired), (0, 1), far)

    def test_it_keeps_nothing_back_that_came_before_it_or_comes_after(self) -> None:
        bench = self._started(200, 1.8e9)
        bench.clock.advance(151)
        self.assertEqual([event.sequence for event in bench.store.events("1001")], [2])
        bench.clock.advance(349)
        bench.connect("1")
        bench.clock.advance(self.ttl - 500 + 1)
        self.assertEqual(bench.store.events("1001")[0].sequence, 3)
        bench.clock.advance(500)
        self.assertNotEqual(bench.store.events("1001")[0].sequence, 3)

    def test_those_of_this_clock_expire_when_they_were_to(self) -> None:
        bench = self._started(200, 300)
        for moment, left in ((199, [1, 2]), (201, [2]), (299, [2]), (301, [])):
            bench.clock.advance(moment - bench.clock.seconds())
            self.assertEqual([event.sequence for event in bench.store.events("1001")], left, moment)
