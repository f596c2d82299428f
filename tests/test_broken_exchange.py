"""Clients whose exchange breaks the rules, and clients that are stopped and started at any moment: they live."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, ServedCall
from ctiex.clients.agent_number import MOST_UNTAKEN
from ctiex.clients.event_taking import MOST_WAITING
from ctiex.clients.hand_off import MOST_EARLY, MOST_EVENTS
from ctiex.clients.lifecycle import ClientStage, Lifecycle
from ctiex.errors import BrokenExchange, CtiexError, NotBound, Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
    Bind,
    BindReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Error,
    Message,
    Pong,
    ServiceEvent,
    ServiceEventReply,
    Unbind,
    UnbindReply,
)
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.testing.fakes import FakePeer
from ctiex.testing.pairs import LinkedPair, MemoryExchange, pump_all
from ctiex.testing.strategies import messages

from .test_clients import AgentCase, LineCase, ServiceCase, complete, customer, event

# ---------------------------------------------------------------- stopped and started


class LifecycleTests(SynchronousTestCase):
    """Begin and end, asked for at any moment."""

    def setUp(self) -> None:
        self.log: list[str] = []
        self.ends: list[Deferred[None]] = []
        self.life = Lifecycle(lambda: self.log.append("begin"), self.end)

    async def end(self) -> None:
        self.log.append("end")
        self.ends.append(Deferred())
        await self.ends[-1]

    def test_started_while_it_stops_it_begins_behind_the_end(self) -> None:
        self.life.start()
        stopped = self.life.stop()
        self.life.start()
        self.assertEqual((self.log, self.life.wanted, self.life.takes), (["begin", "end"], True, False))
        self.ends[0].callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.log, self.life.stage), (["begin", "end", "begin"], ClientStage.RUNNING))

    def test_the_last_word_counts(self) -> None:
        self.life.start()
        self.life.stop()
        self.life.start()
        stopped = self.life.stop()
        self.ends[0].callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.log, self.life.stage), (["begin", "end"], ClientStage.STOPPED))

    def test_what_never_ran_has_stopped(self) -> None:
        self.successResultOf(self.life.stop())
        self.assertEqual((self.log, self.life.stage), ([], ClientStage.STOPPED))
        self.life.start()
        self.assertEqual(self.log, ["begin"])

    def test_an_end_that_fails_is_one(self) -> None:
        async def fails() -> None:
            raise ZeroDivisionError

        life = Lifecycle(lambda: self.log.append("begin"), fails)
        life.start()
        self.successResultOf(life.stop())
        self.assertIs(life.stage, ClientStage.STOPPED)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StartedAgainTests(LineCase):
    """``stopService()`` that nobody waits for, and ``startService()`` behind it."""

    def test_an_agents_application_runs(self) -> None:
        client = AgentClient(self.clock, self.account)
        client.startService()
        agent = self.now(client.login("1001"))
        for _ in range(3):
            client.stopService()
            client.startService()
        self.pass_time(2)
        self.assertEqual(self.now(agent.connect("bill", "138", serial="7")).serial, "7")
        self.successResultOf(self.stopped(client))
        self.failureResultOf(self.begin(client.login("1002")), NotBound)

    def test_an_automatic_service_runs(self) -> None:
        service = AutomaticService(self.clock, self.account, {"7001": complete}, lambda _: ScriptedMedia())
        service.startService()
        self.line.pump()
        service.stopService()
        service.startService()
        self.pass_time(2)
        self.successResultOf(service.bound())
        self.line.link.send(customer())
        self.line.pump()
        self.assertEqual(len(self.line.link.every(ServiceEvent)), 1)
        self.successResultOf(self.stopped(service))

    def test_a_service_that_serves_takes_nobody_until_it_has_stopped(self) -> None:
        async def endless(call: ServedCall) -> Outcome:
            await Deferred()
            raise AssertionError("it can't get here")

        service = AutomaticService(self.clock, self.account, {"7001": endless}, lambda _: ScriptedMedia())
        service.startService()
        self.line.pump()
        self.assertEqual(service.take(customer("1")).status, Status.OK)
        service.stopService()
        service.startService()
        self.assertEqual(service.take(customer("2")).status, Status.GOING_AWAY)
        self.pass_time(15)
        self.assertEqual(service.take(customer("3")).status, Status.OK)
        self.successResultOf(self.stopped(service, 15))

    def stopped(self, client: Any, within: float = 2) -> Deferred[None]:
        stopped: Deferred[None] = client.stopService()
        self.pass_time(within)
        return stopped


# ---------------------------------------------------------------- one broken rule each


class BrokenAgentTests(AgentCase):
    """What an exchange may not say to an agent's application."""

    def test_a_numbering_that_makes_no_sense_is_refused_and_the_next_link_does(self) -> None:
        good = self.line.answers[AgentLogin]
        for first, last in ((0, 0), (0, 5), (9, 5), (2**64 - 1, 0)):
            for status in (Status.OK, Status.EXPIRED):
                with self.subTest((first, last, status)):
                    number = f"{first}-{last}-{int(status)}"
                    self.line.answers[AgentLogin] = lambda _: AgentLoginReply(status, first, last)  # noqa: B023
                    login = self.begin(self.client.login(number))
                    self.pass_time(1)
                    self.assertNoResult(login)
                    self.line.answers[AgentLogin] = good
                    self.pass_time(30)
                    self.assertEqual(self.successResultOf(login).last_sequence, 0)

    def test_a_sequence_of_0_and_one_far_away_break_nothing(self) -> None:
        agent = self.login()
        self.send(event(0), event(2**64 - 1))
        self.line.answers[AgentLogin] = lambda login: AgentLoginReply(Status.EXPIRED, 1, 0)
        self.lose_link()
        self.pass_time(5)
        heard = self.begin(self.next_event(agent))
        self.send(event(1, serial="7"))
        self.assertEqual(self.successResultOf(heard).sequence, 1)

    async def next_event(self, agent: AgentNumber) -> AgentEvent:
        hand_off = await agent.connect("bill", "138", serial="7")
        return await hand_off.result()

    def test_a_reply_of_another_kind_is_no_answer(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        with capturedLogs() as logged:
            asked = self.begin(agent.connect("bill", "138", serial="7", timeout=5))
            (invoke_id,) = [one for one, said in self.line.link.received if isinstance(said, ConnectRequest)]
            for reply in (Pong(), AgentLoginReply(Status.OK, 1, 0), BindReply(Status.OK)):
                self.line.link.send(reply, invoke_id)
                self.line.pump()
            self.assertNoResult(asked)
        told = [line for line in map(formatEvent, logged) if line and "where ConnectReply was expected" in line]
        self.assertEqual(len(told), 1)
        self.line.link.send(ConnectReply(Status.OK, "7"), invoke_id)
        self.line.pump()
        self.assertEqual(self.successResultOf(asked).serial, "7")

    def test_a_bind_that_is_answered_by_something_else_is_not_bound(self) -> None:
        """It once left the client without a link for ever."""
        self.lose_link()
        good = self.line.answers
        self.line.answers = {}
        self.pass_time(1)
        (invoke_id,) = [one for one, _ in self.line.link.received]
        self.line.link.send(Pong(), invoke_id)
        self.line.pump()
        self.line.answers = good
        self.pass_time(30)
        self.login()

    def test_the_answer_to_another_call_is_none_to_this_one(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: ConnectReply(Status.OK, "8")
        self.failureResultOf(self.begin(agent.connect("bill", "138", serial="7")), BrokenExchange)
        self.line.answers[ConnectRequest] = lambda _: ConnectReply(Status.OK, "")
        self.failureResultOf(self.begin(agent.connect("bill", "138")), BrokenExchange)

    def test_events_beyond_a_bound_are_left_to_another_login(self) -> None:
        taking: list[Deferred[None]] = []
        heard: list[int] = []

        def take(one: AgentEvent) -> Deferred[None] | None:
            heard.append(one.sequence)
            if one.sequence > 1:
                return None
            taking.append(Deferred())
            return taking[-1]

        agent = self.login(on_event=take)
        self.send(*[event(sequence, Condition.PROGRESS) for sequence in range(1, 3_001)])
        self.assertEqual(len(agent._taking._waiting), MOST_WAITING)
        asked: list[int] = []

        def replay(login: AgentLogin) -> Message | None:
            asked.append(login.resume_after)
            link = self.line.link
            link.send(AgentLoginReply(Status.OK, login.resume_after + 1, 3_000), link.received[-1][0])
            for sequence in range(login.resume_after + 1, 3_001):
                link.send(event(sequence, Condition.PROGRESS), 0)
            return None

        self.line.answers[AgentLogin] = replay
        taking[0].callback(None)
        self.line.pump()
        self.assertEqual(heard, [*range(1, 3_001)])
        self.assertEqual((asked, self.line.link.acknowledged[-1]), ([1_001], 3_000))

    def test_a_number_that_logs_out_meanwhile_stays_logged_out(self) -> None:
        taking: Deferred[None] = Deferred()
        agent = self.login(on_event=lambda one: taking if one.sequence == 1 else None)
        self.send(*[event(sequence, Condition.PROGRESS) for sequence in range(1, 1_100)])
        logins: list[int] = []
        self.line.answers[AgentLogin] = lambda _: logins.append(self.line.link.received[-1][0])
        taking.callback(None)
        self.line.pump()
        self.now(agent.logout())
        self.line.link.send(AgentLoginReply(Status.OK, 1_002, 1_099), logins[0])
        self.line.pump()
        self.assertEqual(type(self.line.link.said[-1]).__name__, "AgentLogout")

    def test_long_events_are_bounded_by_their_bytes(self) -> None:
        agent = self.login(on_event=lambda _: Deferred())
        long = Fields({"x": "y" * 60_000})
        for sequence in range(1, 600):
            self.send(AgentEvent(sequence, "1001", "1", Condition.PROGRESS, Status.OK, long))
        self.assertLess(len(agent._taking._waiting), 300)

    def test_events_that_the_application_never_takes_are_bounded(self) -> None:
        def fails(_: AgentEvent) -> None:
            raise ValueError

        agent = self.login(on_event=fails)
        for begin in range(1, MOST_UNTAKEN + 2_000, 500):
            self.send(*[event(sequence, Condition.PROGRESS) for sequence in range(begin, begin + 500)])
        self.assertLessEqual(len(agent._events), MOST_UNTAKEN)
        logins = [said for said in self.line.link.said if isinstance(said, AgentLogin)]
        self.assertEqual(len(logins), 1, "to ask for what fails again and again would never end")

    def test_those_that_it_failed_to_take_come_again_when_it_takes_them(self) -> None:
        works = False
        heard: list[int] = []

        def take(one: AgentEvent) -> None:
            if not works:
                raise ValueError
            heard.append(one.sequence)

        agent = self.login(on_event=take)
        events = [event(sequence, Condition.PROGRESS) for sequence in range(1, MOST_UNTAKEN + 2)]
        for begin in range(0, len(events), 500):
            self.send(*events[begin : begin + 500])
        self.line.answers[AgentLogin] = lambda login: AgentLoginReply(Status.OK, login.resume_after + 1, len(events))
        works = True
        self.lose_link()
        self.pass_time(2)
        for begin in range(0, len(events), 500):
            self.send(*events[begin : begin + 500])
        self.assertEqual(heard, [one.sequence for one in events])
        self.assertEqual((agent.last_sequence, self.line.link.acknowledged[-1]), (len(events), len(events)))

    def test_the_events_of_one_call_are_bounded(self) -> None:
        agent = self.login()
        hand_off = self.now(agent.connect("bill", "138", serial="1"))
        heard: list[int] = []
        listening = ensureDeferred(self.listen(hand_off, heard))
        last = MOST_EVENTS + 500
        for begin in range(1, last, 500):
            self.send(*[event(sequence, Condition.PROGRESS) for sequence in range(begin, begin + 500)])
        self.send(event(last + 1))
        self.successResultOf(listening)
        self.assertEqual(heard, [*range(1, last + 2)])
        late: list[int] = []
        self.successResultOf(ensureDeferred(self.listen(hand_off, late)))
        self.assertEqual((len(late), late[-1]), (MOST_EVENTS, last + 1))

    async def listen(self, hand_off: Any, heard: list[int]) -> None:
        async for one in hand_off.events():
            heard.append(one.sequence)


class BrokenServiceTests(ServiceCase):
    """What an exchange may not say to an automatic service."""

    def test_the_data_of_another_call_is_given_to_nobody(self) -> None:
        seen: list[object] = []

        async def serve(call: ServedCall) -> Outcome:
            try:
                seen.append(await call.data())
            except BrokenExchange as error:
                seen.append(error)
            return Outcome(Condition.COMPLETED)

        self.line.answers[DataRequest] = lambda _: DataResult(Status.OK, "999", "1001", Fields({"account": "5"}))
        self.service(serve)
        self.connect(customer())
        self.line.pump()
        self.assertEqual([type(one) for one in seen], [BrokenExchange])

    def test_a_report_is_repeated_until_it_is_its_own_answer_that_comes(self) -> None:
        good = self.line.answers[ServiceEvent]
        self.line.answers[ServiceEvent] = lambda reported: ServiceEventReply(reported.event_id ^ 1, Status.OK)
        self.service()
        self.connect(customer())
        self.pass_time(3)
        self.line.answers[ServiceEvent] = good
        self.pass_time(3)
        reports = self.line.link.every(ServiceEvent)
        self.assertGreater(len(reports), 1)
        self.assertEqual(len({reported.event_id for reported in reports}), 1)

    def test_a_flood_of_errors_is_told_seldom(self) -> None:
        self.service()
        with capturedLogs() as logged:
            self.send(*[Error(Status.INTERNAL, "x")] * 500)
        said = [one for one in logged if "the exchange said" in (formatEvent(one) or "")]
        self.assertEqual(len(said), 1)


# ---------------------------------------------------------------- whatever it says


class BadPeer(FakePeer):
    """An exchange that answers well what comes, unless ``odd`` has another answer to it; None is none at all."""

    def __init__(self, odd: dict[type, Message | None]) -> None:
        super().__init__()
        self.odd = odd

    def message_received(self, message: Message, invoke_id: int) -> None:
        super().message_received(message, invoke_id)
        kind = type(message)
        reply = self.odd[kind] if kind in self.odd else good_reply(message)
        if reply is not None and invoke_id:
            self.send(reply, invoke_id)


def good_reply(request: Message) -> Message | None:
    """What a good exchange says."""
    match request:
        case Bind():
            return BindReply(Status.OK, exchange_address="exchange:7301")
        case AgentLogin(resume_after=resume_after):
            return AgentLoginReply(Status.OK, resume_after + 1, resume_after)
        case ConnectRequest(serial=serial):
            return ConnectReply(Status.OK, serial or "1")
        case DataRequest(serial=serial):
            return DataResult(Status.OK, serial, "1001")
        case ServiceEvent(event_id=event_id):
            return ServiceEventReply(event_id, Status.OK)
        case Unbind():
            return UnbindReply()
    return None


@implementer(IStreamClientEndpoint)
class Either:
    """Leads to an exchange that breaks the rules, and once it is healed to a good one."""

    def __init__(self, clock: Clock, good: MemoryExchange, links: Any) -> None:
        self.clock = clock
        self.healed = False
        self.odd: dict[type, Message | None] = {}
        self.pairs: list[LinkedPair] = []
        self.opened = 0
        self._good = good
        self._links = links

    @property
    def bad(self) -> BadPeer | None:
        """The link that is open, if its exchange breaks the rules."""
        peer = self.pairs[-1].second if self.pairs and self.pairs[-1].open else None
        return peer if isinstance(peer, BadPeer) else None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.opened += 1
        if self.healed:
            self._good.pairs.append(LinkedPair(self._links.buildProtocol(None), protocol))
        else:
            self.pairs.append(LinkedPair(protocol, BadPeer(self.odd)))
        return succeed(protocol)


_SMALL = st.integers(0, 3) | st.sampled_from([1_000, 2**32 - 1, 2**63, 2**64 - 2])  # the next one fits too
_SERIALS = st.sampled_from(["", "1", "2", "4711"])


_LAST = 2**64 - 1
_ANY_KIND: list[Message | None] = [
    None, Pong(), BindReply(0), AgentLoginReply(0, 1, 0), ConnectReply(0, "2"), DataResult(0, "2", "1001"),
    ServiceEventReply(0, 0), Error(0), Error(14), Error(51),
]  # fmt: skip
_ODD: dict[type, list[Message | None]] = {
    Bind: [
        *(BindReply(status) for status in (3, 11, 14, 200)),
        *(BindReply(0, 1, "s", *agreed) for agreed in ((0, 0), (1, 1_024), (0xFFFF, 1_023), (0, 2**32 - 1))),
    ],
    AgentLogin: [
        *(AgentLoginReply(0, *numbers) for numbers in ((0, 0), (0, 5), (9, 5), (1, _LAST), (_LAST, _LAST))),
        *(AgentLoginReply(21, *numbers) for numbers in ((0, 0), (1, 0), (5, 9), (9, 5), (_LAST, _LAST))),
        *(AgentLoginReply(status, 0, 0) for status in (5, 13, 14, 50, 200)),
    ],
    ConnectRequest: [ConnectReply(status, serial) for status in (0, 14, 22, 24) for serial in ("", "1", "2")],
    DataRequest: [DataResult(status, serial, "1001") for status in (0, 20, 35) for serial in ("", "1", "4711")],
    ServiceEvent: [ServiceEventReply(event_id, status) for event_id in (0, 1) for status in (0, 24, 40, 43, 50)],
}
"""What may come in answer to each request, beside what is right."""


class AnyExchange(RuleBasedStateMachine):
    """Both clients, their exchange saying whatever it likes, until a good one is there."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.good = MemoryExchange(clock=self.clock)
        self.doors = [Either(self.clock, self.good, links) for links in (self.good.agent_links, self.good.ivr_links)]
        accounts = [
            ExchangeAccount(authenticator, name, "secret", jitter=lambda: 0.0)
            for authenticator, name in zip(self.doors, ("agents", "services"), strict=True)
        ]
        self.agent = AgentClient(self.clock, accounts[0])
        self.service = AutomaticService(self.clock, accounts[1], {"7000": complete}, lambda _: ScriptedMedia())
        self.numbers: list[AgentNumber] = []
        self.asked: list[Deferred[Any]] = []
        self.faults: list[Failure] = []
        """What an application has met that is no error on purpose."""

    @initialize()
    def start(self) -> None:
        for client in (self.agent, self.service):
            client.startService()
        self.pump()
        self.log_in()

    def pump(self) -> None:
        pump_all([pair for authenticator in self.doors for pair in authenticator.pairs] + self.good.pairs, self.clock)

    def begin(self, work: Any) -> Deferred[Any]:
        begun = ensureDeferred(work)
        begun.addErrback(self.failed)
        self.asked.append(begun)
        self.pump()
        return begun

    def failed(self, failure: Failure) -> None:
        if not failure.check(CtiexError):
            self.faults.append(failure)

    # ------------------------------------------------------------ what the exchange does

    @rule(side=st.integers(0, 1), kind=st.sampled_from(list(_ODD)), data=st.data(), then=st.integers(0, 2))
    def answer_oddly(self, side: int, kind: type, data: st.DataObject, then: int) -> None:
        """From now on, and maybe at once."""
        side = 0 if kind in (AgentLogin, ConnectRequest) else 1 if kind is not Bind else side
        self.doors[side].odd[kind] = data.draw(st.sampled_from(_ODD[kind] + _ANY_KIND))
        if then == 1:
            self.lose(side, clean=True)
            self.wait(1.0)
        elif then == 2:
            self.log_in()

    @rule(side=st.integers(0, 1))
    def answer_well(self, side: int) -> None:
        """For a while."""
        self.doors[side].odd.clear()

    @rule(side=st.integers(0, 1), message=messages(), invoke_id=st.integers(0, 5))
    def say(self, side: int, message: Message, invoke_id: int) -> None:
        if (peer := self.doors[side].bad) is not None:
            peer.send(message, invoke_id)
            self.pump()

    @rule(sequence=_SMALL, serial=_SERIALS.filter(bool), condition=st.sampled_from(list(Condition)))
    def tell(self, sequence: int, serial: str, condition: Condition) -> None:
        if (peer := self.doors[0].bad) is not None:
            peer.send(AgentEvent(sequence, "1001", serial, condition), 0)
            self.pump()

    @rule(serial=_SERIALS.filter(bool))
    def bring(self, serial: str) -> None:
        if (peer := self.doors[1].bad) is not None:
            peer.send(customer(serial), 7)
            self.pump()

    @rule(side=st.integers(0, 1), noise=st.binary(min_size=1, max_size=20))
    def babble(self, side: int, noise: bytes) -> None:
        if (peer := self.doors[side].bad) is not None:
            peer.write(noise)
            self.pump()

    @rule(side=st.integers(0, 1), clean=st.booleans())
    def lose(self, side: int, clean: bool) -> None:
        if self.doors[side].bad is not None:
            self.doors[side].pairs[-1].disconnect(clean)
            self.pump()

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.pump()

    # ------------------------------------------------------------ what the application does

    @rule()
    def log_in(self) -> None:
        self.begin(self.agent.login("1001", timeout=5)).addCallback(
            lambda number: number and self.numbers.append(number)
        )

    @precondition(lambda self: self.numbers)
    @rule(serial=_SERIALS)
    def connect(self, serial: str) -> None:
        self.begin(self.numbers[-1].connect("bill", "138", serial=serial, timeout=5))

    @rule(side=st.integers(0, 1), again=st.booleans())
    def stop_and_start(self, side: int, again: bool) -> None:
        client = (self.agent, self.service)[side]
        client.stopService()
        client.startService()
        if again:
            client.stopService()
            client.startService()
        self.pump()

    # ------------------------------------------------------------ what holds

    @invariant()
    def nothing_grows(self) -> None:
        for number in self.agent._agents.values():
            assert len(number._taking._waiting) <= MOST_WAITING
            assert len(number._events) <= MOST_UNTAKEN
            assert len(number._hand_offs._early) <= MOST_EARLY
        assert self.service.calls <= 1_000

    @invariant()
    def nothing_but_the_errors_of_the_family_comes_out(self) -> None:
        assert self.faults == []

    def teardown(self) -> None:
        """A good exchange is there: both clients work again with it."""
        for side, authenticator in enumerate(self.doors):
            authenticator.healed = True
            self.lose(side, clean=True)
        for _ in range(300):
            self.clock.advance(1)
            self.pump()
        login = self.begin(self.agent.login("1001", timeout=20))
        assert isinstance(login.result, AgentNumber), login.result
        result = self.begin(self.hand_over(login.result))
        for _ in range(5):
            self.clock.advance(1)
            self.pump()
        assert isinstance(result.result, AgentEvent), result.result
        assert result.result.condition is Condition.COMPLETED, result.result
        for client in (self.agent, self.service):
            client.stopService()
        for _ in range(20):
            self.clock.advance(1)
            self.pump()
        assert all(one.called for one in self.asked)

    async def hand_over(self, number: AgentNumber) -> AgentEvent:
        return await (await number.connect("bill", "138")).result(10)


AnyExchange.TestCase.settings = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=30,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
AnyExchangeTests = AnyExchange.TestCase
