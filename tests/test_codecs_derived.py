"""The derived codec takes and gives exactly what the interpreted layouts do."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex import messages as m
from ctiex.codecs.derived import DECODERS, ENCODERS
from ctiex.codecs.framing import extension_bytes
from ctiex.codecs.layouts import LAYOUTS
from ctiex.errors import MalformedFrame
from ctiex.fields import Fields, Value
from ctiex.interfaces import Extensions
from ctiex.messages import KIND_OF, KINDS, Condition, Message, OpenCall, OpenCallState, Role
from ctiex.testing.strategies import extensions, fields, messages

from . import interpreted
from .effort import examples

PROPERTY = settings(deadline=None)


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it gives, or MalformedFrame; any other error fails the test."""
    try:
        return function(*arguments)
    except MalformedFrame:
        return MalformedFrame


@st.composite
def mutated(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[int, bytes, bool]:
    """A valid body with some bytes changed, cut out or put in; maybe under another kind, maybe with extensions."""
    message, extended = draw(messages()), draw(st.booleans())
    body = bytearray(ENCODERS[type(message)](message) + (extension_bytes(draw(extensions())) if extended else b""))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["change", "nudge", "cut", "put", "end"])):
            case "change":
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "nudge":
                body[at : at + 1] = bytes((byte + draw(st.sampled_from([1, -1]))) % 256 for byte in body[at : at + 1])
            case "cut":
                del body[at : at + draw(st.integers(1, 4))]
            case "put":
                body[at:at] = draw(st.binary(min_size=1, max_size=4))
            case _:
                del body[at:]
    kind = draw(st.sampled_from([KIND_OF[type(message)]] * 9 + list(KINDS)))
    return kind, bytes(body), extended


TIMES = [
    struct.pack(">q", at) for at in (-62_135_596_800_000, 253_402_300_799_999, -62_135_596_800_001, 253_402_300_800_000)
]
"""The first and the last time that there is, and the next ones beyond them."""
DECIMALS = [b"1", b"-1", b"007.50", b"-0.0", b"1.", b".5", b"+1", b"1e5", b"1\n", b"9" * 19, b"1." + b"0" * 10, b"-"]
RAW_FIELD = st.tuples(
    st.sampled_from([b"a", b"b", b"c", b"x" * 64] * 3 + [b"", b"x" * 65, b"\xff", b"\xed\xa0\x80"]),
    st.sampled_from([0, 1, 2, 3, 4, 5] * 4 + [6, 255]),
    st.sampled_from(
        [b"\0", b"\1", bytes(8), b"\xff" * 8] * 3 + [b"", b"\2", b"xy", bytes(7), bytes(9)] + TIMES + DECIMALS
    ),
)


