"""Faults of stores, drivers and peers that must stay where they are, with nothing lost on the way."""

from __future__ import annotations

from typing import Any, NoReturn

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.errors import Status
from ctiex.interfaces import BaseSignalling, ISerialCarrier, ISignalling, Offer, Signalled
from ctiex.limits import Limits, SessionLimits
from ctiex.links.requests import Requests
from ctiex.messages import BindReply, CancelRequest, Condition, ConnectReply, Ping, Pong, Unbind, UnbindReply
from ctiex.processing.states import WITH_SERVICE
from ctiex.processing.timer_wheel import TimerWheel
from ctiex.records import CallState, Change
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgent, FakeService, WaitingStore
from ctiex.testing.pairs import MemoryExchange
from ctiex.testing.store_contract import make_call
from tests.processing_bench import Bench


@implementer(ISignalling)
class _BrokenDriver(BaseSignalling):
    sees_return = False

    def offer(self, offer: Offer) -> None:
        raise OSError("no such switch")

    def withdraw(self, serial: str) -> int:
        return 31


class LeavingTests(SynchronousTestCase):
    """Who leaves has the answers to what they asked before."""

    def test_an_unbind_is_answered_behind_the_replies_that_wait_for_the_store(self) -> None:
        store = WaitingStore()
        exchange = MemoryExchange(store=store)
        agent, pair, _ = exchange.link_agent(FakeAgent())
        agent.bind("agents")
        agent.login("1001")
        agent.connect("1001", "bill", "007")
        agent.send(Unbind(), 99)
        pair.pump()
        self.assertIsInstance(agent.received[0][1], BindReply)
        self.assertFalse(any(isinstance(message, UnbindReply) for _, message in agent.received))
        store.fire()
        pair.pump()
        kinds = [type(message) for _, message in agent.received]
        self.assertLess(kinds.index(ConnectReply), kinds.index(UnbindReply))
        self.assertFalse(pair.open)

    def test_a_session_that_is_told_of_the_going_away_is_offered_nothing_more(self) -> None:
        store = CallStore()
        store.commit(Change(calls=(make_call("1", service="bill", calling_number="138", deadline=30.0),)))
        exchange = MemoryExchange(store=store)
        leaving = exchange.service()
        exchange.ivr_links.going_away()
        exchange.advance(2)
        self.assertEqual((len(leaving.every(Unbind)), leaving.connections), (1, []))
        self.assertEqual(store.pending("1001"), 0, "nobody is told that nobody could be reached")
        staying = exchange.service()
        exchange.advance(2)
        self.assertEqual([connection.calling_number for connection in staying.connections], ["138**1"])

    def test_going_away_is_told_on_a_link_with_as_many_requests_in_flight_as_may_be(self) -> None:
        exchange = MemoryExchange(session_limits=SessionLimits(max_in_flight=2))
        agent = exchange.agent("1001")
        service, pair, link = exchange.link_service(FakeService())
        service.accepts = False
        service.bind("services")
        pair.pump()
        for serial in ("1", "2", "3", "4"):
            agent.connect("1001", "bill", serial)
            exchange.pump()
        link.send_away(Status.GOING_AWAY, "the exchange is shutting down")
        pair.pump()
        self.assertTrue(any(isinstance(message, Unbind) for _, message in service.received))


class StoreFaultTests(SynchronousTestCase):
    """What has happened is kept in the end, whatever the store does in between."""

    def test_a_fetch_that_was_not_kept_is_kept_later(self) -> None:
        store = WaitingStore()
        exchange = MemoryExchange(store=store)
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "007")
        self._settle(exchange, store)
        service.fetch("007")
        exchange.pump()
        while store.waiting:
            store.fail()
        self.assertIs(self._state(store), CallState.CONNECTED)
        exchange.clock.advance(10)
        self._settle(exchange, store)
        self.assertIs(self._state(store), CallState.FETCHED)
        self.assertIn(Condition.DATA_FETCHED, [event.condition for event in agent.events])

    def test_an_offer_that_was_not_kept_still_belongs_to_its_service(self) -> None:
        store = WaitingStore()
        exchange = MemoryExchange(store=store)
        agent, service = exchange.agent("1001"), exchange.service()
        service.accepts = False
        agent.connect("1001", "bill", "007")
        exchange.pump()
        store.fire(1)  # the call itself
        exchange.pump()
        while store.waiting:
            store.fail()
        exchange.clock.advance(10)
        self._settle(exchange, store)
        call = store.get("007")
        assert call is not None
        self.assertEqual(call.owner, "services")
        self.assertIn(call.state, WITH_SERVICE)

    def _settle(self, exchange: MemoryExchange, store: WaitingStore) -> None:
        for _ in range(20):
            exchange.pump()
            store.fire()

    def _state(self, store: WaitingStore) -> CallState:
        call = store.get("007")
        assert call is not None
        return call.state

    def test_a_store_with_a_fault_of_its_own_answers_50_and_the_link_goes_on(self) -> None:
        class Faulty(CallStore):
            def commit(self, change: Change) -> NoReturn:
                raise ZeroDivisionError

        exchange = MemoryExchange(store=Faulty())
        agent = exchange.agent("1001")
        asked = agent.connect("1001", "bill", "007")
        exchange.pump()
        answer = agent.answer(asked)
        assert isinstance(answer, ConnectReply)
        self.assertEqual(answer.status, 50)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(exchange.pairs[0].open)


