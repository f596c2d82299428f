"""What bounds one end of a link: signs of life, requests under way, output, and its turn."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.json import JsonCodec
from ctiex.errors import LinkError, LinkLost, RequestTimedOut
from ctiex.fields import Fields
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links.refusals import refusal
from ctiex.links.requests import connection_status
from ctiex.links.session import Session
from ctiex.messages import (
    AgentEventAck,
    CallEndedReply,
    CallQueryReply,
    CancelRequest,
    Connection,
    ConnectionReply,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Error,
    Message,
    OpenCall,
    OpenCallState,
    Ping,
    Pong,
    Unbind,
    UnbindReply,
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
        [(_, busy)] = talk.say(ConnectRequest("1", "1001", "bill", "138"), 8)
        assert isinstance(busy, ConnectReply)
        self.assertEqual((busy.status, busy.serial, busy.retry_after), (14, "1", 0), "nobody knows for how long")
        [(_, misplaced)] = talk.say(CancelRequest("1"), 0)
        self.assertIsInstance(misplaced, Error, "the invoke id is checked before")
        request, invoke_id = talk.above.requests[0]
        talk.session.reply(refusal(request, 0), invoke_id)
        talk.said()
        self.assertEqual(talk.say(CancelRequest("1"), 8), [], "one was answered: there is room again")

    def test_more_frames_in_a_second_than_allowed_are_answered_14_and_may_come_again_in_a_second(self) -> None:
        talk = Conversation("agent", limits=SessionLimits(frames_per_second=3))
        talk.said()
        for invoke_id in (5, 6):
            talk.say(CancelRequest("1"), invoke_id)
        [(_, busy)] = talk.say(ConnectRequest("1", "1001", "bill", "138"), 7)
        assert isinstance(busy, ConnectReply)
        self.assertEqual((busy.status, busy.serial, busy.retry_after), (14, "1", 1))
        [(_, answer)] = talk.say(ConnectRequest("1", "1001", "bill", "138"), 8, now=1.0)
        self.assertEqual(cast(ConnectReply, answer).status, 0)

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

    def ask(self) -> tuple[Conversation, int, list[Message | LinkError]]:
        """A Connection that waits under an invoke id, and what it hears."""
        talk = Conversation("service")
        talk.said()
        heard: list[Message | LinkError] = []
        talk.session.request(Connection("7000", "1"), heard.append, 100.0)
        [(invoke_id, _)] = talk.said()
        return talk, invoke_id, heard

    def test_an_error_about_its_kind_ends_a_request_and_no_other_does(self) -> None:
        talk, invoke_id, heard = self.ask()
        for about in (0, 0x21, 0x22, 0x26):
            self.assertEqual(talk.say(Error(5, about), invoke_id), [])
        self.assertEqual(talk.say(Error(5, 0x20), invoke_id + 1), [])
        self.assertEqual(talk.hear(_BINARY.frame(0x07, invoke_id, b"\0\5\x20")), [], "malformed")
        self.assertEqual(heard, [])
        self.assertEqual(talk.say(Error(5, 0x20, "no"), invoke_id), [])
        self.assertEqual(heard, [Error(5, 0x20, "no")])

    def test_a_reply_of_the_awaited_kind_that_breaks_a_rule_ends_its_request_as_refused(self) -> None:
        good = _BINARY.encode_body(ConnectionReply(0))
        flagged = bytearray(_BINARY.frame(0x21, 1, good))
        flagged[7] = 2
        extended = bytearray(_BINARY.frame(0x21, 1, good + b"\1"))
        extended[7] = 1
        for frame in (bytes(flagged), bytes(extended), _BINARY.frame(0x21, 1, good + b"\0")):
            talk, invoke_id, heard = self.ask()
            self.assertEqual(invoke_id, 1)
            [(found, answer)] = talk.hear(frame)
            assert isinstance(answer, Error)
            self.assertEqual((found, answer.status, answer.about), (1, 1, 0x21))
            self.assertEqual([type(one) for one in heard], [Error])
            self.assertEqual(connection_status(heard[0]), 1)
            self.assertIsNone(talk.session.ended)

    def test_of_another_kind_such_a_reply_changes_nothing(self) -> None:
        for kind in (0x27, 0x23):
            talk, invoke_id, heard = self.ask()
            frame = bytearray(_BINARY.frame(kind, invoke_id, b""))
            frame[7] = 2
            [(_, answer)] = talk.hear(bytes(frame))
            self.assertEqual(cast(Error, answer).about, kind)
            self.assertEqual(talk.say(CallEndedReply(), invoke_id), [])
            self.assertEqual(heard, [])
            self.assertEqual(talk.say(ConnectionReply(0), invoke_id), [])
            self.assertEqual(heard, [ConnectionReply(0)])

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

    def test_why_the_other_side_has_left_is_known(self) -> None:
        for status, reason in ((0, ""), (11, ": refused credentials"), (15, ": going away"), (999, ": internal")):
            talk = Conversation("service")
            talk.said()
            self.assertEqual(talk.say(Unbind(status, "words of its own"), 3), [(3, UnbindReply())])
            self.assertEqual(talk.session.ended, f"the peer unbound{reason}")


class AgreedLimit(SynchronousTestCase):
    """Nothing goes out that is longer than the other side takes, whatever limit it was kept or measured under."""

    def sent(self, reply: Message, codec: ICodec) -> Message:
        talk = Conversation("agent", codec, SessionLimits(max_frame=1_024))
        talk.said()
        talk.session.reply(reply, 5)
        output = talk.session.take_output()
        self.assertLessEqual(len(output) - (4 if codec is _BINARY else 1), 1_024)
        decoder = codec.decoder(1_024)
        decoder.receive(output)
        [frame] = decoder.frames()
        return codec.decode_body(frame)

    @given(st.lists(st.sampled_from(["", "r", "r" * 255]), max_size=40), st.booleans())
    @_quick
    def test_of_open_calls_the_first_ones_that_fit_are_told(self, references: list[str], json: bool) -> None:
        codec: ICodec = JsonCodec() if json else _BINARY
        state = OpenCallState.CONNECTED
        calls = tuple(OpenCall(str(n), "bill", reference, state, n) for n, reference in enumerate(references))
        told = self.sent(CallQueryReply(0, calls), codec)
        assert isinstance(told, CallQueryReply)
        all_fit = codec.frame_length(codec.encode_body(CallQueryReply(0, calls))) <= 1_024
        self.assertEqual(told.status, 0 if all_fit else 35)
        self.assertEqual(told.calls, calls[: len(told.calls)])
        self.assertEqual(told.calls == calls, all_fit)

    def test_data_that_does_not_fit_is_35(self) -> None:
        told = self.sent(DataResult(0, "7", "1001", "r", Fields({"text": "x" * 2_000})), _BINARY)
        self.assertEqual(told, DataResult(35, "7", "1001", "r"))


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
