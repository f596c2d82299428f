"""CallEnded and DataChanged: told once they are kept, until they are answered, whatever store, links and process do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.fields import Fields
from ctiex.limits import Timeouts
from ctiex.messages import CallEnded, Condition, DataChanged
from ctiex.processing.service_notices import ServiceNotices
from ctiex.records import CallState
from ctiex.testing.fakes import FakeServiceSession, WaitingStore
from ctiex.testing.pairs import make_service

from .failing_bench import _Failing
from .processing_bench import _OTHERS, _SERVICES, Bench

ENDED, CHANGED = CallEnded("007", Condition.CANCELLED), DataChanged("007")
BONN, ROME = Fields({"area": "Bonn"}), Fields({"area": "Rome"})


def notices_of(bench: Bench) -> ServiceNotices:
    return bench.processing._calls._notices


def binds(
    bench: Bench, answers: bool = True, *, updates: bool = True, identity: str = "services"
) -> FakeServiceSession:
    """One more session; it answers what it is told unless it says nothing."""
    features = ("updates",) if updates else ()
    session = FakeServiceSession(identity, answers_notices=answers, features=features)
    bench.exchange.sessions.add(session, _SERVICES if identity == "services" else _OTHERS)
    return session


def goes(bench: Bench, session: FakeServiceSession) -> None:
    """The link of a session ends."""
    bench.exchange.sessions.remove(session)
    session.die()


def restarted(bench: Bench) -> Bench:
    """Another process with its store, in which no service is bound."""
    bench.processing.stop()
    return Bench(bench.store, bench.clock, bound=False)


class UntilAnswered(SynchronousTestCase):
    """Both of them, over sessions that come and go."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.bench.session.answers_notices = False

    def _owed(self, what: str) -> None:
        """A call that is served, of which the service is to be told something."""
        self.bench.accepted()
        self.bench.data()
        if what == "ended":
            self.bench.cancel()
        else:
            self.bench.update(BONN)

    def _told(self, session: FakeServiceSession, what: str) -> int:
        return len(session.ended if what == "ended" else session.changed)

    def _nothing_is_left(self, bench: Bench) -> None:
        call = bench.store.get("007")
        self.assertEqual(len(notices_of(bench)), 0)
        self.assertTrue(call is None or not (call.ended_as or call.changed))

    def test_the_session_that_accepted_hears_it_and_nobody_else_once_it_has_answered(self) -> None:
        for what in ("ended", "changed"):
            self.setUp()
            other = binds(self.bench)
            self.bench.session.bound, other.bound = True, False
            self._owed(what)
            other.bound = True
            self.assertEqual((self._told(self.bench.session, what), self._told(other, what)), (1, 0))
            self.bench.session.hear()
            goes(self.bench, self.bench.session)
            self.assertEqual([self._told(one, what) for one in (other, binds(self.bench))], [0, 0])
            self._nothing_is_left(self.bench)

    def test_one_that_dies_or_is_silent_leaves_it_to_another(self) -> None:
        for what, dies in product(("ended", "changed"), (True, False)):
            self.setUp()
            self._owed(what)
            other = binds(self.bench)
            self.assertEqual(self._told(other, what), 0, "it is under way")
            if dies:
                goes(self.bench, self.bench.session)
            else:
                self.bench.session.hear(False)
            self.assertEqual(self._told(other, what), 1)
            self._nothing_is_left(self.bench)

    def test_one_that_was_bound_behind_it_comes_before_others_which_may_be_dead_as_well(self) -> None:
        for what in ("ended", "changed"):
            self.setUp()
            other = binds(self.bench)
            self.bench.session.bound, other.bound = True, False
            self._owed(what)
            other.bound = True
            late = binds(self.bench)
            self.bench.session.hear(False)
            self.assertEqual([self._told(one, what) for one in (other, late)], [0, 1])
            self._nothing_is_left(self.bench)

    def test_where_it_is_the_only_one_it_is_told_again(self) -> None:
        for what in ("ended", "changed"):
            self.setUp()
            self._owed(what)
            for again in (2, 3):
                self.bench.session.hear(False)
                self.assertEqual(self._told(self.bench.session, what), again)
            self.bench.session.hear()
            self._nothing_is_left(self.bench)

    def test_those_that_are_silent_take_turns(self) -> None:
        other = binds(self.bench, answers=False)
        self.bench.session.bound, other.bound = True, False
        self._owed("ended")
        other.bound = True
        told = []
        for _ in range(4):
            for session in (self.bench.session, other):
                session.hear(False)
            told.append((self._told(self.bench.session, "ended"), self._told(other, "ended")))
        self.assertEqual(told, [(2, 1), (3, 2), (4, 3), (5, 4)])

    def test_where_none_is_bound_the_next_that_binds_hears_it(self) -> None:
        for what, restarts in product(("ended", "changed"), range(3)):
            self.setUp()
            self.bench.accepted()
            self.bench.data()
            goes(self.bench, self.bench.session)
            self.bench.cancel() if what == "ended" else self.bench.update(BONN)
            bench = self.bench
            for _ in range(restarts):
                bench = restarted(bench)
            stranger, first = binds(bench, identity="others"), binds(bench, answers=False)
            goes(bench, first)
            second = binds(bench)
            self.assertEqual([self._told(one, what) for one in (stranger, first, second)], [0, 1, 1])
            self._nothing_is_left(bench)
            last = binds(restarted(bench))
            self.assertEqual(self._told(last, what), 0)

    def test_an_answer_that_came_too_late_says_nothing_of_what_was_told_since(self) -> None:
        self._owed("ended")
        [late] = self.bench.session._unheard
        self.bench.session.hear(False)
        late(True)
        self.assertEqual(len(notices_of(self.bench)), 3)
        self.bench.session.hear()
        self._nothing_is_left(self.bench)

    def test_it_is_forgotten_with_the_record_and_an_answer_then_does_nothing(self) -> None:
        self._owed("ended")
        goes(self.bench, self.bench.session)
        last = binds(self.bench, answers=False)
        self.bench.clock.advance(601)
        self._nothing_is_left(self.bench)
        self.bench.exchange.mailboxes.acknowledge("1001", self.bench.outlet, 4)
        self.bench.connect()
        last.accept()
        self.bench.data()
        self.bench.cancel()
        self.assertEqual(len(last.ended), 2)
        last._unheard.pop(0)(True)
        self.assertEqual(len(notices_of(self.bench)), 3, "that was an earlier call's")

    def test_thousands_are_told_some_at_a_time_and_leave_nothing(self) -> None:
        calls = 1_000
        bench = Bench()
        for number in range(calls):
            assert bench.status(str(number), agent="1001") in (0, 14)
            if number % 50 == 49:
                for serial in range(number - 49, number + 1):
                    bench.session.accept(serial)
                    bench.cancel(str(serial)) if serial % 2 else None
                    bench.report(str(serial)) if not serial % 2 else None
                bench.exchange.mailboxes.acknowledge("1001", bench.outlet, bench.store.last_sequence("1001"))
        self.assertEqual(len(bench.session.ended), calls // 2)
        self._nothing_is_left(bench)


class Ends(SynchronousTestCase):
    """CallEnded alone."""

    def setUp(self) -> None:
        self.bench = Bench()

    def test_it_waits_for_no_answer_about_the_data(self) -> None:
        for heard in (True, False):
            self.setUp()
            session = self.bench.session
            session.answers_notices = False
            self.bench.accepted()
            self.bench.data()
            self.bench.update(BONN)
            self.bench.cancel()
            self.assertEqual((session.changed, session.ended), ([CHANGED], [ENDED]))
            changed, ended = session._unheard
            changed(heard)
            self.assertEqual((len(notices_of(self.bench)), len(session.ended)), (3, 1))
            ended(True)
            self.assertEqual(len(notices_of(self.bench)), 0)

    def test_none_where_its_last_word_was_a_refusal_of_any_kind(self) -> None:
        for bound_again in (True, False):
            self.setUp()
            self.bench.connect()
            self.bench.session.refuse()
            if bound_again:
                goes(self.bench, self.bench.session)
            self.bench.clock.advance(3)
            self.assertEqual((self.bench.heard, self.bench.session.ended), ([10, 14], []))
            self.assertEqual(binds(self.bench).ended, [])
            self.assertEqual(len(self.bench.processing._calls.owners), 0)

    def test_one_that_died_and_never_said_a_word_is_told(self) -> None:
        self.bench.connect()
        goes(self.bench, self.bench.session)
        self.bench.clock.advance(3)
        self.assertEqual(binds(self.bench).ended, [CallEnded("007", Condition.UNREACHABLE)])

    def test_a_service_that_has_reported_hears_none_whatever_comes_of_the_call(self) -> None:
        self.bench.accepted()
        self.bench.report()
        self.bench.cancel()
        goes(self.bench, self.bench.session)
        self.bench.clock.advance(100)
        self.assertEqual((binds(self.bench).ended, len(notices_of(self.bench))), ([], 0))


class Changes(SynchronousTestCase):
    """DataChanged alone."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.session = self.bench.session
        self.session.answers_notices = False
        self.bench.accepted()

    def test_one_at_a_time_and_one_more_for_all_that_came_behind_it(self) -> None:
        self.bench.data()
        for area in (BONN, ROME, BONN):  # as it was when it was told: it may have fetched in between
            self.bench.update(area)
        self.assertEqual(self.session.changed, [CHANGED])
        self.session.hear()
        self.assertEqual(self.session.changed, [CHANGED] * 2)
        self.session.hear()
        self.assertEqual((len(self.session.changed), len(notices_of(self.bench))), (2, 0))

    def test_what_came_behind_one_that_was_never_answered_is_told_with_it(self) -> None:
        self.bench.data()
        self.bench.update(BONN)
        self.bench.update(ROME)
        self.session.hear(False)
        self.session.hear()
        self.assertEqual((len(self.session.changed), len(notices_of(self.bench))), (2, 0))

    def test_none_before_it_has_fetched(self) -> None:
        self.bench.update(BONN)
        self.assertEqual((self.session.changed, len(notices_of(self.bench))), ([], 0))

    def test_none_over_a_session_without_the_feature(self) -> None:
        self.bench.data()
        self.session.features = ()
        other = binds(self.bench, updates=False)
        self.bench.update(BONN)
        with_it = binds(self.bench)
        self.assertEqual([one.changed for one in (self.session, other, with_it)], [[], [], [CHANGED]])

    def test_none_once_the_call_is_reported_and_nothing_is_left(self) -> None:
        for heard in (True, False):
            self.setUp()
            self.bench.data()
            self.bench.update(BONN)
            self.bench.report()
            self.session.hear(heard)
            self.assertEqual((len(self.session.changed), len(notices_of(self.bench))), (1, 0))

    def test_none_for_another_identity_that_the_call_goes_to(self) -> None:
        bench = Bench()
        bench.session.answers_notices = False
        bench.connect()
        bench.data()
        other = binds(bench, answers=False, identity="others")
        bench.update(BONN)
        bench.session.refuse()
        other.accept()
        bench.session.hear(False)
        self.assertEqual((len(bench.session.changed), other.changed, len(notices_of(bench))), (1, [], 0))
        bench.data(who=_OTHERS)
        bench.update(ROME)
        self.assertEqual((len(bench.session.changed), other.changed), (1, [CHANGED]))


class Failures(_Failing):
    """Nothing is told before it is kept, and what is answered is forgotten once that is kept."""

    def _fetched(self) -> FakeServiceSession:
        self.session.answers_notices = False
        self.bench.accepted()
        self.bench.data()
        return self.session

    def test_an_end_that_comes_to_nothing_is_not_told_and_one_that_is_kept_is(self) -> None:
        session = self._fetched()
        self.store.waits = True
        self.bench.cancel()
        self.assertEqual(session.ended, [])
        self.store.fail()
        self.assertEqual((session.ended, len(notices_of(self.bench))), ([], 0))
        self.bench.cancel()
        self.store.fire()
        self.assertEqual(session.ended, [ENDED])

    def _meanwhile(self, meanwhile: Callable[[], object], keeps: bool) -> FakeServiceSession:
        """A change is told, then an end is on its way to the store; something happens, and the end is kept or not."""
        session = self._fetched()
        self.bench.update(BONN)
        self.store.waits = True
        self.bench.cancel()
        meanwhile()
        self.assertEqual(session.ended, [])
        self.store.waits = False
        while self.store.waiting:
            self.store.fire() if keeps else self.store.fail()
        return session

    def test_an_answer_about_the_data_while_an_end_is_on_its_way_tells_of_no_end(self) -> None:
        for keeps in (True, False):
            self.setUp()
            session = self._meanwhile(lambda: self.session.hear(), keeps)
            self.assertEqual((len(session.changed), session.ended), (1, [ENDED] if keeps else []))
            session.hear()
            self.assertEqual(len(notices_of(self.bench)), 0)

    def test_nor_does_one_that_dies_or_binds_then(self) -> None:
        for keeps in (True, False):
            self.setUp()

            def another() -> None:
                goes(self.bench, self.session)
                binds(self.bench)

            self._meanwhile(another, keeps)
            [session] = cast(list[FakeServiceSession], self.bench.exchange.sessions.of_identity("services"))
            self.assertEqual((len(session.changed), len(session.ended)), (0, 1) if keeps else (1, 0))
            self.assertEqual(len(notices_of(self.bench)), 0)

    def test_an_update_that_comes_to_nothing_is_told_to_nobody_and_nobody_gets_its_data(self) -> None:
        session = self._fetched()
        before = self.bench.data()
        self.store.waits = True
        replies = self.bench.update(BONN)
        asked: list[object] = []
        self.bench.ask("007", asked)  # type: ignore[arg-type]
        self.assertEqual((asked, self.bench.processing.fetched("007", "services")), ([], None))
        self.store.fail()
        self.assertEqual(([reply.status for reply in replies], session.changed), ([50], []))
        self.assertEqual((asked, self.bench.processing.fetched("007", "services")), ([before], before))

    def test_whoever_asks_while_it_is_on_its_way_gets_what_is_kept_of_it(self) -> None:
        session = self._fetched()
        before = self.bench.data()
        self.store.waits = True
        self.bench.update(BONN)
        asked: list[object] = []
        self.bench.ask("007", asked)  # type: ignore[arg-type]
        self.store.fire()
        self.assertEqual(session.changed, [CHANGED])
        self.assertEqual(len(asked), 1)
        self.assertNotEqual(asked, [before])

    def test_a_fetch_that_was_not_kept_counts_for_an_update(self) -> None:
        self.session.answers_notices = False
        self.bench.accepted()
        self.failing(self.bench.data)
        self.bench.update(BONN)
        self.assertEqual(self.session.changed, [CHANGED])
        self.well_again()
        self.session.hear()
        self.assertEqual((len(self.session.changed), len(notices_of(self.bench))), (1, 0))

    def test_a_second_update_that_comes_to_nothing_is_not_told(self) -> None:
        session = self._fetched()
        self.bench.update(BONN)
        self.store.waits = True
        self.bench.update(ROME)
        session.hear()
        self.store.fail()
        self.store.waits = False
        self.assertEqual((len(session.changed), len(notices_of(self.bench))), (1, 3))
        while self.store.waiting:
            self.store.fire()
        self.assertEqual((len(session.changed), len(notices_of(self.bench))), (1, 0))

    def test_an_answer_that_is_not_kept_is_kept_later_and_nothing_is_told_twice(self) -> None:
        for what, in_time in product(("ended", "changed"), (True, False)):
            self.setUp()
            session = self._fetched()
            self.bench.cancel() if what == "ended" else self.bench.update(BONN)
            self.failing(session.hear, in_time)
            self.assertEqual(len(notices_of(self.bench)), 3)
            self.well_again()
            call = self.store.get("007")
            assert call is not None
            self.assertEqual((call.ended_as, call.changed, len(notices_of(self.bench))), (0, False, 0))
            self.assertEqual(len(session.ended) + len(session.changed), 1)

    def test_a_process_that_dies_with_an_answer_that_is_not_kept_has_it_told_again(self) -> None:
        for what in ("ended", "changed"):
            self.setUp()
            session = self._fetched()
            self.bench.cancel() if what == "ended" else self.bench.update(BONN)
            self.failing(session.hear)
            again = restarted(self.bench)
            told = binds(again)
            self.assertEqual(told.ended if what == "ended" else told.changed, [ENDED if what == "ended" else CHANGED])

    def test_a_call_that_nobody_has_come_for_yet_owes_nothing(self) -> None:
        self.store.waits = True
        self.bench.connect()
        self.bench.cancel()
        self.store.fire()
        self.assertEqual((self.session.ended, self.session.connections, len(notices_of(self.bench))), ([], [], 0))


class AnyOrder(SynchronousTestCase):
    """Whatever happens in whatever order: told in the end is what stands, and nothing is left."""

    steps = st.lists(
        st.sampled_from(
            ["update", "cancel", "fetch", "hear", "silent", "die", "bind", "plain", "fire", "fail", "restart", "wait"]
        ),
        max_size=25,
    )

    @given(steps)
    @settings(deadline=None)
    def test_it_comes_to_rest(self, steps: list[str]) -> None:
        store = WaitingStore()
        store.waits = False
        bench = Bench(store, services={"bill": make_service("bill", Timeouts(service_timeout=100_000))})
        bench.accepted()
        bench.data()
        bench.session.answers_notices = False
        sessions = [bench.session]
        store.waits = True
        for number, step in enumerate(steps):
            match step:
                case "update":
                    bench.update(Fields({"area": str(number)}))
                case "cancel":
                    bench.cancel()
                case "fetch":
                    bench.ask("007", [])
                case "hear" | "silent":
                    for session in sessions:
                        session.hear(step == "hear")
                case "die":
                    for session in sessions:
                        goes(bench, session)
                    sessions = []
                case "bind" | "plain":
                    sessions.append(binds(bench, answers=False, updates=step == "bind"))
                case "fire" | "fail" if store.waiting:
                    store.fire() if step == "fire" else store.fail()
                case "wait":
                    bench.clock.advance(1)
                case "restart":
                    while store.waiting:
                        store.fail()
                    bench, sessions = restarted(bench), []
            self._check(bench, store, sessions)
        store.waits = False
        while store.waiting:
            store.fire()
        bench.clock.pump([1] * 10)
        last = binds(bench)
        for session in sessions:
            session.answers_notices = True
            session.hear()
        self._rests(bench, last)
        self.flushLoggedErrors(StoreUnavailable)

    def _check(self, bench: Bench, store: WaitingStore, sessions: list[FakeServiceSession]) -> None:
        """None is told of an end that isn't kept, nor of anything once one has answered."""
        call = store.get("007")
        assert call is not None
        if any(session.ended for session in sessions):
            self.assertIs(call.state, CallState.CLOSED)
        unanswered = sum(len(session._unheard) for session in sessions)
        self.assertLessEqual(unanswered, 2, "one of the data, and one of the end")

    def _rests(self, bench: Bench, last: FakeServiceSession) -> None:
        call = bench.store.get("007")
        assert call is not None
        self.assertEqual((call.ended_as, call.changed), (0, False))
        self.assertEqual(len(notices_of(bench)), 0)
        self.assertEqual(len(bench.processing._calls._uncommitted), 0)
        self.assertLessEqual(len(last.ended) + len(last.changed), 1)