class DriverFaultTests(SynchronousTestCase):
    """A driver's fault ends that call alone."""

    def test_a_driver_that_raises_is_told_as_14_with_51_and_the_link_goes_on(self) -> None:
        exchange = MemoryExchange(drivers={"link": _BrokenDriver()})
        agent = exchange.agent("1001")
        asked, other = agent.connect("1001", "bill", "1"), agent.connect("1001", "bill", "2")
        exchange.pump()
        self.assertEqual([agent.answer(asked), agent.answer(other)], [ConnectReply(0, "1"), ConnectReply(0, "2")])
        ends = [(event.serial, event.status) for event in agent.events if event.condition == Condition.UNREACHABLE]
        self.assertEqual(ends, [("1", 51), ("2", 51)])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    def test_a_call_that_no_longer_fits_the_carrier_ends_and_the_others_go_on(self) -> None:
        store = CallStore()
        fitting = make_call("1", service="bill", state=CallState.REQUESTED, calling_number="138", deadline=30.0)
        store.commit(Change(calls=(fitting, evolve(fitting, serial="2", calling_number="138**9"))))
        exchange = MemoryExchange(store=store)
        service = exchange.service()
        exchange.advance(1)
        exchange.pump()
        self.assertEqual([connection.calling_number for connection in service.connections], ["138**1"])
        ended = store.get("2")
        assert ended is not None
        self.assertIs(ended.state, CallState.CLOSED)
        [event] = store.events(fitting.agent)
        self.assertEqual(event.sequence, 1)


@implementer(ISerialCarrier)
class _BrokenCarrier:
    """Takes serials as the built-in one does, so often, and then fails."""

    def __init__(self, well: int) -> None:
        self._well = well

    def embed(self, calling_number: str, serial: str) -> Signalled:
        if not self._well:
            raise OSError(f"no table for {calling_number}")
        self._well -= 1
        return CallingNumberSerialCarrier().embed(calling_number, serial)

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        raise OSError

    def strip(self, signalled: Signalled) -> Signalled:
        raise OSError(f"no table for {signalled.calling_number}")


class CarrierFaultTests(SynchronousTestCase):
    """A carrier's fault ends that call alone, and tells no number."""

    def begun(self, well: int) -> tuple[MemoryExchange, FakeAgent]:
        exchange = MemoryExchange(network=_BrokenCarrier(well))
        exchange.service()
        return exchange, exchange.agent("1001")

    def test_a_request_that_it_fails_with_is_answered_51_and_the_link_goes_on(self) -> None:
        exchange, agent = self.begun(well=0)
        asked, other = agent.connect("1001", "bill", "1"), agent.send(Ping())
        exchange.pump()
        answer = agent.answer(asked)
        assert isinstance(answer, ConnectReply)
        self.assertEqual((answer.status, answer.detail), (51, "the carrier failed with OSError"))
        self.assertEqual(agent.answer(other), Pong())

    def test_a_call_that_is_kept_by_then_is_told_as_14_with_51(self) -> None:
        exchange, agent = self.begun(well=1)
        asked, other = agent.connect("1001", "bill", "1"), agent.send(Ping())
        with capturedLogs() as logged:
            exchange.pump()
        self.assertEqual((agent.answer(asked), agent.answer(other)), (ConnectReply(0, "1"), Pong()))
        ends = [(event.condition, event.status) for event in agent.events]
        self.assertEqual(ends, [(Condition.UNREACHABLE, 51)])
        (told,) = [formatEvent(entry) for entry in logged]
        self.assertEqual(told, "call 1 can't be offered: the carrier failed with OSError")

    def test_a_call_that_has_come_to_an_agent_is_told_to_nobody(self) -> None:
        store = CallStore()
        bench = Bench(store)
        self.patch(bench.processing._context, "carrier", _BrokenCarrier(0))
        with capturedLogs() as logged:
            self.assertEqual(bench.processing.listener.call_arrived("1001", "13800138000"), "")
        (told,) = [formatEvent(entry) for entry in logged]
        self.assertIn("agent 1001 isn't notified of a call: the carrier failed with OSError", told)
        self.assertNotIn("13800138000", told)
        self.assertEqual(bench.heard, [])


