"""A store that is away for a while: deadlines, restarts, what is told of it, and changes taken now and then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status, StoreUnavailable
from ctiex.interfaces import Offer
from ctiex.messages import CallEnded, Condition
from ctiex.processing.commits import RETRY_AFTER
from ctiex.records import Call, CallState, Change
from ctiex.testing.fakes import FakeServiceSession, WaitingStore
from tests.processing_bench import _OTHERS, Bench

from .failing_bench import _Failing, _Seeing


class TimeOuts(_Failing):
    """A deadline that passes while the store is away is told once, with what was met then."""

    def silent(self) -> None:
        """A Connection that its service leaves unanswered for too long, while the end can't be kept."""
        self.bench.connect()
        self.bench.clock.advance(29)

    def test_an_end_that_had_to_be_told_again_says_what_kept_the_call_from_going_on(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                self.silent()
                self.failing(lambda: self.bench.clock.advance(2), in_time)
                self.assertEqual(self.bench.heard, [10])
                self.bench.clock.pump([1] * 10)
                self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], Status.TIMED_OUT))
                self.assertEqual(self.session.ended, [CallEnded("007", Condition.UNREACHABLE)])
                self.assertEqual(self.bench.exchange.counters.calls_unreachable, 1)

    def test_its_driver_is_asked_once_until_that_is_kept(self) -> None:
        driver = _Seeing()
        withdrawn: list[str] = []
        driver.withdraw = lambda serial: (withdrawn.append(serial), Status.TIMED_OUT)[1]  # type: ignore[method-assign]
        self.bench = Bench(self.store, drivers={"link": driver})
        self.silent()
        self.store.unavailable = True
        self.bench.clock.pump([1] * 30)
        self.assertEqual(withdrawn, ["007"])
        self.store.unavailable = False
        self.bench.clock.pump([1] * 10)
        self.assertEqual((self.bench.heard, withdrawn), ([10, 14], ["007", "007"]), "and once more when it is over")

    def test_what_was_met_is_not_remembered_of_the_next_call_with_its_serial(self) -> None:
        self.silent()
        self.failing(lambda: self.bench.clock.advance(2))
        self.bench.clock.pump([1] * 10)
        self.bench.clock.advance(601)
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 2)
        self.bench.connect()
        self.session.refuse()
        self.bench.clock.pump([1] * 3)  # no other session binds within the grace
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14, 10, 14], Status.SERVICE_REFUSED))
        self.assertEqual(self.bench.processing._calls._met_by, {})

    def test_the_end_waits_for_longer_than_a_closed_call_is_kept_and_is_told_once(self) -> None:
        self.silent()
        self.store.waits = True
        self.bench.clock.pump([2, 700, 700])
        self.store.fire()
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], Status.TIMED_OUT))


