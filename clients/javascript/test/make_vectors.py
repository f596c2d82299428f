"""Writes the vectors that the tests of the JavaScript client read, with the codecs of the exchange.

From the root of the project: ``PYTHONPATH=src python clients/javascript/test/make_vectors.py``. The same vectors come
out each time. ``messages`` are whole frames in both codecs; ``frames`` and ``lines`` are damaged ones, with what the
exchange makes of them: the message as a line, or the status of its Error, and whether the link ends.
"""

from __future__ import annotations

import json
import re
import struct
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.shapes import BITS, Element, FieldList, Number, RecordList, Text, shape_of
from ctiex.errors import CodecError
from ctiex.field_values import LEAST_TIME, MOST_TIME, decimal_of, time_of
from ctiex.fields import Fields, Value
from ctiex.interfaces import Extensions, ICodec
from ctiex.messages import DEFAULT_MAX_FRAME, KIND_OF, KINDS, Message

RANDOM = Random(20120531)
BINARY, JSON = BinaryCodec(), JsonCodec()
ALPHABET = 'aZ09 \u0000\n"\\/\u001f\u007f\u00e9\u2028\ufeff\uffff\u96fb\U0001f4de__proto__'
OF_EACH = 8
DAMAGED = 600


def some_text(most: int) -> str:
    text = "".join(RANDOM.choices(ALPHABET, k=RANDOM.choice((0, 1, 3, 20))))
    while len(text.encode()) > most:
        text = text[:-1]
    return text


def some_number(bits: int) -> int:
    return RANDOM.choice(
        (0, 1, 2**bits - 1, min(2**53, 2**bits - 1), min(2**53 - 1, 2**bits - 1), RANDOM.getrandbits(bits))
    )


def some_integer() -> int:
    return RANDOM.choice((0, -1, 2**53 - 1, -(2**53), 2**63 - 1, -(2**63), RANDOM.randrange(-(2**63), 2**63)))


def some_decimal() -> Decimal:
    return decimal_of(RANDOM.choice(("0", "-0", "12.50", "007.50", "-0.000000001", "9" * 18 + "." + "9" * 9, "1")))


def some_time() -> datetime:
    return time_of(RANDOM.choice((0, -1, LEAST_TIME, MOST_TIME, RANDOM.randrange(LEAST_TIME, MOST_TIME))))


def some_value() -> Value:
    made: list[Value] = [
        some_text(300),
        some_integer(),
        RANDOM.random() < 0.5,
        RANDOM.randbytes(RANDOM.choice((0, 1, 2, 3, 30))),
        some_decimal(),
        some_time(),
    ]
    return RANDOM.choice(made)


def some_fields() -> Fields:
    names = {some_text(60) or "name" for _ in range(RANDOM.choice((0, 1, 4)))}
    return Fields([(name, some_value()) for name in sorted(names)])


def some_attribute(element: Element) -> Any:
    match element:
        case Number(members=None):
            return some_number(BITS[element.code])
        case Number():
            return RANDOM.choice(list(element.members.values()))
        case Text(digits=True):
            size = RANDOM.choice((element.least, 3, 20))
            return "".join(RANDOM.choices("0123456789", k=size))
        case Text():
            return some_text(element.greatest) or "n" * element.least
        case FieldList():
            return some_fields()
        case RecordList():
            return tuple(
                element.record(**{one.name: some_attribute(one) for one in element.elements})
                for _ in range(RANDOM.choice((0, 1, 3)))
            )


def some_message(message: type[Message]) -> Message:
    return message(**{element.name: some_attribute(element) for element in shape_of(LAYOUTS[message])})


def some_extensions() -> Extensions:
    if RANDOM.random() < 0.7:
        return ()
    return [(RANDOM.getrandbits(16), RANDOM.randbytes(RANDOM.choice((0, 1, 5)))) for _ in range(RANDOM.choice((1, 3)))]


def framed(codec: ICodec, message: Message, invoke_id: int, extensions: Extensions = ()) -> bytes:
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message), extensions)


def vector(message: Message) -> dict[str, Any]:
    invoke_id, extensions = some_number(32), some_extensions()
    return {
        "kind": type(message).__name__,
        "id": invoke_id,
        "extensions": [[number, value.hex()] for number, value in extensions],
        "hex": framed(BINARY, message, invoke_id, extensions).hex(),
        "json": framed(JSON, message, invoke_id, extensions).decode().rstrip("\n"),
    }


