"""A request for a call: what is checked in which order, what room it needs, when its serial is free again."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import CallEnded, Condition, DataResult
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.records import CallState, StoreSnapshot
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeServiceSession

from .processing_bench import _BILL, _OTHERS, _SERVICES, Bench


class OrderOfChecks(SynchronousTestCase):
    """What is wrong with a ConnectRequest is told in the order 42, 22 and 24, 30, 36, 34, 35, 15, 41, 14."""

    def setUp(self) -> None:
        small = SessionLimits(max_frame=500)
        limits = Limits(mailbox=4, calls_per_identity=1, fields_per_message=3)
        self.bench = Bench(session_limits=small, limits=limits)
        self.faults: dict[int, dict[str, Any]] = {
            42: {"agent": "1002"},
            22: {"serial": "007"},
            30: {"service": "none"},
            36: {"fields": Fields({"a": 1, "b": 2, "c": 3, "much": "x" * 600})},
            34: {"number": "138**1"},
            35: {"fields": Fields({"much": "x" * 600})},
        }

    def test_each_fault_alone_has_its_status(self) -> None:
        self.assertEqual(self.bench.status("007"), 0)
        for status, fault in self.faults.items():
            request: dict[str, Any] = {"serial": "8", "fields": Fields({"other": 1})} | fault
            self.assertEqual(self.bench.status(**request), status)
        self.assertEqual(self.bench.status("8"), 14)

    def test_the_first_fault_in_the_order_is_told(self) -> None:
        self.assertEqual(self.bench.status("007"), 0)
        self.bench.processing.drain()
        statuses = list(self.faults)
        for at, status in enumerate(statuses):
            request: dict[str, Any] = {"serial": "8"}
            for fault in reversed(statuses[at:]):
                request |= self.faults[fault]
            self.assertEqual(self.bench.status(**request), status)
        self.assertEqual(self.bench.status("8"), 15)

    def test_an_exchange_that_goes_away_takes_no_new_call_and_answers_repeats(self) -> None:
        self.bench.connect("007")
        self.bench.processing.drain()
        self.assertEqual(self.bench.status("007"), 0)
        self.assertEqual(self.bench.status("8"), 15)

    def test_a_repeat_is_0_whatever_else_is_wrong_now(self) -> None:
        self.assertEqual(self.bench.status("007"), 0)
        self.bench.exchange.context.services = {}
        self.assertEqual(self.bench.status("007"), 0)

    def test_24_and_22_come_before_whatever_is_wrong_with_the_request(self) -> None:
        self.bench.accepted("007")
        self.bench.report("007")
        self.bench.exchange.context.services = {}
        self.assertEqual(self.bench.status("007"), 24)
        self.assertEqual(self.bench.status("007", number="138**1"), 22)

    def test_no_room_comes_before_too_many_calls(self) -> None:
        bench = Bench(limits=Limits(mailbox=1, calls_per_agent=1))
        self.assertEqual(bench.status("1"), 0)
        self.assertEqual(bench.status("2", number="**"), 34)
        self.assertEqual(bench.status("2"), 41)
        self.bench = Bench(limits=Limits(mailbox=4, calls_per_agent=1))
        self.assertEqual((self.bench.status("1"), self.bench.status("2")), (0, 14))

    def test_refused_requests_leave_nothing(self) -> None:
        for status in (42, 30, 36, 34, 35):
            self.assertEqual(self.bench.status(**self.faults[status]), status)
        self.assertEqual(list(self.bench.store.calls()), [])
        self.assertEqual(self.bench.processing.calls_open, 0)
        self.assertEqual(self.bench.clock.getDelayedCalls(), [])

    def test_the_limit_counts_the_serial_that_the_exchange_allocates(self) -> None:
        edge = 500 - len(BinaryCodec().encode_body(DataResult(0, "", "1001", fields=Fields({"f": ""})))) - 8
        self.assertEqual(self.bench.status("", fields=Fields({"f": "x" * (edge - 19)})), 35)
        self.assertEqual(self.bench.status("", fields=Fields({"f": "x" * (edge - 20)})), 0)


class ConnectRequests(SynchronousTestCase):
    """What an accepted ConnectRequest does."""

    def setUp(self) -> None:
        self.bench = Bench()

    def test_the_call_goes_to_the_service_with_its_serial(self) -> None:
        self.bench.accepted("007")
        [connection] = self.bench.session.connections
        self.assertEqual(connection.access_code, "7000")
        self.assertEqual(connection.calling_number, "138**007")
        self.assertEqual(connection.exchange_address, "exchange:7301")
        self.assertEqual(self.bench.heard, [10, 11])

    def test_an_empty_serial_is_allocated(self) -> None:
        first, second = self.bench.connect("")[0].serial, self.bench.connect("")[0].serial
        self.assertEqual(len({first, second, ""}), 3)
        self.assertIsNotNone(self.bench.store.get(first))

    @given(
        st.sampled_from(["serial", "agent", "service", "number", "reference", "fields", "type"]),
        st.sampled_from(["requested", "fetched"]),
    )
    @settings(deadline=None)
    def test_a_repeat_is_answered_0_and_any_other_use_of_the_serial_22(self, changed: str, stage: str) -> None:
        bench = Bench(services={"bill": _BILL, "other": evolve(_BILL, name="other")})
        bench.login("1002")
        same: dict[str, Any] = {"serial": "1", "fields": Fields({"a": 1, "b": "x"})}
        bench.connect(**same)
        if stage == "fetched":
            bench.data("1")
        before = bench.heard
        self.assertEqual(bench.status(**same | {"fields": Fields({"b": "x", "a": 1})}), 0)
        self.assertEqual((bench.heard, len(bench.session.connections)), (before, 1), "and nothing more")
        other: dict[str, Any] = {
            "serial": {"serial": "01"},
            "agent": {"agent": "1002"},
            "service": {"service": "other"},
            "number": {"number": "139"},
            "reference": {"reference": "ticket 2"},
            "fields": {"fields": Fields({"a": 1, "b": "y"})},
            "type": {"fields": Fields({"a": True, "b": "x"})},
        }[changed]
        self.assertEqual(bench.status(**same | other), 0 if changed == "serial" else 22)

    def test_after_its_end_a_repeat_is_24_until_the_record_is_gone_and_any_other_use_22(self) -> None:
        self.bench.accepted()
        self.bench.report()
        self.assertEqual((self.bench.status(), self.bench.status(number="139")), (24, 22))
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 3)
        self.bench.clock.advance(599)
        self.assertEqual((self.bench.status(), self.bench.status(number="139")), (24, 22))
        self.bench.clock.advance(2)
        self.assertEqual(self.bench.status(), 0)

    def test_what_is_secret_is_wiped_at_the_end(self) -> None:
        renaming = evolve(_BILL, request=RuleOrganizer(RuleSettings(rename={"password": "word"})))
        bench = Bench(services={"bill": renaming})
        bench.connect("1", fields=Fields({"password": "123456"}), reference="ticket 1")
        bench.cancel("1")
        call = bench.store.get("1")
        assert call is not None
        wiped = call.calling_number, call.data, call.asked, call.reference
        self.assertEqual((call.state, *wiped), (CallState.CLOSED, "", b"", b"", ""))

    def test_no_session_is_told_as_31_behind_the_reply(self) -> None:
        self.bench.exchange.sessions.remove(self.bench.session)
        self.assertEqual(self.bench.status(), 0)
        self.bench.clock.advance(2.9)
        self.assertEqual(self.bench.heard, [10])
        self.bench.clock.advance(0.1)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 31))

    def test_a_refusal_is_told_as_32(self) -> None:
        self.bench.connect()
        self.bench.session.refuse()
        self.bench.clock.advance(3)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 32))
        self.assertEqual(self.bench.session.ended, [])

    def test_silence_is_told_as_33(self) -> None:
        self.bench.connect()
        self.bench.clock.advance(30)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 33))
        self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.UNREACHABLE)])

    def test_another_session_is_tried_when_one_refuses(self) -> None:
        other = FakeServiceSession("others")
        self.bench.exchange.sessions.add(other, _OTHERS)
        self.bench.connect()
        first, second = sorted((self.bench.session, other), key=lambda session: -len(session.connections))
        first.refuse()
        second.accept()
        self.assertEqual(self.bench.heard, [10, 11])
        before = _OTHERS if first is other else _SERVICES
        self.assertIs(self.bench.data(who=before), Status.UNKNOWN_SERIAL)

    def test_trying_another_session_gives_no_more_time(self) -> None:
        self.bench.exchange.sessions.add(FakeServiceSession("others"), _OTHERS)
        self.bench.connect()
        self.bench.clock.advance(20)
        sessions = cast(list[FakeServiceSession], self.bench.exchange.sessions.for_service("bill"))
        next(session for session in sessions if session.unanswered).refuse()
        self.bench.clock.advance(10)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 33))

    def test_12_is_told_once_though_another_session_fetches_again(self) -> None:
        other = FakeServiceSession("services")
        self.bench.exchange.sessions.add(other, _SERVICES)
        self.bench.connect()
        self.bench.data()
        asked, next_one = (self.bench.session, other) if self.bench.session.unanswered else (other, self.bench.session)
        asked.refuse()
        self.bench.data()
        next_one.accept()
        self.assertEqual(self.bench.heard, [10, 12, 11])

    def test_a_session_that_has_ended_is_offered_nothing(self) -> None:
        self.bench.session.bound = False
        self.bench.connect()
        self.bench.clock.advance(3)
        self.assertEqual(self.bench.session.connections, [])
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 31))


class RoomForEnds(SynchronousTestCase):
    """Every call that was accepted has room for its end in the agent's mailbox."""

    @given(st.integers(1, 8), st.integers(0, 12))
    @settings(deadline=None)
    def test_ends_always_fit_whatever_else_was_told(self, mailbox: int, progress: int) -> None:
        bench = Bench(limits=Limits(mailbox=mailbox))
        serials = [str(number) for number in range(1, 12)]
        kept = [serial for serial in serials if bench.status(serial) == 0]
        for event_id in range(progress):
            bench.report(kept[0], 0, event_id)
        for serial in kept:
            self.assertEqual(bench.cancel(serial)[0].status, 0)
        self.assertEqual(bench.heard.count(16), len(kept))
        self.assertLessEqual(bench.store.pending("1001"), mailbox)

    def test_progress_without_room_is_41_and_the_result_still_fits(self) -> None:
        bench = Bench(limits=Limits(mailbox=3))
        bench.accepted()
        self.assertEqual(bench.report(condition=0, event_id=1)[0].status, 41)
        self.assertEqual(bench.report(condition=1, event_id=1)[0].status, 0)

    def test_acknowledging_gives_room_again(self) -> None:
        bench = Bench(limits=Limits(mailbox=2))
        bench.accepted()
        self.assertEqual(bench.status("2"), 41)
        bench.exchange.mailboxes.acknowledge("1001", bench.outlet, 1)
        self.assertEqual(bench.status("2"), 0)

    def test_10_to_13_are_made_only_while_the_agent_is_here(self) -> None:
        bench = Bench()
        bench.connect()
        bench.exchange.presence.logout("1001", bench.outlet)
        bench.session.accept()
        bench.data()
        bench.login(after=1)
        bench.data()
        self.assertEqual(bench.heard, [10])
        self.assertEqual(bench.report()[0].status, 0)
        self.assertEqual(bench.heard, [10, 1])


