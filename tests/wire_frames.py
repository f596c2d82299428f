"""The bytes of the wire protocol, version 2, by the published description alone: kinds, bodies, frames, values.

It shares no code with the exchange, so that the exchange is measured by the description and not by its own codec.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

VERSION = 2
AGENT_ROLE = 1
SERVICE_ROLE = 2
HEADER = struct.Struct(">IBBHI")
EXTENDED = 1
"""The flag that says that extensions stand behind the body."""


class Kind(IntEnum):
    """The kinds of frames."""

    BIND = 0x01
    BIND_REPLY = 0x02
    UNBIND = 0x03
    UNBIND_REPLY = 0x04
    PING = 0x05
    PONG = 0x06
    ERROR = 0x07
    AGENT_LOGIN = 0x10
    AGENT_LOGIN_REPLY = 0x11
    AGENT_LOGOUT = 0x12
    AGENT_LOGOUT_REPLY = 0x13
    CONNECT_REQUEST = 0x14
    CONNECT_REPLY = 0x15
    CANCEL_REQUEST = 0x16
    CANCEL_REPLY = 0x17
    AGENT_EVENT = 0x18
    AGENT_EVENT_ACK = 0x19
    CALL_QUERY = 0x1A
    CALL_QUERY_REPLY = 0x1B
    UPDATE_REQUEST = 0x1C
    UPDATE_REPLY = 0x1D
    CONNECTION = 0x20
    CONNECTION_REPLY = 0x21
    DATA_REQUEST = 0x22
    DATA_RESULT = 0x23
    SERVICE_EVENT = 0x24
    SERVICE_EVENT_REPLY = 0x25
    CALL_ENDED = 0x26
    CALL_ENDED_REPLY = 0x27
    DATA_CHANGED = 0x28
    DATA_CHANGED_REPLY = 0x29
    MONITOR = 0x30
    MONITOR_REPLY = 0x31
    AGENT_STATE = 0x32
    AGENT_STATE_REPLY = 0x33
    CALL_CONTROL = 0x34
    CALL_CONTROL_REPLY = 0x35
    CALL_DATA = 0x36
    CALL_DATA_REPLY = 0x37
    AGENT_STATE_EVENT = 0x38
    CALL_EVENT = 0x3A
    SNAPSHOT = 0x3C


_CALL = "call:text8 serial:serial related:text8 queue:text8 recording:u8 parties:parties version:u32 fields:fields"
"""How a call stands, in an event and on a page of a snapshot."""

BODIES: dict[Kind, str] = {
    Kind.BIND: "role:u8 identity:text8 secret:text16 min_version:u8 max_version:u8 software:text8 features:text16",
    Kind.BIND_REPLY: "status:u16 version:u8 session:text8 heartbeat_s:u16 max_frame:u32 max_in_flight:u16"
    " exchange_address:text8 features:text16 detail:text16",
    Kind.UNBIND: "status:u16 detail:text16",
    Kind.UNBIND_REPLY: "",
    Kind.PING: "",
    Kind.PONG: "",
    Kind.ERROR: "status:u16 about:u8 detail:text16",
    Kind.AGENT_LOGIN: "agent:text8 epoch:u64 resume_after:u64",
    Kind.AGENT_LOGIN_REPLY: "status:u16 epoch:u64 first_sequence:u64 last_sequence:u64 detail:text16",
    Kind.AGENT_LOGOUT: "agent:text8",
    Kind.AGENT_LOGOUT_REPLY: "status:u16",
    Kind.CONNECT_REQUEST: "serial:serial agent:text8 service:text8 calling_number:text8 reference:text8 fields:fields",
    Kind.CONNECT_REPLY: "status:u16 serial:serial retry_after:u16 detail:text16",
    Kind.CANCEL_REQUEST: "serial:serial",
    Kind.CANCEL_REPLY: "status:u16 serial:serial detail:text16",
    Kind.AGENT_EVENT: "sequence:u64 time:u64 agent:text8 serial:serial reference:text8 condition:u8 status:u16"
    " fields:fields",
    Kind.AGENT_EVENT_ACK: "agent:text8 sequence:u64",
    Kind.CALL_QUERY: "agent:text8",
    Kind.CALL_QUERY_REPLY: "status:u16 calls:calls",
    Kind.UPDATE_REQUEST: "serial:serial fields:fields",
    Kind.UPDATE_REPLY: "status:u16 serial:serial detail:text16",
    Kind.CONNECTION: "access_code:text8 calling_number:text8 exchange_address:text8",
    Kind.CONNECTION_REPLY: "status:u16 detail:text16",
    Kind.DATA_REQUEST: "serial:serial exchange_address:text8",
    Kind.DATA_RESULT: "status:u16 serial:serial agent:text8 reference:text8 fields:fields",
    Kind.SERVICE_EVENT: "event_id:u64 serial:serial agent:text8 condition:u8 fields:fields",
    Kind.SERVICE_EVENT_REPLY: "event_id:u64 status:u16",
    Kind.CALL_ENDED: "serial:serial condition:u8",
    Kind.CALL_ENDED_REPLY: "",
    Kind.DATA_CHANGED: "serial:serial",
    Kind.DATA_CHANGED_REPLY: "",
    Kind.MONITOR: "agent:text8 mode:u8",
    Kind.MONITOR_REPLY: "status:u16 detail:text16",
    Kind.AGENT_STATE: "agent:text8 agent_state:u8 reason:text8 device:text8 queues:text16 seconds:u16",
    Kind.AGENT_STATE_REPLY: "status:u16 detail:text16",
    Kind.CALL_CONTROL: "action:u8 agent:text8 call:text8 other:text8 destination:text8 value:text8 seconds:u16"
    " fields:fields",
    Kind.CALL_CONTROL_REPLY: "status:u16 call:text8 serial:serial detail:text16",
    Kind.CALL_DATA: "agent:text8 call:text8 version:u32 fields:fields drop:names",
    Kind.CALL_DATA_REPLY: "status:u16 version:u32 fields:fields detail:text16",
    Kind.AGENT_STATE_EVENT: "agent:text8 time:u64 agent_state:u8 reason:text8 device:text8 since:u64 until:u64"
    " pending_state:u8 pending_reason:text8 by:text8 queues:text16",
    Kind.CALL_EVENT: f"agent:text8 time:u64 event:u8 cause:u8 status:u16 by:text8 {_CALL}",
    Kind.SNAPSHOT: f"agent:text8 time:u64 page:u8 {_CALL}",
}
LISTS: dict[str, str] = {
    "calls": "serial:serial service:text8 reference:text8 state:u8 since:u64",
    "parties": "id:text8 party_role:u8 number:text8 agent:text8 connection_state:u8 actions:u32",
    "names": "name:text8",
}
"""What each list has, behind its count."""
NUMBERS = {"u8": ">B", "u16": ">H", "u32": ">I", "u64": ">Q"}


@dataclass(frozen=True)
class Amount:
    """A field of type 4: a decimal, as it is written."""

    text: str


@dataclass(frozen=True)
class Moment:
    """A field of type 5: a time."""

    milliseconds: int


Value = str | int | bool | bytes | Amount | Moment
FieldList = Sequence[tuple[str, Value]]


@dataclass(frozen=True)
class Message:
    """One frame, read."""

    kind: Kind
    invoke_id: int
    values: Mapping[str, Any]
    length: int = field(default=0, compare=False)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def outcome(self) -> tuple[Kind, int]:
        """What kind of answer this is, and its status."""
        return self.kind, self.values.get("status", 0)


# Writing


def counted(number: str, data: bytes) -> bytes:
    """Bytes behind their own count."""
    return struct.pack(NUMBERS[number], len(data)) + data


def typed(value: Value) -> tuple[int, bytes]:
    """The type of a field's value, and its bytes."""
    match value:
        case bool():
            return 2, bytes([value])
        case int():
            return 1, struct.pack(">q", value)
        case str():
            return 0, value.encode()
        case bytes():
            return 3, value
        case Amount():
            return 4, value.text.encode()
        case Moment():
            return 5, struct.pack(">q", value.milliseconds)


