"""Drivers that see the calls: customers who come back before the result, calls that arrive, and restarts."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex import lots
from ctiex.errors import Status
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.limits import Limits
from ctiex.messages import AgentEvent, Condition
from ctiex.records import CallState, Change
from ctiex.serials import has_check_digits
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import WaitingStore
from ctiex.testing.pairs import make_service
from ctiex.testing.store_contract import make_call
from tests.processing_bench import Bench


@implementer(ISignalling)
class RunningDriver(BaseSignalling):
    """Does what the test says; keeps what it was asked."""

    sees_return = True
    connected = True

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.withdrawn: list[str] = []
        self.resumed: list[tuple[str, str]] = []
        self.here: list[str] = []

    def start(self) -> None:
        """Nothing to connect to."""

    def stop(self) -> None:
        """Nothing to leave."""

    def resume(self, serial: str, agent: str) -> None:
        """Keep it."""
        self.resumed.append((serial, agent))

    def agent_logged_in(self, agent: str) -> None:
        """Keep it."""
        self.here.append(agent)

    def offer(self, offer: Offer) -> None:
        """Keep it."""
        self.offers.append(offer)

    def withdraw(self, serial: str) -> int:
        """Keep it."""
        self.withdrawn.append(serial)
        return Status.TIMED_OUT


class SeenCalls(SynchronousTestCase):
    """A bench with such a driver, and a call that the service has accepted."""

    def setUp(self) -> None:
        self.driver = RunningDriver()
        self.bench = Bench(drivers={"link": self.driver})
        self.listener = self.bench.processing.listener
        self.assertEqual(self.bench.status(), 0)
        self.listener.offered("007", None, lambda: None)
        self.listener.accepted("007")

    def state(self) -> str:
        """The state of the call."""
        call = self.bench.store.get("007")
        return "forgotten" if call is None else call.state.value


class EarlyReturns(SeenCalls):
    """The customer is back, and no result has come yet."""

    def test_the_agent_hears_13_at_once_and_the_result_when_it_comes(self) -> None:
        self.bench.data()
        self.listener.returned("007")
        self.assertEqual((self.state(), self.bench.heard), ("fetched", [10, 11, 12, 13]))
        self.assertEqual(self.bench.report()[0].status, 0)
        self.assertEqual((self.state(), self.bench.heard), ("closed", [10, 11, 12, 13, 1]))

    def test_no_result_within_the_return_time_out_is_told_as_15(self) -> None:
        self.bench.data()
        self.assert_timed_out_after(60)

    def test_a_service_that_never_had_the_data_is_awaited_for_5_seconds_alone(self) -> None:
        self.assert_timed_out_after(5)

    def assert_timed_out_after(self, seconds: float) -> None:
        """The customer comes back, is seen to be back once more, and no result comes."""
        self.listener.returned("007")
        self.bench.clock.advance(seconds / 2)
        self.listener.returned("007")
        self.bench.clock.advance(seconds / 2 - 1)
        self.assertNotIn(15, self.bench.heard)
        self.bench.clock.advance(1.2)
        self.assertEqual((self.bench.heard[-1], self.bench.last_status, self.state()), (15, 33, "closed"))

    def test_whoever_asks_for_the_data_then_comes_too_late(self) -> None:
        self.listener.returned("007")
        self.assertEqual(self.bench.data(), Status.UNKNOWN_SERIAL)
        self.assertNotIn(12, self.bench.heard)

    def test_whoever_has_the_data_may_ask_again(self) -> None:
        before = self.bench.data()
        self.listener.returned("007")
        self.assertEqual(self.bench.data(), before)

    def test_nobody_left_to_try_behind_the_result_ends_it_too(self) -> None:
        self.bench.data()
        self.bench.report()
        self.assertEqual(self.state(), "reported")
        self.listener.unreachable("007", Status.SERVICE_REFUSED)
        self.assertEqual((self.state(), self.bench.heard, self.driver.withdrawn), ("closed", [10, 11, 12, 1], ["007"]))

    def test_a_second_return_is_not_told(self) -> None:
        self.listener.returned("007")
        self.listener.returned("007")
        self.assertEqual(self.bench.heard, [10, 11, 13])

    def test_progress_may_come_in_between(self) -> None:
        self.listener.returned("007")
        self.assertEqual(self.bench.report(condition=0)[0].status, 0)
        self.assertEqual(self.bench.report(event_id=2)[0].status, 0)
        self.assertEqual((self.bench.heard, self.state()), ([10, 11, 13, 0, 1], "closed"))

    def test_a_cancel_still_ends_it(self) -> None:
        self.listener.returned("007")
        self.assertEqual(self.bench.cancel()[0].status, 0)
        self.assertEqual((self.bench.heard[-1], self.state()), (16, "closed"))

    def test_it_holds_over_a_restart(self) -> None:
        self.bench.data()
        self.listener.returned("007")
        self.bench.processing.stop()
        driver = RunningDriver()
        again = Bench(store=self.bench.store, clock=self.bench.clock, drivers={"link": driver})
        self.assertEqual(driver.resumed, [], "the driver has nothing more to look for")
        again.clock.advance(61)
        self.assertEqual(again.heard[-1], 15)


class Strays(SeenCalls):
    """The customer has left the service, and the agent is gone."""

    def test_the_result_is_told_and_no_return(self) -> None:
        for reports_first in (True, False):
            self.setUp()
            if reports_first:
                self.bench.report()
            self.listener.agent_lost("007")
            if not reports_first:
                self.assertEqual(self.bench.report()[0].status, 0)
                self.bench.clock.advance(61)
            self.assertEqual((self.bench.heard, self.state()), ([10, 11, 1], "closed"))

    def test_without_a_result_the_agent_hears_15(self) -> None:
        self.listener.agent_lost("007")
        self.bench.clock.advance(61)
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 11, 15], 33))

    def test_a_call_that_nobody_knows_does_nothing(self) -> None:
        self.listener.agent_lost("404")
        self.assertEqual(self.bench.heard, [10, 11])


class _Failing(RunningDriver):
    """Does none of what it is asked, except to take offers."""

    def withdraw(self, serial: str) -> int:
        super().withdraw(serial)
        raise ZeroDivisionError

    def resume(self, serial: str, agent: str) -> None:
        super().resume(serial, agent)
        raise ZeroDivisionError

    def agent_logged_in(self, agent: str) -> None:
        super().agent_logged_in(agent)
        raise ZeroDivisionError


class DriversThatFail(SynchronousTestCase):
    """A driver that raises whatever it is asked, beside one that doesn't: calls, links and the other one go on."""

    def setUp(self) -> None:
        self.failing, self.well = _Failing(), RunningDriver()
        self.bench = self.make_bench()
        self.listener = self.bench.processing.listener
        self.addCleanup(self.flushLoggedErrors, ZeroDivisionError)

    def make_bench(self, **settings: Any) -> Bench:
        services = {
            "bill": make_service("bill", signalling="failing"),
            "other": make_service("other", signalling="well"),
        }
        return Bench(services=services, drivers={"failing": self.failing, "well": self.well}, **settings)

    def connected(self, serial: str = "007", service: str = "bill") -> None:
        self.assertEqual(self.bench.status(serial, service=service), 0)
        self.listener.offered(serial, None, lambda: self.listener.accepted(serial))

    def state(self, serial: str = "007") -> CallState | None:
        call = self.bench.store.get(serial)
        return None if call is None else call.state

    def assert_over(self, *heard: int) -> None:
        self.assertEqual((self.bench.heard, self.state()), (list(heard), CallState.CLOSED))
        self.assertEqual(self.bench.processing.calls_open, 0)
        self.assertIn("007", self.failing.withdrawn)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 0, "it is told")

    def test_a_call_that_it_can_not_withdraw_times_out(self) -> None:
        self.bench.connect()
        self.bench.clock.advance(31)
        self.assert_over(10, 14)
        self.assertEqual(self.bench.last_status, Status.SERVICE_UNREACHABLE)

    def test_a_cancel_is_answered_and_told(self) -> None:
        self.connected()
        self.assertEqual(self.bench.cancel()[0].status, 0)
        self.assert_over(10, 11, 16)

    def test_a_result_of_a_customer_who_is_back_is_answered_and_told(self) -> None:
        self.connected()
        self.listener.returned("007")
        self.assertEqual(self.bench.report()[0].status, 0)
        self.assert_over(10, 11, 13, 1)

    def test_a_return_behind_the_result_is_told(self) -> None:
        self.connected()
        self.bench.report()
        self.listener.returned("007")
        self.assertEqual((self.bench.heard, self.state()), ([10, 11, 1, 13], CallState.CLOSED))

    def test_all_hear_who_has_logged_in(self) -> None:
        self.bench.processing.agent_logged_in("1001")
        self.assertEqual((self.failing.here, self.well.here), (["1001"], ["1001"]))

    def test_all_calls_of_before_are_looked_for(self) -> None:
        for serial, service in (("1", "bill"), ("2", "other"), ("3", "bill"), ("4", "other")):
            self.connected(serial, service)
        self.bench.connect("5", service="other")
        self.bench.processing.stop()
        self.failing, self.well = _Failing(), RunningDriver()
        again = self.make_bench(store=self.bench.store, clock=self.bench.clock)
        self.assertEqual([serial for serial, _ in self.failing.resumed], ["1", "3"])
        self.assertEqual([serial for serial, _ in self.well.resumed], ["2", "4"])
        self.assertEqual([offer.serial for offer in self.well.offers], ["5"])
        self.assertEqual(again.processing.calls_open, 5)


