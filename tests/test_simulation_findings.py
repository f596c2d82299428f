"""What the simulation has found beyond its own seeds, each shown without it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status, StoreUnavailable
from ctiex.messages import Condition, Connection
from ctiex.processing.states import TIMEOUT_OF
from ctiex.records import CallState, Change
from ctiex.testing.fakes import FakeServiceSession, WaitingStore
from ctiex.testing.pairs import make_service
from tests.processing_bench import _OTHERS, Bench


class _Session(FakeServiceSession):
    """A session whose link may be lost just now."""

    lost = False

    def connect(self, connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        """Write a Connection."""
        if self.lost:
            answered(None)
        else:
            super().connect(connection, answered, deadline)


class WhatIsNotDecided(SynchronousTestCase):
    """Nobody is told, or given, what may come to nothing."""

    def setUp(self) -> None:
        self.store = WaitingStore()
        self.store.waits = False
        self.bench = Bench(self.store)
        self.others = _Session("others")
        self.bench.exchange.sessions.add(self.others, _OTHERS)
        self.bench.connect()
        self.addCleanup(self.flushLoggedErrors, StoreUnavailable)

    def test_data_is_not_given_on_an_offer_that_is_not_kept_to_who_asks_a_store_that_refuses(self) -> None:
        self.store.waits = True
        self.bench.session.refuse()  # the others are offered it next
        self.store.unavailable = True
        self.assertIs(self.bench.data(who=_OTHERS), Status.STORE_UNAVAILABLE)
        self.store.unavailable = False
        self.store.fire()
        self.assertEqual(len(self.others.connections), 1)
        self.assertIsInstance(self.bench.data(who=_OTHERS), bytes)

    def test_data_asked_for_before_an_offer_is_kept_waits_for_the_next_one_too(self) -> None:
        self.others.lost = True
        answers = list[bytes | Status]()
        self.bench.exchange.sessions.add(FakeServiceSession("others"), _OTHERS)
        self.store.waits = True
        self.bench.session.refuse()
        self.bench.ask("007", answers, _OTHERS)
        self.store.fire(2)  # the offer, and what waits for it: now another offer is on its way
        self.assertEqual(answers, [])
        self.store.fire()
        self.assertIsInstance(answers[0], bytes)


class AfterTheClockWasSetBack(SynchronousTestCase):
    """A stored deadline is never further away than it could have been when it was stored."""

    def test_a_call_waits_no_longer_whatever_is_kept_of_it_next(self) -> None:
        store = WaitingStore()
        store.waits = False
        bench = Bench(store)
        bench.accepted()
        call = store.get("007")
        assert call is not None and call.state is CallState.CONNECTED
        store.commit(Change(calls=(evolve(call, deadline=call.deadline + 86_400.0),)))
        bench.processing.stop()
        again = Bench(store, clock=bench.clock)
        self.assertEqual(again.report(condition=Condition.PROGRESS)[0].status, 0)
        again.clock.advance(getattr(make_service("bill").timeouts, TIMEOUT_OF[CallState.CONNECTED]) + 1)
        closed = store.get("007")
        self.assertIs(closed and closed.state, CallState.CLOSED)
