"""The two clients, message by message: an exchange by hand at the other end, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any, TypeVar

from OpenSSL.SSL import Error as SSLError
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.clients import (
    AgentClient,
    AgentNumber,
    AutomaticService,
    ExchangeAccount,
    HandOff,
    ServedCall,
    event_taking,
)
from ctiex.clients.dialled import DialledLinks
from ctiex.clients.event_taking import TakenEvents
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import CallError, LinkLost, RequestTimedOut, Status, TlsRefused
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import IMedia, ISerialCarrier, Signalled
from ctiex.links.waiters import Waiters
from ctiex.messages import (
    AgentEvent,
    AgentEventAck,
    AgentLogin,
    AgentLoginReply,
    AgentLogout,
    AgentLogoutReply,
    Bind,
    BindReply,
    Condition,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Error,
    Message,
    ServiceEvent,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome, Report
from ctiex.services.serving import handler_of
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import LinkedPair, pump_all

Answer = Callable[[Any], Message | None]
Given = TypeVar("Given")


def event(sequence: int, condition: Condition = Condition.COMPLETED, serial: str = "1") -> AgentEvent:
    return AgentEvent(sequence, "1001", serial, condition)


class HandExchange(FakePeer):
    """The exchange's end of a link: answers what ``answers`` says, and leaves the rest to the test."""

    def __init__(self, answers: dict[type, Answer]) -> None:
        super().__init__()
        self.answers = answers

    def message_received(self, message: Message, invoke_id: int) -> None:
        super().message_received(message, invoke_id)
        answer = self.answers.get(type(message), lambda _: None)(message)
        if answer is not None:
            self.send(answer, invoke_id)

    @property
    def said(self) -> list[Message]:
        """What the client has said, behind its Bind."""
        return [message for _, message in self.received if not isinstance(message, Bind)]

    @property
    def acknowledged(self) -> list[int]:
        return [ack.sequence for ack in self.every(AgentEventAck)]


