"""Many deadlines on one timer, against a dictionary of moments."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.processing.timer_wheel import TimerWheel

from .effort import examples

_KEYS = st.sampled_from("abcd")
_MOMENTS = st.integers(-8, 80).map(lambda eighths: eighths / 8) | st.floats(-1, 10)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), _KEYS, _MOMENTS),
        st.tuples(st.just("clear"), _KEYS, st.just(0.0)),
        st.tuples(st.just("advance"), st.just(""), st.floats(0, 3)),
    ),
    max_size=30,
)
_TICK = 0.125


class ManyDeadlines(SynchronousTestCase):
    """ctiex.processing.timer_wheel.TimerWheel."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.due: list[str] = []
        self.deadlines = TimerWheel(self.clock, self.due.append)

    @given(_STEPS)
    @settings(deadline=None, max_examples=examples(300))
    def test_each_key_comes_due_once_never_early_and_hardly_late(self, steps: list[tuple[str, str, float]]) -> None:
        clock = Clock()
        due: list[tuple[str, float]] = []
        deadlines = TimerWheel(clock, lambda key: due.append((key, clock.seconds())))
        expected: dict[str, float] = {}
        for step, key, value in [*steps, ("advance", "", 15.0)]:
            if step == "set":
                deadlines.set(key, value)
                expected[key] = max(value, clock.seconds())
            elif step == "clear":
                deadlines.clear(key)
                expected.pop(key, None)
            else:
                clock.pump([_TICK / 2] * int(value / (_TICK / 2)))
            for found, at in due:
                self.assertLessEqual(expected[found], at, "never early")
                self.assertLessEqual(at, expected.pop(found) + 2 * _TICK, "and not late")
            due.clear()
            self.assertEqual(len(deadlines), len(expected))
            self.assertTrue(all(moment + 2 * _TICK >= clock.seconds() for moment in expected.values()), "none is lost")
        self.assertEqual(expected, {})
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_keys_of_one_moment_come_in_the_order_in_which_they_were_set(self) -> None:
        for key in "cab":
            self.deadlines.set(key, 1.0)
        self.deadlines.set("c", 1.0)
        self.clock.advance(1)
        self.assertEqual(self.due, ["c", "a", "b"], "setting one to the same tick again changes nothing")

    def test_one_timer_serves_them_all(self) -> None:
        for number in range(1_000):
            self.deadlines.set(str(number), 1_000.0 - number / 8)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    @given(st.floats(7_000, 90_000), st.floats(0, 100))
    @settings(deadline=None)
    def test_far_ones_are_up_to_8_seconds_late_and_never_early(self, wait: float, begun: float) -> None:
        clock = Clock()
        clock.advance(begun)
        due: list[float] = []
        deadlines = TimerWheel(clock, lambda key: due.append(clock.seconds()))
        deadlines.set("a", begun + wait)
        clock.advance(wait - 0.01)
        self.assertEqual(due, [])
        clock.pump([_TICK] * 67)
        self.assertEqual(len(due), 1)

    def test_a_day_of_keys_that_come_and_go_leaves_little_behind(self) -> None:
        for eighth in range(24 * 3_600 * 8):
            if not eighth % 5:  # every one would take a while
                self.deadlines.set("a", 86_400 + eighth / 8)
                self.deadlines.clear("a")
        self.assertLess(len(self.deadlines._ticks), 11_000)

    def test_keys_that_move_on_leave_little_behind(self) -> None:
        for step in range(100_000):
            self.deadlines.set("a", 1.0 + step % 800 / 8)
        self.assertLess(sum(len(bucket) for bucket in self.deadlines._buckets.values()), 2_000)

    def test_no_timer_is_left_once_nobody_has_a_deadline(self) -> None:
        for key, moment in (("a", 5.0), ("b", 3_600.0), ("b", 20_000.0), ("a", 1.0), ("c", 2.0)):
            self.deadlines.set(key, moment)
        self.deadlines.clear("b")
        self.clock.pump([0.5] * 5)
        self.assertEqual(self.due, ["a", "c"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadlines.set("d", 7_200.0)
        self.deadlines.clear("d")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadlines.set("e", 4.0)
        self.clock.pump([0.5] * 5)
        self.assertEqual(self.due, ["a", "c", "e"])

    def test_stopping_leaves_no_timer(self) -> None:
        self.deadlines.set("a", 1.0)
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(2)
        self.assertEqual(self.due, [])

    def test_a_key_may_clear_another_of_the_same_moment(self) -> None:
        deadlines = TimerWheel(self.clock, lambda key: (self.due.append(key), deadlines.clear("b")))  # type: ignore[func-returns-value]
        deadlines.set("a", 1.0)
        deadlines.set("b", 1.0)
        self.clock.advance(1)
        self.assertEqual(self.due, ["a"])

    def test_work_that_fails_keeps_none_from_theirs(self) -> None:
        def due(key: str) -> None:
            self.due.append(key)
            if key == "a":
                raise ValueError("a failed")

        deadlines = TimerWheel(self.clock, due)
        for key in "ab":
            deadlines.set(key, 1.0)
        self.clock.advance(1)
        self.assertEqual(self.due, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_key_that_sets_itself_into_the_past_does_not_hold_the_reactor(self) -> None:
        def due(key: str) -> None:
            self.due.append(key)
            if len(self.due) < 50:
                deadlines.set(key, 0.5)

        deadlines = TimerWheel(self.clock, due)
        deadlines.set("a", 1.0)
        self.clock.advance(1)
        self.assertEqual(self.due, ["a"])
        self.clock.advance(_TICK)
        self.assertEqual(self.due, ["a", "a"])

    def test_a_clock_that_jumps_brings_everything_at_once_and_in_order(self) -> None:
        for key, moment in (("late", 9.0), ("early", 3.0)):
            self.deadlines.set(key, moment)
        self.clock.advance(1_000)
        self.assertEqual(self.due, ["early", "late"])

    def test_many_that_come_due_together_wait_for_what_they_bring(self) -> None:
        waiting: list[Callable[[], None]] = []
        deadlines = TimerWheel(self.clock, self.due.append, waiting.append)
        for number in range(700):
            deadlines.set(str(number), 1.0)
        self.clock.advance(1)
        self.assertEqual(len(self.due), 500)
        deadlines.set("one more", 1.5)
        self.clock.advance(60)
        self.assertEqual((len(self.due), len(waiting)), (500, 1))
        waiting.pop()()
        self.clock.advance(_TICK)
        self.assertEqual((len(self.due), len(waiting), len(deadlines)), (701, 0, 0))
