"""What bounds one end of a link: signs of life, requests under way, output, and its turn."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import LinkError, LinkLost, RequestTimedOut
from ctiex.limits import SessionLimits
from ctiex.links.session import Session
from ctiex.messages import (
    AgentEventAck,
    CancelRequest,
    Connection,
    ConnectionReply,
    DataRequest,
    Error,
    Message,
    Ping,
    Pong,
    Unbind,
    UnbindReply,
    refusal,
)

from .conversation import _BINARY, Conversation, _quick


class SignsOfLife(SynchronousTestCase):
    """The heartbeat, both ways."""

    def test_two_unanswered_pings_end_the_link(self) -> None:
        talk = Conversation("agent")
        talk.said()
        self.assertEqual(talk.tick(29.9), [])
        self.assertEqual(talk.tick(30), [Ping()])
        self.assertEqual(talk.tick(60), [Ping()])
        self.assertIsNone(talk.session.ended)
        self.assertEqual(talk.tick(90), [])
        self.assertIsNotNone(talk.session.ended)

    @given(st.lists(st.floats(0.1, 89), min_size=1, max_size=10))
    @_quick
    def test_any_byte_within_the_time_keeps_it_open(self, gaps: list[float]) -> None:
        talk, now = Conversation("agent"), 0.0
        for gap in gaps:
            while talk.session.next_tick() <= now + gap:
                talk.tick(talk.session.next_tick())
            now += gap
            talk.session.receive(talk.frame(Error(0), 0), now)
            self.assertIsNone(talk.session.ended)

    @given(st.floats(30, 1e7))
    @_quick
    def test_after_a_jump_of_the_clock_the_other_side_still_has_its_time_to_answer(self, jump: float) -> None:
        talk = Conversation("agent")
        talk.said()
        now = jump
        self.assertEqual(talk.tick(now), [Ping()])
        self.assertGreaterEqual(talk.session.next_tick(), now + 29.9)
        self.assertEqual(talk.tick(now + 1), [])
        talk.tick(now + 30.1)
        self.assertIsNone(talk.session.ended)
        talk.tick(now + 60.2)
        self.assertIsNotNone(talk.session.ended)

    @given(st.lists(st.floats(-1e6, 1e6), max_size=20))
    @_quick
    def test_a_clock_that_jumps_anywhere_raises_nothing_and_always_has_a_next_tick(self, moments: list[float]) -> None:
        talk = Conversation("agent")
        for now in moments:
            talk.tick(now)
            self.assertLess(abs(talk.session.next_tick()), 1e7)

    def test_a_ping_is_answered_under_its_own_invoke_id(self) -> None:
        for state in ("open", "agent", "service"):
            talk = Conversation(state)
            talk.said()
            self.assertEqual(talk.say(Ping(), 77), [(77, Pong())])

    def test_a_session_that_has_ended_says_nothing_more(self) -> None:
        talk = Conversation("agent")
        talk.said()
        talk.session.end("enough")
        self.assertEqual(talk.tick(1_000.0), [])


class Requests(SynchronousTestCase):
    """Requests of either side: how many, and for how long."""

    def test_more_in_flight_than_allowed_are_answered_14(self) -> None:
        talk = Conversation("agent", limits=SessionLimits(max_in_flight=2), answers=False)
        talk.said()
        for invoke_id in (5, 6):
            self.assertEqual(talk.say(CancelRequest("1"), invoke_id), [])
        [(found, answer)] = talk.say(CancelRequest("1"), 7)
        self.assertEqual((found, cast(Any, answer).status), (7, 14))
        request, invoke_id = talk.above.requests[0]
        talk.session.reply(refusal(request, 0), invoke_id)
        talk.said()
        self.assertEqual(talk.say(CancelRequest("1"), 8), [], "one was answered: there is room again")

    @given(st.lists(st.sampled_from(["ask", "answer"]), max_size=30), st.integers(1, 4))
    @_quick
    def test_what_is_in_flight_is_counted_right(self, steps: list[str], most: int) -> None:
        talk = Conversation("service", limits=SessionLimits(max_in_flight=most), answers=False)
        talk.said()
        open_requests = 0
        for invoke_id, step in enumerate(steps, 10):
            if step == "ask":
                answers = talk.say(DataRequest("1"), invoke_id)
                self.assertEqual(len(answers), open_requests >= most)
                open_requests += not answers
            elif open_requests:
                open_requests -= 1
                talk.session.reply(refusal(DataRequest("1"), 0), 1)
                talk.said()

    def test_notices_and_pings_are_not_in_flight(self) -> None:
        talk = Conversation("agent", limits=SessionLimits(max_in_flight=1), answers=False)
        talk.said()
        for _ in range(5):
            talk.say(AgentEventAck("1001", 1), 0)
            talk.say(Ping(), 1)
            talk.say(AgentEventAck("1001", 1), 9)
        self.assertEqual(talk.say(CancelRequest("1"), 9), [])

    @given(st.permutations(range(4)))
    @_quick
    def test_replies_in_any_order_find_their_requests(self, order: list[int]) -> None:
        talk = Conversation("service")
        talk.said()
        heard: dict[int, Any] = {}
        for number in range(4):
            talk.session.request(Connection("7000", str(number)), lambda a, n=number: heard.setdefault(n, a), 100.0)  # type: ignore[misc]
        asked = talk.said()
        for number in order:
            talk.say(ConnectionReply(number), asked[number][0])
        self.assertEqual(heard, {number: ConnectionReply(number) for number in range(4)})
        talk.say(ConnectionReply(9), asked[0][0])
        self.assertEqual(heard[0], ConnectionReply(0), "a second answer is one that nobody asked for")

    def test_an_error_answers_a_request_too_and_so_does_a_bad_reply(self) -> None:
        for answer in (Error(5), None):
            talk = Conversation("service")
            talk.said()
            heard: list[Message | LinkError] = []
            talk.session.request(Connection("7000", "1"), heard.append, 100.0)
            [(invoke_id, _)] = talk.said()
            if answer is None:
                talk.hear(_BINARY.frame(0x21, invoke_id, b"\0"))
            else:
                self.assertEqual(talk.say(answer, invoke_id), [])
            [found] = heard
            self.assertIsInstance(found, Error)

    def test_a_request_times_out_at_its_deadline_and_a_late_reply_does_nothing(self) -> None:
        talk = Conversation("service")
        talk.said()
        heard: list[Any] = []
        talk.session.request(Connection("7000", "1"), heard.append, 5.0)
        [(invoke_id, _)] = talk.said()
        self.assertEqual(talk.session.next_tick(), 5.0)
        talk.tick(4.9)
        self.assertEqual(heard, [])
        talk.tick(5.0)
        talk.say(ConnectionReply(0), invoke_id, 6.0)
        self.assertEqual([type(one) for one in heard], [RequestTimedOut])

    def test_whoever_waits_when_the_link_is_lost_hears_of_it_once(self) -> None:
        talk = Conversation("service")
        heard: list[Any] = []
        talk.session.request(Connection("7000", "1"), heard.append, 5.0)
        talk.session.lost("cut")
        talk.session.lost("cut")
        talk.tick(10.0)
        self.assertEqual([type(one) for one in heard], [LinkLost])

    def test_a_request_on_a_link_that_has_ended_fails_at_once(self) -> None:
        for end in (Session.end, Session.lost):
            talk = Conversation("service")
            talk.said()
            end(talk.session, "over")
            heard: list[Any] = []
            talk.session.request(Connection("7000", "1"), heard.append, 5.0)
            self.assertEqual([type(one) for one in heard], [LinkLost])
            self.assertEqual(talk.said(), [])

    def test_leaving_waits_for_the_answer_and_no_longer_than_its_deadline(self) -> None:
        for answered in (True, False):
            talk = Conversation("agent")
            talk.said()
            talk.session.unbind(15, "going", 5.0)
            [(invoke_id, message)] = talk.said()
            self.assertEqual(message, Unbind(15, "going"))
            self.assertEqual(len(talk.say(CancelRequest("1"), 9)), 1, "what is under way is still answered")
            self.assertIsNone(talk.session.ended)
            if answered:
                talk.say(UnbindReply(), invoke_id)
            else:
                talk.tick(5.0)
            self.assertIsNotNone(talk.session.ended)


class BoundedOutput(SynchronousTestCase):
    """One read of small requests must not become any amount of output."""

    def test_a_session_stops_reading_when_much_is_to_be_written(self) -> None:
        talk = Conversation("service", limits=SessionLimits(max_in_flight=10_000))
        talk.session.take_output()
        large = b"x" * 60_000
        talk.above.request_received = (  # type: ignore[method-assign]
            lambda message, invoke_id: talk.session.reply_body(0x23, invoke_id, large)
        )
        talk.session.receive(talk.frame(DataRequest("1"), 9) * 2_000, 0.0)
        answered = 0
        while talk.session.held:
            output = talk.session.take_output()
            self.assertLess(len(output), 200_000)
            answered += len(output)
            talk.session.read_on()
        answered += len(talk.session.take_output())
        self.assertEqual(answered, 2_000 * 60_012, "and none is lost")


class BoundedTurns(SynchronousTestCase):
    """One read of many small requests must not keep all other links waiting."""

    def test_a_session_handles_so_many_frames_at_a_time_and_what_comes_meanwhile_waits_behind_them(self) -> None:
        talk = Conversation("service")
        talk.session.take_output()
        asked = list(range(1, 1_001))
        frames = [talk.frame(Ping(), invoke_id) for invoke_id in asked]
        talk.session.receive(b"".join(frames[:900]), 0.0)
        first = talk.session.take_output()
        talk.session.receive(b"".join(frames[900:]), 0.0)
        self.assertEqual(talk.session.take_output(), b"", "they wait for their turn")
        answers, turns = [first], 1
        while talk.session.held:
            talk.session.read_on()
            answers.append(talk.session.take_output())
            turns += 1
        self.assertLessEqual(max(map(len, answers)), 64 * 12)
        self.assertEqual(b"".join(answers), b"".join(talk.frame(Pong(), invoke_id) for invoke_id in asked))
        self.assertGreaterEqual(turns, 1_000 // 64)