@implementer(IStreamClientEndpoint)
class Line:
    """Where the clients connect to: a new link to a new :class:`HandExchange` each time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answers: dict[type, Answer] = {
            Bind: lambda _: BindReply(Status.OK, exchange_address="exchange:7301"),
            AgentLogin: lambda login: AgentLoginReply(Status.OK, login.resume_after + 1, login.resume_after),
            AgentLogout: lambda _: AgentLogoutReply(Status.OK),
            ConnectRequest: lambda request: ConnectReply(Status.OK, request.serial or "1"),
            DataRequest: lambda request: DataResult(Status.OK, request.serial, "1001"),
            ServiceEvent: lambda reported: ServiceEventReply(reported.event_id, Status.OK),
            Unbind: lambda _: UnbindReply(),
        }
        self.pairs: list[LinkedPair] = []
        self.links: list[HandExchange] = []
        self.reachable = True

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        if not self.reachable:
            refused: Deferred[IProtocol] = Deferred()
            refused.errback(Failure(ConnectionRefusedError()))
            return refused
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.links.append(HandExchange(self.answers))
        self.pairs.append(LinkedPair(protocol, self.links[-1]))
        return succeed(protocol)

    def pump(self) -> None:
        pump_all(self.pairs, self.clock)

    @property
    def link(self) -> HandExchange:
        return self.links[-1]


class LineCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.line = Line(self.clock)
        self.account = ExchangeAccount(self.line, "demo", "demo", jitter=lambda: 0.0)

    def begin(self, work: Coroutine[Any, Any, Given]) -> Deferred[Given]:
        begun = ensureDeferred(work)
        self.line.pump()
        return begun

    def now(self, work: Coroutine[Any, Any, Given]) -> Given:
        return self.successResultOf(self.begin(work))

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            self.line.pump()
            seconds -= step

    def send(self, *messages: Message) -> None:
        """The exchange says all this in one piece."""
        self.line.link.write(b"".join(self.line.link.frame(message, 0) for message in messages))
        self.line.pump()

    def lose_link(self) -> None:
        self.line.pairs[-1].disconnect(clean=False)


class AgentCase(LineCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = AgentClient(self.clock, self.account)
        self.client.startService()
        self.addCleanup(self.client.stopService)
        self.line.pump()

    def login(self, *, number: str = "1001", **options: Any) -> AgentNumber:
        return self.now(self.client.login(number, **options))

    def order_said(self, *kinds: type[Message]) -> list[str]:
        return [type(message).__name__ for message in self.line.link.said if isinstance(message, kinds)]


class TlsRefusedTests(LineCase):
    """A handshake that fails: told at the first attempt, lived through later."""

    def setUp(self) -> None:
        super().setUp()
        self.client = AgentClient(self.clock, self.account)
        self.addCleanup(self.client.stopService)

    def refuse(self, why: str = "certificate verify failed") -> None:
        pair = self.line.pairs[-1]
        pair.open = False
        pair.first.connectionLost(Failure(SSLError([("SSL routines", "", why)])))

    def test_a_login_before_the_first_link_fails_at_once(self) -> None:
        self.line.answers[Bind] = lambda _: None
        self.client.startService()
        login = self.begin(self.client.login("1001"))
        self.refuse()
        self.assertIn("TLS refused: the peer's certificate", str(self.failureResultOf(login, TlsRefused).value))

    def test_an_exchange_that_only_went_away_meanwhile_is_tried_again(self) -> None:
        answer, self.line.answers[Bind] = self.line.answers[Bind], lambda _: None
        self.client.startService()
        login = self.begin(self.client.login("1001"))
        self.refuse("unexpected eof while reading")
        self.line.answers[Bind] = answer
        self.pass_time(1)
        self.assertEqual(self.successResultOf(login).number, "1001")

    def test_once_a_link_was_bound_the_client_goes_on_trying(self) -> None:
        self.client.startService()
        agent = self.now(self.client.login("1001"))
        answer, self.line.answers[Bind] = self.line.answers[Bind], lambda _: None
        self.lose_link()
        asked = self.begin(agent.connect("bill", "138", serial="5"))
        self.pass_time(1)
        self.refuse()
        self.assertNoResult(asked)
        self.line.answers[Bind] = answer
        self.pass_time(5)
        self.assertEqual(self.successResultOf(asked).serial, "5")

    def test_a_client_that_stops_meanwhile_says_nothing(self) -> None:
        self.line.answers[Bind] = lambda _: None
        self.client.startService()
        self.line.pump()
        with capturedLogs() as logged:
            self.client.stopService()
        self.assertEqual([formatEvent(said) for said in logged if said["log_namespace"].startswith("ctiex")], [])


class AcknowledgementTests(AgentCase):
    """An event is acknowledged once the application has it, and before anybody can act on it."""

    def test_the_final_event_is_acknowledged_before_a_logout_behind_it(self) -> None:
        agent = self.login()

        async def hand_over() -> None:
            hand_off = await agent.connect("bill", "138")
            await hand_off.result()
            await agent.logout()

        done = self.begin(hand_over())
        self.send(event(1, Condition.CONNECTING), event(2))
        self.successResultOf(done)
        self.assertEqual(self.order_said(AgentEventAck, AgentLogout), ["AgentEventAck"] * 2 + ["AgentLogout"])
        self.assertEqual(self.line.link.acknowledged, [1, 2])

    def test_the_final_event_is_acknowledged_before_an_unbind_behind_it(self) -> None:
        agent = self.login()

        async def hand_over() -> None:
            await (await agent.connect("bill", "138")).result()
            await self.client.stopService()

        done = self.begin(hand_over())
        self.send(event(1))
        self.successResultOf(done)
        self.assertEqual(self.order_said(AgentEventAck, Unbind), ["AgentEventAck", "Unbind"])

    def test_an_event_is_acknowledged_after_on_event_has_returned(self) -> None:
        seen: list[list[int]] = []
        self.login(on_event=lambda _: seen.append(self.line.link.acknowledged))
        self.send(event(1))
        self.assertEqual((seen, self.line.link.acknowledged), ([[]], [1]))


class OnEventTests(AgentCase):
    """What ``on_event`` may be, and what becomes of an event that it fails to take."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[int] = []
        self.taking: dict[int, Deferred[None]] = {}

    async def slowly(self, coming: AgentEvent) -> None:
        self.heard.append(coming.sequence)
        self.taking[coming.sequence] = Deferred()
        await self.taking[coming.sequence]

    def unless(self, *bad: int) -> Callable[[AgentEvent], None]:
        failing = set(bad)

        def take(coming: AgentEvent) -> None:
            self.heard.append(coming.sequence)
            if coming.sequence in failing:
                failing.remove(coming.sequence)
                raise ValueError("account 4711")

        return take

    def test_the_next_event_comes_when_the_awaitable_of_the_one_before_is_done(self) -> None:
        self.login(on_event=self.slowly)
        self.send(event(1), event(2), event(3))
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1], []))
        self.taking[1].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1, 2], [1]))
        self.taking[2].callback(None)
        self.taking[3].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged), ([1, 2, 3], [1, 2, 3]))

    def test_a_thousand_awaitables_that_are_done_at_once_are_no_recursion(self) -> None:
        async def quick(coming: AgentEvent) -> None:
            self.heard.append(coming.sequence)

        self.login(on_event=quick)
        self.send(*[event(sequence) for sequence in range(1, 2_001)])
        self.assertEqual((self.heard[-1], self.line.link.acknowledged[-1]), (2_000, 2_000))

    def test_what_is_under_way_while_the_link_is_lost_comes_once(self) -> None:
        agent = self.login(on_event=self.slowly)
        self.send(event(1), event(2))
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(AgentLogin), [AgentLogin("1001", 0)])
        self.send(event(1), event(2))
        for sequence in (1, 2):
            self.taking[sequence].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1, 2], [1, 2], 2))

    def test_a_failed_event_stays_unacknowledged_and_comes_again_at_the_next_login(self) -> None:
        agent = self.login(on_event=self.unless(2))
        with capturedLogs() as logged:
            self.send(event(1), event(2), event(3))
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1, 2, 3], [1], 1))
        (told,) = [formatEvent(entry) for entry in logged if "on_event" in str(entry["log_format"])]
        self.assertIn("ValueError at", told)
        self.assertNotIn("4711", told)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(AgentLogin), [AgentLogin("1001", 1)])
        self.send(event(2), event(3), event(4))
        self.assertEqual((self.heard, agent.last_sequence), ([1, 2, 3, 2, 4], 4))
        self.assertEqual(self.line.link.acknowledged, [3, 4])

    def test_an_awaitable_that_fails_leaves_its_event_unacknowledged_too(self) -> None:
        async def fail(coming: AgentEvent) -> None:
            raise ValueError

        agent = self.login(on_event=fail)
        self.send(event(1))
        self.assertEqual((self.line.link.acknowledged, agent.last_sequence), ([], 0))

    def test_a_hand_off_hears_an_event_that_on_event_failed_to_take_once(self) -> None:
        agent = self.login(on_event=self.unless(1))
        hand_off = self.now(agent.connect("bill", "138", serial="7"))
        self.send(event(1, Condition.CONNECTING, "7"))
        self.lose_link()
        self.pass_time(2)
        self.send(event(1, Condition.CONNECTING, "7"), event(2, serial="7"))

        async def told() -> list[int]:
            return [one.sequence async for one in hand_off.events()]

        self.assertEqual(self.now(told()), [1, 2])

    def test_a_failed_event_that_the_exchange_keeps_no_more_is_told_as_lost(self) -> None:
        gaps: list[tuple[int, int]] = []
        agent = self.login(on_event=self.unless(2), on_gap=lambda *gap: gaps.append(gap))
        self.send(event(1), event(2), event(3))
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.OK, 4, 3)
        self.lose_link()
        self.pass_time(2)
        self.assertEqual((gaps, agent.last_sequence), ([(2, 2)], 3))

    def test_what_waits_at_a_logout_is_left_to_the_next_login(self) -> None:
        agent = self.login(on_event=self.slowly)
        self.send(event(1), event(2))
        self.now(agent.logout())
        self.taking[1].callback(None)
        self.line.pump()
        self.assertEqual((self.heard, self.line.link.acknowledged, agent.last_sequence), ([1], [], 1))


