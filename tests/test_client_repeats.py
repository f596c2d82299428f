"""What the agent's client asks for again, when, and what never; and what else it may ask."""

from __future__ import annotations

from random import Random

from attrs import evolve

from ctiex.clients import AgentClient
from ctiex.errors import CallError, RequestTimedOut, Status
from ctiex.fields import Fields
from ctiex.messages import (
    KIND_OF,
    AgentEvent,
    Bind,
    BindReply,
    CallQuery,
    CallQueryReply,
    Condition,
    ConnectReply,
    ConnectRequest,
    Error,
    OpenCall,
    OpenCallState,
    UpdateReply,
    UpdateRequest,
)
from ctiex.serials import MAX_DIGITS, is_serial

from .hand_exchange import AgentCase, Answer, event

LATER = (Status.TOO_BUSY, Status.GOING_AWAY, Status.STORE_UNAVAILABLE)
"""What a ConnectRequest is repeated after."""


class SerialTests(AgentCase):
    """Serials of the client's own."""

    def test_each_call_has_a_random_one_unless_another_is_given(self) -> None:
        agent = self.login()
        serials = {self.now(agent.connect("bill", "138")).serial for _ in range(50)}
        self.assertEqual(len(serials), 50)
        for serial in serials:
            self.assertTrue(is_serial(serial))
            self.assertEqual(len(serial), MAX_DIGITS - 1, "20 digits are the exchange's")

    def test_they_follow_the_source_of_chance_that_is_given(self) -> None:
        first, second = (AgentClient(self.clock, self.account, random=Random(5)).new_serial() for _ in range(2))
        self.assertEqual(first, second)

    def test_an_empty_one_has_the_exchange_allocate_it(self) -> None:
        self.line.answers[ConnectRequest] = lambda _: ConnectReply(Status.OK, "00179543867391654104")
        hand_off = self.now(self.login().connect("bill", "138", serial=""))
        self.assertEqual(hand_off.serial, "00179543867391654104")
        self.assertEqual([request.serial for request in self.line.link.every(ConnectRequest)], [""])

    def test_a_lost_link_is_no_end_of_a_request_with_a_random_one(self) -> None:
        answer, self.line.answers[ConnectRequest] = self.line.answers[ConnectRequest], lambda _: None
        asked = self.begin(self.login().connect("bill", "138", Fields({"account": "5"}), reference="R-1"))
        before = self.line.link.every(ConnectRequest)
        self.line.answers[ConnectRequest] = answer
        self.lose_link()
        self.pass_time(2)
        self.assertEqual(self.line.link.every(ConnectRequest), before)
        self.assertEqual(self.successResultOf(asked).serial, before[0].serial)


