"""CallEnded and DataChanged: told once they are kept, until they are answered, whatever store, links and process do."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from ctiex.messages import CallEnded, Condition
from ctiex.testing.fakes import FakeServiceSession

from .notices_bench import BONN, CHANGED, ENDED, ROME, binds, goes, notices_of, restarted
from .processing_bench import _OTHERS, Bench


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

    def test_one_that_dies_leaves_it_to_another(self) -> None:
        for what in ("ended", "changed"):
            self.setUp()
            self._owed(what)
            other = binds(self.bench)
            self.assertEqual(self._told(other, what), 0, "it is under way")
            goes(self.bench, self.bench.session)
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
            goes(self.bench, self.bench.session)
            self.assertEqual([self._told(one, what) for one in (other, late)], [0, 1])
            self._nothing_is_left(self.bench)

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
        other = binds(self.bench, answers=False)
        goes(self.bench, self.bench.session)
        late(True)
        self.assertEqual(len(notices_of(self.bench)), 3)
        other.hear()
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

    def test_one_that_has_spoken_since_its_refusal_is_told(self) -> None:
        for speaks in (lambda: self.bench.data(), lambda: self.bench.report(condition=Condition.PROGRESS)):
            self.setUp()
            self.bench.connect()
            self.bench.session.refuse()
            speaks()
            self.bench.clock.advance(3)
            self.assertEqual(self.bench.session.ended, [CallEnded("007", Condition.UNREACHABLE)])

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
        other = binds(self.bench)
        goes(self.bench, self.session)
        self.assertEqual((self.session.changed, other.changed, len(notices_of(self.bench))), ([CHANGED], [CHANGED], 0))

    def test_none_before_it_has_fetched(self) -> None:
        self.bench.update(BONN)
        self.assertEqual((self.session.changed, len(notices_of(self.bench))), ([], 0))

    def test_behind_a_restart_one_that_may_have_fetched_hears_it(self) -> None:
        """That it has may have been on its way to the store."""
        bench = restarted(self.bench)
        session = binds(bench, answers=False)
        bench.update(BONN)
        self.assertEqual(session.changed, [CHANGED])

    def test_but_none_that_was_offered_it_by_this_process(self) -> None:
        bench = Bench()
        bench.session.answers_notices = False
        bench.connect()
        again = restarted(bench)
        other = binds(again, answers=False, identity="others")
        again.clock.advance(1)
        other.accept()
        again.update(BONN)
        self.assertEqual((other.changed, len(notices_of(again))), ([], 0))

    def test_one_that_has_fetched_hears_it_wherever_the_call_has_gone_since(self) -> None:
        bench = Bench()
        bench.session.answers_notices = False
        bench.connect()
        other = binds(bench, answers=False)
        bench.data()  # by any session of the identity
        bench.session.refuse()
        other.accept()
        bench.update(BONN)
        self.assertEqual((other.changed, bench.session.changed), ([CHANGED], []))

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
        goes(bench, bench.session)
        self.assertEqual((len(bench.session.changed), other.changed, len(notices_of(bench))), (1, [], 0))
        call = bench.store.get("007")
        assert call is not None
        self.assertFalse(call.changed, "nor behind a restart")
        bench.data(who=_OTHERS)
        bench.update(ROME)
        self.assertEqual((len(bench.session.changed), other.changed), (1, [CHANGED]))
