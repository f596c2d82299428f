"""How many links there may be, without any I/O."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule
from twisted.trial.unittest import SynchronousTestCase

from ctiex.links.admission import Admission, Crowded, LinkCounter, Seldom

SOURCES = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
IDENTITIES = st.sampled_from(["agents", "ivr"])
PER_IDENTITY, PER_SOURCE, UNBOUND_PER_SOURCE, UNBOUND = 4, 5, 3, 6


class AdmissionMachine(RuleBasedStateMachine):
    """Held against a plain list of the links there are."""

    links: Bundle[list[str | None]] = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission.of(PER_IDENTITY, PER_SOURCE, UNBOUND_PER_SOURCE, UNBOUND)
        self.open: list[list[str | None]] = []

    @rule(target=links, source=SOURCES)
    def opens(self, source: str) -> list[str | None] | MultipleResults[list[str | None]]:
        of_source = [link for link in self.open if link[0] == source]
        unbound = [link for link in self.open if link[1] is None]
        crowded = self.admission.admit(source)
        if len(of_source) >= PER_SOURCE:
            assert crowded is Crowded.SOURCE
        elif sum(link[1] is None for link in of_source) >= UNBOUND_PER_SOURCE:
            assert crowded is Crowded.UNBOUND_SOURCE
        elif len(unbound) >= UNBOUND:
            assert crowded is Crowded.UNBOUND
        else:
            assert crowded is None
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
            assert {key: counter.held(str(key)) for key in keys} == dict(keys)
            assert len(counter) == len(keys), "nothing is kept of those that are gone"
        assert admission.unbound.held("") == sum(link[1] is None for link in self.open)
        assert admission.empty is (not self.open)


AdmissionMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
AdmissionMachineTests = AdmissionMachine.TestCase


class CounterTests(SynchronousTestCase):
    """One counter."""

    def test_a_key_is_full_at_its_limit_and_others_are_not(self) -> None:
        counter = LinkCounter(2)
        self.assertEqual([counter.take("a") for _ in range(3)], [True, True, False])
        self.assertTrue(counter.take("b"))
        counter.give_back("a")
        self.assertTrue(counter.take("a"))


class SeldomTests(SynchronousTestCase):
    """What is logged once in a while."""

    def test_each_kind_is_due_once_in_its_time(self) -> None:
        seldom = Seldom(60)
        self.assertEqual([seldom.due("a", now) for now in (0, 1, 59, 60, 61)], [True, False, False, True, False])
        self.assertTrue(seldom.due("b", 61))

    def test_a_clock_that_is_set_back_silences_nothing(self) -> None:
        seldom = Seldom(60)
        seldom.due("a", 1_000)
        self.assertTrue(seldom.due("a", 10))
