"""What an automatic service is told and how often it reports, message by message, with an exchange by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.clients import ServedCall
from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    Bind,
    BindReply,
    CallEnded,
    CallEndedReply,
    Condition,
    Connection,
    ConnectionReply,
    DataChanged,
    DataChangedReply,
    DataRequest,
    DataResult,
    Message,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.services.outcome import Outcome

from .hand_exchange import ServiceCase, customer, endless


class ToldTests(ServiceCase):
    """CallEnded and DataChanged: always answered, and at once."""

    def tell(self, message: Message) -> list[str]:
        """What the service says to it."""
        before = len(self.line.link.said)
        self.line.link.send(message)
        self.line.pump()
        return [type(said).__name__ for said in self.line.link.said[before:]]

    def test_it_takes_updates(self) -> None:
        self.service()
        self.assertEqual([said.features for said in self.line.link.every(Bind)], ["updates"])

    def test_a_call_that_ends_is_no_longer_served_and_nothing_is_reported(self) -> None:
        calls: list[ServedCall] = []

        async def serve(call: ServedCall) -> Outcome:
            calls.append(call)
            return await endless(call)

        service = self.service(serve)
        self.connect(customer())
        self.assertEqual(self.tell(CallEnded("4711", Condition.CANCELLED)), ["CallEndedReply"])
        self.pass_time(1)
        self.assertEqual((calls[0].ended, service.calls, self.reported), (Condition.CANCELLED, 0, []))

    def test_one_that_comes_again_or_is_of_a_call_that_it_does_not_know_is_answered(self) -> None:
        self.service(endless)
        self.connect(customer())
        for serial in ("4711", "4711", "9"):
            self.assertEqual(self.tell(CallEnded(serial, Condition.TIMED_OUT)), ["CallEndedReply"])
            self.assertEqual(self.tell(DataChanged(serial)), ["DataChangedReply"])
        self.assertEqual(len(self.line.link.every(CallEndedReply) + self.line.link.every(DataChangedReply)), 6)

    def test_a_condition_that_it_does_not_know_ends_a_call_as_well(self) -> None:
        service = self.service(endless)
        self.connect(customer())
        self.assertEqual(self.tell(CallEnded("4711", Condition(200))), ["CallEndedReply"])
        self.line.pump()
        self.assertEqual(service.calls, 0)

    def test_so_they_are_while_the_service_stops(self) -> None:
        service = self.service(endless)
        self.connect(customer())
        stopping = service.stopService()
        self.assertEqual(self.tell(DataChanged("4711")), ["DataChangedReply"])
        self.assertEqual(self.tell(CallEnded("4711", Condition.CANCELLED)), ["CallEndedReply", "Unbind"])
        self.pass_time(1)
        self.successResultOf(stopping)

    def test_an_event_of_an_agent_is_none_of_its_messages(self) -> None:
        self.service()
        self.assertEqual(self.tell(AgentEvent(1, 0, "1001", "7", "", Condition.COMPLETED)), ["Error"])


class DataLaterTests(ServiceCase):
    """The exchange can't give the data now."""

    def served(self, *statuses: int) -> list[Condition]:
        """The reports of a service whose DataRequests are answered so, and then by the data."""
        answers = iter(statuses)

        def answer(request: DataRequest) -> DataResult:
            self.at.append(self.clock.seconds())
            return DataResult(next(answers, Status.OK), request.serial, "1001", "R-1")

        async def serve(call: ServedCall) -> Outcome:
            await call.data()
            return Outcome(Condition.COMPLETED)

        self.at: list[float] = []
        self.line.answers[DataRequest] = answer
        self.service(serve)
        self.connect(customer())
        self.pass_time(60, step=0.05)
        return self.reported

    def test_it_is_asked_again_with_pauses_that_grow(self) -> None:
        for status in (Status.TOO_BUSY, Status.GOING_AWAY, Status.STORE_UNAVAILABLE):
            self.setUp()
            self.account = evolve(self.account, jitter=lambda: 0.0)
            self.assertEqual((self.served(*[status] * 4), len(self.at)), ([Condition.COMPLETED], 5), status)
            pauses = [later - earlier for earlier, later in pairwise(self.at)]
            self.assertTrue(all(earlier < later for earlier, later in pairwise(pauses)), pauses)

    def test_not_for_ever(self) -> None:
        with capturedLogs():
            self.assertEqual(self.served(*[Status.TOO_BUSY] * 1_000), [Condition.FAILED])
        self.assertLess(self.at[-1] - self.at[0], 30)

    def test_what_stays_so_is_asked_once(self) -> None:
        with capturedLogs():
            self.served(Status.UNKNOWN_SERIAL)
        self.assertEqual(len(self.at), 1)


