"""What the simulation has found beyond its own seeds, each shown without it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status, StoreUnavailable
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
    Condition,
    Connection,
    ConnectReply,
    ConnectRequest,
    UpdateReply,
    UpdateRequest,
)
from ctiex.processing.states import TIMEOUT_OF
from ctiex.records import EPOCH, CallState, Change
from ctiex.testing.fakes import FakeServiceSession, WaitingStore
from ctiex.testing.pairs import MemoryExchange, agents, make_service
from ctiex.testing.simulation.witness import data_of
from tests.hand_exchange import EPOCH as KNOWN
from tests.hand_exchange import AgentCase
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
        self.store.fire(3)  # the refusal, the offer, and what waits for it: now another offer is on its way
        self.assertEqual(answers, [])
        self.store.fire()
        self.assertIsInstance(answers[0], bytes)

    def test_updates_that_wait_are_kept_in_the_order_in_which_they_came(self) -> None:
        replies = list[UpdateReply]()

        def update(value: int) -> None:
            request = UpdateRequest("007", Fields({"value": value}))
            self.bench.processing.update(agents(), request, replies.append)

        self.store.waits = True
        update(1)
        update(2)  # waits for what becomes of the first
        self.store.fire(1)
        update(3)
        while self.store.waiting:
            self.store.fire()
        self.assertEqual([reply.status for reply in replies], [0, 0, 0])
        call = self.store.get("007")
        assert call is not None
        self.assertEqual(data_of(call.data).fields["value"], 3)


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


class AfterALoss(AgentCase):
    """What a store has lost is told: nothing of before passes for something of now."""

    def test_an_epoch_that_the_store_does_not_take_is_kept_along_with_whatever_it_takes_first(self) -> None:
        store = WaitingStore(new=True)
        store.unavailable = True
        exchange = MemoryExchange(store=store)
        store.unavailable = store.waits = False
        self.assertIsNone(store.metadata(EPOCH))
        exchange.context.commits.commit(Change(metadata=(("anything", ""),)))
        self.assertEqual(store.metadata(EPOCH), str(exchange.mailboxes.epoch))

    def test_what_is_replayed_of_an_earlier_call_with_its_serial_is_none_of_a_new_ones(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.begin(agent.connect("bill", "138", serial="1", reference="new"))
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.NUMBERING_ANEW, KNOWN + 1, 1, 1)
        self.lose_link()
        self.pass_time(2)
        waiting = self.begin(self.successResultOf(connecting).result())
        self.send(_end(1, "old"))
        self.assertNoResult(waiting)
        self.send(_end(2, "new"))
        self.assertEqual(self.successResultOf(waiting), _end(2, "new"))


def _end(sequence: int, reference: str) -> AgentEvent:
    return AgentEvent(sequence, 0, "1001", "1", reference, Condition.COMPLETED)