def one_field(name: str, value: Value) -> bytes:
    """A field, its type taken from the value."""
    form, data = typed(value)
    return counted("u8", name.encode()) + bytes([form]) + counted("u16", data)


def all_fields(values: FieldList) -> bytes:
    """Fields behind their count."""
    return struct.pack(">H", len(values)) + b"".join(one_field(name, value) for name, value in values)


def write_value(form: str, value: Any) -> bytes:
    """One part of a body."""
    if form in NUMBERS:
        return struct.pack(NUMBERS[form], value)
    if form == "fields":
        return value if isinstance(value, bytes) else all_fields(value)
    if form in LISTS:
        return struct.pack(">H", len(value)) + b"".join(written(LISTS[form], one) for one in value)
    data = value if isinstance(value, bytes) else value.encode()
    return counted("u16" if form == "text16" else "u8", data)


def split(layout: str) -> list[tuple[str, str]]:
    """Names and forms of the parts of a layout."""
    return [(name, form) for name, form in (part.split(":") for part in layout.split())]


def parts(kind: Kind) -> list[tuple[str, str]]:
    """Names and forms of a body's parts."""
    return split(BODIES[kind])


def written(layout: str, values: Mapping[str, Any]) -> bytes:
    """The parts of a layout, one behind the other."""
    return b"".join(write_value(form, values[name]) for name, form in split(layout))


