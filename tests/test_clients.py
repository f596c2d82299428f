"""The two clients, message by message: hand-offs, waiting, and customers, with an exchange by hand."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.clients import AgentNumber, HandOff, ServedCall
from ctiex.clients.dialled import DialledLinks
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import CallError, LinkLost, RequestTimedOut, Status
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import IMedia, ISerialCarrier, Signalled
from ctiex.links.waiters import Waiters
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    Error,
    Message,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.services.outcome import Outcome, Report
from ctiex.services.serving import handler_of
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import LinkedPair

from .hand_exchange import AgentCase, Answer, ServiceCase, customer, endless, event, good_login


class HandOffTests(AgentCase):
    """Which events a HandOff hears."""

    def test_two_requests_under_one_serial_give_one_hand_off(self) -> None:
        agent = self.login()
        first = self.now(agent.connect("bill", "138", serial="7"))
        self.assertIs(self.now(agent.connect("bill", "138", serial="7")), first)

    def test_two_at_the_same_time_do_so_too_though_the_call_ends_between_their_answers(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        asking = [self.begin(agent.connect("bill", "138", serial="7")) for _ in range(2)]
        ids = [invoke_id for invoke_id, said in self.line.link.received if isinstance(said, ConnectRequest)]
        self.line.link.send(ConnectReply(Status.OK, "7"), ids[0])
        self.send(event(1, serial="7"))
        self.line.link.send(ConnectReply(Status.OK, "7"), ids[1])
        self.line.pump()
        first, second = [self.successResultOf(one) for one in asking]
        self.assertIs(first, second)
        self.assertEqual(self.now(second.result()), event(1, serial="7"))

    def repeat(self, agent: AgentNumber, *missed: AgentEvent) -> Deferred[HandOff]:
        """A request whose link is lost, whose events come, and whose repeat is answered 24."""
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.begin(agent.connect("bill", "138", serial="7"))
        self.line.answers[AgentLogin] = self.login_with(*missed)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.ALREADY_FINISHED, request.serial)
        self.lose_link()
        self.pass_time(2)
        return connecting

    def login_with(self, *missed: AgentEvent) -> Answer:
        def answer(login: AgentLogin) -> Message:
            link = self.line.link
            invoke_id = link.received[-1][0]
            link.send(good_login(login, login.resume_after + 1, len(missed)), invoke_id)
            for one in missed:
                link.send(one, 0)
            return Error(Status.OK)  # answers nobody

        return answer

    def test_a_call_that_ended_before_the_repeat_has_its_hand_off(self) -> None:
        agent = self.login()
        connecting = self.repeat(agent, event(1, Condition.CONNECTING, "7"), event(2, serial="7"))
        self.assertEqual(self.now(self.successResultOf(connecting).result()).sequence, 2)

    def test_a_repeat_that_is_refused_without_an_event_of_the_call_is_refused(self) -> None:
        repeat = self.repeat(self.login())
        self.assertNoResult(repeat)
        self.pass_time(30)
        self.assertIs(self.failureResultOf(repeat, CallError).value.status, Status.ALREADY_FINISHED)

    def test_events_before_the_answer_are_kept_for_it_up_to_a_bound(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        connecting = self.begin(agent.connect("bill", "138", serial=""))
        self.send(*[event(sequence, Condition.PROGRESS, "9") for sequence in range(1, 1_001)], event(1_001))
        (invoke_id,) = [invoke_id for invoke_id, said in self.line.link.received if isinstance(said, ConnectRequest)]
        self.line.link.send(ConnectReply(Status.OK, "1"), invoke_id)
        self.line.pump()
        hand_off = self.successResultOf(connecting)
        self.assertEqual(self.now(hand_off.result()).sequence, 1_001)
        early = agent._hand_offs._early
        self.assertEqual((early.maxlen, len(early)), (1_000, 0))


class TimeOutTests(AgentCase):
    """The caller's time-out counts, and what was given up leaves nothing behind."""

    def test_an_answer_may_take_as_long_as_the_caller_says(self) -> None:
        del self.line.answers[ConnectRequest]
        self.line.link.answers_pings = True
        agent = self.login()
        connecting = self.begin(agent.connect("bill", "138", timeout=25))
        self.pass_time(24)
        self.assertNoResult(connecting)
        self.pass_time(2)
        self.failureResultOf(connecting, RequestTimedOut)

    def test_waits_for_a_link_that_were_given_up_are_forgotten(self) -> None:
        self.line.reachable = False
        self.lose_link()
        for _ in range(3):
            login = self.begin(self.client.login("1001", timeout=1))
            self.pass_time(2)
            self.failureResultOf(login, RequestTimedOut)
        self.assertEqual(len(self.client._connection._waiting._waiting), 0)

    def test_without_a_serial_a_lost_link_is_told(self) -> None:
        del self.line.answers[ConnectRequest]
        connecting = self.begin(self.login().connect("bill", "138", serial=""))
        self.lose_link()
        self.failureResultOf(connecting, LinkLost)