def verdict(codec: ICodec, data: bytes) -> dict[str, Any]:
    """What the exchange makes of the first frame of these bytes."""
    decoder = codec.decoder(DEFAULT_MAX_FRAME)
    decoder.receive(data)
    try:
        frame = next(decoder.frames(), None)
    except CodecError as error:
        return {"status": int(error.status), "ends": True}
    if frame is None:
        return {"waits": True}
    try:
        message = codec.decode_body(frame)
    except CodecError as error:
        return {"status": int(error.status), "id": frame.invoke_id, "about": frame.kind}
    return {"line": framed(JSON, message, frame.invoke_id).decode().rstrip("\n")}


def damaged(data: bytes) -> bytes:
    """A few bytes changed, taken out or put in; the length of a frame is put right in most of them."""
    made = bytearray(data)
    for _ in range(RANDOM.choice((1, 1, 1, 2, 4))):
        at = RANDOM.randrange(4, len(made) + 1)
        match RANDOM.randrange(4):
            case 0 if at < len(made):
                made[at] = RANDOM.choice((0, 1, 2, 3, 0x7F, 0x80, 0xC3, 0xED, 0xFF, RANDOM.getrandbits(8)))
            case 1:
                del made[at : at + RANDOM.choice((1, 1, 3))]
            case 2:
                made[at:at] = RANDOM.randbytes(RANDOM.choice((1, 1, 3)))
            case 3 if at < len(made):
                made[at] = (made[at] + RANDOM.choice((-1, 1))) % 256
    return bytes(made)


def damaged_frame(data: bytes) -> bytes:
    made = damaged(data)
    if len(made) >= 12 and RANDOM.random() < 0.9:
        made = struct.pack(">I", len(made) - 4) + made[4:]
    return made


def is_unsettled(data: bytes) -> bool:
    """Whether base64 stands there with the wrong padding, which Python reads and others refuse."""
    return any(len(found) % 4 for found in re.findall(rb'"([A-Za-z0-9+/]*={1,2})"', data))


PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b"-", b"0", b".5", b"e3", b"null", b"true", b" ", b"\t",
    b"\\u0041",
    b"\\ud800", b"\\ud83d\\ude00", b'"id":7,', b'"kind":"Ping",', b'"status":"1",', b'"ext":[],', b'"x":1,', b"9" * 21,
    b"\xff", b"\xc3\xa9",
]  # fmt: skip


def damaged_line(data: bytes) -> bytes:
    if RANDOM.random() < 0.3:
        return damaged(data).replace(b"\n", b"")
    made = bytearray(data)
    for _ in range(RANDOM.choice((1, 1, 2))):
        at = RANDOM.randrange(len(made) + 1)
        made[at : at + RANDOM.choice((0, 0, 1, 4))] = RANDOM.choice(PIECES)
    return bytes(made).replace(b"\n", b"")


def frame(kind: int, body: str, flags: int = 0, version: int = 2, length: int | None = None) -> bytes:
    data = bytes.fromhex(body)
    return struct.pack(">IBBHI", 8 + len(data) if length is None else length, version, kind, flags, 5) + data


def field(kind: int, value: str) -> str:
    """The body of an UpdateRequest with one field of this type."""
    return f"0137 0001 0161 {kind:02x} {len(bytes.fromhex(value)):04x} {value}"