class CallNotices(SynchronousTestCase):
    """A call has come to an agent."""

    def bench(self, **settings: Any) -> Bench:
        """A bench with a driver that sees calls."""
        return Bench(drivers={"link": RunningDriver()}, **settings)

    def test_the_agent_hears_0_under_a_new_serial_and_may_use_it(self) -> None:
        bench = self.bench()
        serial = bench.processing.listener.call_arrived("1001", "13800138000")
        self.assertTrue(has_check_digits(serial))
        [event] = bench.outlet.events
        self.assertEqual((event.condition, event.serial, event.status), (Condition.PROGRESS, serial, 0))
        self.assertEqual(dict(event.fields), {"event": "call", "calling_number": "13800138000"})
        self.assertEqual(bench.status(serial), 0)

    def test_what_could_be_read_as_a_serial_is_stripped(self) -> None:
        bench = self.bench()
        bench.processing.listener.call_arrived("1001", "13800138000**123")
        event: AgentEvent = bench.outlet.events[0]
        self.assertEqual(event.fields["calling_number"], "13800138000")

    def test_nobody_is_told_who_isnt_there_or_has_no_room(self) -> None:
        bench = self.bench(limits=Limits(mailbox=1))
        listener = bench.processing.listener
        self.assertEqual(listener.call_arrived("1002", "138"), "")
        self.assertNotEqual(listener.call_arrived("1001", "138"), "")
        self.assertEqual(listener.call_arrived("1001", "139"), "")
        self.assertEqual(len(bench.outlet.events), 1)

    def test_a_number_that_no_field_takes_is_told_to_nobody(self) -> None:
        bench = self.bench()
        self.assertEqual(bench.processing.listener.call_arrived("1001", "\udcff"), "")
        self.assertEqual(bench.outlet.events, [])