class LeftEventsTests(AgentCase):
    """More events than may wait, and an application that takes none of them, in its own time."""

    last = 15

    def setUp(self) -> None:
        super().setUp()
        self.patch(event_taking, "MOST_WAITING", 10)
        self.logins: list[float] = []
        self.well = False
        self.heard: list[int] = []

    async def take(self, coming: AgentEvent) -> None:
        await deferLater(self.clock, 0)
        if not self.well:
            raise ValueError
        self.heard.append(coming.sequence)

    def replay(self, login: AgentLogin) -> Message | None:
        """The exchange sends all that isn't acknowledged at once."""
        self.logins.append(self.clock.seconds())
        link = self.line.link
        link.send(AgentLoginReply(Status.OK, login.resume_after + 1, self.last), link.received[-1][0])
        if len(self.logins) < 100:  # a client that never lets go would hold the test up for ever
            for sequence in range(login.resume_after + 1, self.last + 1):
                link.send(event(sequence, Condition.PROGRESS), 0)
        return None

    def begun(self) -> AgentNumber:
        self.line.answers[AgentLogin] = self.replay
        return self.login(on_event=self.take, resume_after=0)

    def pauses(self) -> list[float]:
        return [round(later - earlier, 3) for earlier, later in pairwise(self.logins)]

    def test_they_are_asked_for_ever_more_seldom_and_why_is_said_once(self) -> None:
        with capturedLogs() as logged:
            self.begun()
            self.pass_time(200, step=0.05)
            pauses = self.pauses()
            self.assertEqual(pauses[0], 0, "the first time at once: they may just have been too many")
            self.assertTrue(all(earlier <= later + 0.1 for earlier, later in pairwise(pauses)), pauses)
            self.assertGreaterEqual(pauses[-1], self.account.longest_retry)
            self.well = True
            self.pass_time(40)
        self.assertEqual(self.heard, [*range(1, self.last + 1)])
        self.assertEqual(self.line.link.acknowledged[-1], self.last)
        told = [formatEvent(entry) for entry in logged if "on_event failed" not in str(entry["log_format"])]
        self.assertEqual(len(told), 2, told)
        self.assertIn("agent 1001 handles none of its events while others wait", told[0])
        self.assertIn("agent 1001 handles events again", told[1])

    def test_one_that_takes_some_gets_the_others_at_once(self) -> None:
        self.well = True
        self.begun()
        self.assertEqual((self.heard, len(self.logins)), ([*range(1, self.last + 1)], 2))

    def test_whatever_ends_the_login_ends_the_wait_too(self) -> None:
        for end in (lambda agent: self.now(agent.logout()), lambda agent: self.lose_link(), self.give_to_another):
            self.setUp()
            agent = self.begun()
            self.pass_time(5, step=0.05)
            self.line.reachable = False
            end(agent)
            asked = len(self.line.link.every(AgentLogin))
            self.assertGreater(asked, 3)
            self.pass_time(20)
            self.assertEqual(len(self.line.link.every(AgentLogin)), asked)

    def give_to_another(self, agent: AgentNumber) -> None:
        self.send(Error(Status.SESSION_TAKEN_OVER, agent.number))

    def test_another_link_brings_them_at_once_and_then_as_seldom(self) -> None:
        self.begun()
        self.pass_time(20, step=0.05)
        last = self.pauses()[-1]
        self.lose_link()
        before = len(self.logins)
        self.pass_time(2, step=0.05)
        self.assertEqual(len(self.logins), before + 1, "the login of the new link")
        self.pass_time(60, step=0.05)
        self.assertGreater(self.pauses()[-1], last)