def frames_by_hand() -> list[bytes]:
    """Frames that chance would hardly make."""
    values = [
        (0, ""), (0, "efbbbf61"), (0, "c328"), (0, "eda080"), (0, "f4908080"), (0, "c080"), (1, "ffffffffffffffff"),
        (1, "00000001"),
        (1, "00" * 9), (2, "00"), (2, "01"), (2, "02"), (2, ""), (2, "0100"), (3, ""), (3, "00ff"), (4, "31322e3530"),
        (4, "2d30"),
        (4, ""), (4, "2e35"), (4, "312e"), (4, "2b31"), (4, "316533"), (4, "31" * 19), (4, "302e" + "31" * 10),
        (4, "310a"), (4, "d9a1"),
        (5, "0000000000000000"), (5, "ffffc77cedd32800"), (5, "ffffc77cedd327ff"), (5, "0000e677d21fdbff"),
        (5, "0000e677d21fdc00"),
        (5, "00"), (6, "00"), (255, ""),
    ]  # fmt: skip
    bodies = [frame(0x1C, field(kind, value)) for kind, value in values]
    doubled, accent = "0161 02 0001 01" * 2, "02c3a9 02 0001 01 0365cc81 02 0001 01"
    return [
        *bodies,
        frame(0x1C, f"0137 0002 {doubled}"), frame(0x1C, f"0137 0002 {accent}"), frame(0x1C, "0137 0001 00 02 0001 01"),
        frame(0x1C, "0137 0001 40" + "61" * 64 + "02 0001 01"), frame(0x1C, "0137 0001 41" + "61" * 65 + "02 0001 01"),
        frame(0x1C, "0137 0002 0161 02 0001 01"), frame(0x1C, "0137 0001 0161 00 0005 6162"),
        frame(0x1C, "0137 0000 00"),
        frame(0x16, "00"), frame(0x16, "14" + "30" * 20), frame(0x16, "15" + "30" * 21), frame(0x16, "0161"),
        frame(0x16, "02d9a1"),
        frame(0x01, "03 00 0000 02 02 00 0000"), frame(0x01, "00 00 0000 02 02 00 0000"),
        frame(0x24, "00" * 8 + "0137 00 04 0000"),
        frame(0x26, "0137 ff"), frame(0x1B, "0000 0001 0137 00 00 05" + "00" * 8),
        frame(0x1B, "0000 0001 00 00 00 04" + "00" * 8),
        frame(0x05, "", flags=1), frame(0x05, "00", flags=1), frame(0x05, "00 00", flags=1),
        frame(0x05, "01 8000 0002 abcd", flags=1),
        frame(0x05, "02 0001 0000 0001 0000", flags=1), frame(0x05, "01 0001 0003 abcd", flags=1),
        frame(0x05, "02 0001 0000", flags=1),
        frame(0x05, "", flags=2), frame(0x05, "00", flags=3), frame(0x05, "", flags=0x8000), frame(0x08, ""),
        frame(0x30, "", flags=1), frame(0x30, "0131 01"), frame(0x30, "0131 02"), frame(0x39, ""), frame(0x3F, "00"),
        frame(0x32, "0131 07 00 00 0000 0000"), frame(0x32, "0131 ff 00 00 0000 0000"),
        frame(0x34, "00 0131" + "00" * 8), frame(0x34, "1b 0131" + "00" * 8), frame(0x34, "1c 0131" + "00" * 8),
        frame(0x36, "0131 0163 00000000 0000 0001 0161"), frame(0x36, "0131 0163 00000000 0000 0001 00"),
        frame(0x36, "0131 0163 00000000 0000 0001 40" + "61" * 64),
        frame(0x36, "0131 0163 00000000 0000 0001 41" + "61" * 65),
        frame(0x3A, "0131" + "00" * 8 + "ff 00 0000 00 00 00 00 00 00 0001 00 04 00 00 07 ffffffff 00000000 0000"),
        frame(0x3A, "0131" + "00" * 8 + "02 00 0000 00 00 00 00 00 00 0001 00 05 00 00 07 00000000 00000000 0000"),
        frame(0x3A, "0131" + "00" * 8 + "02 00 0000 00 00 00 00 00 00 0001 00 04 00 00 08 00000000 00000000 0000"),
        frame(0x3A, "0131" + "00" * 8 + "02 00 0000 00 00 00 00 00 03" + "00" * 8),
        frame(0x3C, "0131" + "00" * 8 + "02" + "00" * 13),
        frame(0x2A, "", flags=4), frame(0x05, "", version=1), frame(0x05, "", version=3), frame(0x05, "", length=7),
        frame(0x05, "", length=65_537),
        frame(0x05, "", length=9), b"", b"\0\0\0",
    ]  # fmt: skip


