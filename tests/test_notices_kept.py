"""CallEnded and DataChanged while the store takes its time, or fails: none is told of what isn't kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import StoreUnavailable
from ctiex.fields import Fields
from ctiex.limits import Timeouts
from ctiex.messages import CallEnded, Condition
from ctiex.processing.uncommitted import SignallingEvent, Uncommitted
from ctiex.records import CallState
from ctiex.testing.fakes import FakeServiceSession, WaitingStore
from ctiex.testing.pairs import make_service

from .failing_bench import _Failing
from .notices_bench import BONN, CHANGED, ENDED, ROME, binds, goes, notices_of, restarted
from .processing_bench import Bench


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

    def test_a_refusal_that_is_kept_late_is_not_that_of_another_who_has_the_call_since(self) -> None:
        for identity in ("others", "services"):
            self.setUp()
            other = binds(self.bench, identity=identity)
            self.bench.connect()
            self.store.waits = True
            self.session.refuse()
            while self.store.waiting:
                self.store.fail()
            self.store.waits = False
            self.bench.clock.advance(1)
            self.assertEqual(len(other.connections), 1)
            self.bench.clock.advance(60)
            self.assertEqual(self.bench.heard[-1], Condition.UNREACHABLE)
            self.assertEqual((self.session.ended, other.ended), ([], [CallEnded("007", Condition.UNREACHABLE)]))

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

    def test_an_answer_that_waits_for_the_store_keeps_no_offer_alive_whose_time_is_over(self) -> None:
        waiting = Uncommitted(self.bench.exchange.context.commits)
        told: list[SignallingEvent] = []
        for what in (SignallingEvent.OFFERED, SignallingEvent.TOLD):
            waiting.put("007", what, partial(told.append, what))
        waiting.drop_wanted("007")
        waiting.take("007")
        self.assertEqual((told, len(waiting)), ([SignallingEvent.TOLD], 0))

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