class WaitersTests(SynchronousTestCase):
    def test_all_hear_the_same(self) -> None:
        waiters: Waiters[int] = Waiters()
        both = [waiters.add(), waiters.add()]
        waiters.fire(5)
        self.assertEqual(([self.successResultOf(one) for one in both], len(waiters._waiting)), ([5, 5], 0))
        late = waiters.add()
        waiters.fail(LinkLost("gone"))
        self.failureResultOf(late, LinkLost)

    def test_one_that_is_cancelled_is_forgotten(self) -> None:
        waiters: Waiters[None] = Waiters()
        given_up, other = waiters.add(), waiters.add()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.assertEqual(len(waiters._waiting), 1)
        waiters.fire(None)
        self.successResultOf(other)

    def test_one_that_cancels_another_when_it_is_told(self) -> None:
        waiters: Waiters[None] = Waiters()
        first, second = waiters.add(), waiters.add()
        first.addCallback(lambda _: second.cancel())
        waiters.fire(None)
        self.failureResultOf(second, CancelledError)


class TakingCallsTests(ServiceCase):
    """Which customers a service takes."""

    def test_beyond_max_calls_a_customer_is_refused(self) -> None:
        service = self.service(endless, max_calls=1)
        self.assertEqual(self.connect(customer("1")).status, Status.OK)
        self.assertEqual(self.connect(customer("2")).status, Status.TOO_BUSY)
        self.assertEqual(self.connect(customer("1")).status, Status.OK, "it is the same customer")
        self.assertEqual(service.calls, 1)

    def test_a_carrier_that_fails_refuses_and_the_link_stands(self) -> None:
        class Broken(CallingNumberSerialCarrier):
            def extract(self, signalled: Signalled) -> tuple[str, str | None]:
                raise KeyError(signalled.calling_number)

        carrier: ISerialCarrier = Broken()
        self.service(carrier=carrier)
        with capturedLogs() as logged:
            self.assertEqual(self.connect(customer()).status, Status.INTERNAL)
        self.assertTrue(self.line.pairs[-1].open)
        self.assertNotIn("4711", " ".join(formatEvent(entry) for entry in logged))

    def test_media_that_cannot_be_had_refuse_and_the_link_stands(self) -> None:
        def no_media(call: ServedCall) -> IMedia:
            raise OSError("no channel")

        service = self.service(make_media=no_media)
        self.assertEqual(self.connect(customer()).status, Status.INTERNAL)
        self.assertEqual((service.calls, self.line.pairs[-1].open), (0, True))

    def test_a_fault_is_logged_without_its_text(self) -> None:
        async def broken(call: ServedCall) -> Outcome:
            raise ValueError("account 4711-0815")

        async def no_end(call: ServedCall) -> Outcome:
            return Outcome(Condition.PROGRESS, Fields({"account": "4711-0815"}))

        for handler, words in ((broken, "ValueError at"), (no_end, "it gave Outcome")):
            with capturedLogs() as logged:
                self.service(handler)
                self.connect(customer("99"))
                self.pass_time(1)
            self.assertEqual(self.reported, [Condition.FAILED])
            texts = " ".join(formatEvent(entry) + str(entry.get("log_failure", "")) for entry in logged)
            self.assertIn(words, texts)
            self.assertNotIn("0815", texts)

    def test_data_may_take_as_long_as_the_caller_says(self) -> None:
        del self.line.answers[DataRequest]
        seen: list[float] = []

        async def patient(call: ServedCall) -> Outcome:
            try:
                await call.data(timeout=20)
            except RequestTimedOut:
                seen.append(self.clock.seconds())
            return Outcome(Condition.COMPLETED)

        self.service(patient)
        self.connect(customer())
        self.pass_time(25)
        (given_up,) = seen
        self.assertTrue(20 <= given_up <= 21, given_up)


