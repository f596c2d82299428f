"""The rules about calls, one by one: what is checked in which order, what is kept before it is said."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status, StoreUnavailable
from ctiex.fields import EMPTY, Fields
from ctiex.identities import Identity
from ctiex.interfaces import BaseSignalling, Frame, ISignalling, Offer
from ctiex.limits import Limits, SessionLimits
from ctiex.messages import (
    KIND_OF,
    CallEnded,
    CancelReply,
    CancelRequest,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.records import CallState, Snapshot
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .effort import examples

_AGENTS, _SERVICES, _OTHERS = agents(), services(), services("others")
_BILL = make_service("bill")


class Bench:
    """An exchange with one agent, logged in as ``1001``, and one session of a service."""

    def __init__(self, store: CallStore | None = None, clock: Clock | None = None, **settings: Any) -> None:
        self.store = CallStore() if store is None else store
        self.exchange = MemoryExchange(store=self.store, clock=Clock() if clock is None else clock, **settings)
        self.clock = self.exchange.clock
        self.processing = self.exchange.processing
        self.outlet = FakeAgentConnection()
        self.session = FakeServiceSession("services")
        self.exchange.mailboxes.login("1001", self.outlet, 0)
        self.exchange.sessions.add(self.session, _SERVICES)

    def connect(
        self,
        serial: str = "007",
        agent: str = "1001",
        service: str = "bill",
        number: str = "138",
        fields: Fields = EMPTY,
        outlet: FakeAgentConnection | None = None,
    ) -> list[ConnectReply]:
        """The replies that came so far; later ones are added."""
        replies: list[ConnectReply] = []
        request = ConnectRequest(serial, agent, service, number, fields)
        self.processing.connect(_AGENTS, outlet or self.outlet, request, replies.append)
        return replies

    def status(self, *args: Any, **changes: Any) -> int:
        """The status of the one reply to a ConnectRequest."""
        [reply] = self.connect(*args, **changes)
        return reply.status

    def accepted(self, serial: str = "007") -> None:
        """A call that the service has accepted."""
        assert self.status(serial) == 0
        self.session.accept()

    def data(self, serial: str = "007", who: Identity = _SERVICES, address: str = "") -> bytes | Status:
        answers: list[bytes | Status] = []
        self.ask(serial, answers, who, address)
        return answers[0]

    def ask(
        self, serial: str, answers: list[bytes | Status], who: Identity = _SERVICES, address: str = ""
    ) -> None:  # fmt: skip
        """Ask for a call's data; the answer may take its time."""
        self.processing.data(who, DataRequest(serial, address), answers.append)

    def report(
        self, serial: str = "007", condition: int = 1, event_id: int = 1, who: Identity = _SERVICES, agent: str = "",
        fields: Fields = EMPTY,
    ) -> list[ServiceEventReply]:  # fmt: skip
        replies: list[ServiceEventReply] = []
        event = ServiceEvent(event_id, serial, agent, Condition(condition), fields)
        self.processing.report(who, event, replies.append)
        return replies

    def cancel(self, serial: str = "007", who: Identity = _AGENTS) -> list[CancelReply]:
        replies: list[CancelReply] = []
        self.processing.cancel(who, CancelRequest(serial), replies.append)
        return replies

    @property
    def heard(self) -> list[int]:
        """The conditions that the agent has heard."""
        return [int(event.condition) for event in self.outlet.events]

    @property
    def last_status(self) -> int:
        return self.outlet.events[-1].status


