"""Stored deadlines mean the same after a restart, whatever was done to the wall clock while the exchange ran."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.processing.stored_time import LABEL, StoredTime
from ctiex.records import CallState
from ctiex.stores.memory import MemoryCallStore
from ctiex.testing.fakes import WaitingStore
from tests.test_processing import Bench


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
        time.not_kept()
        self.assertEqual(time.news(), (LABEL, repr(time.ahead)))


class Calls(SynchronousTestCase):
    """A call that a service has, and a closed one, when the clock is set and the exchange is started anew."""

    def _restarted(self, step: float, store: Any = None) -> tuple[Bench, Bench, Machine]:
        machine = Machine()
        store = MemoryCallStore() if store is None else store
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
            again.exchange.desk.login("1001", again.outlet, 0)
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
        self.assertIsNone(store.label(LABEL))
        store.unavailable = False
        bench.connect()
        label = store.label(LABEL)
        assert label is not None
        self.assertLess(abs(float(label) - 600), 1)

    @staticmethod
    def _told(bench: Bench) -> list[tuple[str, int]]:
        return [(event.serial, int(event.condition)) for event in bench.outlet.events]

    @staticmethod
    def _states(bench: Bench) -> tuple[CallState | None, ...]:
        calls = [bench.store.get(serial) for serial in ("1", "2")]
        return tuple(None if call is None else call.state for call in calls)