class ChangedDataTests(ServiceCase):
    """The call's data changes behind the service's back."""

    def setUp(self) -> None:
        super().setUp()
        self.account = evolve(self.account, jitter=lambda: 0.0)
        self.values = iter(["old", "new"])
        self.line.answers[DataRequest] = lambda request: DataResult(
            Status.OK, request.serial, "1001", "R-1", Fields({"account": next(self.values)})
        )
        self.seen: list[object] = []

    def serve(self, on_change: Callable[[ServedCall], Callable[[], object]]) -> None:
        async def handle(call: ServedCall) -> Outcome:
            call.on_change = on_change(call)
            self.seen.append((await call.data())["account"])
            return await endless(call)

        self.service(handle)
        self.connect(customer())
        self.line.pump()

    def change(self) -> None:
        self.line.link.send(DataChanged("4711"))
        self.line.pump()

    def test_the_handler_is_told(self) -> None:
        self.serve(lambda call: lambda: self.seen.append(call.serial))
        self.assertEqual(self.seen, ["old"])
        self.change()
        self.change()
        self.assertEqual(self.seen, ["old", "4711", "4711"])

    def test_it_may_fetch_again(self) -> None:
        def fetching(call: ServedCall) -> Callable[[], object]:
            async def fetch() -> None:
                self.seen.append((await call.data())["account"])

            return fetch

        self.serve(fetching)
        self.change()
        self.assertEqual(self.seen, ["old", "new"])

    def test_its_faults_are_its_own_and_logged_without_their_text(self) -> None:
        def at_once() -> None:
            raise ValueError("account 0815")

        async def later() -> None:
            raise ValueError("account 0815")

        faulty: list[Callable[[], object]] = [at_once, later]
        self.serve(lambda _: lambda: faulty.pop()())
        with capturedLogs() as logged:
            self.change()
            self.change()
        texts = " ".join(formatEvent(entry) or "" for entry in logged)
        self.assertEqual((texts.count("ValueError at"), "0815" in texts), (2, False))
        self.assertTrue(self.line.pairs[-1].open)
        self.assertEqual(len(self.line.link.every(DataChangedReply)), 2)

    def test_what_changes_while_it_is_fetched_is_told_too(self) -> None:
        del self.line.answers[DataRequest]
        self.serve(lambda call: lambda: self.seen.append("changed"))
        self.change()
        self.assertEqual(self.seen, ["changed"])

    def test_the_agents_reference_is_there_with_the_data(self) -> None:
        calls: list[ServedCall] = []

        def remember(call: ServedCall) -> Callable[[], object]:
            calls.append(call)
            return lambda: None

        self.serve(remember)
        self.assertEqual((calls[0].agent, calls[0].reference), ("1001", "R-1"))


