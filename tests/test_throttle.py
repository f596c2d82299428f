"""The delay and the lock-out after failed logins, without any I/O."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Limits
from ctiex.login.throttle import LoginThrottle


def throttle_of(failures: int, lock_out: float = 300, longest_delay: float = 5) -> LoginThrottle:
    """One with these limits."""
    return LoginThrottle(Limits(login_failures=failures, lock_out=lock_out, login_delay=longest_delay))


SOURCES = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::/64", "local"])


class DelayTests(SynchronousTestCase):
    """How long a refusal waits."""

    def test_the_first_two_refusals_are_prompt_and_then_the_delay_doubles_up_to_its_limit(self) -> None:
        throttle = throttle_of(20)
        delays = [throttle.failed("192.0.2.1", b"%d" % number, 0) for number in range(10)]
        self.assertEqual(delays, [0, 0, 0.25, 0.5, 1, 2, 4, 5, 5, 5])

    @given(st.floats(0.01, 60), st.integers(1, 5_000))
    @settings(deadline=None)
    def test_no_delay_passes_the_limit_nor_is_less_than_the_one_before(self, longest: float, count: int) -> None:
        throttle = throttle_of(10, 300, longest)
        delays = [throttle.failed("x", b"%d" % number, 0) for number in range(min(count, 60))]
        self.assertEqual(delays, sorted(delays))
        self.assertLessEqual(delays[-1], longest)

    def test_a_source_waits_for_its_own_failures_alone(self) -> None:
        throttle = LoginThrottle()
        for number in range(9):
            throttle.failed("192.0.2.1", b"%d" % number, 0)
        self.assertEqual(throttle.failed("192.0.2.2", b"", 0), 0)


class RepeatedTests(SynchronousTestCase):
    """The same guess again."""

    def test_it_counts_once_neither_more_delay_nor_a_longer_memory_comes_of_it(self) -> None:
        throttle = throttle_of(4)
        *_, last = (throttle.failed("x", b"%d" % number, 0) for number in range(3))
        delays = [throttle.failed("x", b"1", moment) for moment in range(1, 300)]
        self.assertEqual(set(delays), {last})
        self.assertEqual((throttle.failures("x", 299), throttle.failures("x", 300)), (3, 0))
        self.assertFalse(throttle.was_refused("x", b"1", 300), "it is looked at again")

    def test_it_is_known_of_its_own_source_alone(self) -> None:
        throttle = LoginThrottle()
        throttle.failed("x", b"guess", 0)
        self.assertTrue(throttle.was_refused("x", b"guess", 1))
        self.assertFalse(throttle.was_refused("x", b"other", 1))
        self.assertFalse(throttle.was_refused("y", b"guess", 1))

    def test_what_is_remembered_is_bounded_and_no_secret(self) -> None:
        throttle = throttle_of(1_000_000)
        for number in range(5_000):
            throttle.failed("x", b"a guess %d" % number, 0)
        remembered = [number for number in range(5_000) if throttle.was_refused("x", b"a guess %d" % number, 0)]
        self.assertEqual(remembered, list(range(5_000 - 32, 5_000)))
        (known,) = throttle._sources.values()
        self.assertEqual({len(guess) for guess in known.guesses}, {16})
        self.assertNotIn("guess 4999", repr(throttle))


class LockOutTests(SynchronousTestCase):
    """When a source is locked out, and when no more."""

    @given(st.integers(1, 30), st.floats(1, 1_000))
    @settings(deadline=None)
    def test_it_begins_with_the_last_failure_that_is_allowed_and_ends_in_time(self, most: int, lock_out: float) -> None:
        throttle = throttle_of(most, lock_out)
        for number in range(most):
            self.assertEqual(throttle.locked_for("x", 100), 0)
            throttle.failed("x", b"%d" % number, 100)
        self.assertAlmostEqual(throttle.locked_for("x", 100), lock_out)
        self.assertGreater(throttle.locked_for("x", 100 + lock_out * 0.99), 0)
        self.assertEqual(throttle.locked_for("x", 100 + lock_out * 1.01), 0)
        self.assertEqual(throttle.failures("x", 100 + lock_out * 1.01), 0)

    def test_failures_are_forgotten_after_so_long_without_a_new_one(self) -> None:
        throttle = throttle_of(3)
        throttle.failed("x", b"one", 0)
        throttle.failed("x", b"other", 299)
        self.assertEqual(throttle.failures("x", 301), 2)
        self.assertEqual(throttle.failures("x", 599), 0)

    def test_a_limit_that_is_changed_holds_from_then_on(self) -> None:
        limits = Limits(login_failures=3, lock_out=300, login_delay=5)
        throttle = LoginThrottle(limits)
        for number in range(3):
            throttle.failed("x", b"%d" % number, 0)
        self.assertEqual(throttle.locked_for("x", 0), 300)
        limits.lock_out = 100
        self.assertEqual((throttle.locked_for("x", 0), throttle.failures("x", 100)), (100, 0))
        limits.login_failures = 4
        self.assertEqual(throttle.locked_for("x", 0), 0)
        limits.login_delay = 0.125
        self.assertEqual(throttle.failed("x", b"0", 0), 0.125, "for what it has guessed before")

    def test_a_clock_that_is_set_back_prolongs_nothing(self) -> None:
        throttle = throttle_of(1)
        throttle.failed("x", b"", 10_000)
        self.assertEqual(throttle.locked_for("x", 1_000), 300)
        self.assertEqual(throttle.locked_for("x", 1_300), 0)

    def test_the_table_is_bounded_and_the_oldest_goes_first(self) -> None:
        throttle = LoginThrottle(Limits(login_failures=1), most_sources=3)
        for moment, source in enumerate("abcad"):
            throttle.failed(source, b"%d" % moment, moment)
        self.assertEqual([throttle.failures(source, 5) for source in "abcd"], [2, 0, 1, 1])
        self.assertEqual(len(throttle._sources), 3)

    def test_old_failures_take_no_room(self) -> None:
        throttle = throttle_of(1)
        for number in range(100):
            throttle.failed(str(number), b"", 0)
        throttle.failed("new", b"", 300)
        self.assertEqual(len(throttle._sources), 1)


class ThrottleMachine(RuleBasedStateMachine):
    """CallQuotas against a model that keeps every failure for ever."""

    @initialize(most=st.integers(1, 5), lock_out=st.integers(1, 50))
    def begin(self, most: int, lock_out: int) -> None:
        self.throttle = throttle_of(most, lock_out)
        self.most, self.lock_out = most, lock_out
        self.now = 0
        self.failures: dict[str, dict[bytes, int]] = {}

    @rule(source=SOURCES, guess=st.binary(max_size=1))
    def fail(self, source: str, guess: bytes) -> None:
        if not self.remembered(source):
            self.failures[source] = {}
        repeated = guess in self.failures[source]
        assert self.throttle.was_refused(source, guess, self.now) == repeated
        self.throttle.failed(source, guess, self.now)
        self.failures[source].setdefault(guess, self.now)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    def remembered(self, source: str) -> list[int]:
        failures = list(self.failures.get(source, {}).values())
        return failures if failures and self.now - failures[-1] < self.lock_out else []

    @invariant()
    def it_remembers_what_the_model_does(self) -> None:
        for source in getattr(self, "failures", {}):
            known = self.remembered(source)
            locked = len(known) >= self.most
            assert self.throttle.failures(source, self.now) == len(known)
            expected = known[-1] + self.lock_out - self.now if locked else 0
            assert self.throttle.locked_for(source, self.now) == expected


ThrottleMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
ThrottleMachineTests = ThrottleMachine.TestCase
