"""The JSON codec: the same messages as the binary one, and each broken line with its own outcome."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import fields as attributes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs import encode
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import DEFAULTS, JsonCodec
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind
from ctiex.field_values import decimal_of
from ctiex.fields import Fields
from ctiex.interfaces import Extensions, Frame
from ctiex.messages import (
    KIND_OF,
    AgentEventAck,
    AgentLogin,
    BindReply,
    CallEnded,
    CallQueryReply,
    Condition,
    ConnectRequest,
    DataRequest,
    DataResult,
    Message,
    OpenCall,
    OpenCallState,
    Ping,
    ServiceEvent,
    Unbind,
    UpdateRequest,
)
from ctiex.testing.codec_contract import Outcome, outcome
from ctiex.testing.strategies import extensions, invoke_ids, messages, splits

from .effort import examples

CODEC = JsonCodec()
PROPERTY = settings(deadline=None)
PING = b'{"kind":"Ping","id":9}\n'
PINGED = (5, 9, Ping(), None)
NO_BASE64 = ("AA", "AA=", "AA===", "AA====", "AP8", "AP8==", "AP9=", "AB==", "AAA=AAA=", "=", "====", "A", "AA ==",
             " AA==",
             "AA==\n", "A-_/", "AP8\u00ff", "\ud800")  # fmt: skip
"""What isn't the one way of writing some bytes, though much of it has a meaning to one reader or another."""
NO_VALUES: tuple[Any, ...] = (
    {"int": 5}, {"int": ""}, {"int": "5.0"}, {"int": "1e3"}, {"int": "+5"}, {"int": "٣"}, {"int": str(2**63)},
    {"int": None},
    {"decimal": 12.5}, {"decimal": ""}, {"decimal": "12."}, {"decimal": ".5"}, {"decimal": "+1"}, {"decimal": "1e5"},
    {"decimal": "9" * 19}, {"decimal": "1." + "0" * 10}, {"decimal": "1\n"}, {"decimal": "٣"}, {"decimal": "NaN"},
    {"time": 0}, {"time": ""}, {"time": "2026-11-26"}, {"time": "2026-11-26T18:00:00"},
    {"time": "2026-11-26 18:00:00Z"},
    {"time": "2026-11-26T18:00:00+00:00"}, {"time": "2026-11-26T18:00:00.0Z"}, {"time": "2026-11-26T18:00:00.0000Z"},
    {"time": "2026-11-26T18:00:00,000Z"}, {"time": "2026-02-29T18:00:00Z"}, {"time": "2026-11-26T24:00:00Z"},
    {"time": "2026-11-26T23:59:60Z"}, {"time": "0000-01-01T00:00:00Z"}, {"time": "10000-01-01T00:00:00Z"},
    {"time": "2026-11-26T18:00:00z"}, {"time": "2026-11-26T18:00Z"}, {"float": "1"}, {"INT": "1"}, {"int": "1",
    "time": ""},
)  # fmt: skip
SHORTEST: tuple[Message, ...] = (
    AgentLogin("1"), ConnectRequest("", "", "", ""), DataRequest("7"), UpdateRequest("7"), CallEnded("7", Condition(0)),
    DataResult(0, ""), BindReply(0),
)  # fmt: skip


def came_of(data: bytes, max_frame: int = 65_536) -> Outcome:
    return outcome(CODEC, [data], max_frame)


def line(kind: str, **attributes: Any) -> bytes:
    return json.dumps({"kind": kind, "id": 9} | attributes).encode() + b"\n"


