"""One end of a link without I/O: what is answered, and what ends it."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.json import JsonCodec
from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.outgoing import SessionState
from ctiex.links.session import Session
from ctiex.messages import (
    KIND_OF,
    KINDS,
    REPLY_OF,
    AgentLogin,
    Bind,
    BindReply,
    CancelRequest,
    Connection,
    ConnectionReply,
    Error,
    Message,
    Ping,
    Pong,
    Role,
    Unbind,
    UnbindReply,
)
from ctiex.testing.strategies import invoke_ids, messages, messages_of, splits

from .conversation import (
    _BINARY,
    Above,
    Conversation,
    _expected,
    _expected_by_client,
    _expected_of_malformed,
    _quick,
)


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
            self.assertEqual((found, answer.status, answer.about), (invoke_id, expected, kind))
        self._check_end(talk, message, state)

    def _check_end(self, talk: Conversation, message: Message, state: str) -> None:
        left = isinstance(message, Unbind) and state != "open"
        refused = (
            isinstance(message, Bind) and state == "open" and talk.session.state is SessionState.ENDED
            and not message.min_version <= 2 <= message.max_version
        )  # fmt: skip
        self.assertEqual(talk.session.ended is not None, left or refused)

    @given(st.data(), st.sampled_from(["open", "agent", "service"]), invoke_ids(), st.booleans())
    @_quick
    def test_a_bad_body_comes_behind_bound_and_role(
        self, data: Any, state: str, invoke_id: int, in_extensions: bool
    ) -> None:
        kind = data.draw(st.sampled_from(sorted(set(KINDS) - {0x07})))
        message = data.draw(messages_of(KINDS[kind]))
        talk = Conversation(state)
        talk.said()
        body, extensions = _BINARY.encode_body(message), [(0x8000, b"")] if in_extensions else []
        frame = bytearray(_BINARY.frame(kind, invoke_id, body, extensions) + b"\0")
        frame[:4] = (len(frame) - 4).to_bytes(4, "big")
        answers = talk.hear(bytes(frame))
        expected = _expected_of_malformed(kind, state)
        if expected == "ignored":
            self.assertEqual(answers, [])
        else:
            [(found, answer)] = answers
            assert isinstance(answer, Error)
            self.assertEqual((found, answer.status, answer.about), (invoke_id, expected, kind))
        self.assertIsNone(talk.session.ended, "a bad body ends no link")

    @given(messages(), invoke_ids(), st.sampled_from(["open", "agent", "service"]), st.sampled_from(["binary", "json"]))
    @_quick
    def test_extensions_change_nothing(self, message: Message, invoke_id: int, state: str, name: str) -> None:
        codec: ICodec = JsonCodec() if name == "json" else _BINARY
        plain, extended = Conversation(state, codec), Conversation(state, codec)
        kind, body = KIND_OF[type(message)], codec.encode_body(message)
        plain.hear(codec.frame(kind, invoke_id, body))
        extended.hear(codec.frame(kind, invoke_id, body, [(7, b""), (0x8000, b"x"), (7, b"again")]))
        self.assertEqual(extended.heard, plain.heard)
        self.assertEqual(extended.above.requests, plain.above.requests)
        self.assertEqual(extended.session.ended, plain.session.ended)

    @given(messages(), invoke_ids(), st.integers(2, 0xFFFF), st.sampled_from(["open", "agent", "service"]))
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
            assert isinstance(answer, Error)
            self.assertEqual((found, answer.status, answer.about), (invoke_id, 1, KIND_OF[type(message)]))
        self.assertIsNone(talk.session.ended)

    @given(st.integers(0, 255).filter(lambda kind: kind not in KINDS), invoke_ids(), st.binary(max_size=20))
    @_quick
    def test_unknown_kinds_are_2_in_every_state_and_those_of_call_control_not_allowed(
        self, kind: int, invoke_id: int, body: bytes
    ) -> None:
        for state in ("open", "agent", "service"):
            talk = Conversation(state)
            talk.said()
            [(found, answer)] = talk.hear(_BINARY.frame(kind, invoke_id, body))
            assert isinstance(answer, Error)
            expected = (10 if state == "open" else 5) if 0x30 <= kind <= 0x3F else 2
            self.assertEqual((found, answer.status, answer.about), (invoke_id, expected, kind))
            self.assertIsNone(talk.session.ended)

    def test_what_ends_the_link_is_told_first(self) -> None:
        good = Conversation().frame(Ping(), 1)
        for data, status in (
            (good[:4] + b"\1" + good[5:], 3),
            (good[:4] + b"\3" + good[5:], 3),
            (b"\0\1\0\1" + good[4:], 4),
            (b"\0\0\0\7" + good[4:], 1),
        ):
            for state in ("open", "agent", "service"):
                talk = Conversation(state)
                talk.said()
                answers = talk.hear(good + data + good)
                self.assertEqual([type(answer) for _, answer in answers], [Pong, Error])
                invoke_id, told = answers[1]
                assert isinstance(told, Error)
                self.assertEqual((invoke_id, told.status, told.about), (0, status, 0))
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

    def test_a_range_without_version_2_is_answered_3_with_version_2(self) -> None:
        for least, most in ((0, 1), (3, 9), (3, 1)):
            talk = Conversation()
            [(_, answer)] = talk.say(Bind(Role.AGENT, "x", "y", least, most), 1)
            self.assertEqual((cast(BindReply, answer).status, cast(BindReply, answer).version), (3, 2))
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
        for body in (_BINARY.encode_body(Bind(Role.SERVICE, "z", "")), b"\x03"):
            self.assertEqual(talk.hear(_BINARY.frame(0x01, 2, body)), [(2, Error(5, 0x01, "Bind: not allowed here"))])
        self.assertEqual([type(one) for _, one in talk.say(CancelRequest("1"), 3)], [REPLY_OF[CancelRequest]])


class ClientRules(SynchronousTestCase):
    """The same session at the clients' ends."""

    def test_a_service_gets_connections_and_call_ended(self) -> None:
        above = Above()
        session = above.session = Session(_BINARY, SessionLimits(), above, 0.0, bound_by=rules.CLIENT[Role.SERVICE])
        session.receive(Conversation().frame(Connection("7000", "1"), 3), 0.0)
        self.assertEqual(session.take_output(), Conversation().frame(ConnectionReply(0), 3))

    @given(messages(), st.sampled_from([Role.AGENT, Role.SERVICE]), invoke_ids())
    @_quick
    def test_each_message_is_answered_refused_or_ignored(self, message: Message, role: Role, invoke_id: int) -> None:
        talk, kind = Conversation(client=role), KIND_OF[type(message)]
        answers = talk.say(message, invoke_id)
        expected = _expected_by_client(kind, invoke_id, role)
        if expected == "answered":
            self.assertEqual([(found, KIND_OF[type(answer)]) for found, answer in answers], [(invoke_id, kind + 1)])
        elif expected == "ignored":
            self.assertEqual(answers, [])
        else:
            [(found, answer)] = answers
            assert isinstance(answer, Error)
            self.assertEqual((found, answer.status, answer.about), (invoke_id, expected, kind))
