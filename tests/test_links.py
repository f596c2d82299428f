"""The exchange's links and their clients over links in memory: disconnects, backpressure, take-over, leaving."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.login.checkers import ConfiguredChecker
from ctiex.login.credentials import KnownIdentity, checker_context, configured_portal, make_portal
from ctiex.login.secret_hashes import hash_secret
from ctiex.messages import (
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    Bind,
    BindReply,
    CallEnded,
    CancelReply,
    Condition,
    ConnectReply,
    DataRequest,
    DataResult,
    Error,
    Message,
    Ping,
    Role,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.records import StoredEvent
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakePeer, FakeService, WaitingStore
from ctiex.testing.pairs import BUFFER, MemoryExchange, agents, pump_all, services
from ctiex.testing.strategies import splits

from .effort import examples

_quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
_SECRET_HASH = hash_secret("secret", lambda size: b"s" * size)


def _status(peer: FakePeer, invoke_id: int) -> int:
    """The status of the reply to a request."""
    answer = peer.answer(invoke_id)
    assert answer is not None, "there is no answer yet"
    return int(getattr(answer, "status"))  # noqa: B009


class MainFlow(SynchronousTestCase):
    """FIG. 2 over two links, whoever speaks first and however the bytes are cut."""

    def test_the_result_comes_back_to_the_agent(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        asked = agent.connect("1001", "bill", "007", fields=Fields({"vip": 3}))
        exchange.pump()
        self.assertEqual(agent.answer(asked), ConnectReply(0, "007"))
        [connection] = service.connections
        self.assertEqual(connection.calling_number, "13800138000**007")
        fetched = service.fetch("007", connection.exchange_address)
        reported = service.report("007", fields=Fields({"paid": True}))
        exchange.pump()
        self.assertEqual(service.answer(fetched), DataResult(0, "007", "1001", Fields({"vip": 3})))
        self.assertEqual(service.answer(reported), ServiceEventReply(1, 0))
        self.assertEqual([event.condition for event in agent.events], [10, 11, 12, 1])
        self.assertEqual(agent.events[-1].fields, Fields({"paid": True}))

    @given(st.integers(1, 40), st.booleans(), st.booleans(), st.booleans())
    @_quick
    def test_neither_the_split_nor_who_speaks_first_matters(
        self, count: int, first_speaks: bool, services_first: bool, hashed: bool
    ) -> None:
        exchange = MemoryExchange(portal=_hashing(agents(), services()) if hashed else None)
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


def _hashing(*identities: object) -> Portal:
    """A portal that hashes: every check goes through a Deferred."""
    known = [KnownIdentity(identity, _SECRET_HASH) for identity in identities]  # type: ignore[arg-type]

    def in_thread(work: object) -> Deferred[bool]:
        done: Deferred[bool] = Deferred()
        done.callback(True)
        return done

    return configured_portal(known, in_thread)


class _LateCredentials:
    """A portal whose hashings wait for the test."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[bool]] = []
        known = [KnownIdentity(agents(), _SECRET_HASH)]
        context = checker_context(known)
        self.checker = ConfiguredChecker(context.secrets, context.identities, self._in_thread)
        self.portal = make_portal(known, self.checker)

    def _in_thread(self, work: object) -> Deferred[bool]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


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