class OrderOfChecks(SynchronousTestCase):
    """What is wrong with a ConnectRequest is told in the order 42, 30, 22, 34, 35, 14 and 15, 41."""

    def setUp(self) -> None:
        small = SessionLimits(max_frame=500)
        limits = Limits(mailbox=4, calls_per_identity=1)
        self.bench = Bench(session_limits=small, limits=limits)
        self.faults: dict[int, dict[str, Any]] = {
            42: {"agent": "1002"},
            30: {"service": "none"},
            22: {"serial": "007"},
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
        request: dict[str, Any] = {"serial": "8"}
        for fault in reversed(self.faults.values()):
            request |= fault
        for status, fault in self.faults.items():
            self.assertEqual(self.bench.status(**request), status)
            for key in fault:
                del request[key]
            request.setdefault("serial", "8")
        self.assertEqual(self.bench.status("8"), 15)

    def test_an_exchange_that_goes_away_takes_no_new_call_and_answers_repeats(self) -> None:
        self.bench.connect("007")
        self.bench.processing.drain()
        self.assertEqual(self.bench.status("007"), 0)
        self.assertEqual(self.bench.status("8"), 15)

    def test_no_room_comes_last(self) -> None:
        bench = Bench(limits=Limits(mailbox=1))
        self.assertEqual(bench.status("1"), 0)
        self.assertEqual(bench.status("2", number="**"), 34)
        self.assertEqual(bench.status("2"), 41)

    def test_refused_requests_leave_nothing(self) -> None:
        for status in (42, 30, 34, 35):
            self.assertEqual(self.bench.status(**self.faults[status]), status)
        self.assertEqual(list(self.bench.store.calls()), [])
        self.assertEqual(self.bench.processing.calls_open, 0)
        self.assertEqual(self.bench.clock.getDelayedCalls(), [])

    def test_the_limit_counts_the_serial_that_the_exchange_allocates(self) -> None:
        edge = 500 - len(BinaryCodec().encode_body(DataResult(0, "", "1001", Fields({"f": ""})))) - 8
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
        st.sampled_from(["serial", "agent", "service", "number", "fields", "type"]),
        st.sampled_from(["requested", "fetched"]),
    )
    @settings(deadline=None)
    def test_a_repeat_is_answered_0_and_any_other_use_of_the_serial_22(self, changed: str, stage: str) -> None:
        bench = Bench(services={"bill": _BILL, "other": evolve(_BILL, name="other")})
        bench.exchange.mailboxes.login("1002", bench.outlet, 0)
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
            "fields": {"fields": Fields({"a": 1, "b": "y"})},
            "type": {"fields": Fields({"a": True, "b": "x"})},
        }[changed]
        self.assertEqual(bench.status(**same | other), 0 if changed == "serial" else 22)

    def test_after_its_end_a_repeat_is_22_until_the_record_is_gone(self) -> None:
        self.bench.accepted()
        self.bench.report()
        self.assertEqual(self.bench.status(), 22)
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 3)
        self.bench.clock.advance(599)
        self.assertEqual(self.bench.status(), 22)
        self.bench.clock.advance(2)
        self.assertEqual(self.bench.status(), 0)

    def test_what_is_secret_is_wiped_at_the_end(self) -> None:
        self.bench.connect("1", fields=Fields({"password": "123456"}))
        self.bench.cancel("1")
        call = self.bench.store.get("1")
        assert call is not None
        self.assertEqual((call.state, call.calling_number, call.data, call.digest), (CallState.CLOSED, "", b"", b""))

    def test_no_session_is_told_as_31_behind_the_reply(self) -> None:
        self.bench.exchange.sessions.remove(self.bench.session)
        self.assertEqual(self.bench.status(), 0)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 31))

    def test_a_refusal_is_told_as_32(self) -> None:
        self.bench.connect()
        self.bench.session.refuse()
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 32))

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
        bench.exchange.mailboxes.login("1001", bench.outlet, 1)
        bench.data()
        self.assertEqual(bench.heard, [10])
        self.assertEqual(bench.report()[0].status, 0)
        self.assertEqual(bench.heard, [10, 1])