class TakenEventsTests(SynchronousTestCase):
    def test_acknowledged_is_what_lies_before_the_first_that_is_not_taken(self) -> None:
        events = TakenEvents(4)
        for sequence in (5, 6, 7):
            self.assertTrue(events.arrives(sequence))
        events.take(6)
        self.assertEqual(events.last, 4)
        events.take(5)
        self.assertEqual(events.last, 6)
        events.fail(7)
        self.assertEqual((events.last, events.arrives(6), events.arrives(7)), (6, False, True))


class LoginTests(AgentCase):
    """A login ends well, or leaves nothing behind."""

    def test_a_cancelled_login_is_taken_back(self) -> None:
        del self.line.answers[AgentLogin]
        login = self.begin(self.client.login("1001"))
        login.cancel()
        self.line.pump()
        self.failureResultOf(login, CancelledError)
        self.assertEqual(self.line.link.said, [AgentLogin("1001", 0), AgentLogout("1001")])
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(len(self.line.links), 2)
        self.assertEqual(self.line.link.said, [])

    def test_a_login_that_times_out_is_taken_back(self) -> None:
        del self.line.answers[AgentLogin]
        login = self.begin(self.client.login("1001", timeout=15))
        self.pass_time(14)
        self.assertNoResult(login)
        self.pass_time(2)
        self.failureResultOf(login, RequestTimedOut)
        self.assertEqual(self.line.link.every(AgentLogout), [AgentLogout("1001")])

    def test_a_link_lost_during_a_login_is_no_end_of_it(self) -> None:
        login = self.line.answers.pop(AgentLogin)
        logging_in = self.begin(self.client.login("1001"))
        self.line.answers[AgentLogin] = login
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.successResultOf(logging_in).number, "1001")

    def test_the_one_before_is_told_once_the_new_login_stands(self) -> None:
        told: list[str] = []
        before = self.login(on_taken_over=lambda: told.append("taken over"))
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.TOO_BUSY)
        self.failureResultOf(self.begin(self.client.login("1001")), CallError)
        self.assertEqual((told, before.taken_over), ([], False))
        self.send(event(1))
        self.assertEqual(before.last_sequence, 1)
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.OK, 2, 1)
        self.login()
        self.assertEqual((told, before.taken_over), (["taken over"], True))


