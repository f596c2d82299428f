"""Calls that aren't in this process' memory: the store looks further, and nobody else waits for it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import CallError, Status, StoreUnavailable
from ctiex.messages import (
    CancelReply,
    Condition,
    ConnectReply,
    DataResult,
    Ping,
    Pong,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.records import Call, CallState, Change
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakeService
from ctiex.testing.pairs import MemoryExchange, services


class _SharedStore(CallStore):
    """Holds some calls elsewhere; a look-up brings them here when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: dict[str, Call] = {}
        self.asked: list[tuple[str, Deferred[Call | None]]] = []

    def fetch(self, serial: str) -> Deferred[Call | None]:
        waiting: Deferred[Call | None] = Deferred()
        self.asked.append((serial, waiting))
        return waiting

    def answer(self) -> None:
        for serial, waiting in self._taken():
            call = self.elsewhere.get(serial)
            if call is not None:
                self.commit(Change(calls=(call,)))
            waiting.callback(call)

    def fail(self) -> None:
        for _, waiting in self._taken():
            waiting.errback(StoreUnavailable("the other side is away"))

    def _taken(self) -> list[tuple[str, Deferred[Call | None]]]:
        asked, self.asked = self.asked, []
        return asked


class LookUpTests(SynchronousTestCase):
    """What is asked about a call that another process keeps."""

    def setUp(self) -> None:
        self.store = _SharedStore()
        self.exchange = MemoryExchange(store=self.store)
        self.agent, self.service = self.exchange.agent("1001"), self.exchange.service()

    def connected(self, serial: str, here: bool = False) -> None:
        """A call that this service has accepted; it isn't in memory any more."""
        self.agent.connect("1001", "bill", serial)
        self.settle()
        if not here:
            call = self.store.get(serial)
            assert call is not None and call.state is CallState.CONNECTED
            self.store.elsewhere[serial] = call
            self.store.commit(Change(forgotten=(serial,)))

    def settle(self) -> None:
        """Carry everything over, and let the store answer."""
        self.exchange.pump()
        self.store.answer()
        self.exchange.pump()

    def test_data_comes_once_the_store_has_found_it(self) -> None:
        self.connected("7")
        asked = self.service.fetch("7")
        self.exchange.pump()
        self.assertIsNone(self.service.answer(asked))
        self.settle()
        self.assertEqual(self.service.answer(asked), DataResult(Status.OK, "7", "1001"))

    def test_what_is_in_memory_never_waits(self) -> None:
        self.connected("7", here=True)
        asked = self.service.fetch("7"), self.service.report("7", 1)
        self.exchange.pump()
        self.assertEqual(self.store.asked, [])
        self.assertTrue(all(self.service.answer(one) for one in asked))

    def test_others_are_answered_meanwhile(self) -> None:
        self.connected("7")
        self.connected("8", here=True)
        self.service.fetch("7")
        self.service.fetch("8")
        self.service.send(Ping())
        self.exchange.pump()
        self.assertEqual(self.service.every(DataResult), [DataResult(Status.OK, "8", "1001")])
        self.assertEqual(len(self.service.every(Pong)), 1)

    def test_what_is_nowhere_or_another_identitys_is_unknown(self) -> None:
        self.connected("7")
        self.store.elsewhere["7"] = evolve(self.store.elsewhere["7"], owner="others")
        for serial in ("7", "404"):
            asked = self.service.fetch(serial), self.service.report(serial, 1)
            self.settle()
            self.assertEqual(self.service.answer(asked[0]), DataResult(Status.UNKNOWN_SERIAL, serial))
            self.assertEqual(self.service.answer(asked[1]), ServiceEventReply(1, Status.UNKNOWN_SERIAL))

    def test_a_store_that_can_not_look_is_50(self) -> None:
        self.all_are_refused(self.store.fail)

    def test_so_is_one_that_fails_at_once(self) -> None:
        def fails(serial: str) -> Deferred[Call | None]:
            raise ZeroDivisionError

        self.patch(self.store, "fetch", fails)
        self.all_are_refused(lambda: None)
        self.assertTrue(all(pair.open for pair in self.exchange.pairs))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, "that is said once, as of any outage")
        self.assertTrue(self.exchange.context.commits.outage.lasts)

    def all_are_refused(self, fail: Callable[[], object]) -> None:
        asked = self.service.fetch("7"), self.service.report("7", 1), self.agent.cancel("7")
        wanted = self.agent.connect("1001", "bill", "7")
        self.exchange.pump()
        fail()
        self.exchange.pump()
        unavailable = Status.STORE_UNAVAILABLE
        self.assertEqual(self.service.answer(asked[0]), DataResult(unavailable, "7"))
        self.assertEqual(self.service.answer(asked[1]), ServiceEventReply(1, unavailable))
        self.assertEqual(self.agent.answer(asked[2]), CancelReply(unavailable, "7", unavailable.text))
        self.assertEqual(self.agent.answer(wanted), ConnectReply(unavailable, "7", detail=unavailable.text))

    def test_a_final_result_of_a_call_elsewhere_reaches_its_agent(self) -> None:
        self.connected("7")
        asked = self.service.report("7", 1, Condition.COMPLETED)
        self.settle()
        self.assertEqual(self.service.answer(asked), ServiceEventReply(1, Status.OK))
        self.assertIs(self.agent.events[-1].condition, Condition.COMPLETED)

    def test_a_serial_in_use_elsewhere_is_a_duplicate(self) -> None:
        self.connected("7")
        wanted = self.agent.connect("1001", "bill", "7", calling_number="10086")
        self.settle()
        reply = self.agent.answer(wanted)
        assert isinstance(reply, ConnectReply)
        self.assertEqual(reply.status, Status.DUPLICATE_SERIAL)

    def test_a_call_elsewhere_can_be_cancelled(self) -> None:
        self.connected("7")
        asked = self.agent.cancel("7")
        self.settle()
        self.assertEqual(self.agent.answer(asked), CancelReply(Status.OK, "7"))
        self.assertIs(self.agent.events[-1].condition, Condition.CANCELLED)

    def test_two_that_look_for_the_same_call_find_it_as_the_first_has_left_it(self) -> None:
        self.connected("7")
        cancelled = self.agent.cancel("7")
        self.service.report("7", 1, Condition.COMPLETED)
        self.exchange.pump()
        (_, first), (_, second) = self.store.asked
        self.store.asked = []
        stale = self.store.elsewhere["7"]
        self.store.commit(Change(calls=(stale,)))
        first.callback(stale)
        second.callback(stale)
        self.exchange.pump()
        self.assertEqual(self.agent.answer(cancelled), CancelReply(Status.OK, "7"))
        self.assertEqual(self.service.every(ServiceEventReply), [ServiceEventReply(1, Status.ALREADY_FINISHED)])
        ends = [event.condition for event in self.agent.events if event.condition.final]
        self.assertEqual(ends, [Condition.CANCELLED])

    def test_one_that_finds_nothing_takes_what_is_in_memory_by_then(self) -> None:
        self.connected("7")
        asked = self.service.fetch("7")
        self.exchange.pump()
        ((_, looking),) = self.store.asked
        self.store.asked = []
        self.store.commit(Change(calls=(self.store.elsewhere["7"],)))
        looking.callback(None)
        self.exchange.pump()
        self.assertEqual(self.service.answer(asked), DataResult(Status.OK, "7", "1001"))

    def test_a_request_that_finds_nothing_behind_a_call_that_was_made_meanwhile_is_its_repeat(self) -> None:
        wanted = [self.agent.connect("1001", "bill", "7") for _ in range(2)]
        self.settle()
        self.assertEqual([self.agent.answer(one) for one in wanted], [ConnectReply(Status.OK, "7")] * 2)
        self.assertEqual(len(self.service.connections), 1)

    def test_an_unbind_waits_for_the_store(self) -> None:
        self.connected("7")
        self.service.fetch("7")
        self.service.send(Unbind(), 99)
        self.exchange.pump()
        self.assertEqual(self.service.every(UnbindReply), [])
        self.settle()
        kinds = [type(message) for _, message in self.service.received]
        self.assertLess(kinds.index(DataResult), kinds.index(UnbindReply))

    def test_a_link_that_is_gone_by_then_gets_nothing_and_hurts_nobody(self) -> None:
        for peer in (FakeService(), FakeAgent()):
            linked = self.exchange.link_service if isinstance(peer, FakeService) else self.exchange.link_agent
            _, pair, _ = linked(peer)  # type: ignore[operator]
            peer.bind("services" if isinstance(peer, FakeService) else "agents")
            self.exchange.pump()
            peer.fetch("7") if isinstance(peer, FakeService) else peer.cancel("7")
            self.exchange.pump()
            pair.disconnect()
            self.settle()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_service_of_this_process_is_told_that_the_call_is_not_here(self) -> None:
        self.connected("7")
        error = self.assertRaises(CallError, self.exchange.processing.fields, services(), "7")
        self.assertEqual(error.status, Status.STORE_UNAVAILABLE)