class LateAnswerTests(SynchronousTestCase):
    """A service that serves without having answered its Connection goes on serving."""

    def test_no_other_session_gets_a_customer_who_is_being_served(self) -> None:
        exchange = MemoryExchange()
        agent = exchange.agent("1001")
        first, second = exchange.service(), exchange.service()
        first.accepts = second.accepts = False
        agent.connect("1001", "bill", "007")
        exchange.pump()
        serving, idle = (first, second) if first.connections else (second, first)
        serving.fetch("007")
        exchange.pump()
        for _ in range(12):
            exchange.advance(5)
            serving.send(Pong(), 0)
            idle.send(Pong(), 0)
            exchange.pump()
        self.assertEqual(idle.connections, [])
        reported = serving.report("007")
        exchange.pump()
        self.assertEqual(getattr(serving.answer(reported), "status", None), 0)
        self.assertEqual([event.condition for event in agent.events][-1], Condition.COMPLETED)


class LimitTests(SynchronousTestCase):
    """One peer can't take more than its share."""

    def test_progress_beyond_the_limit_of_a_call_is_41_and_its_result_is_still_taken(self) -> None:
        exchange = MemoryExchange(limits=Limits(events_per_call=3))
        agent, service = exchange.agent("1001"), exchange.service()
        agent.connect("1001", "bill", "007")
        exchange.pump()
        asked = [service.report("007", Condition.PROGRESS, event_id=number) for number in range(5)]
        last = service.report("007", Condition.COMPLETED, event_id=9)
        exchange.pump()
        statuses = [getattr(service.answer(one), "status", None) for one in [*asked, last]]
        self.assertEqual(statuses, [0, 0, 0, 41, 41, 0])

    def test_a_link_has_only_so_many_agent_numbers(self) -> None:
        exchange = MemoryExchange(limits=Limits(agents_per_link=2))
        agent = exchange.agent("1001", "1002")
        asked, again = agent.login("1003"), agent.login("1002")
        exchange.pump()
        self.assertEqual([getattr(agent.answer(one), "status", None) for one in (asked, again)], [14, 0])


class EndTests(SynchronousTestCase):
    """Ends reach everybody, and leave nothing."""

    def test_everybody_hears_of_a_lost_link_although_one_who_hears_fails(self) -> None:
        requests, heard = Requests(SessionLimits()), []

        def fails(answer: Any) -> None:
            raise ZeroDivisionError

        requests.add(1, CancelRequest, b"", fails, 1.0)
        requests.add(2, CancelRequest, b"", heard.append, 1.0)
        requests.lost("gone")
        self.assertEqual(len(heard), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_deadlines_that_are_stopped_take_no_more(self) -> None:
        clock = Clock()
        deadlines = TimerWheel(clock, lambda key: None)
        deadlines.stop()
        deadlines.set("late", 1.0)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_deadlines_may_be_stopped_by_what_they_tell(self) -> None:
        clock, told = Clock(), []

        def due(key: str) -> None:
            told.append(key)
            deadlines.stop()

        deadlines = TimerWheel(clock, due)
        deadlines.set("a", 1.0)
        deadlines.set("b", 1.0)
        clock.advance(2)
        self.assertEqual(told, ["a"])

    def test_a_driver_that_sees_the_return_lets_go_of_the_call(self) -> None:
        withdrawn: list[str] = []

        @implementer(ISignalling)
        class Seeing(BaseSignalling):
            sees_return = True

            def offer(self, offer: Offer) -> None:
                listener.offered(offer.serial, None, lambda: listener.accepted(offer.serial))

            def withdraw(self, serial: str) -> int:
                withdrawn.append(serial)
                return 31

        exchange = MemoryExchange(drivers={"link": Seeing()})
        listener = exchange.processing.listener
        agent, service = exchange.agent("1001"), exchange.service()
        for serial in ("1", "2"):
            agent.connect("1001", "bill", serial)
            exchange.pump()
            service.report(serial)
            exchange.pump()
        listener.returned("1")
        listener.hung_up("2")
        exchange.pump()
        self.assertEqual(sorted(set(withdrawn)), ["1", "2"])
        conditions = [(event.serial, int(event.condition)) for event in agent.events]
        self.assertIn(("1", Condition.RETURNED), conditions)
        self.assertEqual([one for one in conditions if one[0] == "2"][-1], ("2", Condition.COMPLETED))