class LogoutTests(AgentCase):
    """A logout ends the login that it was meant for, and no other."""

    def test_a_lost_link_has_logged_it_out(self) -> None:
        del self.line.answers[AgentLogout]
        leaving = self.begin(self.login().logout())
        self.lose_link()
        self.successResultOf(leaving)
        self.pass_time(2)
        self.login()
        self.assertEqual(self.order_said(AgentLogin, AgentLogout), ["AgentLogin"])

    def test_it_holds_while_the_number_is_logged_in_again(self) -> None:
        agent = self.login()
        del self.line.answers[AgentLogin]
        self.lose_link()
        self.pass_time(2)
        self.now(agent.logout())
        invoke_id = next(found for found, said in self.line.link.received if isinstance(said, AgentLogin))
        self.line.link.send(AgentLoginReply(Status.OK), invoke_id)
        self.line.pump()
        self.assertEqual(self.order_said(AgentLogin, AgentLogout), ["AgentLogin", "AgentLogout"])


class LoginAgainTests(AgentCase):
    """After a lost link every number logs in again by itself."""

    def again_with(self, status: Status) -> None:
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(status)
        self.lose_link()
        self.pass_time(2)

    def test_why_it_is_refused_is_told(self) -> None:
        told: list[CallError] = []
        agent = self.login(on_refused=told.append)
        waiting = self.begin(self.now(agent.connect("bill", "138")).result())
        self.again_with(Status.NOT_ALLOWED_HERE)
        self.assertIs(self.failureResultOf(waiting, CallError).value.status, Status.NOT_ALLOWED_HERE)
        self.assertEqual(([error.status for error in told], agent.taken_over), ([Status.NOT_ALLOWED_HERE], False))

    def test_taken_over_is_told_as_such(self) -> None:
        agent = self.login()
        self.again_with(Status.SESSION_TAKEN_OVER)
        self.assertTrue(agent.taken_over)

    def test_an_exchange_that_is_busy_or_leaves_is_tried_again(self) -> None:
        for status in (Status.TOO_BUSY, Status.GOING_AWAY):
            agent = self.login(number=str(int(status)))
            login = self.line.answers[AgentLogin]
            self.again_with(status)
            self.assertGreaterEqual(len(self.line.links), 3)
            self.line.answers[AgentLogin] = login
            self.pass_time(30)
            self.assertIsNone(agent.ended)
            self.now(agent.connect("bill", "138"))

    def test_an_error_13_ends_the_number(self) -> None:
        agent = self.login()
        self.send(Error(Status.SESSION_TAKEN_OVER, "1001"))
        self.assertTrue(agent.taken_over)


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
        """A request whose link is lost, whose events come, and whose repeat is answered 22."""
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.begin(agent.connect("bill", "138", serial="7"))
        self.line.answers[AgentLogin] = self.login_with(*missed)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.DUPLICATE_SERIAL, request.serial)
        self.lose_link()
        self.pass_time(2)
        return connecting

    def login_with(self, *missed: AgentEvent) -> Answer:
        def answer(login: AgentLogin) -> Message:
            link = self.line.link
            invoke_id = link.received[-1][0]
            link.send(AgentLoginReply(Status.OK, login.resume_after + 1, len(missed)), invoke_id)
            for one in missed:
                link.send(one, 0)
            return Error(Status.OK)  # answers nobody

        return answer

    def test_a_call_that_ended_before_the_repeat_has_its_hand_off(self) -> None:
        agent = self.login()
        connecting = self.repeat(agent, event(1, Condition.CONNECTING, "7"), event(2, serial="7"))
        self.assertEqual(self.now(self.successResultOf(connecting).result()).sequence, 2)

    def test_a_repeat_that_is_refused_without_an_event_of_the_call_is_refused(self) -> None:
        error = self.failureResultOf(self.repeat(self.login()), CallError).value
        self.assertIs(error.status, Status.DUPLICATE_SERIAL)

    def test_events_before_the_answer_are_kept_for_it_up_to_a_bound(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        connecting = self.begin(agent.connect("bill", "138"))
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
        connecting = self.begin(self.login().connect("bill", "138"))
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


async def complete(call: ServedCall) -> Outcome:
    return Outcome(Condition.COMPLETED)


async def endless(call: ServedCall) -> Outcome:
    await Deferred()
    raise AssertionError("it can't get here")


def customer(serial: str = "4711", exchange_address: str = "exchange:7301") -> Connection:
    return Connection("7001", CallingNumberSerialCarrier().embed("138", serial).calling_number, exchange_address)


class ServiceCase(LineCase):
    def service(
        self,
        handler: Callable[[Any], Awaitable[Outcome]] = complete,
        make_media: Callable[[ServedCall], IMedia] = lambda _: ScriptedMedia(),
        **options: Any,
    ) -> AutomaticService:
        service = AutomaticService(self.clock, self.account, {"7001": handler}, make_media, **options)
        service.startService()
        self.line.pump()
        self.successResultOf(service.bound())
        return service

    def connect(self, connection: Connection) -> ConnectionReply:
        self.line.link.send(connection)
        self.line.pump()
        return self.line.link.every(ConnectionReply)[-1]

    @property
    def reported(self) -> list[Condition]:
        return [reported.condition for reported in self.line.link.every(ServiceEvent)]


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
