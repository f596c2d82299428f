"""What is kept before it is said, and what a restart makes of what was kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status, StoreUnavailable
from ctiex.limits import Limits
from ctiex.messages import AgentLogin, Condition, DataRequest
from ctiex.records import CallState
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession, WaitingStore
from ctiex.testing.pairs import MemoryExchange, make_service

from .effort import examples
from .processing_bench import _SERVICES, Bench


class Restarts(SynchronousTestCase):
    """A store with calls in it is taken up by a new processing service."""

    def _restarted(self, bench: Bench, **settings: Any) -> Bench:
        bench.processing.stop()
        again = Bench(bench.store, bench.clock, **settings)
        again.login(after=bench.store.last_sequence("1001"))
        return again

    def _left(self, stage: str) -> Bench:
        """An exchange that stopped with a call in this state."""
        bench = Bench()
        if stage == "closed":
            bench.accepted()
            bench.report()
            return bench
        bench.connect()
        if stage in ("connected", "fetched"):
            bench.session.accept()
        if stage == "fetched":
            bench.data()
        call = bench.store.get("007")
        assert call is not None
        self.assertEqual(call.state.value, stage)
        return bench

    def test_a_call_that_was_connecting_is_offered_again_without_a_second_10(self) -> None:
        left = self._left("connecting")
        left.processing.stop()
        exchange = MemoryExchange(store=left.store, clock=left.clock)
        outlet, session = FakeAgentConnection(), FakeServiceSession("services")
        exchange.mailboxes.login(outlet, AgentLogin("1001", exchange.mailboxes.epoch, 1))
        exchange.clock.advance(20)
        exchange.sessions.add(session, _SERVICES)
        exchange.clock.advance(1)
        self.assertEqual(len(session.connections), 1)
        session.accept()
        self.assertEqual([int(event.condition) for event in outlet.events], [11])

    def test_or_is_14_with_31_when_nobody_binds_in_time(self) -> None:
        left = self._left("connecting")
        left.processing.stop()
        exchange = MemoryExchange(store=left.store, clock=left.clock)
        outlet = FakeAgentConnection()
        exchange.mailboxes.login(outlet, AgentLogin("1001", exchange.mailboxes.epoch, 1))
        exchange.clock.advance(31)
        [event] = outlet.events
        self.assertEqual((event.condition, event.status), (Condition.UNREACHABLE, 31))

    def test_later_states_go_on_as_they_were(self) -> None:
        for stage in ("connected", "fetched"):
            again = self._restarted(self._left(stage))
            self.assertEqual(again.processing.calls_open, 1)
            self.assertIsInstance(again.data(), bytes)
            self.assertEqual(again.report()[0].status, 0)
            self.assertEqual(again.heard, ([12] if stage == "connected" else []) + [1])
            self.assertEqual(again.processing.calls_open, 0)

    def test_their_time_outs_go_on_too(self) -> None:
        left = self._left("connected")
        left.clock.advance(100)
        again = self._restarted(left)
        again.clock.advance(20)
        self.assertEqual(again.heard, [15])

    def test_event_ids_and_ended_calls_are_remembered(self) -> None:
        again = self._restarted(self._left("closed"))
        self.assertEqual(again.report(event_id=1)[0].status, 43)
        self.assertEqual(again.report(event_id=1, condition=2)[0].status, 25)
        self.assertEqual(again.report(event_id=2)[0].status, 24)
        self.assertEqual((again.status(), again.status(number="139")), (24, 22))
        again.clock.advance(601)
        self.assertEqual(list(again.store.calls()), [])

    def test_room_for_ends_is_reserved_again(self) -> None:
        limits = Limits(mailbox=3)
        again = self._restarted(self._left("connected"), limits=limits)
        self.assertEqual(again.status("8"), 41)

    def test_mailboxes_are_replayed_and_numbered_on(self) -> None:
        left = self._left("connected")
        left.processing.stop()
        again = Bench(left.store, left.clock)
        reply = again.login()
        again.exchange.mailboxes.resume("1001", again.outlet)
        self.assertEqual((reply.first_sequence, reply.last_sequence), (1, 2))
        again.report()
        self.assertEqual([event.sequence for event in again.outlet.events], [1, 2, 3])

    def test_calls_of_a_service_that_is_configured_no_more_end_and_are_told(self) -> None:
        for stage in ("connecting", "connected", "fetched"):
            again = self._restarted(self._left(stage), services={"other": make_service("other")})
            self.assertEqual(again.processing.calls_open, 0)
            self.assertIn(again.report(event_id=9)[0].status, (20, 24))
            [told] = again.store.events("1001", again.store.last_sequence("1001") - 1)
            self.assertIn(b"007", told.body)


class KeptBeforeTold(SynchronousTestCase):
    """With a store that takes its time: nothing is said before it is kept."""

    def setUp(self) -> None:
        self.store = WaitingStore()
        self.bench = Bench(self.store)

    def _settled(self) -> Bench:
        """A call that is connected, with everything kept."""
        self.store.waits = False
        self.bench.accepted()
        self.store.waits = True
        return self.bench

    def test_no_reply_no_event_and_no_connection_before_the_commit(self) -> None:
        replies = self.bench.connect()
        self.assertEqual((replies, self.bench.heard, self.bench.session.connections), ([], [], []))
        self.store.fire(1)
        self.assertEqual([reply.status for reply in replies], [0])
        self.assertEqual(self.bench.heard, [], "event 10 isn't kept yet")
        self.store.fire()
        self.assertEqual(self.bench.heard, [10])

    def test_a_repeat_waits_for_the_first(self) -> None:
        first, second = self.bench.connect(), self.bench.connect()
        self.assertEqual(first + second, [])
        self.store.fire()
        self.assertEqual([reply.status for reply in first + second], [0, 0])

    def test_when_it_is_not_kept_status_50_undoes_everything(self) -> None:
        first, second = self.bench.connect(), self.bench.connect()
        self.store.fail()
        self.assertEqual([reply.status for reply in first + second], [50, 50])
        self._nothing_left()
        again = self.bench.connect()
        self.store.fire()
        self.assertEqual([reply.status for reply in again], [0])

    def test_so_does_a_store_that_refuses_at_once(self) -> None:
        self.store.unavailable = True
        self.assertEqual(self.bench.status(), 50)
        self._nothing_left()

    def _nothing_left(self) -> None:
        self.assertEqual(list(self.store.calls()), [])
        self.assertEqual(self.bench.processing.calls_open, 0)
        held = self.bench.exchange.context.quotas
        self.assertEqual([+held._of_identity, +held._of_service, +held._records], [{}, {}, {}])
        self.assertEqual(dict(self.bench.exchange.context.quotas._of_agent), {})
        self.assertEqual(self.bench.session.connections, [])
        self.assertEqual(self.bench.heard, [])
        self.bench.clock.advance(1_000)
        self.assertEqual(self.bench.heard, [], "no time-out of what never was")

    def test_a_result_is_answered_and_told_only_when_it_is_kept(self) -> None:
        bench = self._settled()
        replies = bench.report()
        self.assertEqual((replies, bench.heard), ([], [10, 11]))
        self.store.fire()
        self.assertEqual((replies[0].status, bench.heard), (0, [10, 11, 1]))

    def test_43_waits_for_the_commit_of_the_first(self) -> None:
        bench = self._settled()
        first, second = bench.report(), bench.report()
        self.assertEqual(first + second, [])
        self.store.fire()
        self.assertEqual([reply.status for reply in first + second], [0, 43])

    def test_43_is_not_said_when_the_first_is_lost(self) -> None:
        bench = self._settled()
        first, second = bench.report(), bench.report()
        self.store.fail()
        self.assertEqual([reply.status for reply in first + second], [50])
        self.store.fire()
        self.assertEqual((second[0].status, bench.heard), (0, [10, 11, 1]), "it is the first now")
        self.assertEqual(bench.processing.calls_open, 0)

    def test_24_is_not_said_when_the_end_is_lost(self) -> None:
        bench = self._settled()
        cancelled, late = bench.cancel(), bench.report()
        self.store.fail()
        self.assertEqual(cancelled[0].status, 50)
        self.assertEqual(late, [], "the call goes on: this is its result")
        self.store.fire()
        self.assertEqual(late[0].status, 0)

    def test_a_cancel_that_is_lost_leaves_the_call_as_it_was(self) -> None:
        bench = self._settled()
        replies = bench.cancel()
        self.assertEqual(replies, [])
        self.store.fail()
        self.assertEqual((replies[0].status, bench.heard, bench.session.ended), (50, [10, 11], []))
        self.assertEqual(bench.processing.calls_open, 1)
        self.store.waits = False
        self.assertEqual(bench.report()[0].status, 0)

    def test_a_time_out_that_is_lost_comes_again(self) -> None:
        bench = self._settled()
        self.store.unavailable = True
        bench.clock.pump([120] + [0.25] * 40)
        self.assertEqual(bench.heard, [10, 11])
        self.assertLess(bench.exchange.counters.store_failures, 5, "and not at once, over and over")
        self.assertIn(bench.exchange.counters.store_probes_failed, range(1, 5), "its trials are counted apart")
        self.store.unavailable = self.store.waits = False
        bench.clock.advance(10)
        self.assertEqual(bench.heard, [10, 11, 15])

    def test_a_record_whose_forgetting_was_lost_is_forgotten_later(self) -> None:
        bench = self._settled()
        self.store.waits = False
        bench.report()
        self.store.unavailable = True
        bench.clock.advance(601)
        self.store.unavailable = False
        bench.clock.advance(10)
        self.assertEqual(list(self.store.calls()), [])

    def test_events_kept_together_expire_all_the_same(self) -> None:
        bench = self._settled()
        bench.exchange.mailboxes.acknowledge("1001", bench.outlet, 2)
        self.store.fire()
        bench.report(condition=0, event_id=1)
        bench.report(condition=0, event_id=2)
        self.store.fire()
        self.store.waits = False
        bench.cancel()
        self.assertEqual(self.store.pending("1001"), 3)
        bench.clock.advance(86_401)
        self.assertEqual(self.store.pending("1001"), 0)

    def test_events_whose_expiry_was_lost_expire_later(self) -> None:
        bench = self._settled()
        self.store.waits = False
        bench.cancel()
        bench.clock.advance(80_000)
        self.store.unavailable = True
        bench.clock.advance(6_401)
        self.assertEqual(self.store.pending("1001"), 3)
        self.store.unavailable = False
        bench.clock.advance(10)
        self.assertEqual(self.store.pending("1001"), 0)
        self.assertEqual(bench.exchange.counters.agent_events_expired, 3)

    def test_a_call_that_is_cancelled_before_it_is_kept_goes_to_nobody(self) -> None:
        connected, cancelled = self.bench.connect(), self.bench.cancel()
        self.store.fire()
        self.assertEqual([connected[0].status, cancelled[0].status], [0, 0])
        self.assertEqual((self.bench.heard, self.bench.session.connections), ([16], []))

    @given(st.lists(st.sampled_from(["fire", "fail", "connect", "accept", "report", "cancel", "fetch"]), max_size=25))
    @settings(deadline=None, max_examples=examples(200))
    def test_whatever_fails_the_books_agree(self, steps: list[str]) -> None:
        store = WaitingStore()
        bench = Bench(store)
        replies: list[Any] = []
        events = 0
        for step in steps:
            match step:
                case "fire":
                    store.fire(1)
                case "fail":
                    store.fail()
                case "connect":
                    replies.append(bench.connect())
                case "accept" if bench.session.unanswered:
                    bench.session.accept(bench.session.unanswered[-1])
                case "report":
                    events += 1
                    replies.append(bench.report(event_id=events))
                case "cancel":
                    replies.append(bench.cancel())
                case "fetch":
                    fetched: list[bytes | Status] = []
                    bench.processing.data(_SERVICES, DataRequest("007"), fetched.append)
                    replies.append(fetched)
        while store.waiting:
            store.fire(1)
        store.waits = False
        self.assertTrue(all(len(one) == 1 for one in replies), "each request is answered once")
        open_calls = [call for call in store.calls() if call.state is not CallState.CLOSED]
        self.assertEqual(bench.processing.calls_open, len(open_calls))
        self.assertEqual(bench.exchange.context.quotas._of_agent["1001"], len(open_calls))
        sent = [event.sequence for event in bench.outlet.events]
        self.assertEqual(sent, list(range(1, store.last_sequence("1001") + 1)), "only what is kept was sent")
        bench.clock.advance(30)
        bench.clock.advance(120)
        bench.clock.advance(3_600)
        bench.clock.advance(601)
        self.assertEqual(list(store.calls()), [])
        self.assertEqual(len(bench.processing._calls.owners), 0)
        self.flushLoggedErrors(StoreUnavailable)
