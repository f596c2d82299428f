"""Waiting goes by a clock that never steps, whatever is done to the wall clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.steady_time import make_steady, may_step, steady_seconds

from .processes import finished, surroundings

_STEPS = st.floats(-1e6, 1e6)

_CHILD = """
import time
real, step = time.time, [0.0]
time.time = lambda: real() + step[0]  # before Twisted takes it
from twisted.internet import reactor
from ctiex.steady_time import make_steady
if {steady}:
    make_steady(reactor)

def give_up():
    print("never")
    reactor.stop()

# Two waits are under way when the clock is set, and a descriptor wakes the reactor now and then.
began = time.monotonic()
reactor.callLater(1.0, lambda: (print(time.monotonic() - began), reactor.stop()))
reactor.callLater(0.1, lambda: step.__setitem__(0, {step}))
def watch():
    while time.monotonic() < began + {patience}:
        time.sleep(0.05)
        reactor.wakeUp()
    reactor.callFromThread(give_up)
reactor.callInThread(watch)
reactor.addSystemEventTrigger("before", "shutdown", lambda: globals().update(began=-1e9))  # ends the thread
reactor.run()
"""


class SteadySeconds(SynchronousTestCase):
    @given(st.lists(st.tuples(st.floats(0, 1e5), _STEPS), max_size=10))
    def test_they_run_as_the_monotonic_clock_does(self, times: list[tuple[float, float]]) -> None:
        now = {"wall": 1.8e9, "monotonic": 77.0}
        seconds = steady_seconds(lambda: now["wall"], lambda: now["monotonic"])
        self.assertEqual(seconds(), 1.8e9, "the wall clock's, to begin with")
        for passed, step in times:
            before = seconds()
            now["monotonic"] += passed
            now["wall"] += passed + step
            self.assertAlmostEqual(seconds() - before, passed, places=3)

    def test_a_reactor_that_was_made_steady_does_not_step(self) -> None:
        from twisted.internet import reactor
        from twisted.python.runtime import seconds

        self.assertTrue(may_step(SimpleNamespace(seconds=seconds)))
        steady = SimpleNamespace(seconds=seconds)
        make_steady(steady)
        self.assertFalse(may_step(steady))
        self.assertLess(abs(steady.seconds() - reactor.seconds()), 60)  # type: ignore[attr-defined]


class RealReactors(TestCase):
    """A process whose wall clock is set by 600 seconds, a tenth of a second before it waits."""

    def _waited(self, step: float, steady: bool, patience: float) -> Iterator[object]:
        script = _CHILD.format(step=step, steady=steady, patience=patience)
        done = yield deferToThread(finished, [sys.executable, "-c", script], text=True, env=surroundings())
        self.assertEqual((done.stderr, done.returncode), ("", 0))  # type: ignore[attr-defined]
        return done.stdout.split()  # type: ignore[attr-defined, no-any-return]

    @inlineCallbacks
    def test_a_wait_is_as_long_as_it_was_to_be_though_the_clock_is_set(self) -> Iterator[object]:
        for step in (-600.0, 600.0):
            [waited] = yield from self._waited(step, True, 60.0)
            self.assertGreater(float(waited), 0.99)

    @inlineCallbacks
    def test_without_it_a_clock_that_is_set_back_stops_all_waiting(self) -> Iterator[object]:
        [waited] = yield from self._waited(-600.0, False, 3.0)
        self.assertEqual(waited, "never", "otherwise the tests above show nothing")
