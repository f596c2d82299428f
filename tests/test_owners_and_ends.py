"""Whose a call is, and how it ends without its service's doing."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import Frame
from ctiex.limits import SessionLimits
from ctiex.messages import (
    KIND_OF,
    CallEnded,
    Condition,
    DataChanged,
    DataResult,
)
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.testing.fakes import FakeServiceSession
from ctiex.testing.pairs import agents, services

from .processing_bench import _BILL, _OTHERS, _SERVICES, Bench, _SeeingDriver


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
        self.assertEqual(found, DataResult(0, "007", "1001", fields=Fields({"level": 3})))
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

    def test_whoever_has_it_hears_no_end_where_the_address_refused_and_one_where_it_was_lost(self) -> None:
        for number, (status, told) in enumerate({32: 0, 33: 1}.items()):
            self.bench.connect(f"8{number}")
            self.listener.offered(f"8{number}", None, lambda: None)
            self.bench.data(f"8{number}")
            self.listener.unreachable(f"8{number}", status)
            self.assertEqual((self.bench.heard[-1], self.bench.last_status), (14, status))
            self.assertEqual(len(self.bench.session.ended), told)
        self.assertEqual(self.bench.session.ended, [CallEnded("81", Condition.UNREACHABLE)])

    def test_an_update_before_its_fetch_is_kept_is_told_to_whoever_came_for_it(self) -> None:
        self.bench.data()
        self.bench.update(Fields({"a": 1}))
        self.assertEqual(self.bench.session.changed, [DataChanged("007")])
