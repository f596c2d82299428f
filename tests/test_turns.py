"""Turns of the reactor and of a second, shared out to parties whatever number of links they have."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.limits import Limits, SessionLimits
from ctiex.links.rate_limit import FRAME
from ctiex.links.turns import SHARE, Share, Turns
from ctiex.messages import CancelReply, CancelRequest, Ping, Pong
from ctiex.monitoring.counters import CounterListener, Counters
from ctiex.monitoring.observer import Observers
from ctiex.testing.fakes import FakeAgent
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, services

from .hashing_portals import LateCredentials

_AT_A_TIME = 64


def turn(clock: Clock) -> None:
    """One turn of a reactor: what comes due in it comes in the next one, which a clock makes no difference of."""
    for call in [one for one in clock.getDelayedCalls() if one.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


class Busy:
    """A link with frames that wait."""

    def __init__(self, share: Share, name: str, frames: int, handled: list[str]) -> None:
        self.share, self.name, self.frames, self._handled = share, name, frames, handled

    def go_on(self) -> None:
        count = min(self.frames, _AT_A_TIME, -(-self.share.left // FRAME))
        self.frames -= count
        self.share.left -= count * FRAME
        self._handled += [self.name] * count
        if self.frames:
            self.share.wait(self)


class TheTurns(SynchronousTestCase):
    """Parties take turns, and so do the links of each."""

    def setUp(self) -> None:
        self.clock, self.counts = Clock(), Counters()
        self.observer = Observers([CounterListener(self.counts)])
        self.handled: list[str] = []

    def _turn(self) -> list[str]:
        """Whose frames are handled in the next turn."""
        before = len(self.handled)
        turn(self.clock)
        return self.handled[before:]

    @given(st.lists(st.lists(st.integers(1, 2_000), min_size=1, max_size=6), min_size=1, max_size=6))
    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    def test_nobody_has_more_than_a_share_of_a_turn_and_everybody_comes_to_an_end(
        self, parties: list[list[int]]
    ) -> None:
        self.setUp()
        turns = Turns(self.clock, self.observer)
        links = []
        for number, frames in enumerate(parties):
            for count in frames:
                links.append(Busy(turns.enter(("identity", str(number))), str(number), count, self.handled))
        for link in links:
            link.share.wait(link)
        waited = dict.fromkeys(map(str, range(len(parties))), 0)
        while self.clock.getDelayedCalls():
            handled = self._turn()
            served = set(handled)
            self.assertLessEqual(len(served), 2)
            for name in served:
                self.assertLessEqual(handled.count(name) * FRAME, SHARE)
            for name in {link.name for link in links if link.frames}:
                waited[name] = 0 if name in served else waited[name] + 1
                self.assertLessEqual(waited[name], len(parties) // 2 + 1, "everybody's turn comes")
        self.assertEqual(len(self.handled), sum(map(sum, parties)))

    def test_the_links_of_a_party_have_their_turns_one_after_the_other(self) -> None:
        turns = Turns(self.clock)
        links = [Busy(turns.enter(("identity", "a")), str(number), 1_000, self.handled) for number in range(8)]
        for link in links:
            link.share.wait(link)
        self.assertEqual(self._turn(), ["0"] * 64 + ["1"] * 64)
        self.assertEqual(self._turn(), ["2"] * 64 + ["3"] * 64)
        links[2].frames = links[3].frames = 0
        for _ in range(2):
            self._turn()
        self.assertEqual(self._turn(), ["0"] * 64 + ["1"] * 64, "and then from the beginning")

    @given(st.integers(1, 2_000), st.integers(1, 5_000))
    @settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    def test_in_a_second_no_more_is_handled_than_its_rate_allows(self, rate: int, frames: int) -> None:
        self.setUp()
        turns = Turns(self.clock, self.observer, lambda: rate)
        link = Busy(turns.enter(("identity", "a")), "a", frames, self.handled)
        link.share.wait(link)
        for _ in range(1_000):
            if not link.frames:
                break
            self.clock.advance(0.1)
            allowed = rate * (self.clock.seconds() + 1) + SHARE // FRAME
            self.assertLessEqual(len(self.handled), allowed)
        self.assertGreaterEqual(len(self.handled), min(frames, 60 * rate), "and hardly less")

    def test_who_waits_for_its_rate_leaves_all_the_turns_to_others(self) -> None:
        turns = Turns(self.clock, self.observer, lambda: 100.0)
        slow = Busy(turns.enter(("identity", "slow")), "slow", 10_000, self.handled)
        slow.share.wait(slow)
        while self._turn():
            pass
        self.assertEqual(self.counts.rates_used_up, 1)
        other = Busy(turns.enter(("identity", "other")), "other", 50, self.handled)
        other.share.wait(other)
        self.assertEqual(self._turn(), ["other"] * 50)

    def test_a_party_that_comes_back_finds_what_is_left(self) -> None:
        turns = Turns(self.clock)
        share = turns.enter(("identity", "a"))
        share.left = 7
        turns.leave(("identity", "a"))
        self.assertIs(turns.enter(("identity", "a")), share)
        for number in range(5_000):
            turns.enter(("source", str(number)))
            turns.leave(("source", str(number)))
        self.assertEqual(len(turns._shares), 1)
        self.assertLess(len(turns._without_links), 2_000)

    def test_nothing_is_due_once_nobody_waits(self) -> None:
        turns = Turns(self.clock, self.observer, lambda: 1.0)
        link = Busy(turns.enter(("identity", "a")), "a", 100, self.handled)
        link.share.wait(link)
        self._turn()
        self._turn()
        link.share.leave(link)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_clock_that_is_put_back_stops_nobody(self) -> None:
        self.clock.advance(10_000)
        turns = Turns(self.clock, self.observer, lambda: 10.0)
        share = turns.enter(("identity", "a"))
        share.left = 0
        self.assertEqual(share.settle(10_000.0), 0.0)
        share.renew()
        share.left = 0
        self.assertLess(share.settle(0.0), 2.1)


class TheLinks(SynchronousTestCase):
    """What an exchange handles of the links of one identity, and of others meanwhile."""

    def _exchange(self, **options: Any) -> MemoryExchange:
        return MemoryExchange(identities=(agents("north"), agents("south"), services()), **options)

    def _crowd(self, exchange: MemoryExchange, count: int, asked: int) -> list[tuple[FakeAgent, LinkedPair]]:
        """Links of one identity, on each of which so many requests have come in, and are partly handled."""
        crowd = []
        for _ in range(count):
            agent = exchange.agent(identity="north")
            crowd.append((agent, exchange.pair_of(agent)))
        for agent, pair in crowd:
            for _ in range(asked):
                agent.send(CancelRequest("404"))
            pair.deliver(to_first=True)
        return crowd

    def _answered(self, crowd: list[tuple[FakeAgent, LinkedPair]]) -> int:
        for _, pair in crowd:
            pair.deliver(to_first=False)
        return sum(len(agent.every(CancelReply)) for agent, _ in crowd)

    def test_many_links_of_an_identity_have_one_share_of_a_turn(self) -> None:
        exchange = self._exchange()
        other = exchange.agent(identity="south")
        crowd = self._crowd(exchange, 40, 100)
        most = SHARE // FRAME + _AT_A_TIME  # what a link has begun goes on
        answered = self._answered(crowd)
        self.assertLessEqual(answered, most)
        for _ in range(5):
            turn(exchange.clock)
            before, answered = answered, self._answered(crowd)
            self.assertLessEqual(answered - before, most)
            self.assertGreater(answered, before)
        asked = other.cancel("404")
        exchange.pair_of(other).pump()
        self.assertEqual(other.answer(asked), CancelReply(20, "404", "unknown serial"))
        exchange.pump()
        self.assertEqual(self._answered(crowd), 4_000, "nothing was refused for it")
        self.assertGreater(exchange.counters.turns_used_up, 0)

    def test_links_without_a_bind_have_the_share_of_their_source(self) -> None:
        exchange = self._exchange()
        pairs = []
        for _ in range(20):
            peer, pair, _ = exchange.link_agent(FakeAgent())
            for _ in range(100):
                peer.send(Ping())
            pair.deliver(to_first=True)
            pairs.append((peer, pair))
        self.assertLessEqual(self._errors(pairs), SHARE // FRAME + _AT_A_TIME)
        exchange.pump()
        self.assertEqual(self._errors(pairs), 2_000)

    def _errors(self, pairs: list[tuple[FakeAgent, LinkedPair]]) -> int:
        for _, pair in pairs:
            pair.deliver(to_first=False)
        return sum(len(peer.received) for peer, _ in pairs)

    def test_a_bind_that_is_looked_at_costs_no_turns_meanwhile(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        peer, pair, _ = exchange.link_agent(FakeAgent())
        for _ in range(_AT_A_TIME - 1):
            peer.send(Ping())
        peer.bind("agents")
        asked = peer.send(Ping())
        pair.pump()
        for _ in range(3):
            turn(exchange.clock)
        due = [call.getTime() - exchange.clock.seconds() for call in exchange.clock.getDelayedCalls()]
        self.assertGreater(min(due), 1, "nothing is done again and again until the Bind is decided")
        late.waiting[0].callback(True)
        exchange.pump()
        self.assertEqual(peer.answer(asked), Pong())

    def test_a_link_that_waits_for_its_turn_is_not_taken_for_silent(self) -> None:
        limits = Limits(frames_per_second_per_identity=1)
        exchange = self._exchange(limits=limits, session_limits=SessionLimits(heartbeat=10))
        agent = exchange.agent(identity="north")
        for _ in range(60):
            agent.send(Ping())
        exchange.advance(70)
        self.assertIsNone(agent.lost)
        self.assertEqual(len(agent.every(Pong)), 60)
