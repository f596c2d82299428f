"""One end of a link without I/O: what is answered, what ends it, what time does to it."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import LinkError, LinkLost, RequestTimedOut, Status
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.outgoing import SessionState
from ctiex.links.session import Session
from ctiex.messages import (
    KIND_OF,
    KINDS,
    REPLY_OF,
    AgentEventAck,
    AgentLogin,
    Bind,
    BindReply,
    CancelRequest,
    Condition,
    Connection,
    ConnectionReply,
    DataRequest,
    Error,
    Message,
    Ping,
    Pong,
    Role,
    ServiceEvent,
    Unbind,
    UnbindReply,
    refusal,
)
from ctiex.testing.strategies import invoke_ids, messages, messages_of, splits

_BINARY = BinaryCodec()
_quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# Written down from the wire's rules once more, not taken from ctiex.links.rules.
_AGENTS_REQUESTS = {0x10, 0x12, 0x14, 0x16}
_SERVICES_REQUESTS = {0x22, 0x24}
_REPLIES_TO_AGENTS = {0x02, 0x11, 0x13, 0x15, 0x17}
_REPLIES_TO_SERVICES = {0x02, 0x23, 0x25}
_REPLIES_OF_SERVICES = {0x21, 0x27}


class Above:
    """Stands above a session: answers every request with its own reply, and a Bind when told to."""

    def __init__(self, answers: bool = True, binds: bool = True) -> None:
        self.session: Session
        self.answers, self.binds = answers, binds
        self.requests: list[tuple[Message, int]] = []
        self.bind: tuple[Bind, int] | None = None

    def request_received(self, message: Message, invoke_id: int) -> None:
        self.requests.append((message, invoke_id))
        if self.answers and type(message) in REPLY_OF:
            self.session.reply(refusal(message, Status.OK), invoke_id)

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        self.bind = (bind, invoke_id)
        if self.binds:
            self.decide()

    def error_received(self, error: Error) -> None:
        """An Error that answers no request."""

    def decide(self, status: int = Status.OK) -> None:
        assert self.bind is not None
        bind, invoke_id = self.bind
        self.session.bound(BindReply(status), invoke_id, bind.role)


class Conversation:
    """A session with a conversation on it."""

    def __init__(
        self, state: str = "open", codec: ICodec = _BINARY, limits: SessionLimits | None = None, answers: bool = True
    ) -> None:
        self.codec = codec
        self.above = Above(answers, binds=state != "binding")
        self.session = self.above.session = Session(codec, limits or SessionLimits(), self.above, 0.0)
        self._read = codec.decoder(1 << 24)
        if state != "open":
            self.say(Bind(Role.SERVICE if state == "service" else Role.AGENT, "x", "y"), 1)

    def frame(self, message: Message, invoke_id: int) -> bytes:
        return self.codec.frame(KIND_OF[type(message)], invoke_id, self.codec.encode_body(message))

    def say(self, message: Message, invoke_id: int, now: float = 0.0) -> list[tuple[int, Message]]:
        """What answers a message."""
        return self.hear(self.frame(message, invoke_id), now)

    def hear(self, data: bytes, now: float = 0.0) -> list[tuple[int, Message]]:
        """What answers bytes."""
        self.session.receive(data, now)
        return self.said()

    def tick(self, now: float) -> list[Message]:
        """What a moment brings."""
        self.session.tick(now)
        return [message for _, message in self.said()]

    def said(self) -> list[tuple[int, Message]]:
        self._read.receive(self.session.take_output())
        return [(frame.invoke_id, self.codec.decode_body(frame)) for frame in self._read.frames()]


def _expected(kind: int, invoke_id: int, state: str) -> int | str:
    """The status of the Error that answers a good message; or ``answered``, ``ignored``."""
    if kind == 0x07:
        return "ignored"
    if state == "open":
        if kind == 0x06:
            return "ignored"
        if kind not in (0x01, 0x05):
            return 10
        return "answered" if invoke_id else 1
    requests = _AGENTS_REQUESTS if state == "agent" else _SERVICES_REQUESTS
    replies = _REPLIES_TO_AGENTS if state == "agent" else _REPLIES_TO_SERVICES | _REPLIES_OF_SERVICES
    if kind == 0x03:
        return "answered"
    if kind in requests | {0x05}:
        return "answered" if invoke_id else 1
    if kind == 0x19 and state == "agent":
        return 1 if invoke_id else "ignored"
    return "ignored" if kind in replies | {0x04, 0x06} else 5


class EveryMessageInEveryState(SynchronousTestCase):
    """The rules of the wire, for any message on any link."""

    @given(messages(), invoke_ids(), st.sampled_from(["open", "agent", "service"]))
    @_quick
    def test_each_is_answered_refused_or_ignored(self, message: Message, invoke_id: int, state: str) -> None:
        talk, kind = Conversation(state), KIND_OF[type(message)]
        talk.said()
        answers = talk.say(message, invoke_id)
        expected = _expected(kind, invoke_id, state)
        if expected == "ignored":
            self.assertEqual(answers, [])
        elif expected == "answered":
            [(found, answer)] = answers
            self.assertEqual((found, KIND_OF[type(answer)]), (invoke_id, kind + 1))
        else:
            [(found, answer)] = answers
            assert isinstance(answer, Error)
            self.assertEqual((found, answer.status), (invoke_id, expected))
        self._check_end(talk, message, state)

    def _check_end(self, talk: Conversation, message: Message, state: str) -> None:
        left = isinstance(message, Unbind) and state != "open"
        refused = (
            isinstance(message, Bind) and state == "open" and talk.session.state is SessionState.ENDED
            and not message.min_version <= 1 <= message.max_version
        )  # fmt: skip
        self.assertEqual(talk.session.ended is not None, left or refused)

    @given(st.data(), st.sampled_from(["open", "agent", "service"]), invoke_ids())
    @_quick
    def test_a_bad_body_comes_behind_bound_and_role(self, data: Any, state: str, invoke_id: int) -> None:
        kind = data.draw(st.sampled_from(sorted(set(KINDS) - {0x07})))
        message = data.draw(messages_of(KINDS[kind]))
        talk = Conversation(state)
        talk.said()
        body = _BINARY.encode_body(message) + b"\0"
        answers = talk.hear(_BINARY.frame(kind, invoke_id, body))
        verdict = _expected(kind, invoke_id or 1, state)
        if verdict == "ignored" and answers == []:
            return
        [(found, answer)] = answers
        assert isinstance(answer, Error)
        expected = verdict if verdict in (5, 10) else 1
        self.assertEqual((found, answer.status), (invoke_id, expected))
        self.assertIsNone(talk.session.ended, "a bad body ends no link")

    @given(messages(), invoke_ids(), st.integers(1, 0xFFFF), st.sampled_from(["open", "agent", "service"]))
    @_quick
    def test_flags_are_looked_at_first(self, message: Message, invoke_id: int, flags: int, state: str) -> None:
        talk = Conversation(state)
        talk.said()
        frame = bytearray(talk.frame(message, invoke_id))
        frame[6:8] = flags.to_bytes(2, "big")
        answers = talk.hear(bytes(frame))
        if isinstance(message, Error):
            self.assertEqual(answers, [])
        else:
            [(found, answer)] = answers
            self.assertEqual((found, cast(Error, answer).status), (invoke_id, 1))
        self.assertIsNone(talk.session.ended)

    @given(st.integers(0, 255).filter(lambda kind: kind not in KINDS), invoke_ids(), st.binary(max_size=20))
    @_quick
    def test_unknown_kinds_are_2_in_every_state(self, kind: int, invoke_id: int, body: bytes) -> None:
        for state in ("open", "agent", "service"):
            talk = Conversation(state)
            talk.said()
            [(found, answer)] = talk.hear(_BINARY.frame(kind, invoke_id, body))
            self.assertEqual((found, cast(Error, answer).status), (invoke_id, 2))
            self.assertIsNone(talk.session.ended)

    def test_what_ends_the_link_is_told_first(self) -> None:
        good = Conversation().frame(Ping(), 1)
        for data, status in (
            (good[:4] + b"\2" + good[5:], 3),
            (b"\0\1\0\1" + good[4:], 4),
            (b"\0\0\0\7" + good[4:], 1),
        ):
            for state in ("open", "agent", "service"):
                talk = Conversation(state)
                talk.said()
                answers = talk.hear(good + data + good)
                self.assertEqual([type(answer) for _, answer in answers], [Pong, Error])
                self.assertEqual(cast(Error, answers[1][1]).status, status)
                self.assertIsNotNone(talk.session.ended)
                self.assertEqual(talk.hear(good), [], "and nothing more is answered")


class AnyBytes(SynchronousTestCase):
    """What comes off the wire is whatever the other side likes."""

    def hear(self, talk: Conversation, data: bytes) -> None:
        """All that answers it is whole messages, and where the link ends the last of them says so."""
        talk.said()
        answers = [type(message) for _, message in talk.hear(data)]
        self.assertEqual(talk._read.buffered(), 0, "a part of a message was written")
        if talk.session.ended is not None:
            self.assertIn(answers[-1:], ([Error], [BindReply], [UnbindReply]))

    @given(st.binary(max_size=300), st.sampled_from(["open", "binding", "agent", "service"]), st.booleans())
    @_quick
    def test_any_bytes_give_answers_and_never_an_exception(self, data: bytes, state: str, json: bool) -> None:
        talk = Conversation(state, JsonCodec() if json else _BINARY)
        self.hear(talk, data)
        self.assertEqual(talk.tick(1.0), [])

    @given(st.data(), st.sampled_from(["open", "binding", "agent", "service"]), st.booleans())
    @_quick
    def test_so_do_messages_with_bytes_changed(self, data: Any, state: str, json: bool) -> None:
        talk = Conversation(state, JsonCodec() if json else _BINARY)
        frame = bytearray(talk.frame(data.draw(messages()), data.draw(invoke_ids())))
        for _ in range(data.draw(st.integers(1, 4))):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        self.hear(talk, bytes(frame))

    @given(st.data(), st.sampled_from(["open", "agent", "service"]), st.booleans())
    @_quick
    def test_every_split_of_a_conversation_gives_the_same_output(self, data: Any, state: str, json: bool) -> None:
        codec: ICodec = JsonCodec() if json else _BINARY
        said = data.draw(st.lists(st.tuples(messages(), invoke_ids()), min_size=1, max_size=5))
        stream = b"".join(Conversation(codec=codec).frame(message, invoke_id) for message, invoke_id in said)
        stream += data.draw(st.binary(max_size=20))
        whole, split = Conversation(state, codec), Conversation(state, codec)
        whole.session.receive(stream, 0.0)
        for chunk in data.draw(splits(stream)):
            split.session.receive(chunk, 0.0)
        self.assertEqual(split.session.take_output(), whole.session.take_output())
        self.assertEqual(split.session.ended, whole.session.ended)
        self.assertEqual(split.above.requests, whole.above.requests)


class Binding(SynchronousTestCase):
    """What happens around a Bind."""

    def test_frames_behind_a_bind_wait_for_its_reply_and_keep_their_order(self) -> None:
        talk = Conversation("binding")
        for invoke_id in (2, 3):
            self.assertEqual(talk.say(AgentLogin("1001"), invoke_id), [])
        self.assertFalse(talk.session.accepting)
        talk.above.decide()
        self.assertEqual([invoke_id for invoke_id, _ in talk.said()], [1, 2, 3])
        self.assertTrue(talk.session.accepting)

    def test_frames_behind_a_refused_bind_are_lost_with_the_link(self) -> None:
        talk = Conversation("binding")
        talk.say(Ping(), 2)
        talk.above.decide(Status.REFUSED_CREDENTIALS)
        [(_, answer)] = talk.said()
        self.assertEqual(cast(BindReply, answer).status, 11)
        self.assertIsNotNone(talk.session.ended)

    def test_a_range_without_version_1_is_answered_3_with_version_1(self) -> None:
        talk = Conversation()
        [(_, answer)] = talk.say(Bind(Role.AGENT, "x", "y", 2, 9), 1)
        self.assertEqual((cast(BindReply, answer).status, cast(BindReply, answer).version), (3, 1))
        self.assertIsNotNone(talk.session.ended)

    def test_no_bind_within_the_login_deadline_ends_the_link_whatever_else_is_said(self) -> None:
        talk = Conversation()
        for now in range(10):
            self.assertEqual([answer for _, answer in talk.say(Ping(), 1, float(now))], [Pong()])
        self.assertEqual(talk.session.next_tick(), 10.0)
        talk.tick(9.9)
        self.assertIsNone(talk.session.ended)
        talk.tick(10.0)
        self.assertIsNotNone(talk.session.ended)

    def test_a_bound_link_has_no_login_deadline(self) -> None:
        for state in ("agent", "service"):
            talk = Conversation(state)
            talk.tick(11.0)
            self.assertIsNone(talk.session.ended)

    def test_a_bind_that_is_not_answered_by_the_login_deadline_ends_the_link(self) -> None:
        talk = Conversation("binding")
        self.assertEqual(talk.session.next_tick(), 10.0)
        talk.tick(9.9)
        self.assertIsNone(talk.session.ended)
        talk.tick(10.0)
        self.assertIsNotNone(talk.session.ended)

    def test_a_second_bind_is_5_and_changes_nothing(self) -> None:
        talk = Conversation("agent")
        talk.said()
        [(_, answer)] = talk.say(Bind(Role.SERVICE, "z", ""), 2)
        self.assertEqual(cast(Error, answer).status, 5)
        self.assertEqual([type(one) for _, one in talk.say(CancelRequest("1"), 3)], [REPLY_OF[CancelRequest]])


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


class ClientRules(SynchronousTestCase):
    """The same session at the clients' ends."""

    def test_a_service_gets_connections_and_call_ended(self) -> None:
        above = Above()
        session = above.session = Session(_BINARY, SessionLimits(), above, 0.0, bound_by=rules.CLIENT[Role.SERVICE])
        session.receive(Conversation().frame(Connection("7000", "1"), 3), 0.0)
        self.assertEqual(session.take_output(), Conversation().frame(ConnectionReply(0), 3))

    def test_a_service_refuses_what_only_an_exchange_takes(self) -> None:
        above = Above()
        session = above.session = Session(_BINARY, SessionLimits(), above, 0.0, bound_by=rules.CLIENT[Role.SERVICE])
        session.receive(Conversation().frame(ServiceEvent(1, "1", "", Condition.PROGRESS), 3), 0.0)
        talk = Conversation()
        talk._read.receive(session.take_output())
        [frame] = talk._read.frames()
        self.assertEqual(cast(Error, _BINARY.decode_body(frame)).status, 5)