class TestLines(SynchronousTestCase):
    def test_a_message_is_one_object_on_one_line(self) -> None:
        self.assertEqual(
            encode(CODEC, DataRequest("007", "a\nb☎"), 5),
            '{"kind":"DataRequest","id":5,"serial":"007","exchange_address":"a\\nb☎"}\n'.encode(),
        )
        self.assertEqual(encode(CODEC, Ping(), 5), b'{"kind":"Ping","id":5}\n')

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
        fields = Fields(
            {
                "z": "1", "a": 1, "m": True, "b": b"\x00\xff", "empty": b"", "least": -(2**63), "most": 2**53 - 1,
                "more": 2**53, "less": 1 - 2**53, "bill": Decimal("12.50"), "odd": decimal_of("007.50"),
                "due": datetime(2026, 11, 26, 18, tzinfo=UTC), "born": datetime(1, 1, 1, tzinfo=UTC),
            }
        )  # fmt: skip
        body = CODEC.encode_body(DataResult(0, "7", fields=fields))
        self.assertIn(
            b'"fields":{"z":"1","a":1,"m":true,"b":{"bytes":"AP8="},"empty":{"bytes":""},'
            b'"least":{"int":"-9223372036854775808"},"most":9007199254740991,"more":{"int":"9007199254740992"},'
            b'"less":-9007199254740991,"bill":{"decimal":"12.50"},"odd":{"decimal":"007.50"},'
            b'"due":{"time":"2026-11-26T18:00:00.000Z"},"born":{"time":"0001-01-01T00:00:00.000Z"}}',
            body,
        )
        found = CODEC.decode_body(Frame(KIND_OF[DataResult], 0, json.loads(body)))
        assert isinstance(found, DataResult)
        self.assertEqual(found.fields, fields)
        self.assertEqual(list(found.fields), list(fields))

    def test_a_status_given_as_true_is_written_as_a_number(self) -> None:
        self.assertEqual(came_of(encode(CODEC, Unbind(True), 9)), [(3, 9, Unbind(1), None)])

    def test_what_has_a_default_may_be_left_out(self) -> None:
        found = came_of(b'{"kind":"ServiceEvent","event_id":1,"serial":"7","condition":1}\r\n')
        self.assertEqual(found, [(0x24, 0, ServiceEvent(1, "7", "", Condition.COMPLETED), None)])

    @PROPERTY
    @given(messages())
    def test_whatever_has_its_default_may_be_left_out(self, message: Message) -> None:
        told, defaults = json.loads(CODEC.encode_body(message)), DEFAULTS[type(message)]
        less = {name: value for name, value in told.items() if name not in defaults or value != defaults[name]}
        found = came_of(line(type(message).__name__, **less), 1 << 24)
        self.assertEqual(found, [(KIND_OF[type(message)], 9, message, None)])

    def test_what_has_to_be_said_has_no_default(self) -> None:
        needed = {
            message.__name__: sorted(set(json.loads(CODEC.encode_body(one))) - set(DEFAULTS[message]))
            for message, one in ((type(one), one) for one in SHORTEST)
        }
        self.assertEqual(
            needed,
            {
                "AgentLogin": ["agent"], "ConnectRequest": [], "DataRequest": ["serial"], "UpdateRequest": ["serial"],
                "CallEnded": ["serial"], "DataResult": [], "BindReply": [],
            },
        )  # fmt: skip

    def test_numbers_that_javascript_would_round_are_text(self) -> None:
        for sequence, written in ((2**53 - 1, b"9007199254740991"), (2**53, b'"9007199254740992"'),
                                  (2**64 - 1, b'"18446744073709551615"')):  # fmt: skip
            expected = b'{"kind":"AgentEventAck","id":9,"agent":"1001","sequence":' + written + b"}\n"
            self.assertEqual(encode(CODEC, AgentEventAck("1001", sequence), 9), expected)

    @PROPERTY
    @given(messages(), invoke_ids())
    def test_both_forms_of_an_integer_are_the_same(self, message: Message, invoke_id: int) -> None:
        told = json.loads(CODEC.encode_body(message))
        for name, value in told.items():
            if isinstance(getattr(message, name), int):
                told[name] = int(value) if isinstance(value, str) else str(value)
        found = came_of(line(type(message).__name__, id=str(invoke_id), **told), 1 << 24)
        self.assertEqual(found, [(KIND_OF[type(message)], invoke_id, message, None)])

    def test_an_integer_of_a_field_has_both_forms_too(self) -> None:
        for number in (5, 0, -1, 2**53, 2**63 - 1, -(2**63)):
            for form in (number, {"int": str(number)}):
                found = came_of(line("UpdateRequest", serial="7", fields={"a": form}))
                self.assertEqual(found, [(0x1C, 9, UpdateRequest("7", Fields({"a": number})), None)])

    def test_a_time_is_read_with_three_digits_behind_the_point_or_none(self) -> None:
        for text, at in (
            ("2026-11-26T18:00:00Z", datetime(2026, 11, 26, 18, tzinfo=UTC)),
            ("2026-11-26T18:00:00.007Z", datetime(2026, 11, 26, 18, 0, 0, 7_000, UTC)),
            ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
            ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ):
            found = came_of(line("UpdateRequest", serial="7", fields={"a": {"time": text}}))
            self.assertEqual(found, [(0x1C, 9, UpdateRequest("7", Fields({"a": at})), None)])

    def test_a_list_is_a_list_of_objects(self) -> None:
        reply = CallQueryReply(0, (OpenCall("007", "bill", "order 1", OpenCallState.FETCHED, 2**53),))
        self.assertEqual(
            CODEC.encode_body(reply),
            b'{"status":0,"calls":[{"serial":"007","service":"bill","reference":"order 1","state":3,'
            b'"since":"9007199254740992"}]}',
        )

    def test_no_attribute_has_the_name_of_a_key_of_the_envelope(self) -> None:
        for message, defaults in DEFAULTS.items():
            names = {one.name for one in attributes_of(message)}
            self.assertFalse(names & {"kind", "id", "ext"}, message)
            self.assertLessEqual(set(defaults), names)

    @PROPERTY
    @given(messages(), invoke_ids(), extensions())
    def test_extensions_are_a_list_of_types_and_base64(
        self, message: Message, invoke_id: int, behind: Extensions
    ) -> None:
        kind, body = KIND_OF[type(message)], CODEC.encode_body(message)
        told = json.loads(CODEC.frame(kind, invoke_id, body, behind))
        listed = [[number, b64encode(value).decode()] for number, value in behind]
        self.assertEqual(told, json.loads(CODEC.frame(kind, invoke_id, body)) | ({"ext": listed} if behind else {}))

    def test_no_extensions_in_their_list_are_none(self) -> None:
        self.assertEqual(came_of(line("Ping", ext=[])), [PINGED])
        self.assertEqual(came_of(line("Ping", ext=[["32768", "AP8="], [1, ""], [1, ""]])), [PINGED])

    def test_a_bind_reply_has_a_version_of_its_own(self) -> None:
        self.assertEqual(came_of(encode(CODEC, BindReply(3, version=7), 9)), [(2, 9, BindReply(3, version=7), None)])


