"""A store that fails while calls go on: whose call each one is stays true, and nothing that happened is lost."""

from __future__ import annotations

from ctiex.errors import Status
from ctiex.interfaces import ISignallingListener
from ctiex.messages import CallEnded, Condition
from ctiex.records import CallState
from ctiex.testing.fakes import FakeServiceSession
from tests.processing_bench import _OTHERS, Bench

from .failing_bench import _Failing, _Seeing


class Offers(_Failing):
    """Whoever was offered the call last has it, and nobody before."""

    def test_a_connection_is_written_once_it_is_kept_that_the_session_has_the_call(self) -> None:
        self.store.waits = True
        self.bench.connect()
        self.store.fire(1)  # the call itself
        while self.store.waiting:
            self.assertEqual(self.session.connections, [])
            self.store.fire(1)
        self.assertEqual(len(self.session.connections), 1)

    def test_data_asked_for_before_it_is_kept_is_given_to_whoever_has_the_call_then(self) -> None:
        others = FakeServiceSession("others")
        self.bench.exchange.sessions.add(others, _OTHERS)
        self.bench.connect()
        self.store.waits = True
        self.session.refuse()
        answers, rivals = list[bytes | Status](), list[bytes | Status]()
        self.bench.ask("007", answers, _OTHERS)
        self.bench.ask("007", rivals)
        self.assertEqual(answers + rivals, [], "it isn't known yet whose call it is")
        self.store.fire()
        self.assertIsInstance(answers[0], bytes)
        self.assertEqual(rivals, [Status.UNKNOWN_SERIAL])

    def test_an_offer_that_the_store_does_not_take_is_made_when_it_does(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.store.waits = True
                self.bench.connect()
                self.store.waits = False
                self.failing(lambda: self.store.fire(1), in_time)  # the call is kept; what comes next isn't
                self.assertEqual(self.session.connections, [])
                self.well_again()
                self.assertEqual(len(self.session.connections), 1)
                self.session.accept()
                self.assertIsInstance(self.bench.data(), bytes)
                self.assertEqual(self.bench.heard, [10, 11, 12])

    def test_a_service_that_refused_is_not_given_the_call_back_by_a_store_that_recovers(self) -> None:
        others = FakeServiceSession("others")
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.bench.exchange.sessions.add(others, _OTHERS)
                self.bench.connect()
                self.session.refuse()
                others.accept()
                self.failing(lambda: self.bench.data(who=_OTHERS), in_time)
                self.well_again()
                self.assertIs(self.bench.data(), Status.UNKNOWN_SERIAL)
                self.assertIsInstance(self.bench.data(who=_OTHERS), bytes)
                self.assertEqual(self.bench.report(who=_OTHERS)[0].status, 0)

    def test_a_fetch_that_was_not_kept_does_not_move_the_call_back_from_who_was_offered_it_next(self) -> None:
        others = FakeServiceSession("others")
        self.bench.exchange.sessions.add(others, _OTHERS)
        self.bench.connect()
        self.failing(self.bench.data)
        self.session.refuse()
        self.well_again()
        others.accept()
        self.assertIs(self.bench.data(), Status.UNKNOWN_SERIAL)
        self.assertIsInstance(self.bench.data(who=_OTHERS), bytes)

    def test_nor_is_it_that_of_who_was_offered_the_call_meanwhile(self) -> None:
        others = FakeServiceSession("others")
        self.bench.exchange.sessions.add(others, _OTHERS)
        self.bench.connect()
        self.store.unavailable = True
        self.session.refuse()
        self.assertIsInstance(self.bench.data(), bytes)
        self.store.unavailable = False
        self.well_again()
        self.assertEqual(len(others.connections), 1)
        self.assertEqual((self.state(), self.bench.heard), (CallState.CONNECTING, [10]), "it has fetched nothing")

    def test_a_call_that_goes_to_an_address_stays_with_who_came_first_though_that_was_not_kept(self) -> None:
        self.bench = Bench(self.store, drivers={"link": _Seeing()})
        self.bench.connect()
        self.bench.processing.listener.offered("007", None, lambda: None)
        self.failing(lambda: self.assertIsInstance(self.bench.data(), bytes))
        self.assertIs(self.bench.data(who=_OTHERS), Status.UNKNOWN_SERIAL)
        self.well_again()
        self.assertIs(self.bench.data(who=_OTHERS), Status.UNKNOWN_SERIAL)
        self.assertIsInstance(self.bench.data(), bytes)

    def test_a_driver_that_speaks_late_leaves_nothing_behind(self) -> None:
        self.bench.accepted()
        self.bench.report()
        listener, written = self.bench.processing.listener, list[str]()
        for _ in range(2):
            listener.offered("007", self.session, lambda: written.append("007"))
            listener.accepted("007")
            listener.returned("007")
            listener.hung_up("007")
            listener.unreachable("007", Status.SERVICE_UNREACHABLE)
            self.bench.clock.advance(601)  # the second time nobody knows it any more
        self.assertEqual((written, len(self.bench.processing._calls.owners)), ([], 0))
        self.assertEqual(len(self.bench.processing._calls._uncommitted), 0)


class Acceptances(_Failing):
    """A customer whom a service has taken isn't told to be unreachable."""

    def test_it_counts_though_the_store_was_away(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.bench.connect()
                self.failing(self.session.accept, in_time)
                self.assertIsInstance(self.bench.data(), bytes)
                self.well_again()
                self.assertEqual((self.state(), self.bench.heard[0]), (CallState.FETCHED, 10))
                self.assertEqual(sorted(self.bench.heard), [10, 11, 12])
                self.bench.clock.advance(31)
                self.assertNotIn(14, self.bench.heard)

    def test_it_counts_though_the_store_is_away_for_longer_than_signalling_may_take(self) -> None:
        self.bench.connect()
        self.store.unavailable = True
        self.session.accept()
        self.bench.clock.pump([1] * 60)
        self.store.unavailable = False
        self.bench.clock.pump([1] * 12)
        self.assertEqual((self.state(), self.bench.heard), (CallState.CONNECTED, [10, 11]))

    def test_it_counts_though_a_cancel_is_under_way_that_fails(self) -> None:
        self.bench.connect()
        self.store.waits = True
        cancelled = self.bench.cancel()
        self.session.accept()
        self.store.fail()
        self.store.fire()
        self.assertEqual((cancelled[0].status, self.state()), (50, CallState.CONNECTED))
        self.assertEqual(self.bench.heard, [10, 11])


class Ends(_Failing):
    """No end is lost."""

    def make_bench(self) -> Bench:
        return Bench(self.store, drivers={"link": _Seeing()})

    def served(self) -> None:
        self.bench.connect()
        listener = self.bench.processing.listener
        listener.offered("007", self.session, lambda: listener.accepted("007"))

    def test_a_hang_up_is_told_when_the_store_is_back(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.served()
                self.failing(lambda: self.bench.processing.listener.hung_up("007"), in_time)
                self.assertEqual(self.state(), CallState.CONNECTED)
                self.well_again()
                self.assertEqual((self.state(), self.bench.heard), (CallState.CLOSED, [10, 11, 3]))
                self.assertEqual(self.session.ended, [CallEnded("007", Condition.ABANDONED)])

    def test_nobody_reached_is_told_when_the_store_is_back(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.bench.connect()
                self.failing(lambda: self.bench.processing.listener.unreachable("007", 32), in_time)
                self.well_again()
                self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], 32))

    def test_a_return_is_told_when_the_store_is_back(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.served()
                self.failing(lambda: self.bench.processing.listener.returned("007"), in_time)
                self.well_again()
                self.assertEqual(self.bench.heard, [10, 11, 13])

    def test_a_call_that_has_come_is_told_when_the_store_is_back(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.failing(lambda: self.bench.processing.listener.call_arrived("1001", "139"), in_time)
                self.assertEqual(self.bench.heard, [])
                self.well_again()
                self.assertEqual(self.bench.heard, [0])

    def test_a_hang_up_behind_a_result_that_is_lost_is_an_end(self) -> None:
        self.served()
        self.store.waits = True
        reported = self.bench.report()
        self.bench.processing.listener.hung_up("007")
        self.store.fail()
        self.store.fire()
        self.assertEqual((reported[0].status, self.bench.heard), (50, [10, 11, 3]))

    def test_a_hang_up_behind_a_result_that_is_kept_is_not_told(self) -> None:
        self.served()
        self.store.waits = True
        reported = self.bench.report()
        self.bench.processing.listener.hung_up("007")
        self.store.fire()
        self.store.fire()
        self.assertEqual((reported[0].status, self.bench.heard), (0, [10, 11, 1]))
        self.assertEqual(self.state(), CallState.CLOSED)


class DataOfCallsThatAreOver(_Failing):
    """Data asked for while it isn't kept yet what has become of the call: 50, and nothing that is true no more."""

    def make_bench(self) -> Bench:
        return Bench(self.store, drivers={"link": _Seeing()})

    def connected(self) -> ISignallingListener:
        self.bench.connect()
        listener = self.bench.processing.listener
        listener.offered("007", self.session, lambda: listener.accepted("007"))
        return listener

    def test_a_customer_who_has_hung_up_is_given_to_no_service(self) -> None:
        for fetched in (False, True):
            for in_time in (False, True):
                with self.subTest(fetched=fetched, in_time=in_time):
                    self.setUp()
                    listener = self.connected()
                    if fetched:
                        self.bench.data()
                    self.failing(lambda: listener.hung_up("007"), in_time)  # noqa: B023
                    self.assertIs(self.bench.data(), Status.STORE_UNAVAILABLE)
                    self.well_again()
                    self.assertIs(self.bench.data(), Status.UNKNOWN_SERIAL)
                    self.assertEqual(self.bench.heard, [10, 11, *[12] * fetched, 3])

    def test_nor_one_who_is_back_with_the_agent(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                listener = self.connected()
                self.failing(lambda: listener.returned("007"), in_time)  # noqa: B023
                self.assertIs(self.bench.data(), Status.STORE_UNAVAILABLE)
                self.well_again()
                self.assertIs(self.bench.data(), Status.UNKNOWN_SERIAL)
                self.assertEqual(self.bench.heard, [10, 11, 13])

    def test_a_fetch_that_was_not_kept_is_told_before_the_return(self) -> None:
        listener = self.connected()
        self.store.unavailable = True
        self.assertIsInstance(self.bench.data(), bytes)
        listener.returned("007")
        self.store.unavailable = False
        self.well_again()
        self.assertEqual(self.bench.heard, [10, 11, 12, 13])

    def test_whom_an_exchange_that_leaves_has_offered_waits_for_the_next_one(self) -> None:
        for accepted in (False, True):
            with self.subTest(accepted=accepted):
                self.setUp()
                self.bench.connect()
                listener = self.bench.processing.listener
                listener.offered("007", self.session, lambda: None)
                if accepted:
                    listener.accepted("007")
                self.bench.processing.drain()
                refused = self.bench.data() is Status.STORE_UNAVAILABLE
                self.assertEqual((refused, 12 in self.bench.heard), (not accepted, accepted))


class Cancels(_Failing):
    """A cancel that fails has never been."""

    def test_a_call_whose_cancel_fails_before_it_was_offered_is_offered(self) -> None:
        self.store.waits = True
        connected, cancelled = self.bench.connect(), self.bench.cancel()
        self.store.fire(1)
        self.store.fail()
        self.assertEqual((connected[0].status, cancelled[0].status), (0, 50))
        self.store.waits = False
        self.store.fire()
        self.well_again()
        self.session.accept()
        self.assertEqual(self.bench.heard, [10, 11])

    def test_data_asked_for_meanwhile_is_given(self) -> None:
        self.bench.accepted()
        self.store.waits = True
        cancelled, answers = self.bench.cancel(), list[bytes | Status]()
        self.bench.ask("007", answers)
        self.assertEqual(answers, [])
        self.store.fail()
        self.assertEqual(cancelled[0].status, 50)
        self.assertIsInstance(answers[0], bytes)

    def test_data_asked_for_behind_a_cancel_that_is_kept_is_not(self) -> None:
        self.bench.accepted()
        self.store.waits = True
        answers = list[bytes | Status]()
        self.bench.cancel()
        self.bench.ask("007", answers)
        self.store.fire()
        self.assertEqual(answers, [Status.UNKNOWN_SERIAL])


class CallsThatNeverWere(_Failing):
    """A new call that the store didn't take, under the serial of one that it was to forget."""

    def test_the_one_before_stands_again_and_is_forgotten_in_its_time(self) -> None:
        self.bench.accepted()
        self.bench.report()
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 3)
        self.store.waits = True
        self.bench.clock.advance(601)
        again = self.bench.connect()
        self.assertEqual((self.state(), again), (CallState.REQUESTED, []))
        self.store.fail()
        self.assertEqual((again[0].status, self.state()), (50, CallState.CLOSED))
        self.store.waits = False
        self.bench.clock.pump([1] * 12)
        self.assertIsNone(self.state())
        self.assertEqual(self.bench.status(), 0)