def by_hand() -> list[bytes]:
    """Lines that chance would hardly make."""
    held = '{"kind":"UpdateRequest","id":3,"serial":"1","fields":{"a":%s}}'
    values = [
        '"\\ud800"', "1.0", "1e3", "-0", "01", "null", "[]", "{}", '{"int":"5"}', '{"int":5}',
        '{"int":"9223372036854775808"}',
        "9223372036854775807", "-9223372036854775809", '{"bytes":"AA=="}', '{"bytes":"AB=="}', '{"bytes":"AA"}',
        '{"bytes":"A A="}',
        '{"bytes":""}', '{"bytes":"AA==","x":1}', '{"decimal":"1."}', '{"decimal":12}',
        '{"decimal":"1234567890123456789"}',
        '{"decimal":"\u0661"}', '{"time":"2026-02-30T00:00:00Z"}', '{"time":"2024-02-29T23:59:59Z"}',
        '{"time":"2026-11-26T18:00:00.5Z"}', '{"time":"2026-11-26T18:00:60Z"}', '{"time":"0000-01-01T00:00:00Z"}',
        '{"time":"2026-11-26T18:00:00+00:00"}', '{"date":"x"}', '{"time":0}', "NaN", "Infinity", "[" * 40 + "]" * 40,
    ]  # fmt: skip
    lines = [held % value for value in values]
    lines += [
        "", " ", "[]", "null", '"x"', "{}", '{"kind":"Ping"}', '{"kind":"Ping","id":"7"}', '{"kind":"Ping","id":-1}',
        '{"kind":"Ping","id":4294967296}', '{"kind":"Ping","id":null}', '{"kind":"Ping","id":true}',
        '{"kind":"Ping","id":1.0}',
        '{"id":3}', '{"kind":null,"id":3}', '{"kind":"ping","id":3}', '{"kind":"Ping","kind":"Ping","id":3}',
        '{"kind":"Ping","id":3,"x":1}',
        ' {"kind" : "Ping" ,\t"id":3 } \r', '\ufeff{"kind":"Ping"}',
        '{"kind":"Ping","id":3,"ext":[[32768,"AA=="],[0,""]]}',
        '{"kind":"Ping","id":3,"ext":[[65536,""]]}', '{"kind":"Ping","id":3,"ext":[[1]]}',
        '{"kind":"Ping","id":3,"ext":null}',
        '{"kind":"Ping","id":3,"ext":[]}', '{"kind":"Ping","id":3,"ext":[["7","AA=="]]}',
        '{"kind":"CancelRequest","id":3}',
        '{"kind":"CancelRequest","id":3,"serial":""}', '{"kind":"CancelRequest","id":3,"serial":"\u0661"}',
        '{"kind":"AgentLogin","id":3}', '{"kind":"AgentLogin","id":3,"agent":""}', '{"kind":"Bind","id":1}',
        '{"kind":"Bind","id":1,"role":"2"}', '{"kind":"Bind","id":1,"role":3}',
        '{"kind":"UpdateRequest","id":3,"serial":"1"}',
        '{"kind":"UpdateRequest","id":3,"serial":"1","fields":{"a":1,"a":1}}',
        '{"kind":"UpdateRequest","id":3,"serial":"1","fields":{"":1}}',
        '{"kind":"UpdateRequest","id":3,"serial":"1","fields":[]}',
        '{"kind":"CallQueryReply","id":3,"calls":[{"serial":"1"}]}',
        '{"kind":"CallQueryReply","id":3,"calls":[{"serial":"1","service":"","reference":"","state":4,"since":"5"}]}',
        '{"kind":"CallQueryReply","id":3,"calls":[{"serial":"1","service":"","reference":"","state":5,"since":5}]}',
        '{"kind":"AgentEventAck","agent":"1","sequence":"18446744073709551615"}',
        '{"kind":"AgentEventAck","agent":"1","sequence":18446744073709551616}',
        '{"kind":"AgentEvent","serial":"1","condition":200,"status":999}',
        '{"kind":"ServiceEvent","id":2,"serial":"1","condition":10}',
        '{"kind":"Monitor","id":2,"agent":"1"}', '{"kind":"Monitor","id":2}',
        '{"kind":"AgentState","id":2,"agent":"1","agent_state":255}',
        '{"kind":"AgentState","id":2,"agent":"1","agent_state":7}',
        '{"kind":"CallControl","id":2,"agent":"1"}', '{"kind":"CallControl","id":2,"agent":"1","action":"2"}',
        '{"kind":"CallControl","id":2,"agent":"1","action":28}', '{"kind":"CallData","id":2,"agent":"1"}',
        '{"kind":"CallData","id":2,"agent":"1","call":"c","drop":[{"name":"a"},{"name":"a"}]}',
        '{"kind":"CallData","id":2,"agent":"1","call":"c","drop":[{"name":""}]}',
        '{"kind":"CallData","id":2,"agent":"1","call":"c","drop":["a"]}',
        '{"kind":"AgentStateEvent"}', '{"kind":"CallEvent","event":255}', '{"kind":"CallEvent","parties":[{"id":"1"}]}',
        '{"kind":"Snapshot","page":2}',
    ]  # fmt: skip
    return [line.encode() for line in lines]


def vectors() -> dict[str, Any]:
    messages = [vector(some_message(kind)) for kind in KINDS.values() for _ in range(OF_EACH)]
    frames = frames_by_hand() + [damaged_frame(bytes.fromhex(RANDOM.choice(messages)["hex"])) for _ in range(DAMAGED)]
    lines = by_hand() + [damaged_line(RANDOM.choice(messages)["json"].encode()) for _ in range(DAMAGED)]
    return {
        "messages": messages,
        "frames": [{"hex": data.hex()} | verdict(BINARY, data) for data in frames],
        "lines": [{"hex": data.hex()} | verdict(JSON, data + b"\n") for data in lines if not is_unsettled(data)],
    }


def text() -> str:
    told = vectors()
    parts = [f' "{name}": [\n' + ",\n".join("  " + json.dumps(each) for each in told[name]) + "\n ]" for name in told]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    (Path(__file__).parent / "vectors.json").write_text(text(), encoding="utf-8")