class RepeatTests(AgentCase):
    """By the status of its answer, and by the lack of one."""

    def setUp(self) -> None:
        super().setUp()
        self.asked_at: list[float] = []

    def answered(self, *answers: ConnectReply) -> None:
        """These, and after the last one 0."""
        replies = iter(answers)
        good = self.line.answers[ConnectRequest]

        def answer(request: ConnectRequest) -> ConnectReply | None:
            self.asked_at.append(self.clock.seconds())
            reply = next(replies, None)
            return good(request) if reply is None else evolve(reply, serial=request.serial)  # type: ignore[return-value]

        self.line.answers[ConnectRequest] = answer

    def pauses(self) -> list[float]:
        return [round(later - self.asked_at[0], 2) for later in self.asked_at]

    def test_retry_after_is_waited_for_and_a_random_part_added(self) -> None:
        self.client._connection.pause_after = self.client.pause_after = lambda attempts: 0.7 + 10 * attempts
        self.answered(ConnectReply(Status.TOO_BUSY, retry_after=5), ConnectReply(Status.TOO_BUSY, retry_after=2))
        asked = self.begin(self.login().connect("bill", "138"))
        self.pass_time(20, step=0.05)
        self.successResultOf(asked)
        first, second, third = self.pauses()
        self.assertTrue(0 <= second - first - 5.7 < 0.1, self.pauses())
        self.assertTrue(0 <= third - second - 2.7 < 0.1, self.pauses())

    def test_where_it_is_0_the_pauses_grow_as_between_links(self) -> None:
        for status in LATER:
            self.setUp()
            self.answered(*[ConnectReply(status)] * 4)
            asked = self.begin(self.login().connect("bill", "138"))
            self.pass_time(5, step=0.01)
            self.successResultOf(asked)
            pauses = [later - earlier for earlier, later in zip(self.asked_at, self.asked_at[1:], strict=False)]
            due = [self.client.pause_after(attempts) for attempts in range(4)]
            for pause, least in zip(pauses, due, strict=True):
                self.assertTrue(least <= pause + 1e-6 and pause < least + 0.05, (pauses, due))

    def test_the_random_part_is_the_accounts(self) -> None:
        parts = iter([0.25, 0.5])
        client = AgentClient(self.clock, evolve(self.account, jitter=lambda: next(parts)))
        self.assertEqual([round(client.pause_after(0), 3) for _ in range(2)], [0.35, 0.6])

    def test_a_pause_that_is_longer_than_what_is_left_is_not_waited_for(self) -> None:
        self.answered(ConnectReply(Status.TOO_BUSY, retry_after=31, detail="too many calls"))
        refused = self.failureResultOf(self.begin(self.login().connect("bill", "138", timeout=30)), CallError).value
        self.assertEqual((refused.status, refused.detail), (Status.TOO_BUSY, "too many calls"))

    def test_what_cannot_succeed_is_never_repeated(self) -> None:
        agent = self.login()
        for status in [*(set(Status) - {Status.OK, *LATER}), 200]:
            self.asked_at.clear()
            self.answered(ConnectReply(status))
            refused = self.failureResultOf(self.begin(agent.connect("bill", "138")), CallError).value
            self.pass_time(40, step=5)
            self.assertEqual((refused.status, len(self.asked_at)), (Status.of(status), 1))

    def test_nor_is_a_request_without_a_serial(self) -> None:
        self.answered(ConnectReply(Status.STORE_UNAVAILABLE))
        self.failureResultOf(self.begin(self.login().connect("bill", "138", serial="")), CallError)
        self.assertEqual(len(self.asked_at), 1)

    def test_one_that_has_no_answer_is_asked_again_until_its_time_is_over(self) -> None:
        self.line.link.answers_pings = True
        del self.line.answers[ConnectRequest]
        asked = self.begin(self.login().connect("bill", "138", timeout=25))
        self.pass_time(24)
        self.assertEqual(len(self.line.link.every(ConnectRequest)), 3)
        self.assertEqual(len(set(self.line.link.every(ConnectRequest))), 1)
        self.pass_time(2)
        self.failureResultOf(asked, RequestTimedOut)

    def test_an_unknown_status_is_51(self) -> None:
        self.line.answers[ConnectRequest] = lambda request: ConnectReply(999, request.serial)
        refused = self.failureResultOf(self.begin(self.login().connect("bill", "138")), CallError).value
        self.assertIs(refused.status, Status.INTERNAL)


