"""Which call an event belongs to, where the same serial was used before: only its own are a hand-off's."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from ctiex.clients import AgentNumber, HandOff, Position
from ctiex.errors import CallError, NotBound, RequestTimedOut, Status
from ctiex.fields import Fields
from ctiex.messages import (
    AgentEvent,
    AgentLogin,
    AgentLoginReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    Message,
)

from .hand_exchange import EPOCH, AgentCase, event, good_login
from .reused_serial import NEW, OLD, SERIAL


def of_call(sequence: int, condition: Condition, fields: Fields = OLD) -> AgentEvent:
    return AgentEvent(sequence, 0, "1001", SERIAL, "", condition, Status.OK, fields)


class ByHandTests(AgentCase):
    """An exchange by hand, which lets a serial be used again while an event of its old call waits."""

    def waiting(self, *waiting: AgentEvent) -> None:
        """These wait in the mailbox at the next login."""

        def answer(login: AgentLogin) -> Message | None:
            link = self.line.link
            sequences = [one.sequence for one in waiting]
            link.send(good_login(login, min(sequences), max(sequences)), link.received[-1][0])
            for one in waiting:
                link.send(one, 0)
            return None

        self.line.answers[AgentLogin] = answer

    def connect(self, agent: AgentNumber, **options: Any) -> Deferred[HandOff]:
        return self.begin(agent.connect("bill", "138", serial=SERIAL, **options))

    def test_an_old_end_that_is_replayed_is_none_of_the_new_call(self) -> None:
        self.waiting(of_call(1, Condition.COMPLETED))
        login = ensureDeferred(self.client.login("1001"))
        asked = ensureDeferred(self.connect_when(login))
        self.line.pump()
        result = ensureDeferred(self.successResultOf(asked).result())
        self.assertNoResult(result)
        self.send(of_call(2, Condition.COMPLETED, NEW))
        self.assertEqual(self.successResultOf(result).fields, NEW)

    async def connect_when(self, login: Deferred[AgentNumber]) -> HandOff:
        """Ask in the moment of the login, before anything that is replayed has come."""
        agent = await login
        return await agent.connect("bill", "138", serial=SERIAL)

    def test_one_that_the_application_is_still_taking_is_none_either(self) -> None:
        taking: list[Deferred[None]] = [Deferred(), Deferred()]
        takings = iter(taking)
        self.waiting(of_call(1, Condition.COMPLETED))
        agent = self.login(on_event=lambda _: next(takings))
        hand_off = self.successResultOf(self.connect(agent))
        taking[0].callback(None)
        result = ensureDeferred(hand_off.result())
        self.assertNoResult(result)
        self.send(of_call(2, Condition.COMPLETED, NEW))
        taking[1].callback(None)
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_what_a_hand_off_missed_while_the_link_was_lost_is_its_own(self) -> None:
        agent = self.login()
        hand_off = self.successResultOf(self.connect(agent))
        self.waiting(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED, NEW))
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.now(hand_off.result()).fields, NEW)

    def test_a_repeat_is_the_same_call_though_its_events_are_replayed_before_it(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.connect(agent)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        self.waiting(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED, NEW))
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_a_repeat_that_is_refused_for_an_old_end_is_refused(self) -> None:
        for status in (Status.DUPLICATE_SERIAL, Status.ALREADY_FINISHED):
            self.setUp()
            self.waiting(of_call(1, Condition.COMPLETED))
            agent = self.login(on_event=lambda _: Deferred())
            connecting = self.repeat(agent, status)
            self.pass_time(29)
            self.assertIs(self.failureResultOf(connecting, CallError).value.status, status)

    def repeat(self, agent: AgentNumber, status: Status, **options: Any) -> Deferred[HandOff]:
        """A request whose link is lost before its answer, and whose repeat has this one."""
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.connect(agent, **options)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(status, request.serial)
        self.lose_link()
        self.pass_time(2)
        return connecting

    def test_a_serial_that_is_refused_for_an_old_end_is_free_once_that_is_acknowledged(self) -> None:
        agent = self.login()
        self.waiting(of_call(1, Condition.COMPLETED))
        connecting = self.repeat(agent, Status.DUPLICATE_SERIAL)
        self.assertIs(self.failureResultOf(connecting, CallError).value.status, Status.DUPLICATE_SERIAL)
        self.assertEqual(self.line.link.acknowledged, [1])
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        result = ensureDeferred(self.successResultOf(self.connect(agent)).result())
        self.assertNoResult(result)
        self.send(of_call(2, Condition.COMPLETED, NEW))
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_a_call_that_ended_before_its_repeat_has_its_end(self) -> None:
        agent = self.login()
        self.waiting(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED, NEW))
        connecting = self.repeat(agent, Status.ALREADY_FINISHED)
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_so_it_has_while_the_application_takes_its_time_for_it(self) -> None:
        taking: Deferred[None] = Deferred()
        agent = self.login(on_event=lambda _: taking)
        self.waiting(of_call(1, Condition.COMPLETED, NEW))
        hand_off = self.successResultOf(self.repeat(agent, Status.ALREADY_FINISHED))
        taking.callback(None)
        self.assertEqual(self.now(hand_off.result()).fields, NEW)

    def test_a_call_before_it_that_has_finished_is_never_taken_for_it(self) -> None:
        agent = self.login()
        first = self.successResultOf(self.connect(agent))
        self.send(of_call(1, Condition.COMPLETED))
        self.assertEqual(self.now(first.result()).fields, OLD)
        connecting = self.repeat(agent, Status.ALREADY_FINISHED)
        self.assertNoResult(connecting)
        self.pass_time(29)
        self.assertIs(self.failureResultOf(connecting, CallError).value.status, Status.ALREADY_FINISHED)

    def on_its_way(self, timeout: float = 30) -> tuple[AgentNumber, Deferred[HandOff]]:
        """A repeat of a call that has ended, while what waited for the login is still on its way."""
        agent = self.login()
        self.line.answers[AgentLogin] = lambda login: good_login(login, 1, 3)
        connecting = self.repeat(agent, Status.ALREADY_FINISHED, timeout=timeout)
        self.send(event(1, Condition.PROGRESS, "99"))
        self.assertNoResult(connecting)
        return agent, connecting

    def test_a_repeat_waits_for_all_that_is_replayed(self) -> None:
        _, connecting = self.on_its_way()
        self.send(of_call(2, Condition.CONNECTING))
        self.assertNoResult(connecting)
        self.send(of_call(3, Condition.COMPLETED, NEW))
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_and_for_what_comes_behind_the_answer(self) -> None:
        agent = self.login()
        connecting = self.repeat(agent, Status.ALREADY_FINISHED)
        self.assertNoResult(connecting)
        self.send(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED, NEW))
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_and_is_refused_where_its_end_is_not_there(self) -> None:
        _, connecting = self.on_its_way()
        self.send(event(2, Condition.PROGRESS, "99"), event(3, Condition.PROGRESS, "99"))
        self.pass_time(29)
        self.assertIs(self.failureResultOf(connecting, CallError).value.status, Status.ALREADY_FINISHED)

    def test_over_another_lost_link_too(self) -> None:
        _, connecting = self.on_its_way()
        self.waiting(of_call(2, Condition.COMPLETED, NEW), event(3, Condition.PROGRESS, "99"))
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_its_wait_ends_with_the_login(self) -> None:
        agent, connecting = self.on_its_way()
        self.now(agent.logout())
        self.assertIs(self.failureResultOf(connecting, CallError).value.status, Status.AGENT_NOT_LOGGED_IN)

    def test_or_with_the_client(self) -> None:
        _, connecting = self.on_its_way()
        self.begin(self.client.stopService())
        self.failureResultOf(connecting, NotBound)

    def test_and_it_takes_no_longer_than_connect_was_given(self) -> None:
        _, connecting = self.on_its_way(5)
        self.pass_time(2.9)
        self.assertNoResult(connecting)
        self.pass_time(0.2)
        self.failureResultOf(connecting, RequestTimedOut)

    def test_a_request_that_is_made_while_there_is_no_link_counts_from_when_it_goes_out(self) -> None:
        agent = self.login()
        self.waiting(of_call(1, Condition.COMPLETED))
        self.lose_link()
        connecting = self.connect(agent)
        self.pass_time(2)
        result = ensureDeferred(self.successResultOf(connecting).result())
        self.assertNoResult(result)
        self.send(of_call(2, Condition.COMPLETED, NEW))
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_a_second_try_is_the_same_call_as_the_first_that_had_no_answer(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        first = self.connect(agent, timeout=3)
        self.pass_time(4)
        self.failureResultOf(first, RequestTimedOut)
        self.send(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED, NEW))
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.ALREADY_FINISHED, request.serial)
        second = self.connect(agent)
        self.assertEqual(self.now(self.successResultOf(second).result()).fields, NEW)

    def test_the_end_of_one_that_had_no_answer_is_none_of_a_call_of_ten_minutes_later(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        first = self.connect(agent, timeout=3)
        self.pass_time(4)
        self.failureResultOf(first, RequestTimedOut)
        self.send(of_call(1, Condition.CONNECTING), of_call(2, Condition.COMPLETED))
        self.pass_time(601)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        hand_off = self.successResultOf(self.connect(agent))
        result = ensureDeferred(hand_off.result())
        self.assertNoResult(result)
        self.send(of_call(3, Condition.CONNECTING, NEW), of_call(4, Condition.COMPLETED, NEW))
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_another_request_under_the_serial_of_one_that_had_no_answer_is_no_second_try_of_it(self) -> None:
        agent = self.login(on_event=lambda _: Deferred())
        self.line.answers[ConnectRequest] = lambda _: None
        first = self.connect(agent, timeout=3)
        self.pass_time(4)
        self.failureResultOf(first, RequestTimedOut)
        self.send(of_call(1, Condition.COMPLETED))
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.DUPLICATE_SERIAL, request.serial)
        another = self.connect(agent, fields=NEW)
        self.assertIs(self.failureResultOf(another, CallError).value.status, Status.DUPLICATE_SERIAL)

    def test_it_waits_until_the_end_of_the_first_one_has_come(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        self.connect(agent, timeout=3).addErrback(lambda failure: failure.trap(RequestTimedOut))
        self.pass_time(4)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        another = self.connect(agent, fields=NEW)
        self.assertIs(self.failureResultOf(another, CallError).value.status, Status.DUPLICATE_SERIAL)
        self.send(of_call(1, Condition.COMPLETED))
        result = ensureDeferred(self.successResultOf(self.connect(agent, fields=NEW)).result())
        self.assertNoResult(result)
        self.send(of_call(2, Condition.COMPLETED, NEW))
        self.assertEqual(self.successResultOf(result).fields, NEW)

    def test_and_so_it_does_while_the_first_one_goes_on(self) -> None:
        agent = self.login()
        first = self.successResultOf(self.connect(agent))
        self.assertIs(self.successResultOf(self.connect(agent)), first, "the same request again")
        another = self.connect(agent, fields=NEW)
        self.assertIs(self.failureResultOf(another, CallError).value.status, Status.DUPLICATE_SERIAL)

    def test_nor_is_it_of_one_whose_answer_is_still_awaited(self) -> None:
        agent = self.login(on_event=lambda _: Deferred())
        self.line.answers[ConnectRequest] = lambda _: None
        first = self.connect(agent)
        self.send(of_call(1, Condition.COMPLETED))
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.DUPLICATE_SERIAL, request.serial)
        another = self.connect(agent, fields=NEW)
        self.assertIs(self.failureResultOf(another, CallError).value.status, Status.DUPLICATE_SERIAL)
        self.assertNoResult(first)

    def test_a_call_of_an_earlier_run_is_resumed_when_it_is_said(self) -> None:
        for status in (Status.ALREADY_FINISHED, Status.DUPLICATE_SERIAL):  # behind keep_closed it is 22
            self.setUp()
            self.line.answers[ConnectRequest] = lambda request: ConnectReply(status, request.serial)  # noqa: B023
            self.waiting(of_call(1, Condition.COMPLETED, NEW))
            agent = self.login(on_event=lambda _: Deferred())
            self.assertIs(self.failureResultOf(self.connect(agent), CallError).value.status, status)
            self.waiting(of_call(1, Condition.COMPLETED, NEW))
            login = ensureDeferred(self.client.login("1001"))
            resumed = ensureDeferred(self.resumed_when(login))
            self.line.pump()
            self.assertEqual(self.now(self.successResultOf(resumed).result()).fields, NEW)

    def test_one_whose_end_was_acknowledged_is_refused(self) -> None:
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.ALREADY_FINISHED, request.serial)
        login = ensureDeferred(self.client.login("1001", position=Position(EPOCH, 4)))
        resumed = ensureDeferred(self.resumed_when(login))
        self.line.pump()
        self.assertIs(self.failureResultOf(resumed, CallError).value.status, Status.ALREADY_FINISHED)

    async def resumed_when(self, login: Deferred[AgentNumber]) -> HandOff:
        agent = await login
        return await agent.connect("bill", "138", serial=SERIAL, resumed=True)

    def test_in_a_new_numbering_everything_is_of_what_was_asked_for_before(self) -> None:
        self.waiting(of_call(7, Condition.COMPLETED))
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        connecting = self.connect(agent)
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(Status.OK, request.serial)
        self.line.answers[AgentLogin] = lambda _: AgentLoginReply(Status.NUMBERING_ANEW, EPOCH + 1, 1, 0)
        self.lose_link()
        self.pass_time(2)
        self.send(of_call(1, Condition.COMPLETED, NEW))
        self.assertEqual(self.now(self.successResultOf(connecting).result()).fields, NEW)

    def test_requests_that_were_never_answered_are_forgotten_in_the_end(self) -> None:
        agent = self.login()
        self.line.answers[ConnectRequest] = lambda _: None
        for number in range(1_100):
            self.begin(agent.connect("bill", "138", serial=str(number), timeout=1)).addErrback(lambda _: None)
        self.pass_time(2)
        self.assertEqual((len(agent._hand_offs._unanswered), len(agent._hand_offs._asked)), (1_000, 0))