class TestFaultsLeaveTheLinkOpen(SynchronousTestCase):
    def assert_fault(self, data: bytes, kind: int, invoke_id: int, fault: type[CodecError]) -> None:
        self.assertEqual(came_of(data + PING), [(kind, invoke_id, None, fault), PINGED])

    def test_no_json_object(self) -> None:
        for bad in (
            b"", b"[]", b"5", b'"Ping"', b"null", b"{", b'{"kind":"Ping"}x', b'{"kind":"Ping","id":NaN}',
            b'{"kind":"Ping","kind":"Ping"}', b'{"kind":"Ping","id":9,"id":9}', b" ", b"\r", b'\xff{"kind":"Ping"}',
            b'\xef\xbb\xbf{"kind":"Ping"}',
            b'{"kind":"Ping","id":007}', b"[" * 60_000, b'{"a":' * 12_000, b'{"kind":"Pi\tng"}',
            '{"kind":"Ping"}'.encode("utf-16-le"),
        ):  # fmt: skip
            self.assert_fault(bad + b"\n", 0, 0, MalformedFrame)

    def test_a_bad_invoke_id(self) -> None:
        for bad in (b"-1", b"4294967296", b"1.0", b"1e2", b"true", b'"5.0"', b'" 5"', b'""', b'"4294967296"', b"null",
                    b"[]", b"9" * 5_000, b'"' + b"9" * 5_000 + b'"'):  # fmt: skip
            self.assert_fault(b'{"kind":"Ping","id":' + bad + b"}\n", 0, 0, MalformedFrame)

    def test_extensions_that_are_something_else(self) -> None:
        wrong: tuple[Any, ...] = (
            {}, "", 0, None, True, "AA", {"32768": "AA=="}, [[1]], [[1, "AA==", 1]], ["1="], [{"1": "", "2": ""}],
            [{}], [""], [[65_536, ""]], [[-1, ""]], [[1.0, ""]], [[True, ""]], [[None, ""]], [["x", ""]], [[1, 5]],
            [[1, None]], [[1, ["AA=="]]], [[1, {"bytes": "AA=="}]], *([[1, text]] for text in NO_BASE64), [[1,
            ""]] * 256,
        )  # fmt: skip
        for ext in wrong:
            self.assert_fault(line("Ping", ext=ext), 5, 9, MalformedFrame)
        doubled = b'{"kind":"Ping","id":9,"ext":[],"ext":[]}\n'
        self.assert_fault(doubled, 5, 9, MalformedFrame)

    def test_an_unknown_kind_before_anything_that_stands_in_it(self) -> None:
        for kind in ("Pang", "ping", "", "Kind30", "5"):
            self.assert_fault(line(kind), 0, 9, UnknownKind)
            self.assert_fault(line(kind, ext={}, more=1), 0, 9, UnknownKind)

    def test_no_kind_or_none_that_is_a_text(self) -> None:
        self.assert_fault(b'{"id":9}\n', 0, 9, MalformedFrame)
        wrong: tuple[Any, ...] = 5, None, [], {}, True
        for kind in wrong:
            self.assert_fault(line(kind), 0, 9, MalformedFrame)

    def test_attributes_that_are_unknown_missing_or_of_another_type(self) -> None:
        whole: dict[str, Any] = {"serial": "7", "agent": "1", "service": "s", "calling_number": "2", "fields": {}}
        changes: tuple[dict[str, Any], ...] = (
            {"other": 1}, {"invoke_id": 9}, {"version": 2}, {"flags": 0}, {"serial": 7}, {"serial": None},
            {"agent": ["1"]}, {"serial": "x"}, {"serial": "1" * 21},
            {"serial": "٣"}, {"agent": "x" * 256}, {"agent": "\ud800"}, {"fields": []}, {"fields": None},
            {"fields": {"": 1}}, {"fields": {"x" * 65: 1}}, {"fields": {"a": 1.5}}, {"fields": {"a": None}},
            {"fields": {"a": []}}, {"fields": {"a": 2**63}}, {"fields": {"a": 10**30}}, {"fields": {"a": "\ud800"}},
            {"fields": {"a": {}}}, {"fields": {"a": {"bytes": 1}}}, {"fields": {"a": {"bytes": "A"}}},
            {"fields": {"a": {"bytes": "AP8=", "more": 1}}}, {"fields": {"a": {"bytes": "é"}}},
            {"fields": {"a": {"bytes": "AP8=\n"}}}, {"fields": {"\ud800": 1}}, {"reference": None},
            {"reference": "x" * 256}, *({"fields": {"a": value}} for value in NO_VALUES),
            *({"fields": {"a": {"bytes": text}}} for text in NO_BASE64),
        )  # fmt: skip
        for change in changes:
            self.assert_fault(line("ConnectRequest", **whole | change), 0x14, 9, MalformedFrame)
        self.assertEqual(
            came_of(line("ConnectRequest", **whole)), [(0x14, 9, ConnectRequest("7", "1", "s", "2"), None)]
        )

    def test_numbers_and_codes(self) -> None:
        for status in (True, 1.0, "0x", "", " 0", "1.0", "-1", -1, 65_536, "65536", None, 10**400):
            self.assert_fault(line("Error", status=status), 7, 9, MalformedFrame)
        wrong: tuple[Any, ...] = 256, -1, True, "x", 0.0, None, []
        for condition in wrong:
            self.assert_fault(line("CallEnded", serial="7", condition=condition), 0x26, 9, MalformedFrame)
        for condition in (4, 10, 128, 255, "4"):
            bad = line("ServiceEvent", event_id=1, serial="7", condition=condition)
            self.assert_fault(bad, 0x24, 9, MalformedFrame)

    def test_any_condition_of_one_byte_is_one(self) -> None:
        for condition in range(256):
            found = came_of(line("CallEnded", serial="7", condition=condition))
            self.assertEqual(found, [(0x26, 9, CallEnded("7", Condition(condition)), None)])

    def test_records_have_all_their_attributes_and_no_more(self) -> None:
        call = {"serial": "7", "service": "s", "reference": "", "state": 0, "since": 1}
        self.assertEqual(came_of(line("CallQueryReply", calls=[call]))[0][3], None)  # type: ignore[index]
        wrong: list[Any] = [{}, "", None, 0, call, [[]], [None], [{**call, "more": 1}], [{**call, "state": 5}]]
        wrong += [[{key: value for key, value in call.items() if key != name}] for name in call]
        wrong += [[{**call, name: value}] for name, value in (("serial", ""), ("since", -1), ("service", 1))]
        for calls in wrong:
            self.assert_fault(line("CallQueryReply", calls=calls), 0x1B, 9, MalformedFrame)

    def test_doubled_names_in_the_fields(self) -> None:
        bad = b'{"kind":"DataResult","id":9,"status":0,"serial":"7","fields":{"a":1,"a":1}}\n'
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
    @given(st.data(), st.lists(st.sampled_from([PING, b"{}\r\n", b"\n", b'{"ext":{}}\n', b"x" * 61]), max_size=6))
    def test_every_split_gives_the_same(self, data: st.DataObject, lines: list[bytes]) -> None:
        stream = b"".join(lines)
        self.assertEqual(outcome(CODEC, data.draw(splits(stream)), 60), came_of(stream, 60))

    def test_an_agent_login_typed_by_hand(self) -> None:
        found = came_of(b' { "agent" : "1001", "kind" : "AgentLogin" } \r\n')
        self.assertEqual(found, [(0x10, 0, AgentLogin("1001"), None)])