@st.composite
def crafted(draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """The body of a DataResult whose fields are well framed, and often wrong otherwise."""
    raw = draw(st.lists(RAW_FIELD, max_size=3))
    count = len(raw) + draw(st.sampled_from([0] * 8 + [1, -1])) if raw else 0
    parts = [
        struct.pack(">B", len(name)) + name + struct.pack(">BH", code, len(value)) + value for name, code, value in raw
    ]
    return bytes.fromhex("0000 01 37 00 00") + struct.pack(">H", count) + b"".join(parts)


class TestDerivedAgainstInterpreted(SynchronousTestCase):
    def assert_same(self, kind: int, body: bytes, extended: bool = False) -> None:
        by_layout = attempt(interpreted.decode, KINDS[kind], body, extended)
        derived = attempt(DECODERS[kind], body, extended)
        self.assertEqual(derived, by_layout)
        if derived is not MalformedFrame:
            self.assertEqual(repr(derived), repr(by_layout))
            self.assertEqual(
                [type(getattr(derived, name)) for name in names(derived)],
                [type(getattr(by_layout, name)) for name in names(by_layout)],
            )
            again = ENCODERS[type(derived)](derived)
            self.assertEqual(body[: len(again)], again)
            self.assertEqual(len(body) > len(again), extended)

    @PROPERTY
    @given(messages())
    def test_same_bytes_and_same_message(self, message: Message) -> None:
        body = ENCODERS[type(message)](message)
        self.assertEqual(body, interpreted.encode(message))
        self.assert_same(KIND_OF[type(message)], body)

    @settings(deadline=None, max_examples=examples(1_000))
    @given(mutated())
    def test_same_judgement_of_mutated_bodies(self, case: tuple[int, bytes, bool]) -> None:
        self.assert_same(*case)

    @settings(deadline=None, max_examples=examples(500))
    @given(crafted())
    def test_same_judgement_of_crafted_fields(self, body: bytes) -> None:
        self.assert_same(KIND_OF[m.DataResult], body)

    @settings(deadline=None, max_examples=examples(300))
    @given(st.sampled_from(list(KINDS)), st.binary(max_size=60), st.booleans())
    def test_same_judgement_of_random_bodies(self, kind: int, body: bytes, extended: bool) -> None:
        self.assert_same(kind, body, extended)

    @PROPERTY
    @given(messages(), extensions())
    def test_same_message_with_extensions(self, message: Message, behind: Extensions) -> None:
        body = ENCODERS[type(message)](message)
        self.assert_same(KIND_OF[type(message)], body + extension_bytes(behind), True)
        self.assertEqual(DECODERS[KIND_OF[type(message)]](body + extension_bytes(behind), True), message)
        self.assertIs(attempt(DECODERS[KIND_OF[type(message)]], body, True), MalformedFrame)

    @PROPERTY
    @given(messages())
    def test_same_judgement_of_every_truncation(self, message: Message) -> None:
        kind, body = KIND_OF[type(message)], ENCODERS[type(message)](message)
        for end in range(min(len(body), 80)):
            self.assertIs(attempt(DECODERS[kind], body[:end]), MalformedFrame)
            self.assertIs(attempt(interpreted.decode, KINDS[kind], body[:end]), MalformedFrame)

    @PROPERTY
    @given(messages(), extensions())
    def test_same_judgement_of_every_truncation_of_extensions(self, message: Message, behind: Extensions) -> None:
        kind, body = KIND_OF[type(message)], ENCODERS[type(message)](message)
        whole = body + extension_bytes(behind)
        for end in range(len(body), min(len(whole), len(body) + 80)):
            self.assertIs(attempt(DECODERS[kind], whole[:end], True), MalformedFrame)
            self.assertIs(attempt(interpreted.decode, KINDS[kind], whole[:end], True), MalformedFrame)

    @settings(deadline=None, max_examples=examples(300))
    @given(st.data())
    def test_same_judgement_of_attributes_that_no_message_should_have(self, data: st.DataObject) -> None:
        message = data.draw(messages().filter(lambda each: bool(names(each))))
        name = data.draw(st.sampled_from(names(message)))
        values = {each: getattr(message, each) for each in names(message)} | {name: data.draw(WRONG)}
        wrong = type(message)(**values)
        self.assertEqual(attempt(ENCODERS[type(wrong)], wrong), attempt(interpreted.encode, wrong))

    @PROPERTY
    @given(fields(), fields())
    def test_different_fields_have_different_bytes(self, one: Fields, other: Fields) -> None:
        encoded = [ENCODERS[m.DataResult](m.DataResult(0, "7", fields=each)) for each in (one, other)]
        if encoded[0] == encoded[1]:
            self.assertEqual(one, other)
        if one != other:
            self.assertNotEqual(*encoded)


class Level(IntEnum):
    GOLD = 3


WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.text(max_size=30),
    st.binary(max_size=4),
    st.sampled_from(
        [
            [], {}, {"a": 1}, "x" * 256, "x" * 65_536, "\ud800", "²", "1" * 21,
            1.0, Role.AGENT, Condition.RETURNED, 2**64, -1,
        ]
    ),
    st.sampled_from(
        [
            {"": 1}, {"x" * 65: 1}, {"a": 2**63}, {"a": "x" * 65_536}, {"a": b"x" * 65_536}, {"a": None},
            {"a": 1.5}, {"a": "\ud800"}, {"\ud800": 1}, {1: 1}, {"a": bytearray(b"x")}, {"a": Level.GOLD},
            {"a": Decimal("NaN")}, {"a": Decimal("1E-10")}, {"a": Decimal(10**18)}, {"a": datetime(1, 1, 1)},
            {"a": datetime(2026, 11, 26, 0, 0, 0, 999, UTC)},
        ]
    ).map(lambda values: Fields.trusted(cast(dict[str, Value], values))),
    st.sampled_from(
        [
            (), [OpenCall("7", "", "", OpenCallState.FETCHED, 1)], (None,), (OpenCall("", "", "", OpenCallState(0),
            1),),
            (OpenCall("7", "", "", cast(OpenCallState, 5), 1),), (OpenCall("7", "", "\ud800", OpenCallState(1),
            2**64),),
        ]
    ),
)  # fmt: skip


