"""The exchange's links and their clients over links in memory: the main flow, turns, time, backpressure."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import (
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    Bind,
    CancelReply,
    Condition,
    ConnectReply,
    DataResult,
    Ping,
    Role,
    ServiceEventReply,
    Unbind,
)
from ctiex.testing.fakes import FakeAgent, FakeService
from ctiex.testing.pairs import BUFFER, MemoryExchange, agents, make_service, pump_all, services
from ctiex.testing.strategies import splits

from .hashing_portals import hashing

_quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


class MainFlow(SynchronousTestCase):
    """FIG. 2 over two links, whoever speaks first and however the bytes are cut."""

    def test_the_result_comes_back_to_the_agent(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        asked = agent.connect("1001", "bill", "007", fields=Fields({"vip": 3}), reference="r-5")
        exchange.pump()
        self.assertEqual(agent.answer(asked), ConnectReply(0, "007"))
        [connection] = service.connections
        self.assertEqual(connection.calling_number, "13800138000**007")
        fetched = service.fetch("007", connection.exchange_address)
        reported = service.report("007", fields=Fields({"paid": True}))
        exchange.pump()
        self.assertEqual(service.answer(fetched), DataResult(0, "007", "1001", "r-5", Fields({"vip": 3})))
        self.assertEqual(service.answer(reported), ServiceEventReply(1, 0))
        self.assertEqual([event.condition for event in agent.events], [10, 11, 12, 1])
        self.assertEqual({event.reference for event in agent.events}, {"r-5"})
        self.assertEqual(agent.events[-1].fields, Fields({"paid": True}))

    @given(st.integers(1, 40), st.booleans(), st.booleans(), st.booleans())
    @_quick
    def test_neither_the_split_nor_who_speaks_first_matters(
        self, count: int, first_speaks: bool, services_first: bool, hashed: bool
    ) -> None:
        exchange = MemoryExchange(portal=hashing(agents(), services()) if hashed else None)
        agent, agent_pair, _ = exchange.link_agent(FakeAgent())
        service, service_pair, _ = exchange.link_service(FakeService())
        service.bind("services")
        agent.bind("agents")
        agent.login("1001")
        pairs = [service_pair, agent_pair] if services_first else [agent_pair, service_pair]
        while any([pair.pump(count, first_speaks) for pair in pairs]):
            pass
        agent.connect("1001", "bill", "007")
        while any([pair.pump(count, first_speaks) for pair in pairs]):
            pass
        service.fetch("007")
        service.report("007")
        while any([pair.pump(count, first_speaks) for pair in pairs]):
            pass
        self.assertEqual([event.condition for event in agent.events], [10, 11, 12, 1])

    @given(st.data())
    @_quick
    def test_everything_may_come_in_one_segment_or_in_any(self, data: st.DataObject) -> None:
        exchange = MemoryExchange()
        agent, _, link = exchange.link_agent(FakeAgent())
        stream = agent.frame(Bind(Role.AGENT, "agents", "secret"), 1) + agent.frame(AgentLogin("1001"), 2)
        stream += agent.frame(AgentLogout("1001"), 3) + agent.frame(Ping(), 4) + agent.frame(Unbind(), 5)
        for chunk in data.draw(splits(stream)):
            link.dataReceived(chunk)
        exchange.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received], [1, 2, 3, 4, 5])


class Turns(SynchronousTestCase):
    """Every link has its turn, however much came on another one."""

    def test_who_asks_behind_a_flood_waits_for_a_small_part_of_it(self) -> None:
        exchange = MemoryExchange()
        flooding, behind = exchange.agent("1001"), exchange.agent("1002")
        flood = exchange.pair_of(flooding)
        asked = [flooding.send(Ping()) for _ in range(5_000)]
        flood.deliver(to_first=True)
        self.assertFalse(flood.first_transport.reading, "no more is read while frames wait")
        other = behind.send(Ping())
        exchange.pair_of(behind).pump()
        self.assertIsNotNone(behind.answer(other))
        flood.deliver(to_first=False)
        self.assertLess(len([each for each in asked if flooding.answer(each)]), 500)
        exchange.pump()
        self.assertEqual([invoke_id for invoke_id, _ in flooding.received[-5_000:]], asked)
        self.assertTrue(flood.first_transport.reading)

    def test_a_link_that_is_lost_between_two_turns_leaves_nothing(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        pair = exchange.pair_of(agent)
        agent.write(agent.frame(Ping(), 1) * 1_000)
        pair.deliver(to_first=True)
        pair.disconnect(clean=False)
        self.assertEqual(exchange.clock.getDelayedCalls(), [])

    def test_a_flood_that_is_not_read_waits_until_it_is(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        pair = exchange.pair_of(agent)
        asked = [agent.send(Ping()) for _ in range(12_000)]
        for _ in range(300):
            pair.deliver(to_first=True)
            exchange.clock.advance(0)
        self.assertLess(len(pair.first_transport.under_way), BUFFER + 64 * 12, "answers that nobody reads")
        exchange.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received[-12_000:]], asked)


class Time(SynchronousTestCase):
    """The login deadline and the heartbeat, with a clock that stands still until told."""

    def test_no_bind_in_time_ends_the_link(self) -> None:
        exchange = MemoryExchange()
        _, pair, _ = exchange.link_agent(FakeAgent())
        exchange.advance(9.5)
        self.assertTrue(pair.open)
        exchange.advance(1)
        self.assertFalse(pair.open)

    def test_a_client_that_answers_pings_stays_for_ever(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        exchange.advance(1_000)
        self.assertIsNone(agent.lost)
        self.assertGreaterEqual(len(agent.every(Ping)), 30)

    def test_a_silent_client_is_pinged_twice_and_lost(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        agent.answers_pings = False
        exchange.advance(89)
        self.assertIsNone(agent.lost)
        exchange.advance(2)
        self.assertIsNotNone(agent.lost)
        self.assertEqual(len(agent.every(Ping)), 2)
        self.assertEqual(exchange.presence.logged_in, 0)

    def test_after_a_long_sleep_a_client_that_answers_is_kept(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        exchange.clock.advance(100_000)
        exchange.clock.advance(0)
        exchange.clock.advance(0)
        exchange.pump()
        self.assertIsNone(agent.lost)

    def test_a_link_that_does_not_close_is_cut(self) -> None:
        exchange = MemoryExchange()
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents", "wrong")
        pair.deliver(to_first=True)
        self.assertTrue(pair.first_transport.closing)
        exchange.clock.advance(5)
        self.assertTrue(pair.first_transport.aborted, "its last output wasn't read")
        pair.pump()
        self.assertEqual(exchange.clock.getDelayedCalls(), [])


class Backpressure(SynchronousTestCase):
    """A peer that doesn't read costs nobody anything but itself."""

    def _much_waits(self, **settings: object) -> tuple[MemoryExchange, FakeAgent, int]:
        """An agent that reads nothing, and more events for it than its link takes."""
        exchange = MemoryExchange(**settings)  # type: ignore[arg-type]
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "007")
        exchange.pump()
        events = 40
        for event_id in range(events):
            service.report("007", Condition.PROGRESS, event_id, Fields({"text": "x" * 10_000}))
            pump_all([exchange.pair_of(service)], exchange.clock)
        return exchange, agent, events

    def test_events_stay_in_the_mailbox_and_none_is_lost(self) -> None:
        exchange, agent, events = self._much_waits()
        under_way = exchange.pair_of(agent).first_transport.under_way
        self.assertLess(len(under_way), 2 * BUFFER)
        self.assertEqual(exchange.store.pending("1001"), events + 2)
        exchange.pump()
        self.assertEqual([event.sequence for event in agent.events], list(range(1, events + 3)))

    def test_reading_stops_while_the_answers_are_not_read(self) -> None:
        exchange, agent, _ = self._much_waits()
        pair = exchange.pair_of(agent)
        self.assertFalse(pair.first_transport.reading)
        cancelled = agent.cancel("007")
        self.assertEqual(pair.deliver(to_first=True), 0)
        exchange.pump()
        self.assertEqual(agent.answer(cancelled), CancelReply(0, "007"))

    def test_a_replay_is_bounded_however_often_it_is_asked_for(self) -> None:
        exchange, agent, events = self._much_waits()
        exchange.pump()
        pair = exchange.pair_of(agent)
        for _ in range(100):
            agent.login("1001", 0)
        pair.deliver(to_first=True)
        self.assertLess(len(pair.first_transport.under_way), 4 * BUFFER)
        exchange.pump()
        self.assertEqual(len(agent.every(AgentLoginReply)), 101)
        self.assertEqual([event.sequence for event in agent.events[-events:]], list(range(3, events + 3)))

    def test_small_requests_with_large_replies_are_answered_as_they_are_read(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "007", fields=Fields({"text": "x" * 60_000}))
        exchange.pump()
        pair = exchange.pair_of(service)
        asked = [service.fetch("007") for _ in range(200)]
        pair.deliver(to_first=True)
        self.assertLess(len(pair.first_transport.under_way), 4 * BUFFER)
        exchange.pump()
        answered = [invoke_id for invoke_id, message in service.received if isinstance(message, DataResult)]
        self.assertEqual(answered, asked)

    def test_a_service_that_reads_nothing_is_evicted_when_too_much_is_pushed(self) -> None:
        narrow = SessionLimits(max_unread=20_000, max_in_flight=10_000)
        exchange = MemoryExchange(session_limits=narrow, limits=Limits(mailbox=10_000, calls_per_agent=10_000))
        agent, service = exchange.agent("1001"), exchange.service()
        pair = exchange.pair_of(service)
        most = 0
        for number in range(2_000):
            agent.connect("1001", "bill", str(number + 1))
            pump_all([exchange.pair_of(agent)], exchange.clock)
            most = max(most, len(pair.first_transport.under_way))
            if pair.first_transport.aborted:
                break
        self.assertTrue(pair.first_transport.aborted)
        self.assertEqual(exchange.counters.links_evicted, 1)
        self.assertLess(most, BUFFER + 21_000)
        exchange.pump()
        self.assertIsNotNone(service.lost)
        self.assertEqual(exchange.sessions.for_service("bill"), [])
        exchange.advance(make_service("bill").timeouts.rebind_grace)
        told = [event for event in agent.events if event.condition is Condition.UNREACHABLE]
        self.assertEqual(len(told), number + 1, "and every agent hears that its call reached nobody")

    def test_an_eviction_loses_no_event(self) -> None:
        exchange, agent, events = self._much_waits()
        exchange.pair_of(agent).disconnect(clean=False)
        again = exchange.agent("1001")
        self.assertEqual([event.sequence for event in again.events], list(range(1, events + 3)))