def body(kind: Kind, **values: Any) -> bytes:
    """The body of a message. Text and fields may be given as bytes, to be wrong on purpose."""
    return written(BODIES[kind], values)


def extensions(*each: tuple[int, bytes]) -> bytes:
    """Extensions, as they stand behind a body."""
    return bytes([len(each)]) + b"".join(struct.pack(">H", number) + counted("u16", value) for number, value in each)


def frame(kind: int, content: bytes = b"", invoke_id: int = 1, version: int = VERSION, flags: int = 0) -> bytes:
    """A frame around any body."""
    return HEADER.pack(8 + len(content), version, kind, flags, invoke_id) + content


def message(kind: Kind, invoke_id: int = 1, **values: Any) -> bytes:
    """A whole frame of a message."""
    return frame(kind, body(kind, **values), invoke_id)


# Reading


class Cursor:
    """Reads a body from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        assert len(piece) == count, "a body ends before its last field does"
        self.at += count
        return piece

    def number(self, form: str) -> int:
        packed = struct.Struct(NUMBERS[form])
        return int(packed.unpack(self.take(packed.size))[0])

    def one_field(self) -> tuple[str, Value]:
        name = self.take(self.number("u8")).decode()
        form = self.number("u8")
        return name, field_value(form, self.take(self.number("u16")))

    def value(self, form: str) -> Any:
        if form in NUMBERS:
            return self.number(form)
        if form == "fields":
            return [self.one_field() for _ in range(self.number("u16"))]
        if form in LISTS:
            return [self.values(LISTS[form]) for _ in range(self.number("u16"))]
        return self.take(self.number("u16" if form == "text16" else "u8")).decode()

    def values(self, layout: str) -> dict[str, Any]:
        return {name: self.value(form) for name, form in split(layout)}


def field_value(form: int, data: bytes) -> Value:
    """The value of a field of this type."""
    match form:
        case 0:
            return data.decode()
        case 1:
            return int(struct.unpack(">q", data)[0])
        case 2:
            return {b"\x00": False, b"\x01": True}[data]
        case 3:
            return data
        case 4:
            return Amount(data.decode("ascii"))
        case 5:
            return Moment(struct.unpack(">q", data)[0])
    raise AssertionError(f"field type {form}")


def parse(header: bytes, content: bytes) -> Message:
    """A message out of a frame, held to the description. The exchange has no extensions to send."""
    length, version, kind, flags, invoke_id = HEADER.unpack(header)
    assert (version, flags) == (VERSION, 0), f"version {version}, flags {flags}"
    cursor = Cursor(content)
    values = cursor.values(BODIES[Kind(kind)])
    assert cursor.at == len(content), "bytes left over"
    return Message(Kind(kind), invoke_id, values, length)
