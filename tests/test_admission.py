"""How many links there may be, without any I/O."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule
from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Limits
from ctiex.links.admission import Admission, AdmissionRefusal
from ctiex.links.descriptors import Descriptors
from ctiex.monitoring.counters import CounterListener, Counters
from ctiex.monitoring.log_limiter import LogLimiter
from ctiex.rates import Pace

SOURCES = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
IDENTITIES = st.sampled_from(["agents", "ivr"])
PER_IDENTITY, PER_SOURCE, UNBOUND_PER_SOURCE, UNBOUND = 4, 5, 3, 6
FAST = 1_000_000


class AdmissionMachine(RuleBasedStateMachine):
    """CallQuotas against a plain list of the links there are."""

    links: Bundle[list[str | None]] = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(
            Limits(
                links_per_identity=PER_IDENTITY,
                links_per_source=PER_SOURCE,
                unbound_links_per_source=UNBOUND_PER_SOURCE,
                unbound_links=UNBOUND,
                connections_per_second_per_source=FAST,
            )
        )
        self.open: list[list[str | None]] = []

    @rule(target=links, source=SOURCES)
    def opens(self, source: str) -> list[str | None] | MultipleResults[list[str | None]]:
        of_source = [link for link in self.open if link[0] == source]
        unbound = [link for link in self.open if link[1] is None]
        refusal = self.admission.admit(source, 0.0)
        if len(of_source) >= PER_SOURCE:
            assert refusal is AdmissionRefusal.links_over_source_limit
        elif sum(link[1] is None for link in of_source) >= UNBOUND_PER_SOURCE:
            assert refusal is AdmissionRefusal.unbound_links_over_source_limit
        elif len(unbound) >= UNBOUND:
            assert refusal is AdmissionRefusal.unbound_links_over_limit
        else:
            assert refusal is None
            self.open.append([source, None])
            return self.open[-1]
        return multiple()

    @rule(link=links, identity=IDENTITIES)
    def binds(self, link: list[str | None], identity: str) -> None:
        if link[1] is not None:
            return
        assert link[0] is not None
        room = sum(each[1] == identity for each in self.open) < PER_IDENTITY
        assert self.admission.bind(link[0], identity) is room
        if room:
            link[1] = identity

    @rule(link=consumes(links))
    def ends(self, link: list[str | None]) -> None:
        source, identity = link
        assert source is not None
        self.admission.leave(source, identity)
        self.open = [each for each in self.open if each is not link]

    @invariant()
    def every_link_is_counted_once(self) -> None:
        admission = self.admission
        for counter, keys in (
            (admission.per_source, Counter(link[0] for link in self.open)),
            (admission.per_identity, Counter(link[1] for link in self.open if link[1] is not None)),
            (admission.unbound_per_source, Counter(link[0] for link in self.open if link[1] is None)),
        ):
            assert {key: counter[str(key)] for key in keys} == dict(keys)
            assert len(counter) == len(keys), "nothing is kept of those that are gone"
        assert admission.unbound == sum(link[1] is None for link in self.open)
        assert admission.empty is (not self.open)


AdmissionMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
AdmissionMachineTests = AdmissionMachine.TestCase


class TheLimits(SynchronousTestCase):
    """They are read when something is held against them."""

    def test_a_limit_that_is_changed_holds_from_then_on(self) -> None:
        limits = Limits(links_per_source=1)
        admission = Admission(limits)
        self.assertIsNone(admission.admit("a", 0.0))
        self.assertIs(admission.admit("a", 0.0), AdmissionRefusal.links_over_source_limit)
        limits.links_per_source = 2
        self.assertIsNone(admission.admit("a", 0.0))

    def test_every_reason_to_turn_a_connection_away_has_its_counter(self) -> None:
        counts = Counters()
        for refusal in AdmissionRefusal:
            CounterListener(counts).connection_refused(None, refusal.value, refusal.name, "a")
            self.assertEqual(getattr(counts, refusal.name), 1)

    @given(st.integers(40, 100_000), st.integers(1, 100_000))
    def test_nobody_gets_more_than_half_of_the_descriptors_that_are_for_connections(
        self, most: int, configured: int
    ) -> None:
        descriptors = Descriptors(most)
        self.assertLess(descriptors.for_connections, most)
        self.assertEqual(descriptors.of_one(configured), min(configured, descriptors.for_connections // 2))
        admission = Admission(Limits(links_per_source=configured, unbound_links_per_source=10**6), Descriptors(40))
        admitted = sum(admission.admit("a", now) is None for now in range(40))
        self.assertEqual(admitted, min(configured, 15))


class PaceTests(SynchronousTestCase):
    """``connections_per_second_per_source``."""

    @given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 0.3)), max_size=80), st.integers(1, 10))
    @settings(deadline=None)
    def test_in_no_time_more_come_than_its_rate_and_what_two_seconds_may_bring(
        self, arrivals: list[tuple[str, float]], most: int
    ) -> None:
        pace, now = Pace(), 0.0
        taken: dict[str, list[float]] = {"a": [], "b": []}
        for source, gap in arrivals:
            now += gap
            if pace.take(source, most, now):
                taken[source].append(now)
        for moments in taken.values():
            for at, begin in enumerate(moments):
                for later, end in enumerate(moments[at:], 1):
                    self.assertLessEqual(later, most * (end - begin + 2) + 1e-6)

    def test_one_that_comes_too_fast_keeps_out_nobody_else_and_itself_for_a_moment(self) -> None:
        pace = Pace()
        self.assertEqual([pace.take("a", 2, 0.0) for _ in range(5)], [True] * 4 + [False])
        self.assertTrue(pace.take("b", 2, 0.0))
        self.assertEqual([pace.take("a", 2, now) for now in (0.4, 0.5, 0.6, 1.0)], [False, True, False, True])

    def test_nothing_is_kept_of_those_that_keep_to_it(self) -> None:
        pace = Pace()
        for number in range(1_000):
            pace.take(str(number), 10, number * 0.01)
        self.assertLess(len(pace._used_until), 220)
        pace.take("last", 10, 100.0)
        self.assertEqual(len(pace._used_until), 1)

    def test_a_clock_that_is_put_back_keeps_nobody_out(self) -> None:
        pace = Pace()
        self.assertEqual(
            [pace.take("a", 1, now) for now in (1_000, 1_000, 1_000, 10, 10)], [True, True, False, True, True]
        )


class SeldomTests(SynchronousTestCase):
    """What is logged once in a while."""

    def test_each_kind_is_due_once_in_its_time(self) -> None:
        log_limiter = LogLimiter(60)
        self.assertEqual(
            [log_limiter.allows("a", now) for now in (0, 1, 59, 60, 61)], [True, False, False, True, False]
        )
        self.assertTrue(log_limiter.allows("b", 61))

    def test_a_clock_that_is_set_back_silences_nothing(self) -> None:
        log_limiter = LogLimiter(60)
        log_limiter.allows("a", 1_000)
        self.assertTrue(log_limiter.allows("a", 10))