class SerialsUsedAgain(SynchronousTestCase):
    """An own serial is free again when nothing of its last call could be taken for the new one's."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.bench.accepted()
        self.bench.report()
        self.bench.clock.pump([700])

    def test_it_is_22_while_an_event_of_it_waits(self) -> None:
        self.assertEqual(self.bench.status(), Status.DUPLICATE_SERIAL)
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 2)
        self.assertEqual(self.bench.status(), Status.DUPLICATE_SERIAL)
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 3)
        self.assertEqual(self.bench.status(), 0)

    def test_it_is_free_once_they_have_expired(self) -> None:
        self.bench.clock.pump([3_600] * 24)
        self.assertEqual(self.bench.status(), 0)

    def _restarted(self) -> Bench:
        """An exchange that takes the mailbox up from a store that doesn't say what call an event is about."""
        self.bench.processing.stop()
        store = CallStore()
        events = [evolve(event, serial=None) for event in self.bench.store.events("1001")]
        store.load(StoreSnapshot((), {"1001": self.bench.store.last_sequence("1001")}, events))
        return Bench(store, self.bench.clock)

    def test_it_is_22_after_a_restart_too(self) -> None:
        again = self._restarted()
        self.assertEqual(again.status(), Status.DUPLICATE_SERIAL)
        again.exchange.mailboxes.acknowledge("1001", again.outlet, 3)
        self.assertEqual(again.status(), 0)

    def test_the_serial_of_a_call_that_has_come_may_be_used_at_once(self) -> None:
        serial = self.bench.processing.listener.call_arrived("1001", "139")
        self.assertEqual(self.bench.status(serial), 0)

    def test_and_after_a_restart(self) -> None:
        serial = self.bench.processing.listener.call_arrived("1001", "139")
        self.assertEqual(self._restarted().status(serial), 0)

    def test_progress_that_looks_like_a_call_that_has_come_is_an_event_of_its_call(self) -> None:
        for restarts in (False, True):
            with self.subTest(restarts=restarts):
                self.setUp()
                self.bench.accepted("8")
                fields = Fields({"event": "call", "calling_number": "139"})
                self.assertEqual(self.bench.report("8", 0, 1, fields=fields)[0].status, 0)
                bench = self._restarted() if restarts else self.bench
                progress = self.bench.store.last_sequence("1001")
                bench.exchange.mailboxes.acknowledge("1001", bench.outlet, progress - 1)
                self.assertEqual([event.sequence for event in bench.store.events("1001")], [progress])
                self.assertTrue(bench.exchange.mailboxes.awaits("8"))
                bench.exchange.mailboxes.acknowledge("1001", bench.outlet, progress)
                self.assertFalse(bench.exchange.mailboxes.awaits("8"))