class _Flapping(WaitingStore):
    """Keeps what is no call's at once; of calls and events it keeps none until it is well."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = False
        self.well = True
        self.refused = 0

    def commit(self, change: Change) -> Deferred[None] | None:
        if not self.well and (change.calls or change.events):
            self.refused += 1
            raise StoreUnavailable("it has no room for that")
        return super().commit(change)


class Flapping(SynchronousTestCase):
    """A store that takes some changes and others not, such as one on a disk that is nearly full."""

    def setUp(self) -> None:
        self.store = _Flapping()
        self.bench = Bench(self.store, drivers={"link": _Seeing()})

    def test_what_happened_is_tried_again_ever_more_slowly_and_kept_in_the_end(self) -> None:
        serials = [str(number) for number in range(1, 31)]
        for serial in serials:
            self.bench.connect(serial)
        self.store.well = False
        with capturedLogs() as logged:
            for serial in serials:
                self.bench.processing.listener.hung_up(serial)
            self.bench.clock.pump([0.25] * 400)
        tries = self.store.refused / len(serials)
        self.assertGreater(tries, 100 / 10, "it is tried for as long as it takes")
        self.assertLess(tries, 100 / RETRY_AFTER + 10)
        self.assertLess(len(logged), 2 * (100 / RETRY_AFTER + 10))
        self.store.well = True
        self.bench.clock.pump([0.25] * 40)
        told = [(event.serial, event.condition) for event in self.bench.outlet.events]
        self.assertEqual(told[len(serials) :], [(serial, Condition.ABANDONED) for serial in serials])
        self.assertEqual(self.bench.processing.calls_open, 0)

    def test_one_that_was_well_for_a_while_is_tried_as_soon_as_ever(self) -> None:
        self.store.well = False
        self.bench.connect("1")
        self.bench.clock.pump([0.25] * 400)
        self.store.well = True
        self.bench.clock.pump([0.25] * 40)
        commits = self.bench.exchange.context.commits
        self.store.unavailable = True
        self.bench.connect("2")
        self.store.unavailable = False
        self.bench.clock.advance(0.5)
        self.assertFalse(commits.outage.lasts)


class Restarts(_Failing):
    """A store that fails while the calls of before are taken up."""

    def test_calls_that_were_being_signalled_are_offered_when_it_is_back(self) -> None:
        self.bench.connect()
        self.bench.processing.stop()
        self.store.unavailable = True
        again = Bench(self.store, self.bench.clock)
        again.clock.advance(1)
        self.assertEqual(again.session.connections, [])
        self.store.unavailable = False
        self.bench = again
        self.well_again()
        self.assertEqual(len(again.session.connections), 1)

    def test_a_call_whose_time_is_over_while_the_exchange_leaves_is_left_to_the_next_one(self) -> None:
        self.bench.connect()
        self.bench.processing.drain()
        self.bench.processing.stop_resuming()
        self.bench.clock.advance(31)
        self.assertEqual((self.state(), self.bench.heard), (CallState.CONNECTING, [10]))
        self.bench.processing.stop()
        again = Bench(self.store, self.bench.clock)
        again.clock.advance(1)
        again.session.accept()
        self.assertIsInstance(again.data(), bytes)

    def test_an_offer_that_was_not_kept_is_not_made_by_an_exchange_that_leaves(self) -> None:
        others = FakeServiceSession("others")
        self.bench.exchange.sessions.add(others, _OTHERS)
        self.bench.connect()
        self.store.unavailable = True
        self.session.refuse()
        self.bench.processing.drain()
        self.bench.processing.stop_resuming()
        self.store.unavailable = False
        self.well_again()
        self.assertEqual(others.connections, [])
        self.assertIs(self.bench.data(who=_OTHERS), Status.UNKNOWN_SERIAL)

    def test_calls_of_services_that_are_not_configured_any_more_end_all_the_same(self) -> None:
        self.bench.connect()
        self.bench.processing.stop()
        self.store.unavailable = True
        self.bench = Bench(self.store, self.bench.clock, services={})
        self.bench.clock.advance(1)
        self.store.unavailable = False
        self.well_again()
        self.assertEqual((self.bench.heard, self.bench.last_status), ([10, 14], Status.UNKNOWN_SERVICE))


class Outages(_Failing):
    """A store that is away is told once, and once more when it is back."""

    def test_sixty_refused_requests_are_two_lines(self) -> None:
        self.store.unavailable = True
        for number in range(60):
            self.assertEqual(self.bench.status(f"1{number}"), 50)
        self.bench.clock.pump([1] * 10)
        self.store.unavailable = False
        self.bench.clock.pump([1] * 6)
        self.assertEqual(len(self.flushLoggedErrors()), 0, "it is no traceback")
        self.assertFalse(self.bench.exchange.context.commits.outage.lasts)

    def test_an_outage_is_told_when_it_begins_and_when_it_ends_however_the_store_says_so(self) -> None:
        for in_time in (False, True):
            with self.subTest(in_time=in_time):
                self.setUp()
                with capturedLogs() as logged:
                    for number in range(20):
                        self.failing(partial(self.bench.connect, f"1{number}"), in_time)
                    self.assertTrue(self.bench.exchange.context.commits.outage.lasts)
                    self.well_again()
                    self.bench.connect("2")
                began, ended = [formatEvent(entry) for entry in logged]
                self.assertIn("is unavailable (logged once until it is back): the test says so", began)
                self.assertIn("is available again; 20 changes failed", ended)

    def test_a_look_up_that_fails_is_the_same_outage(self) -> None:
        with capturedLogs() as logged:
            self.store.unavailable = True
            self.bench.connect("1")
            looking: Deferred[Call | None] = Deferred()
            lost: list[bool] = []
            self.bench.exchange.context.commits.heard(looking, lambda call: None, lambda: lost.append(True))
            looking.errback(StoreUnavailable("it can't look either"))
            self.store.unavailable = False
            self.well_again()
        self.assertEqual((len(logged), lost), (2, [True]))
        self.assertIn("2 changes failed", formatEvent(logged[1]))

    def test_it_is_found_to_be_back_though_nobody_asks_for_anything(self) -> None:
        self.store.unavailable = True
        self.bench.connect()
        commits = self.bench.exchange.context.commits
        self.assertTrue(commits.outage.lasts)
        self.bench.clock.pump([1] * 30)
        self.assertTrue(commits.outage.lasts)
        self.store.unavailable = False
        self.bench.clock.pump([1] * 6)
        self.assertFalse(commits.outage.lasts)

    def test_no_timer_is_left_when_it_stops(self) -> None:
        self.store.unavailable = True
        self.bench.connect()
        self.bench.processing.stop()
        self.assertEqual([call for call in self.bench.clock.getDelayedCalls() if call.active()], [])


class _Turns(Clock):
    """A clock that tells how much came of each of its turns."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Callable[[], int] = lambda: 0
        self.most = 0

    def callLater(self, delay: float, what: Callable[..., object], *args: object, **words: object) -> IDelayedCall:
        def turn() -> None:
            before = self.count()
            what(*args, **words)
            self.most = max(self.most, self.count() - before)

        return super().callLater(delay, turn)


