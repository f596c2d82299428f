"""The JSON codec: the same messages as the binary one, and each broken line with its own outcome."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs import encode
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind, UnsupportedVersion
from ctiex.fields import Fields
from ctiex.interfaces import Frame
from ctiex.messages import (
    KIND_OF,
    AgentLogin,
    BindReply,
    Condition,
    ConnectRequest,
    DataRequest,
    DataResult,
    Message,
    Ping,
    ServiceEvent,
    Unbind,
)
from ctiex.testing.codec_contract import Outcome, outcome
from ctiex.testing.strategies import invoke_ids, messages, splits

from .effort import examples

CODEC = JsonCodec()
PROPERTY = settings(deadline=None)
PING = b'{"kind":"Ping","invoke_id":9}\n'
PINGED = (5, 9, Ping(), None)


def came_of(data: bytes, max_frame: int = 65_536) -> Outcome:
    return outcome(CODEC, [data], max_frame)


def line(kind: str, **attributes: Any) -> bytes:
    return json.dumps({"kind": kind, "invoke_id": 9} | attributes).encode() + b"\n"


class TestLines(SynchronousTestCase):
    def test_a_message_is_one_object_on_one_line(self) -> None:
        self.assertEqual(
            encode(CODEC, DataRequest("007", "a\nb☎"), 5),
            '{"kind":"DataRequest","invoke_id":5,"serial":"007","exchange_address":"a\\nb☎"}\n'.encode(),
        )
        self.assertEqual(encode(CODEC, Ping(), 5), b'{"kind":"Ping","invoke_id":5}\n')

    @PROPERTY
    @given(messages(), invoke_ids())
    def test_a_line_feed_is_at_its_end_alone(self, message: Message, invoke_id: int) -> None:
        data = encode(CODEC, message, invoke_id)
        self.assertEqual(data.index(b"\n"), len(data) - 1)
        json.loads(data)

    @PROPERTY
    @given(messages())
    def test_both_codecs_carry_the_same_message(self, message: Message) -> None:
        for codec in (CODEC, BinaryCodec()):
            ((_, _, found, _),) = outcome(codec, [encode(codec, message)])  # type: ignore[misc]
            self.assertEqual(found, message)

    def test_fields_keep_their_types_and_their_order(self) -> None:
        fields = Fields({"z": "1", "a": 1, "m": True, "b": b"\x00\xff", "empty": b"", "least": -(2**63)})
        body = CODEC.encode_body(DataResult(0, "7", "", fields))
        self.assertIn(b'"fields":{"z":"1","a":1,"m":true,"b":{"bytes":"AP8="},"empty":{"bytes":""},', body)
        found = CODEC.decode_body(Frame(KIND_OF[DataResult], 0, json.loads(body)))
        assert isinstance(found, DataResult)
        self.assertEqual(found.fields, fields)
        self.assertEqual(list(found.fields), list(fields))

    def test_a_status_given_as_true_is_written_as_a_number(self) -> None:
        self.assertEqual(came_of(encode(CODEC, Unbind(True), 9)), [(3, 9, Unbind(1), None)])

    def test_what_has_a_default_may_be_left_out(self) -> None:
        found = came_of(b'{"kind":"ServiceEvent","event_id":1,"serial":"7","agent":"","condition":1}\r\n')
        self.assertEqual(found, [(0x24, 0, ServiceEvent(1, "7", "", Condition.COMPLETED), None)])

    def test_version_and_flags_may_be_given(self) -> None:
        self.assertEqual(came_of(line("Ping", version=1, flags=0)), [PINGED])

    def test_a_bind_reply_has_a_version_of_its_own(self) -> None:
        self.assertEqual(came_of(encode(CODEC, BindReply(3, version=7), 9)), [(2, 9, BindReply(3, version=7), None)])


class TestFaultsLeaveTheLinkOpen(SynchronousTestCase):
    def assert_fault(self, data: bytes, kind: int, invoke_id: int, fault: type[CodecError]) -> None:
        self.assertEqual(came_of(data + PING), [(kind, invoke_id, None, fault), PINGED])

    def test_no_json_object(self) -> None:
        for bad in (
            b"", b"[]", b"5", b'"Ping"', b"null", b"{", b'{"kind":"Ping"}x', b'{"kind":"Ping","invoke_id":NaN}',
            b'{"kind":"Ping","kind":"Ping"}', b'\xff{"kind":"Ping"}', b'\xef\xbb\xbf{"kind":"Ping"}',
            b'{"kind":"Ping","invoke_id":007}', b"[" * 60_000, b'{"a":' * 12_000, b'{"kind":"Pi\tng"}',
            '{"kind":"Ping"}'.encode("utf-16-le"),
        ):  # fmt: skip
            self.assert_fault(bad + b"\n", 0, 0, MalformedFrame)

    def test_a_bad_invoke_id(self) -> None:
        for bad in (b"-1", b"4294967296", b"1.0", b"1e2", b"true", b'"5"', b"null", b"[]", b"9" * 5_000):
            self.assert_fault(b'{"kind":"Ping","invoke_id":' + bad + b"}\n", 0, 0, MalformedFrame)

    def test_flags_are_judged_before_the_kind(self) -> None:
        for flags in (1, True, False, "0", None, 0.0):
            self.assert_fault(line("Ping", flags=flags), 5, 9, MalformedFrame)
            self.assert_fault(line("Pang", flags=flags), 0, 9, MalformedFrame)

    def test_an_unknown_kind(self) -> None:
        for kind in ("Pang", "ping", "", "\ud800"):
            self.assert_fault(line(kind), 0, 9, UnknownKind)

    def test_no_kind_or_none_that_is_a_text(self) -> None:
        self.assert_fault(b'{"invoke_id":9}\n', 0, 9, MalformedFrame)
        for kind in (5, None, [], {}, True):
            self.assert_fault(line(kind), 0, 9, MalformedFrame)  # type: ignore[arg-type]

    def test_attributes_that_are_unknown_missing_or_of_another_type(self) -> None:
        whole: dict[str, Any] = {"serial": "7", "agent": "1", "service": "s", "calling_number": "2", "fields": {}}
        for change in (
            {"other": 1}, {"serial": 7}, {"serial": None}, {"agent": ["1"]}, {"serial": "x"}, {"serial": "1" * 21},
            {"serial": "٣"}, {"agent": "x" * 256}, {"agent": "\ud800"}, {"fields": []}, {"fields": None},
            {"fields": {"": 1}}, {"fields": {"x" * 65: 1}}, {"fields": {"a": 1.5}}, {"fields": {"a": None}},
            {"fields": {"a": []}}, {"fields": {"a": 2**63}}, {"fields": {"a": 10**30}}, {"fields": {"a": "\ud800"}},
            {"fields": {"a": {}}}, {"fields": {"a": {"bytes": 1}}}, {"fields": {"a": {"bytes": "A"}}},
            {"fields": {"a": {"bytes": "AP8=", "more": 1}}}, {"fields": {"a": {"bytes": "é"}}},
            {"fields": {"a": {"bytes": "AP8=\n"}}}, {"fields": {"\ud800": 1}},
        ):  # fmt: skip
            self.assert_fault(line("ConnectRequest", **whole | change), 0x14, 9, MalformedFrame)
        for name in ("serial", "agent", "service", "calling_number"):
            less = {key: value for key, value in whole.items() if key != name}
            self.assert_fault(line("ConnectRequest", **less), 0x14, 9, MalformedFrame)
        self.assertEqual(
            came_of(line("ConnectRequest", **whole)), [(0x14, 9, ConnectRequest("7", "1", "s", "2"), None)]
        )

    def test_numbers_and_codes(self) -> None:
        for status in (True, 1.0, "0", -1, 65_536, None, 10**400):
            self.assert_fault(line("Error", status=status), 7, 9, MalformedFrame)
        for condition in (4, True, "0", 0.0, None, []):
            self.assert_fault(line("CallEnded", serial="7", condition=condition), 0x26, 9, MalformedFrame)

    def test_doubled_names_in_the_fields(self) -> None:
        bad = b'{"kind":"DataResult","invoke_id":9,"status":0,"serial":"7","fields":{"a":1,"a":1}}\n'
        self.assert_fault(bad, 0x23, 9, MalformedFrame)
        bad = bad.replace(b'"a":1,"a":1', b'"a":{"bytes":"","bytes":""}')
        self.assert_fault(bad, 0x23, 9, MalformedFrame)

    def test_errors_show_no_value(self) -> None:
        for bad in (
            line("AgentLogin", agent="s3cret" * 99),
            line("AgentLogin", s3cret=1, agent=""),
            line("CancelRequest", serial="s3cret"),
            line("DataResult", status=0, serial="7", fields={"s3cret": "s3cret" * 11_000}),
        ):
            decoder = CODEC.decoder(1 << 24)
            decoder.receive(bad)
            (frame,) = decoder.frames()
            error = self.assertRaises(MalformedFrame, CODEC.decode_body, frame)
            self.assertNotIn("s3cret", str(error))


class TestWhatEndsTheLink(SynchronousTestCase):
    def test_another_version(self) -> None:
        for version in (0, 2, True, 1.0, "1", None):
            for kind in ("Ping", "Pang"):
                self.assertEqual(came_of(PING + line(kind, version=version) + PING), [PINGED, UnsupportedVersion])

    def test_a_line_over_the_limit_as_soon_as_it_is_there(self) -> None:
        self.assertEqual(came_of(PING + b"x" * 100, 100), [PINGED])
        self.assertEqual(came_of(PING + b"x" * 101, 100), [PINGED, FrameTooLong])
        self.assertEqual(came_of(PING + b"x" * 101 + b"\n" + PING, 100), [PINGED, FrameTooLong])

    def test_the_limit_itself_is_allowed(self) -> None:
        self.assertEqual(came_of(PING, len(PING) - 1), [PINGED])
        self.assertEqual(came_of(PING, len(PING) - 2), [FrameTooLong])

    def test_it_is_raised_again_and_nothing_more_is_kept(self) -> None:
        decoder = CODEC.decoder(100)
        decoder.receive(b"x" * 101 + PING)
        for _ in range(3):
            self.assertRaises(FrameTooLong, list, decoder.frames())
            decoder.receive(PING * 1_000)
            self.assertEqual(decoder.buffered(), 0)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class TestAnyLine(SynchronousTestCase):
    @settings(deadline=None, max_examples=examples(300))
    @given(messages(), st.data())
    def test_either_both_codecs_take_it_or_neither(self, message: Message, data: st.DataObject) -> None:
        attributes = json.loads(CODEC.encode_body(message))
        name = data.draw(st.sampled_from([*attributes, "other"]))
        attributes[name] = data.draw(JSON_VALUES)
        (found,) = came_of(line(type(message).__name__, **attributes), 1 << 24)
        assert isinstance(found, tuple)
        if found[2] is None:
            self.assertIs(found[3], MalformedFrame)
        else:
            binary = BinaryCodec()
            self.assertEqual(outcome(binary, [encode(binary, found[2], 9)]), [found])

    @PROPERTY
    @given(st.data(), st.lists(st.sampled_from([PING, b"{}\r\n", b"\n", b'{"version":2}\n', b"x" * 61]), max_size=6))
    def test_every_split_gives_the_same(self, data: st.DataObject, lines: list[bytes]) -> None:
        stream = b"".join(lines)
        self.assertEqual(outcome(CODEC, data.draw(splits(stream)), 60), came_of(stream, 60))

    def test_an_agent_login_typed_by_hand(self) -> None:
        found = came_of(b' { "agent" : "1001", "kind" : "AgentLogin" } \r\n')
        self.assertEqual(found, [(0x10, 0, AgentLogin("1001"), None)])