class ReportTests(ServiceCase):
    """A result is kept until the exchange has it, or says that it never will."""

    def setUp(self) -> None:
        super().setUp()
        self.at: list[float] = []

    def report(self, *statuses: int, outcome: Outcome | None = None) -> list[ServiceEvent]:
        """What is said where the answers are these, and after the last one 0."""
        answers = iter(statuses)

        def answer(reported: ServiceEvent) -> ServiceEventReply:
            self.at.append(self.clock.seconds())
            return ServiceEventReply(reported.event_id, next(answers, Status.OK))

        async def serve(call: ServedCall) -> Outcome:
            return outcome or Outcome(Condition.COMPLETED, Fields({"valid": True}))

        self.line.answers[ServiceEvent] = answer
        self.service(serve, random=Random(3))
        self.connect(customer())
        self.pass_time(60, step=0.05)
        return self.line.link.every(ServiceEvent)

    def test_what_says_that_it_is_kept_ends_it(self) -> None:
        for status in (Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT):
            self.setUp()
            self.assertEqual(len(self.report(status)), 1)

    def test_it_is_said_again_as_it_was_with_pauses_that_grow(self) -> None:
        for status in (
            Status.TOO_BUSY, Status.GOING_AWAY, Status.QUEUE_FULL, Status.STORE_UNAVAILABLE, Status.INTERNAL, 200
        ):  # fmt: skip
            self.setUp()
            reports = self.report(*[status] * 5)
            self.assertEqual((len(reports), len(set(reports))), (6, 1), status)
            pauses = [later - earlier for earlier, later in pairwise(self.at)]
            self.assertTrue(all(earlier < later for earlier, later in pairwise(pauses)), pauses)

    def test_what_refuses_it_for_good_ends_it(self) -> None:
        for status in (Status.MALFORMED, Status.UNKNOWN_SERIAL, Status.ALREADY_FINISHED):
            self.setUp()
            with capturedLogs() as logged:
                self.assertEqual(len(self.report(status)), 1)
            self.assertIn(f"could not be reported: status {status}", " ".join(formatEvent(one) or "" for one in logged))

    def test_one_that_is_too_large_becomes_a_failure_under_another_id(self) -> None:
        for status in (Status.DATA_TOO_LARGE, Status.MORE_THAN_ALLOWED):
            self.setUp()
            first, second = self.report(status)
            self.assertEqual((first.condition, second.condition), (Condition.COMPLETED, Condition.FAILED))
            self.assertNotEqual(first.event_id, second.event_id)

    def test_an_event_id_that_is_another_reports_is_changed(self) -> None:
        first, second = self.report(Status.EVENT_ID_USED)
        self.assertNotEqual(first.event_id, second.event_id)
        self.assertEqual(evolve(first, event_id=second.event_id), second)

    def test_but_not_for_ever(self) -> None:
        reports = self.report(*[Status.EVENT_ID_USED] * 10)
        self.assertEqual(len({reported.event_id for reported in reports}), 3)
        self.assertEqual(len(reports), 3)

    def test_a_lost_link_and_a_missing_answer_repeat_it(self) -> None:
        self.service(random=Random(3))
        answer = self.line.answers.pop(ServiceEvent)
        self.line.link.answers_pings = True
        self.connect(customer())
        self.pass_time(11)
        said = self.line.link.every(ServiceEvent)
        self.lose_link()
        self.line.answers[ServiceEvent] = answer
        self.pass_time(2)
        self.assertEqual((len(said), {*said, *self.line.link.every(ServiceEvent)}), (2, {said[0]}))

    def test_progress_that_finds_no_room_is_dropped(self) -> None:
        refused: list[Status] = []

        async def serve(call: ServedCall) -> Outcome:
            try:
                await call.progress(Fields({"step": 1}))
            except CallError as error:
                refused.append(error.status)
            return await endless(call)

        self.line.answers[ServiceEvent] = lambda said: ServiceEventReply(said.event_id, Status.QUEUE_FULL)
        self.service(serve)
        self.connect(customer())
        self.pass_time(10)
        self.assertEqual((refused, self.reported), ([Status.QUEUE_FULL], [Condition.PROGRESS]))


class InFlightTests(ServiceCase):
    """No more requests at a time than the exchange takes on the link; answers to its own are none of them."""

    def test_requests_are_held_back_and_replies_are_not(self) -> None:
        self.line.answers[Bind] = lambda _: BindReply(Status.OK, max_in_flight=1, exchange_address="exchange:7301")
        del self.line.answers[DataRequest]

        async def serve(call: ServedCall) -> Outcome:
            await call.data()
            return await endless(call)

        self.service(serve)
        for serial in ("1", "2", "3"):
            self.assertEqual(self.connect(customer(serial)), ConnectionReply(Status.OK))
        self.line.link.send(CallEnded("3", Condition.CANCELLED))
        self.line.pump()
        self.assertEqual([asked.serial for asked in self.line.link.every(DataRequest)], ["1"])
        self.assertEqual(len(self.line.link.every(CallEndedReply)), 1)
        (invoke_id,) = [one for one, said in self.line.link.received if isinstance(said, DataRequest)]
        self.line.link.send(DataResult(Status.OK, "1", "1001"), invoke_id)
        self.line.pump()
        self.assertEqual([asked.serial for asked in self.line.link.every(DataRequest)], ["1", "2"])


class ConnectionTests(ServiceCase):
    """Connections may come twice for one call."""

    def test_a_customer_who_is_served_already_is_taken_again_and_served_once(self) -> None:
        served: list[str] = []
        done: Deferred[None] = Deferred()

        async def serve(call: ServedCall) -> Outcome:
            served.append(call.serial)
            await done
            return Outcome(Condition.COMPLETED)

        self.service(serve)
        again: Connection = customer()
        self.assertEqual([self.connect(again).status for _ in range(2)], [Status.OK] * 2)
        self.lose_link()
        self.pass_time(1)
        self.assertEqual(self.connect(again).status, Status.OK)
        self.assertEqual(served, ["4711"])
        done.callback(None)
        self.line.pump()
        self.assertEqual(self.reported, [Condition.COMPLETED])