class ManyCalls(SynchronousTestCase):
    """A restart with thousands of calls that were being signalled: others have their turns meanwhile."""

    calls = 500

    def setUp(self) -> None:
        self.clock = _Turns()
        self.before = Bench(clock=self.clock, drivers={"link": _Seeing()})
        for number in range(self.calls):
            agent = str(1100 + number % 50)
            self.before.login(agent)
            assert self.before.status(str(number), agent=agent) == 0
        self.before.processing.stop()

    def test_they_are_offered_some_at_a_time_to_a_service_that_binds_later(self) -> None:
        again = Bench(self.before.store, self.clock)
        self.clock.count = lambda: len(again.session.connections)
        self.clock.pump([0.1] * 100)
        self.assertEqual(len(again.session.connections), self.calls)
        self.assertLessEqual(self.clock.most, 100)

    def test_they_are_taken_up_some_at_a_time(self) -> None:
        driver = _Seeing()
        offered: list[Offer] = []
        driver.offer = offered.append  # type: ignore[method-assign]
        Bench(self.before.store, self.clock, drivers={"link": driver})
        self.assertLessEqual(len(offered), 100, "the first lot")
        self.clock.count = lambda: len(offered)
        self.clock.pump([0.1] * 100)
        self.assertEqual(len(offered), self.calls)
        self.assertLessEqual(self.clock.most, 100)

    def test_those_of_a_service_that_is_gone_end_some_at_a_time(self) -> None:
        again = Bench(self.before.store, self.clock, services={})
        self.clock.count = lambda: again.exchange.counters.calls_unreachable
        self.assertLessEqual(self.clock.count(), 100, "the first lot")
        self.clock.pump([0.1] * 100)
        self.assertEqual(self.clock.count(), self.calls)
        self.assertLessEqual(self.clock.most, 100)
