"""The exchange's links over links in memory: they may end at any point."""

from __future__ import annotations

import gc
import weakref

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.messages import ServiceEventReply, UnbindReply
from ctiex.testing.fakes import FakeAgent, FakeService, WaitingStore
from ctiex.testing.pairs import MemoryExchange, make_service

from .effort import examples
from .hashing_portals import LateCredentials


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
        self.assertEqual([event.condition for event in agent.events], [10], "another one may bind yet")
        exchange.advance(make_service("bill").timeouts.rebind_grace)
        self.assertEqual(service.connections, [])
        self.assertEqual([(event.condition, event.status) for event in agent.events], [(10, 0), (14, 31)])

    def test_a_session_that_leaves_is_offered_nothing_while_it_waits_for_its_last_replies(self) -> None:
        store = WaitingStore()
        store.waits = False
        exchange = MemoryExchange(store=store)
        agent, leaving, other = exchange.agent("1001"), exchange.service(), exchange.service()
        agent.connect("1001", "bill", "1")
        exchange.pump()
        ((first, left),) = [(one, other) for one, other in ((leaving, other), (other, leaving)) if one.connections]
        store.waits = True
        reported = first.report("1")
        unbound = first.unbind()
        exchange.pair_of(first).pump()
        self.assertIsNone(first.answer(unbound), "its report isn't kept yet")
        agent.connect("1001", "bill", "2")
        exchange.pair_of(agent).pump()
        store.waits = False
        store.fire()
        exchange.pump()
        self.assertEqual([first.answer(reported), first.answer(unbound)], [ServiceEventReply(1, 0), UnbindReply()])
        self.assertEqual((len(first.connections), len(left.connections)), (1, 1))

    def test_a_link_that_is_lost_while_its_secret_is_checked_gives_the_check_up(self) -> None:
        late = LateCredentials()
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
        self.assertEqual(exchange.counters.links_bound, 0)
        self.assertEqual(exchange.clock.getDelayedCalls(), [])

    def test_checks_that_nobody_waits_for_are_not_begun(self) -> None:
        late = LateCredentials()
        exchange = MemoryExchange(portal=late.portal)
        for number in range(20):
            peer, pair, _ = exchange.link_agent(FakeAgent())
            peer.bind("agents", f"wrong {number}")
            pair.pump()
            pair.disconnect()
        self.assertLessEqual(len(late.checker.queue._hashings), 1)
