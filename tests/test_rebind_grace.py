"""``rebind_grace``: how long a call waits for a session where none is left to try."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ctiex.interfaces import IServiceSession
from ctiex.limits import Timeouts
from ctiex.lots import AT_ONCE
from ctiex.messages import CallEnded, Condition, Connection
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.signalling.link import LinkSignalling
from ctiex.testing.fakes import FakeServiceSession
from ctiex.testing.pairs import make_service, services
from ctiex.testing.signalling_contract import RecordingListener, make_offer

from .processing_bench import _OTHERS, _SERVICES, Bench


class _Full(FakeServiceSession):
    """A session that answers at once that it is gone, as one does whose link has just ended."""

    def connect(self, connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        self.connections.append(connection)
        self.bound = False
        answered(None)


class TheDriver(SynchronousTestCase):
    """Signalling by link alone."""

    def setUp(self) -> None:
        self.listener, self.sessions, self.clock = RecordingListener(), ServiceSessions(), Clock()
        self.driver = LinkSignalling(self.listener, self.sessions, self.clock)

    def _binds(self, session: FakeServiceSession | None = None, service: str = "bill") -> FakeServiceSession:
        made = session or FakeServiceSession("services")
        self.sessions.add(made, services("services", service))
        return made

    def _nothing_is_left(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.driver._attempts, self.driver._without_session, self.driver._waiting), ({}, {}, {}))

    def test_one_that_binds_in_time_is_offered_a_call_for_which_none_was_there(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        self.clock.advance(2.9)
        self._binds().accept()
        self.assertEqual(self.listener.of("1"), ["offered", "accepted"])
        self._nothing_is_left()

    def test_with_none_it_is_31_when_the_grace_is_over(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        self.clock.advance(2.9)
        self.assertEqual(self.listener.told, [])
        self.clock.advance(0.1)
        self.assertEqual((self.listener.of("1"), self.listener.statuses), (["unreachable"], [31]))
        self._nothing_is_left()

    def test_with_0_it_is_31_at_once(self) -> None:
        self.driver.offer(make_offer("1", grace=0))
        self.assertEqual((self.listener.of("1"), self.listener.statuses), (["unreachable"], [31]))
        self._nothing_is_left()

    def test_it_is_counted_anew_each_time_that_none_is_left_and_the_last_outcome_is_told(self) -> None:
        for last, status in (("refuse", 32), ("die", 33)):
            self.setUp()
            self.driver.offer(make_offer("1", grace=3))
            for fate in ("refuse", "die", last):
                self.clock.advance(2)
                session = self._binds()
                getattr(session, fate)()
                session.bound = False
            self.clock.advance(2.9)
            self.assertEqual(self.listener.of("1"), ["offered"] * 3)
            self.clock.advance(0.1)
            self.assertEqual((self.listener.of("1")[3:], self.listener.statuses), (["unreachable"], [status]))
            self._nothing_is_left()

    def test_one_that_has_refused_is_not_asked_again(self) -> None:
        session = self._binds()
        self.driver.offer(make_offer("1", grace=3))
        session.refuse()
        self.clock.advance(1)
        self._binds(FakeServiceSession("services", bound=False))
        self.clock.advance(2)
        self.assertEqual((len(session.connections), self.listener.statuses), (1, [32]))

    def test_one_that_is_gone_as_it_is_asked_leaves_the_rest_of_the_grace_to_others(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        self.clock.advance(2)
        self._binds(_Full("services"))
        self.clock.advance(2.9)
        self.assertEqual(self.listener.of("1"), ["offered"])
        self._binds().accept()
        self.assertEqual(self.listener.of("1"), ["offered", "offered", "accepted"])
        self._nothing_is_left()

    def test_and_if_no_other_comes_the_call_is_told_as_unreachable(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        self._binds(_Full("services"))
        self.clock.advance(3)
        self.assertEqual((self.listener.of("1"), self.listener.statuses), (["offered", "unreachable"], [33]))
        self._nothing_is_left()

    def test_one_of_another_service_is_offered_nothing(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        other = self._binds(service="fax")
        self.clock.advance(3)
        self.assertEqual((other.connections, self.listener.statuses), ([], [31]))

    def test_withdrawing_a_call_that_waits_leaves_nothing(self) -> None:
        self.driver.offer(make_offer("1", grace=3))
        self.assertEqual(self.driver.withdraw("1"), 31)
        self._nothing_is_left()
        self.assertEqual(self._binds().connections, [])

    def test_a_serial_that_is_offered_again_meanwhile_is_another_call(self) -> None:
        for _ in range(AT_ONCE):
            self.driver.offer(make_offer(f"9{_}", grace=3))
        self.driver.offer(make_offer("1", grace=3))
        self._binds(FakeServiceSession("services"))  # the last call is for the next turn
        self.driver.withdraw("1")
        self.driver.offer(make_offer("1", grace=3))
        self.clock.advance(0)
        self.assertEqual(self.listener.of("1"), ["offered"])

    def test_stopping_cancels_all(self) -> None:
        for serial in range(10):
            self.driver.offer(make_offer(str(serial), grace=3))
        self.driver.offer(make_offer("10", resumed=True))
        self._binds(FakeServiceSession("services", bound=False))
        self.driver.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self._binds().connections, [])

    def test_thousands_that_wait_are_offered_some_at_a_time_and_leave_no_timer(self) -> None:
        calls = 2_000
        for serial in range(calls):
            self.driver.offer(make_offer(str(serial), grace=3))
        self.assertEqual(len(self.clock.getDelayedCalls()), calls)
        session = self._binds()
        self.assertEqual(len(session.connections), AT_ONCE)
        while len(session.connections) < calls:
            self.clock.advance(0)
        for at in range(calls):
            session.accept(at)
        self.assertEqual(self.listener.told.count(("accepted", "1999")), 1)
        self._nothing_is_left()

    def test_nobody_walks_through_the_calls_of_other_services(self) -> None:
        asked: list[str] = []

        class Counting(ServiceSessions):
            def for_service(self, service: str) -> list[IServiceSession]:
                asked.append(service)
                return list(super().for_service(service))

        self.sessions = Counting()
        self.driver = LinkSignalling(self.listener, self.sessions, self.clock)
        for serial in range(100):
            self.driver.offer(make_offer(str(serial), grace=3))
        asked.clear()
        self._binds(service="fax")
        self.assertEqual(asked, ["bill"])


class TheExchange(SynchronousTestCase):
    """What agents and services hear."""

    def _bench(self, **timeouts: float) -> Bench:
        bench = Bench(services={"bill": make_service("bill", Timeouts(**timeouts))})
        bench.exchange.sessions.remove(bench.session)
        return bench

    def _binds(self, bench: Bench) -> FakeServiceSession:
        session = FakeServiceSession("services")
        bench.exchange.sessions.add(session, _SERVICES)
        return session

    def test_a_service_that_is_away_for_a_moment_keeps_its_calls(self) -> None:
        bench = self._bench()
        bench.connect()
        bench.clock.advance(2.9)
        self._binds(bench).accept()
        bench.clock.advance(10)
        self.assertEqual(bench.heard, [10, 11])

    def test_it_is_never_beyond_the_signalling_time_out(self) -> None:
        bench = self._bench(signalling_timeout=5, rebind_grace=60)
        bench.connect()
        bench.clock.advance(5.2)
        self.assertEqual((bench.heard, bench.last_status), ([10, 14], 31))
        self.assertEqual(self._binds(bench).connections, [])

    def test_the_end_says_what_the_last_one_did(self) -> None:
        for fate, status in (("refuse", 32), ("die", 33)):
            bench = self._bench(signalling_timeout=5, rebind_grace=60)
            bench.connect()
            session = self._binds(bench)
            getattr(session, fate)()
            bench.clock.advance(5.2)
            self.assertEqual((bench.heard, bench.last_status), ([10, 14], status))

    def test_a_cancel_meanwhile_ends_it_and_nobody_is_offered_the_call(self) -> None:
        bench = self._bench()
        bench.connect()
        self.assertEqual(bench.cancel()[0].status, 0)
        session = self._binds(bench)
        self.assertEqual((bench.heard, session.connections, session.ended), ([10, 16], [], []))

    def test_a_call_whose_service_refused_is_cancelled_without_a_word_to_it(self) -> None:
        bench = self._bench()
        bench.connect()
        session = self._binds(bench)
        session.refuse()
        bench.cancel()
        self.assertEqual((bench.heard, session.ended, self._binds(bench).ended), ([10, 16], [], []))

    def test_one_whose_service_died_is_told_to_the_next_that_binds(self) -> None:
        bench = self._bench()
        bench.connect()
        self._binds(bench).die()
        bench.cancel()
        self.assertEqual(self._binds(bench).ended, [CallEnded("007", Condition.CANCELLED)])

    def test_another_identity_that_serves_it_gets_the_call_too(self) -> None:
        bench = self._bench()
        bench.connect()
        self._binds(bench).die()
        bench.data()
        other = FakeServiceSession("others")
        bench.exchange.sessions.add(other, _OTHERS)
        other.accept()
        bench.cancel()
        self.assertEqual((bench.heard, len(other.ended)), ([10, 12, 11, 16], 1))
        self.assertEqual(self._binds(bench).ended, [], "it has it no more")

    def test_stopping_leaves_no_timer(self) -> None:
        bench = self._bench()
        for serial in range(20):
            bench.connect(str(serial))
        bench.processing.stop_resuming()
        bench.processing.withdraw_offers()
        bench.processing.stop()
        self.assertEqual(bench.clock.getDelayedCalls(), [])