class TellingService:
    """Reports progress, and serves on."""

    name = "telling"

    async def serve(self, fields: Fields, media: IMedia, report: Report | None = None) -> Outcome:
        assert report is not None
        await report(Fields({"step": 1}))
        return Outcome(Condition.COMPLETED)


class ProgressTests(ServiceCase):
    """Notification the agent how it goes holds no customer up."""

    def serve(self, progress: Answer) -> None:
        self.line.answers[ServiceEvent] = lambda reported: (
            progress(reported)
            if reported.condition is Condition.PROGRESS
            else ServiceEventReply(reported.event_id, Status.OK)
        )
        self.service(handler_of(TellingService()))
        self.connect(customer())

    def test_a_full_mailbox_is_no_end(self) -> None:
        self.serve(lambda reported: ServiceEventReply(reported.event_id, Status.QUEUE_FULL))
        self.pass_time(0.5)
        self.assertEqual(self.reported, [Condition.PROGRESS, Condition.COMPLETED])

    def test_an_exchange_that_does_not_answer_holds_it_up_for_two_seconds(self) -> None:
        self.serve(lambda _: None)
        self.pass_time(1.5)
        self.assertEqual(self.reported, [Condition.PROGRESS])
        self.pass_time(1.5)
        self.assertEqual(self.reported, [Condition.PROGRESS, Condition.COMPLETED])

    def test_a_service_of_its_own_hears_why_it_was_not_told(self) -> None:
        heard: list[Status] = []

        async def curious(call: ServedCall) -> Outcome:
            try:
                await call.progress(EMPTY)
            except CallError as error:
                heard.append(error.status)
            return Outcome(Condition.COMPLETED)

        self.line.answers[ServiceEvent] = lambda reported: ServiceEventReply(
            reported.event_id, Status.OK if reported.condition.final else Status.QUEUE_FULL
        )
        self.service(curious)
        self.connect(customer())
        self.pass_time(0.5)
        self.assertEqual((heard, self.reported), ([Status.QUEUE_FULL], [Condition.PROGRESS, Condition.COMPLETED]))


class DialledLinkTests(SynchronousTestCase):
    """Anybody may reach the port where an exchange dials."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.taken: list[Connection] = []
        self.home: str | None = "exchange:7301"

        def take(connection: Connection) -> ConnectionReply:
            self.taken.append(connection)
            return ConnectionReply(Status.OK)

        self.dialled = DialledLinks(self.clock, BinaryCodec(), take, lambda: self.home, most_links=2)

    def dial(self) -> tuple[FakePeer, LinkedPair]:
        link, peer = self.dialled.buildProtocol(None), FakePeer()
        assert link is not None
        return peer, LinkedPair(link, peer)

    def status_of(self, connection: Connection) -> int:
        peer, pair = self.dial()
        peer.send(connection)
        pair.pump()
        (reply,) = peer.every(ConnectionReply)
        return reply.status

    def test_a_link_that_brings_no_connection_is_ended(self) -> None:
        _, pair = self.dial()
        for _ in range(11):
            self.clock.advance(1)
            pair.pump()
        self.assertFalse(pair.open)
        self.assertEqual((len(self.dialled.links), self.clock.getDelayedCalls()), (0, []))

    def test_there_are_so_many_at_the_same_time_and_no_more(self) -> None:
        pairs = [self.dial()[1] for _ in range(2)]
        self.assertIsNone(self.dialled.buildProtocol(None))
        pairs[0].disconnect()
        self.assertIsNotNone(self.dialled.buildProtocol(None))

    def test_a_link_ends_behind_its_one_connection(self) -> None:
        peer, pair = self.dial()
        peer.write(peer.frame(customer("1"), 1) + peer.frame(customer("2"), 2))
        pair.pump()
        self.assertEqual((peer.every(ConnectionReply), self.taken), ([ConnectionReply(Status.OK)], [customer("1")]))
        self.assertFalse(pair.open)
        self.clock.advance(20)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_only_the_exchange_that_the_service_is_bound_to_is_let_in(self) -> None:
        self.assertEqual(self.status_of(customer()), Status.OK)
        for address in ("", "elsewhere:7301"):
            self.assertEqual(self.status_of(customer(exchange_address=address)), Status.OTHER_EXCHANGE)
        for self.home in (None, ""):
            self.assertEqual(self.status_of(customer(exchange_address="")), Status.OTHER_EXCHANGE)
        self.assertEqual(len(self.taken), 1)