class Ownership(SynchronousTestCase):
    """A serial alone opens nothing."""

    def setUp(self) -> None:
        self.bench = Bench()

    def test_the_data_goes_to_the_owner_alone_organized_for_it(self) -> None:
        rename = evolve(_BILL, request=RuleOrganizer(RuleSettings(rename={"vip": "level"})))
        bench = Bench(services={"bill": rename})
        bench.connect(fields=Fields({"vip": 3}))
        body = bench.data()
        assert isinstance(body, bytes)
        found = BinaryCodec().decode_body(Frame(KIND_OF[DataResult], 1, body))
        self.assertEqual(found, DataResult(0, "007", "1001", Fields({"level": 3})))
        self.assertIs(bench.data(who=_OTHERS), Status.UNKNOWN_SERIAL)

    def test_other_exchanges_are_told_before_any_look_up(self) -> None:
        self.assertIs(self.bench.data("9", address="other:1"), Status.OTHER_EXCHANGE)
        self.bench.connect()
        self.assertIsInstance(self.bench.data(address="exchange:7301"), bytes)

    def test_unknown_and_foreign_serials_cannot_be_told_apart(self) -> None:
        self.bench.accepted()
        for serial in ("007", "7", "999"):
            self.assertIs(self.bench.data(serial, _OTHERS), Status.UNKNOWN_SERIAL)
            self.assertEqual(self.bench.report(serial, who=_OTHERS)[0].status, 20)
        self.bench.report()
        self.assertEqual(self.bench.report(who=_OTHERS)[0].status, 20)

    def test_a_call_that_has_ended_gives_24_and_20_then_20(self) -> None:
        self.bench.accepted()
        self.bench.report(event_id=5)
        self.assertEqual(self.bench.report(event_id=6)[0].status, 24)
        self.assertEqual(self.bench.report(event_id=5)[0].status, 43, "43 is checked before 24")
        self.assertIs(self.bench.data(), Status.UNKNOWN_SERIAL)
        self.assertEqual(self.bench.cancel()[0].status, 24)
        self.bench.clock.advance(601)
        self.assertEqual(self.bench.report(event_id=5)[0].status, 20)
        self.assertEqual(self.bench.cancel()[0].status, 20)

    def test_only_who_may_act_for_the_agent_may_cancel(self) -> None:
        self.bench.connect()
        self.assertEqual(self.bench.cancel(who=agents("few", "1002"))[0].status, 20)
        self.assertEqual(self.bench.cancel(who=agents("others", "1001"))[0].status, 0)
        self.assertEqual(self.bench.heard, [10, 16])

    def test_a_wrong_agent_in_a_report_is_20_and_chooses_nobody(self) -> None:
        self.bench.accepted()
        self.assertEqual(self.bench.report(agent="1002")[0].status, 20)
        self.assertEqual(self.bench.report(agent="1001")[0].status, 0)

    def test_a_report_too_large_for_an_event_is_35_and_may_be_repeated_smaller(self) -> None:
        bench = Bench(session_limits=SessionLimits(max_frame=500))
        bench.accepted()
        self.assertEqual(bench.report(fields=Fields({"much": "x" * 600}))[0].status, 35)
        self.assertEqual(bench.report(fields=Fields({"little": "x"}))[0].status, 0)

    def test_event_ids_are_unique_within_a_serial_alone(self) -> None:
        self.bench.accepted("1")
        self.bench.accepted("2")
        self.assertEqual(self.bench.report("1", 0, 1)[0].status, 0)
        self.assertEqual(self.bench.report("2", 0, 1)[0].status, 0)
        self.assertEqual(self.bench.report("1", 0, 1)[0].status, 43)


class Ends(SynchronousTestCase):
    """The service is told when its call ends without its doing."""

    def setUp(self) -> None:
        self.bench = Bench()

    def test_a_cancel_is_told_to_the_session_that_has_the_call(self) -> None:
        self.bench.exchange.sessions.add(FakeServiceSession("services"), _SERVICES)
        self.bench.connect()
        self.bench.session.accept()
        self.bench.cancel()
        self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.CANCELLED)])

    def test_or_to_another_of_its_identity(self) -> None:
        self.bench.accepted()
        other = FakeServiceSession("services")
        self.bench.exchange.sessions.add(other, _SERVICES)
        self.bench.session.bound = False
        self.bench.cancel()
        self.assertEqual(other.ended, [CallEnded("007", Condition.CANCELLED)])
        self.assertEqual(self.bench.session.ended, [])

    def test_but_not_before_the_connection_nor_after_a_result(self) -> None:
        self.bench.accepted()
        self.bench.report()
        self.bench.cancel()
        self.assertEqual(self.bench.session.ended, [])

    def test_no_fetch_in_time_is_15_with_33(self) -> None:
        self.bench.accepted()
        self.bench.clock.advance(120)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 11, 15], 33))
        self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.TIMED_OUT)])

    def test_no_result_in_time_is_15_with_33(self) -> None:
        self.bench.accepted()
        self.bench.data()
        self.bench.clock.advance(3_599)
        self.assertEqual(self.bench.heard, [10, 11, 12])
        self.bench.clock.advance(1)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 11, 12, 15], 33))

    def test_a_hang_up_that_the_driver_saw_is_3_for_both(self) -> None:
        self.bench.accepted()
        self.bench.processing.listener.hung_up("007")
        self.assertEqual(self.bench.heard, [10, 11, 3])
        self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.ABANDONED)])

    def test_words_about_calls_that_nobody_knows_do_nothing(self) -> None:
        listener = self.bench.processing.listener
        for say in (listener.accepted, listener.returned, listener.hung_up):
            say("404")
        listener.unreachable("404", 31)
        listener.offered("404", self.bench.session, lambda: None)
        self.assertEqual(self.bench.heard, [])
        self.assertEqual(len(self.bench.processing._calls.owners), 0)


@implementer(ISignalling)
class _SeeingDriver(BaseSignalling):
    """A driver that sees the customer return; a test tells its watcher so."""

    sees_return = True

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.withdrawn: list[str] = []

    def offer(self, offer: Offer) -> None:
        self.offers.append(offer)

    def withdraw(self, serial: str) -> int:
        self.withdrawn.append(serial)
        return Status.TIMED_OUT


