"""Clients whose exchange breaks one rule: they live."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.clients import AgentNumber, ServedCall
from ctiex.clients.agent_events import MOST_UNTAKEN
from ctiex.clients.event_taking import MOST_WAITING
from ctiex.clients.hand_off import MOST_EVENTS
from ctiex.errors import BrokenExchange, Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
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
)
from ctiex.services.outcome import Outcome

from .hand_exchange import EPOCH, AgentCase, ServiceCase, customer, event, good_login


class BrokenAgentTests(AgentCase):
    """What an exchange may not say to an agent's application."""

    def test_a_numbering_that_makes_no_sense_is_refused_and_the_next_link_does(self) -> None:
        good = self.line.answers[AgentLogin]
        for first, last in ((0, 0), (0, 5), (9, 5), (2**64 - 1, 0)):
            for status in (Status.OK, Status.NUMBERING_ANEW):
                with self.subTest((first, last, status)):
                    number = f"{first}-{last}-{int(status)}"
                    self.line.answers[AgentLogin] = lambda _: AgentLoginReply(status, EPOCH, first, last)  # noqa: B023
                    login = self.begin(self.client.login(number))
                    self.pass_time(1)
                    self.assertNoResult(login)
                    self.line.answers[AgentLogin] = good
                    self.pass_time(30)
                    self.assertEqual(self.successResultOf(login).last_sequence, 0)

    def test_a_sequence_of_0_and_one_far_away_break_nothing(self) -> None:
        agent = self.login()
        self.send(event(0), event(2**64 - 1))
        self.line.answers[AgentLogin] = lambda login: AgentLoginReply(Status.NUMBERING_ANEW, EPOCH, 1, 0)
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
            for reply in (Pong(), AgentLoginReply(Status.OK, EPOCH, 1, 0), BindReply(Status.OK)):
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
            link.send(AgentLoginReply(Status.OK, EPOCH, login.resume_after + 1, 3_000), link.received[-1][0])
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
        self.line.link.send(AgentLoginReply(Status.OK, EPOCH, 1_002, 1_099), logins[0])
        self.line.pump()
        self.assertEqual(type(self.line.link.said[-1]).__name__, "AgentLogout")

    def test_long_events_are_bounded_by_their_bytes(self) -> None:
        agent = self.login(on_event=lambda _: Deferred())
        long = Fields({"x": "y" * 60_000})
        for sequence in range(1, 600):
            self.send(AgentEvent(sequence, 0, "1001", "1", "", Condition.PROGRESS, Status.OK, long))
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

    @pytest.mark.gate
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
        self.line.answers[AgentLogin] = lambda login: good_login(login, login.resume_after + 1, len(events))
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

        self.line.answers[DataRequest] = lambda _: DataResult(Status.OK, "999", "1001", fields=Fields({"account": "5"}))
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
            self.send(*[Error(Status.INTERNAL, detail="x")] * 500)
        said = [one for one in logged if "the exchange said" in (formatEvent(one) or "")]
        self.assertEqual(len(said), 1)
