"""Every state of a session x every kind of message x good, lengthened and cut bodies and extensions, in both codecs.

Kinds and states are gone through one by one; hypothesis draws what is in the messages. What has to come is the table of
``tests/conversation.py``, written down from the wire's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.interfaces import ICodec
from ctiex.links.outgoing import SessionState
from ctiex.messages import KIND_OF, KINDS, Error, Message, Unbind
from ctiex.testing.strategies import invoke_ids, messages_of

from .conversation import Conversation, _expected, _expected_of_malformed

_few = settings(
    deadline=None, max_examples=5, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
)  # fmt: skip
_CODECS: tuple[ICodec, ...] = (BinaryCodec(), JsonCodec())
_ERROR = 0x07


def good(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """A frame as it should be."""
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message))


def lengthened(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """The same with something behind its last field."""
    kind, body = KIND_OF[type(message)], codec.encode_body(message)
    if codec.name == "binary":
        return codec.frame(kind, invoke_id, body + b"\0")
    return codec.frame(kind, invoke_id, body[:-1] + (b"," if len(body) > 2 else b"") + b'"more":0}')


def cut(codec: ICodec, message: Message, invoke_id: int) -> bytes | None:
    """The same without its last byte or attribute; None where there is nothing to take away."""
    kind, body = KIND_OF[type(message)], codec.encode_body(message)
    if codec.name == "binary":
        return codec.frame(kind, invoke_id, body[:-1]) if body else None
    name, colon, _ = body.partition(b":")
    return codec.frame(kind, invoke_id, name + colon + b"[]}") if colon else None


def extended(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """The same with extensions behind it, one of them twice."""
    behind = [(0x8000, b"\0\xff"), (1, b""), (1, b"more")]
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message), behind)


def badly_extended(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """The same with extensions that break their layout."""
    data = extended(codec, message, invoke_id)
    if codec.name == "json":
        return data.replace(b'"AP8="', b'"AP8"')
    return (len(data) - 5).to_bytes(4, "big") + data[4:-1]


def flagged(codec: ICodec, message: Message, invoke_id: int) -> bytes | None:
    """The same with a flag that there isn't; None in JSON, which has none."""
    data = good(codec, message, invoke_id)
    return data[:6] + b"\x80\x01" + data[8:] if codec.name == "binary" else None


def cells() -> Iterator[tuple[ICodec, int]]:
    """Every codec with every kind."""
    for codec in _CODECS:
        for kind in KINDS:
            yield codec, kind


class EveryStateAndKind(SynchronousTestCase):
    """Nothing raises, nothing is answered twice, and the answer is the one of the rules."""

    def _each(self, state: str) -> None:
        for codec, kind in cells():
            self._cell(state, codec, kind)

    def _cell(self, state: str, codec: ICodec, kind: int) -> None:
        @given(messages_of(KINDS[kind]), invoke_ids())
        @_few
        def holds(message: Message, invoke_id: int) -> None:
            for make in (good, extended):
                self._good(state, codec, message, invoke_id, make(codec, message, invoke_id))
            for damage in (lengthened, cut, badly_extended):
                damaged = damage(codec, message, invoke_id)
                if damaged is not None:
                    self._damaged(state, codec, damaged, kind, invoke_id)
            self._flagged(state, codec, flagged(codec, message, invoke_id), kind, invoke_id)

        holds()

    def _good(self, state: str, codec: ICodec, message: Message, invoke_id: int, data: bytes) -> None:
        talk, kind = self._talk(state, codec), KIND_OF[type(message)]
        answers = talk.hear(data)
        expected = _expected(kind, invoke_id, state)
        if expected == "ignored":
            self.assertEqual(answers, [])
        elif expected == "answered":
            self.assertEqual([(found, KIND_OF[type(one)]) for found, one in answers], [(invoke_id, kind + 1)])
        else:
            self._is_error(answers, invoke_id, expected, kind)
        left = isinstance(message, Unbind) and state != "open"
        if kind != 0x01:
            self.assertEqual(talk.session.ended is not None, left)

    def _damaged(self, state: str, codec: ICodec, data: bytes, kind: int, invoke_id: int) -> None:
        talk = self._talk(state, codec)
        answers = talk.hear(data)
        self.assertIsNone(talk.session.ended, "a bad body ends no link")
        expected = _expected_of_malformed(kind, state)
        if kind == _ERROR or expected == "ignored":
            self.assertEqual(answers, [])
        else:
            self._is_error(answers, invoke_id, expected, kind)

    def _flagged(self, state: str, codec: ICodec, data: bytes | None, kind: int, invoke_id: int) -> None:
        """Flags are looked at first, whatever may come where."""
        if data is None:
            return
        talk = self._talk(state, codec)
        answers = talk.hear(data)
        self.assertIsNone(talk.session.ended)
        if kind == _ERROR:
            self.assertEqual(answers, [])
        else:
            self._is_error(answers, invoke_id, 1, kind)

    def _talk(self, state: str, codec: ICodec) -> Conversation:
        talk = Conversation(state, codec)
        talk.said()
        return talk

    def _is_error(self, answers: list[tuple[int, Message]], invoke_id: int, status: int | str, kind: int) -> None:
        [(found, answer)] = answers
        assert isinstance(answer, Error), answer
        self.assertEqual((found, answer.status, answer.about), (invoke_id, status, kind))

    def test_kinds_of_call_control_are_no_unknown_ones(self) -> None:
        for state, status in (("open", 10), ("agent", 5), ("service", 5)):
            for kind in (0x30, 0x3F):
                for data in (b"", b"anything"):
                    answers = self._talk(state, _CODECS[0]).hear(_CODECS[0].frame(kind, 7, data))
                    self._is_error(answers, 7, status, kind)
            for kind in (0x2F, 0x40):
                self._is_error(self._talk(state, _CODECS[0]).hear(_CODECS[0].frame(kind, 7, b"")), 7, 2, kind)

    def test_before_bind(self) -> None:
        self._each("open")

    def test_bound_as_an_agent(self) -> None:
        self._each("agent")

    def test_bound_as_a_service(self) -> None:
        self._each("service")