class Returns(SynchronousTestCase):
    """With a driver that sees it, a call closes when the customer is back, and the agent hears 13."""

    def setUp(self) -> None:
        self.driver = _SeeingDriver()
        self.bench = Bench(drivers={"link": self.driver})
        self.listener = self.bench.processing.listener
        self.assertEqual(self.bench.status(), 0)
        self.listener.offered("007", self.bench.session, lambda: None)
        self.listener.accepted("007")

    def _state(self) -> str:
        call = self.bench.store.get("007")
        assert call is not None
        return call.state.value

    def test_the_call_waits_for_the_customer_after_its_result(self) -> None:
        self.assertEqual(self.bench.report()[0].status, 0)
        self.assertEqual(self._state(), "reported")
        self.assertEqual(self.bench.processing.calls_open, 0, "its end is told: no room is reserved any more")
        self.assertEqual(self.bench.report(event_id=2)[0].status, 24)
        self.listener.returned("007")
        self.assertEqual((self._state(), self.bench.heard), ("closed", [10, 11, 1, 13]))
        self.listener.returned("007")
        self.assertEqual(self.bench.heard, [10, 11, 1, 13])

    def test_a_return_that_nobody_sees_closes_it_in_time_without_13(self) -> None:
        self.bench.report()
        self.bench.clock.advance(60)
        self.assertEqual((self._state(), self.bench.heard), ("closed", [10, 11, 1]))
        self.assertEqual(self.driver.withdrawn, ["007"], "the driver need not watch any more")

    def test_a_return_without_a_result_is_told_and_is_no_end(self) -> None:
        self.listener.returned("007")
        self.assertEqual((self._state(), self.bench.heard), ("connected", [10, 11, 13]))
        self.assertEqual(self.bench.report()[0].status, 0)

    def test_hanging_up_after_the_result_is_not_told(self) -> None:
        self.bench.report()
        self.listener.hung_up("007")
        self.assertEqual(self.bench.heard, [10, 11, 1])


class DialledCalls(SynchronousTestCase):
    """A call that went to an address belongs to the identity that first comes back for it."""

    def setUp(self) -> None:
        self.bench = Bench(drivers={"link": _SeeingDriver()})
        self.bench.exchange.sessions.add(FakeServiceSession("others"), _OTHERS)
        self.bench.connect()
        self.listener = self.bench.processing.listener
        self.listener.offered("007", None, lambda: None)

    def test_the_first_that_serves_it_gets_it_and_no_other(self) -> None:
        self.assertIs(self.bench.data(who=services("third", "password")), Status.UNKNOWN_SERIAL)
        self.assertIsInstance(self.bench.data(who=_OTHERS), bytes)
        self.assertIs(self.bench.data(who=_SERVICES), Status.UNKNOWN_SERIAL)
        self.assertEqual(self.bench.report(who=_SERVICES)[0].status, 20)
        self.assertEqual(self.bench.report(who=_OTHERS)[0].status, 0)

    def test_a_report_makes_it_the_reporters_too(self) -> None:
        self.assertEqual(self.bench.report(condition=0)[0].status, 0)
        self.assertIs(self.bench.data(who=_OTHERS), Status.UNKNOWN_SERIAL)

    def test_its_end_is_told_to_the_identity_that_has_it_and_to_nobody_before(self) -> None:
        self.bench.cancel()
        self.assertEqual(self.bench.session.ended, [])
        self.bench.connect("8")
        self.listener.offered("8", None, lambda: None)
        self.bench.data("8")
        self.bench.cancel("8")
        self.assertEqual(self.bench.session.ended, [CallEnded("8", Condition.CANCELLED)])


class Restarts(SynchronousTestCase):
    """A store with calls in it is taken up by a new processing service."""

    def _restarted(self, bench: Bench, **settings: Any) -> Bench:
        bench.processing.stop()
        again = Bench(bench.store, bench.clock, **settings)
        again.exchange.mailboxes.login("1001", again.outlet, bench.store.last_sequence("1001"))
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
        exchange.mailboxes.login("1001", outlet, 1)
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
        exchange.mailboxes.login("1001", outlet, 1)
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
        self.assertEqual(again.report(event_id=2)[0].status, 24)
        self.assertEqual(again.status(), 22)
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
        reply = again.exchange.mailboxes.login("1001", again.outlet, 0)
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
        self.assertLess(bench.exchange.counts.store_failures, 5, "and not at once, over and over")
        self.assertIn(bench.exchange.counts.store_probes_failed, range(1, 5), "its trials are counted apart")
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
        self.assertEqual(bench.exchange.counts.agent_events_expired, 3)

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
        store.load(Snapshot((), {"1001": self.bench.store.last_sequence("1001")}, events))
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