def names(message: Message) -> list[str]:
    return [subcon.name for subcon in LAYOUTS[type(message)].subcons if subcon.name]


class TestErrorsSayWhereAndNeverWhat(SynchronousTestCase):
    def test_encoding_names_message_and_attribute(self) -> None:
        cases: list[tuple[Message, str]] = [
            (m.Bind(7, "who", "s3cret"), "Bind.role"),  # type: ignore[arg-type]
            (m.Bind(Role.AGENT, "who", "s3cret" * 11_000), "Bind.secret"),
            (m.UpdateRequest("7", Fields.trusted({"pin": Decimal("1E+30")})), "UpdateRequest.fields"),
            (m.UpdateRequest("7", Fields.trusted({"due": datetime(2026, 11, 26)})), "UpdateRequest.fields"),
            (m.CallQueryReply(0, (OpenCall("s3cret", "", "", OpenCallState.FETCHED, 1),)), "CallQueryReply.calls"),
            (m.CallQueryReply(0, (OpenCall("7", "", "", 5, 1),)), "CallQueryReply.calls"),  # type: ignore[arg-type]
            (m.CallQueryReply(0, ("s3cret",)), "CallQueryReply.calls"),  # type: ignore[arg-type]
            (m.Unbind(65_536), "Unbind.status"),
            (m.AgentLogin("s3cret\ud800"), "AgentLogin.agent"),
            (m.CancelRequest("s3cret"), "CancelRequest.serial"),
            (m.CallEnded("", Condition.RETURNED), "CallEnded.serial"),
            (m.DataResult(0, "7", "", "", {"s3cret": "s3cret"}), "DataResult.fields"),  # type: ignore[arg-type]
            (m.DataResult(0, "7", fields=Fields.trusted({"pin": "s3cret" * 12_000})), "DataResult.fields"),
        ]
        for message, where in cases:
            for encode in (ENCODERS[type(message)], interpreted.encode):
                error = self.assertRaises(MalformedFrame, encode, message)
                self.assertTrue(str(error).startswith(where + ": "), str(error))
                self.assertNotIn("s3cret", str(error))

    @PROPERTY
    @given(mutated())
    def test_decoding_never_shows_what_came(self, case: tuple[int, bytes, bool]) -> None:
        kind, body, extended = case
        try:
            DECODERS[kind](body, extended)
        except MalformedFrame as error:
            self.assertRegex(str(error), rf"\A{KINDS[kind].__name__}: [A-Za-z0-9 ,'-]+\Z")

    def test_an_enum_of_integers_travels_as_an_integer(self) -> None:
        body = ENCODERS[m.DataResult](m.DataResult(0, "7", fields=Fields({"level": Level.GOLD})))
        self.assertEqual(DECODERS[0x23](body), m.DataResult(0, "7", fields=Fields({"level": 3})))