class Disconnects(SynchronousTestCase):
    """A link may end at any point, and leaves nothing behind."""

    @given(st.integers(0, 900), st.booleans(), st.sampled_from(["agent", "service", "both"]))
    @settings(deadline=None, max_examples=examples(150))
    def test_a_cut_at_any_byte_of_the_main_flow_leaves_nothing(self, at: int, clean: bool, who: str) -> None:
        exchange = MemoryExchange()
        agent, agent_pair, _ = exchange.link_agent(FakeAgent())
        service, service_pair, _ = exchange.link_service(FakeService())
        pairs = {"agent": agent_pair, "service": service_pair}
        left = at

        def flow() -> None:
            nonlocal left
            while left > 0 and any(
                [pair.deliver(to_first=way, count=min(7, left)) for pair in pairs.values() for way in (True, False)]
            ):
                left -= 7

        service.bind("services")
        agent.bind("agents")
        agent.login("1001")
        flow()
        agent.connect("1001", "bill", "007")
        flow()
        service.fetch("007")
        service.report("007")
        flow()
        for name, pair in pairs.items():
            if who in (name, "both"):
                pair.disconnect(clean)
        exchange.pump()
        self._all_gone(exchange)

    def _all_gone(self, exchange: MemoryExchange) -> None:
        for pair in exchange.pairs:
            pair.disconnect()
        self.assertEqual(exchange.presence.logged_in, 0)
        self.assertEqual(exchange.sessions.for_service("bill"), [])
        self.assertEqual((exchange.agent_links.links, exchange.ivr_links.links), ({}, {}))
        exchange.clock.pump([1, 30, 120, 600, 3_000, 601, 86_400, 1])
        self.assertEqual(list(exchange.store.calls()), [])
        self.assertEqual(exchange.store.pending("1001"), 0)
        self.assertEqual(exchange.processing.calls_open, 0)
        self.assertEqual(exchange.clock.getDelayedCalls(), [], "no timer is left")

    def test_links_that_were_never_used_leave_no_timer(self) -> None:
        exchange = MemoryExchange()
        for pair in (exchange.link_agent(FakeAgent())[1], exchange.link_service(FakeService())[1]):
            pair.disconnect()
        self.assertEqual(exchange.clock.getDelayedCalls(), [])

    @given(st.sampled_from(["bound", "unbound", "refused"]), st.booleans())
    @settings(deadline=None)
    def test_a_link_that_is_gone_is_freed_at_once(self, how: str, clean: bool) -> None:
        exchange = MemoryExchange()
        agent, pair, link = exchange.link_agent(FakeAgent())
        if how != "unbound":
            agent.bind("agents", "secret" if how == "bound" else "wrong")
        exchange.pump()
        pair.disconnect(clean)
        kept = weakref.ref(link), weakref.ref(link.session)
        gc.disable()  # what the collector would free isn't free yet
        try:
            exchange.pairs.clear()
            del agent, pair, link
            self.assertEqual([each() for each in kept], [None, None])
        finally:
            gc.enable()

    def test_replies_that_come_after_the_link_are_dropped(self) -> None:
        store = WaitingStore()
        exchange = MemoryExchange(store=store)
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "007")
        exchange.pump()
        exchange.pair_of(agent).disconnect()
        store.fire()
        store.fail()
        self.flushLoggedErrors(StoreUnavailable)
        self.assertEqual(exchange.presence.logged_in, 0)

    def test_calls_of_a_session_that_dies_go_to_another(self) -> None:
        exchange = MemoryExchange()
        agent, first = exchange.agent("1001"), exchange.service()
        first.accepts = None
        agent.connect("1001", "bill", "1")
        agent.connect("1001", "bill", "2")
        exchange.pump()
        second = exchange.service()
        exchange.pair_of(first).disconnect(clean=False)
        exchange.pump()
        self.assertEqual(len(second.connections), 2)
        self.assertEqual([event.condition for event in agent.events], [10, 10, 11, 11])

    def test_a_session_that_leaves_is_offered_nothing_more(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        service.unbind()
        exchange.pair_of(service).deliver(to_first=True)
        agent.connect("1001", "bill", "1")
        exchange.pump()
        self.assertEqual(service.connections, [])
        self.assertEqual([(event.condition, event.status) for event in agent.events], [(10, 0), (14, 31)])

    def test_a_link_that_is_lost_while_its_secret_is_checked_gives_the_check_up(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        peers = [exchange.link_agent(FakeAgent()) for _ in range(3)]
        for number, (peer, pair, _) in enumerate(peers):
            peer.bind("agents", f"wrong {number}")
            pair.pump()
        for _, pair, _ in peers:
            pair.disconnect()
        while late.waiting:
            late.waiting.pop().callback(False)
        self.assertEqual(len(late.checker.queue._hashings), 0)
        self.assertEqual(exchange.counts.links_bound, 0)
        self.assertEqual(exchange.clock.getDelayedCalls(), [])

    def test_checks_that_nobody_waits_for_are_not_begun(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        for number in range(20):
            peer, pair, _ = exchange.link_agent(FakeAgent())
            peer.bind("agents", f"wrong {number}")
            pair.pump()
            pair.disconnect()
        self.assertLessEqual(len(late.checker.queue._hashings), 1)


class _BrokenStore(CallStore):
    """A store with a fault of its own."""

    def events(self, agent: str, after: int = 0) -> Sequence[StoredEvent]:
        raise ZeroDivisionError("a fault of the store's")


class LateChecks(SynchronousTestCase):
    """A secret that takes its time to be checked."""

    def test_nothing_behind_the_bind_is_handled_before_its_reply(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        pair.pump()
        agent.login("1001")
        agent.send(Ping())
        pair.pump()
        self.assertEqual(agent.received, [])
        self.assertFalse(pair.first_transport.reading, "and nothing more is read")
        late.waiting[0].callback(True)
        pair.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received], [1, 2, 3])
        self.assertEqual(exchange.presence.logged_in, 1)

    def test_however_much_came_behind_the_bind_all_of_it_is_answered(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        pings = [agent.send(Ping()) for _ in range(12_000)]
        pair.pump()
        late.waiting[0].callback(True)
        exchange.pump()
        self.assertEqual([invoke_id for invoke_id, _ in agent.received[1:]], pings)

    def test_a_failure_behind_a_late_check_gives_up_that_link_alone(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal, store=_BrokenStore())
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        agent.login("1001")
        agent.connect("1001", "bill", "1")
        pair.pump()
        late.waiting[0].callback(True)
        pair.pump()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(pair.open)

    def test_a_wrong_secret_is_11_and_the_end(self) -> None:
        late = _LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        bound = agent.bind("agents", "wrong")
        agent.login("1001")
        pair.pump()
        late.waiting[0].callback(False)
        pair.pump()
        self.assertEqual(_status(agent, bound), 11)
        self.assertEqual(len(agent.received), 1)
        self.assertFalse(pair.open)

    def test_the_other_role_the_other_link_and_nobody_are_11(self) -> None:
        for identity, role, ivr in (
            ("agents", Role.SERVICE, False),
            ("services", Role.SERVICE, False),
            ("services", Role.AGENT, False),
            ("nobody", Role.AGENT, False),
            ("agents", Role.AGENT, True),
        ):
            exchange = MemoryExchange()
            peer = FakeAgent()
            pair = (exchange.link_service(peer) if ivr else exchange.link_agent(peer))[1]
            bound = peer.bind(identity, role=role)
            pair.pump()
            self.assertEqual(_status(peer, bound), 11)
            self.assertFalse(pair.open)


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
        self.assertEqual(exchange.counts.links_evicted, 1)
        self.assertLess(most, BUFFER + 21_000)
        exchange.pump()
        self.assertIsNotNone(service.lost)
        self.assertEqual(exchange.sessions.for_service("bill"), [])
        told = [event for event in agent.events if event.condition is Condition.UNREACHABLE]
        self.assertEqual(len(told), number + 1, "and every agent hears that its call reached nobody")

    def test_an_eviction_loses_no_event(self) -> None:
        exchange, agent, events = self._much_waits()
        exchange.pair_of(agent).disconnect(clean=False)
        again = exchange.agent("1001")
        self.assertEqual([event.sequence for event in again.events], list(range(1, events + 3)))


class SeveralLinks(SynchronousTestCase):
    """Agent numbers move between links."""

    def test_a_login_elsewhere_takes_the_number_over(self) -> None:
        exchange = MemoryExchange()
        old, new = exchange.agent("1001", "1002"), exchange.agent()
        new.login("1001")
        exchange.pump()
        self.assertEqual(old.received[-1], (0, Error(13, "1001")))
        asked, other = old.connect("1001", "bill", "1"), old.connect("1002", "bill", "2")
        exchange.pump()
        self.assertEqual((_status(old, asked), _status(old, other)), (42, 0))
        self.assertIsNone(old.lost)
        exchange.pair_of(old).disconnect()
        self.assertEqual(exchange.presence.logged_in, 1, "the end of the old link logs nobody out on the new one")

    def test_a_second_login_on_the_same_link_replays_and_is_no_take_over(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "1")
        exchange.pump()
        before = agent.events
        login = agent.login("1001", 1)
        exchange.pump()
        self.assertEqual(agent.answer(login), AgentLoginReply(0, 1, 2))
        self.assertEqual(agent.events, before + before[1:])
        self.assertEqual(agent.every(Error), [])

    def test_a_login_from_beyond_is_21_and_replays_everything(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "1")
        exchange.pump()
        again = exchange.agent()
        login = again.login("1001", 99)
        exchange.pump()
        reply = cast(AgentLoginReply, again.answer(login))
        self.assertEqual((reply.status, reply.first_sequence, reply.last_sequence), (21, 1, 2))
        self.assertEqual([event.sequence for event in again.events], [1, 2])

    def test_acknowledged_events_do_not_come_again(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "1")
        exchange.pump()
        agent.acknowledge("1001", 1)
        agent.acknowledge("1001", 77)
        login = agent.login("1001")
        exchange.pump()
        self.assertEqual(agent.answer(login), AgentLoginReply(0, 2, 2))
        self.assertEqual([event.sequence for event in agent.events], [1, 2, 2])

    def test_numbers_that_are_not_the_identitys_are_5_and_logouts_of_others_42(self) -> None:
        exchange = MemoryExchange(identities=[agents("agents", "1001"), services()])
        agent = exchange.agent("1001")
        login, logout, again = agent.login("1002"), agent.logout("1001"), agent.logout("1001")
        exchange.pump()
        self.assertEqual(_status(agent, login), 5)
        self.assertEqual(agent.answer(logout), AgentLogoutReply(0))
        self.assertEqual(agent.answer(again), AgentLogoutReply(42))


class Leaving(SynchronousTestCase):
    """Unbind from either side."""

    def test_a_client_that_unbinds_is_answered_and_let_go(self) -> None:
        exchange = MemoryExchange()
        for peer in (exchange.agent("1001"), exchange.service()):
            left = peer.unbind()
            behind = peer.send(DataRequest("1"))
            exchange.pump()
            self.assertEqual(peer.answer(left), UnbindReply())
            self.assertIsNone(peer.answer(behind))
            self.assertIsNotNone(peer.lost)
        self.assertEqual(exchange.presence.logged_in, 0)

    def test_an_exchange_that_goes_away_says_15_and_answers_what_is_under_way(self) -> None:
        store = WaitingStore()
        store.waits = False
        exchange = MemoryExchange(store=store)
        agent, service = exchange.agent("1001"), exchange.service()
        store.waits = True
        asked = agent.connect("1001", "bill", "1")
        exchange.pump()
        exchange.processing.drain()
        for links in (exchange.agent_links, exchange.ivr_links):
            links.going_away()
        exchange.pump()
        self.assertEqual([unbind.status for unbind in agent.every(Unbind) + service.every(Unbind)], [15, 15])
        refused = agent.connect("1001", "bill", "2")
        exchange.pump()
        self.assertEqual(_status(agent, refused), 15)
        store.fire()
        exchange.pump()
        self.assertEqual(_status(agent, asked), 0)
        answered: list[tuple[FakePeer, Message]] = [(agent, UnbindReply()), (service, UnbindReply())]
        for peer, reply in answered:
            [invoke_id] = [number for number, message in peer.received if isinstance(message, Unbind)]
            peer.send(reply, invoke_id)
        exchange.pump()
        self.successResultOf(exchange.agent_links.when_empty())
        self.successResultOf(exchange.ivr_links.when_empty())

    def test_a_client_that_does_not_answer_is_left_behind(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        gone = exchange.agent_links.when_empty()
        exchange.agent_links.going_away()
        exchange.pump()
        self.assertNoResult(gone)
        exchange.advance(11)
        self.successResultOf(gone)
        self.assertIsNotNone(agent.lost)

    def test_a_call_that_ends_is_told_to_its_service(self) -> None:
        exchange = MemoryExchange()
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "1")
        exchange.pump()
        agent.cancel("1")
        exchange.pump()
        self.assertEqual(service.every(CallEnded), [CallEnded("1", Condition.CANCELLED)])

    def test_links_over_the_limit_of_an_identity_are_14(self) -> None:
        exchange = MemoryExchange(limits=Limits(links_per_identity=1))
        first = exchange.agent()
        second = exchange.agent()
        self.assertEqual([reply.status for reply in first.every(BindReply) + second.every(BindReply)], [0, 14])
        exchange.pair_of(first).disconnect()
        self.assertEqual([reply.status for reply in exchange.agent().every(BindReply)], [0])