class FetchedAtARestart(SynchronousTestCase):
    """A service comes for a call that was being offered before the exchange has taken it up: the driver sees it too."""

    def setUp(self) -> None:
        self.store, self.driver = WaitingStore(), RunningDriver()
        self.store.waits = False
        call = make_call("1", service="bill", state=CallState.CONNECTING, owner="services", deadline=30.0)
        self.store.commit(Change(calls=(call, evolve(call, serial="2"))))
        self.store.waits = True

    def settle(self) -> None:
        while self.store.waiting:
            self.store.fire()
            self.bench.clock.advance(0)

    def test_while_that_is_on_its_way_to_the_store_it_waits_for_it(self) -> None:
        self.bench = Bench(self.store, drivers={"link": self.driver})
        answers: list[bytes | Status] = []
        self.bench.ask("2", answers)
        self.assertEqual(answers, [])
        self.settle()
        self.assertIsInstance(answers[0], bytes)
        self.assertEqual([(offer.serial, offer.resumed) for offer in self.driver.offers], [("1", True), ("2", True)])

    def test_before_that_it_is_given_the_data_and_the_driver_looks_for_the_call(self) -> None:
        self.patch(lots, "AT_ONCE", 1)
        self.bench = Bench(self.store, drivers={"link": self.driver})
        self.assertIsInstance(self.bench.data("2"), bytes)
        self.settle()
        self.assertEqual([offer.serial for offer in self.driver.offers], ["1"])
        self.assertEqual(self.driver.resumed, [("2", "1001")])
        call = self.store.get("2")
        self.assertIs(None if call is None else call.state, CallState.FETCHED)
        self.store.waits = False
        self.bench.clock.advance(3_601)
        self.assertIn(15, self.bench.heard, "its deadline comes")


class UnacceptedAtARestart(SynchronousTestCase):
    """A service had fetched before it accepted; who would have heard that it accepts is gone."""

    def test_it_has_its_whole_time_from_the_restart_on(self) -> None:
        store, driver = CallStore(), RunningDriver()
        call = make_call("1", service="bill", state=CallState.FETCHED, owner="services", deadline=5.0)
        store.commit(Change(calls=(call,)))
        bench = Bench(store, drivers={"link": driver})
        self.assertEqual((driver.resumed, driver.offers), ([("1", "1001")], []))
        bench.clock.advance(3_599)
        self.assertEqual(bench.report("1", condition=0)[0].status, Status.OK)
        self.assertNotIn(15, bench.heard)
        bench.clock.advance(2)
        self.assertEqual(bench.heard[-1], 15)


class Restarts(SeenCalls):
    """The driver looks for the calls of before."""

    def again(self) -> RunningDriver:
        """An exchange that takes up the store of the first one."""
        driver = RunningDriver()
        Bench(store=self.bench.store, clock=self.bench.clock, drivers={"link": driver})
        return driver

    def test_calls_with_their_service_and_on_their_way_back_are_looked_for(self) -> None:
        self.assertEqual(self.again().resumed, [("007", "1001")])
        self.bench.report()
        self.assertEqual(self.again().resumed, [("007", "1001")])

    def test_calls_that_are_over_are_not(self) -> None:
        self.listener.hung_up("007")
        driver = self.again()
        self.assertEqual((driver.resumed, driver.offers), ([], []))

    def test_calls_that_werent_accepted_come_as_offers_with_their_agent(self) -> None:
        self.bench.connect("8")
        driver = self.again()
        self.assertEqual([(one.serial, one.agent, one.resumed) for one in driver.offers], [("8", "1001", True)])
        self.assertIsInstance(self.bench.store, CallStore)