class InFlightTests(AgentCase):
    """No more requests at a time than the exchange takes on a link."""

    def setUp(self) -> None:
        super().setUp()
        self.line.answers[Bind] = lambda _: BindReply(Status.OK, max_in_flight=2, exchange_address="exchange:7301")
        self.lose_link()
        self.pass_time(1)

    def test_those_beyond_are_held_back_and_go_out_in_their_order(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        asked = [self.begin(agent.connect("bill", "138", serial=str(number))) for number in range(1, 6)]
        self.assertEqual([one.serial for one in self.line.link.every(ConnectRequest)], ["1", "2"])
        for number in range(1, 6):
            sent = {said.serial: one for one, said in self.line.link.received if isinstance(said, ConnectRequest)}
            self.line.link.send(ConnectReply(Status.OK, str(number)), sent[str(number)])
            self.line.pump()
        self.assertEqual([one.serial for one in self.line.link.every(ConnectRequest)], ["1", "2", "3", "4", "5"])
        self.assertEqual([self.successResultOf(one).serial for one in asked], ["1", "2", "3", "4", "5"])

    def test_acknowledgements_are_no_requests(self) -> None:
        del self.line.answers[ConnectRequest]
        agent = self.login()
        for number in range(3):
            self.begin(agent.connect("bill", "138", serial=str(number + 5))).addErrback(lambda _: None)
        self.send(event(1))
        self.assertEqual(self.line.link.acknowledged, [1])


class UpdateTests(AgentCase):
    """A call's data is corrected."""

    data = Fields({"account": "77"})

    def answer_updates(self, *statuses: int) -> None:
        answers = iter(statuses)
        self.line.answers[UpdateRequest] = lambda request: UpdateReply(next(answers), request.serial, "why")

    def test_by_the_hand_off_and_by_the_serial(self) -> None:
        self.answer_updates(Status.OK, Status.OK)
        agent = self.login()
        self.now(self.now(agent.connect("bill", "138", serial="7")).update(self.data))
        self.now(agent.update("8", self.data))
        self.assertEqual(
            self.line.link.every(UpdateRequest), [UpdateRequest("7", self.data), UpdateRequest("8", self.data)]
        )

    def test_why_it_is_refused_is_told(self) -> None:
        agent = self.login()
        for status in (
            Status.UNKNOWN_SERIAL, Status.ALREADY_FINISHED, Status.DATA_TOO_LARGE, Status.MORE_THAN_ALLOWED
        ):  # fmt: skip
            self.answer_updates(status)
            refused = self.failureResultOf(self.begin(agent.update("7", self.data)), CallError).value
            self.assertEqual((refused.status, refused.detail), (status, "why"))

    def test_a_lost_link_repeats_it_before_any_later_one(self) -> None:
        agent = self.login()
        first = self.begin(agent.update("7", self.data))
        second = self.begin(agent.update("7", Fields({"account": "78"})))
        self.assertEqual(len(self.line.link.every(UpdateRequest)), 1)
        self.answer_updates(Status.OK, Status.OK)
        self.lose_link()
        self.pass_time(2)
        self.successResultOf(first)
        self.successResultOf(second)
        values = [one.fields["account"] for one in self.line.link.every(UpdateRequest)]
        self.assertEqual(values, ["77", "78"])

    def test_one_that_has_no_answer_keeps_the_next_one_no_longer_than_its_time(self) -> None:
        agent = self.login()
        first = self.begin(agent.update("7", self.data, timeout=5))
        second = self.begin(agent.update("7", self.data, timeout=3))
        self.pass_time(4)
        self.failureResultOf(second, RequestTimedOut)
        self.pass_time(2)
        self.failureResultOf(first, RequestTimedOut)
        self.answer_updates(Status.OK)
        self.now(agent.update("7", self.data))


class OpenCallsTests(AgentCase):
    """Which hand-offs are open."""

    calls = (
        OpenCall("7", "bill", "R-1", OpenCallState.FETCHED, 1_795_000_000_000),
        OpenCall("8", "bill", "", OpenCallState.REQUESTED, 1_795_000_000_001),
    )

    def test_they_come_as_the_exchange_lists_them(self) -> None:
        self.line.answers[CallQuery] = lambda _: CallQueryReply(Status.OK, self.calls)
        self.assertEqual(self.now(self.login().open_calls()), self.calls)
        self.assertEqual(self.line.link.every(CallQuery), [CallQuery("1001")])

    def test_where_not_all_fit_a_frame_the_first_ones_come(self) -> None:
        self.line.answers[CallQuery] = lambda _: CallQueryReply(Status.DATA_TOO_LARGE, self.calls[:1])
        self.assertEqual(self.now(self.login().open_calls()), self.calls[:1])

    def test_why_they_are_refused_is_told(self) -> None:
        answers: list[Answer] = [
            lambda _: CallQueryReply(Status.NOT_ALLOWED_HERE),
            lambda _: Error(Status.DATA_TOO_LARGE, KIND_OF[CallQuery]),
        ]
        agent = self.login()
        for answer, status in zip(answers, (Status.NOT_ALLOWED_HERE, Status.DATA_TOO_LARGE), strict=True):
            self.line.answers[CallQuery] = answer
            refused = self.failureResultOf(self.begin(agent.open_calls()), CallError).value
            self.assertIs(refused.status, status)


class UnknownConditionTests(AgentCase):
    """Conditions that a later version may bring: progress below 128, and final from there on."""

    def test_they_are_told_and_the_final_one_ends_the_call(self) -> None:
        agent = self.login()
        hand_off = self.now(agent.connect("bill", "138", serial="7"))
        result = self.begin(hand_off.result())
        self.send(event(1, Condition(99), "7"), event(2, Condition(127), "7"))
        self.assertNoResult(result)
        self.send(event(3, Condition(128), "7"))
        self.assertEqual((self.successResultOf(result).condition, hand_off.final), (128, event(3, Condition(128), "7")))

    def test_a_hand_off_tells_when_and_by_which_reference(self) -> None:
        hand_off = self.now(self.login().connect("bill", "138", serial="7", reference="R-9"))
        self.assertEqual(self.line.link.every(ConnectRequest)[0].reference, "R-9")
        self.send(AgentEvent(1, 1_795_000_000_123, "1001", "7", "R-9", Condition.COMPLETED))
        final = self.now(hand_off.result())
        self.assertEqual((final.time, final.reference), (1_795_000_000_123, "R-9"))