class EveryCell(SynchronousTestCase):
    """Goes through codecs and kinds for a rule of its own."""

    def _hold(self, rule: Callable[[ICodec, Message, int], None]) -> None:
        for codec, kind in cells():
            self._hold_for(rule, codec, kind)

    def _hold_for(self, rule: Callable[[ICodec, Message, int], None], codec: ICodec, kind: int) -> None:
        @given(messages_of(KINDS[kind]), invoke_ids())
        @_few
        def holds(message: Message, invoke_id: int) -> None:
            rule(codec, message, invoke_id)

        holds()


@pytest.mark.gate
class WhereNothingIsAnswered(EveryCell):
    """While a Bind is looked at every message waits; behind the end none does anything."""

    def _silent(self, make: str, ends: bool, codec: ICodec, message: Message, invoke_id: int) -> None:
        for damage in (good, extended, lengthened, cut, badly_extended, flagged):
            talk = Conversation(make, codec)
            if ends:
                talk.session.end("for a test")
            talk.said()
            handled = len(talk.above.requests)
            self.assertEqual(talk.hear(damage(codec, message, invoke_id) or b""), [])
            self.assertEqual(len(talk.above.requests), handled)
            self.assertEqual(talk.session.ended is not None, ends)

    def test_while_a_bind_is_looked_at(self) -> None:
        self._hold(partial(self._silent, "binding", False))

    def test_behind_the_end(self) -> None:
        for make in ("open", "agent", "service"):
            self._hold(partial(self._silent, make, True))

    def test_everything_behind_a_bind_is_handled_once_it_is_answered(self) -> None:
        self._hold(self._handled_later)

    def _handled_later(self, codec: ICodec, message: Message, invoke_id: int) -> None:
        waiting, at_once = Conversation("binding", codec), Conversation("agent", codec)
        at_once.said()
        waiting.hear(good(codec, message, invoke_id))
        waiting.above.decide()
        self.assertEqual(waiting.said()[1:], at_once.hear(good(codec, message, invoke_id)))


@pytest.mark.gate
class WhileLeaving(EveryCell):
    """The exchange has sent its Unbind: what comes is answered once at the most, and nothing raises."""

    def _answered_once(self, state: str, codec: ICodec, message: Message, invoke_id: int) -> None:
        for damage in (good, extended, lengthened, cut, badly_extended, flagged):
            talk = Conversation(state, codec)
            talk.session.unbind(15, "", 10.0)
            talk.said()
            self.assertIs(talk.session.state, SessionState.LEAVING)
            answers = talk.hear(damage(codec, message, invoke_id) or b"")
            self.assertIn([found for found, _ in answers], ([], [invoke_id]))

    def test_every_kind(self) -> None:
        for state in ("agent", "service"):
            self._hold(partial(self._answered_once, state))
