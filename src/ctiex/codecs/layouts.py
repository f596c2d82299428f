"""The wire format, version 1, declared once in construct. Declarations only.

Everything else reads these declarations: the fast path is derived from them
(:mod:`ctiex.codecs.derived`), the JSON codec and the documentation walk them, and a test runs
them as they are, which has to come to the same (``tests/interpreted.py``). The
attributes of each body have the names and the order of its message in
:mod:`ctiex.messages`. All numbers are big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import construct
from construct import (
    FocusedSeq,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64sb,
    Int64ub,
    MappingError,
    PascalString,
    Prefixed,
    PrefixedArray,
    Struct,
    Switch,
    Terminated,
    this,
)

from ctiex import messages
from ctiex.fields import MAX_NAME
from ctiex.messages import SERVICE_CONDITIONS, Condition, Message, Role
from ctiex.serials import MAX_DIGITS

if TYPE_CHECKING:
    Adapter = construct.Adapter[Any, Any, Any, Any]
    Validator = construct.Validator[Any, Any]
else:
    Adapter, Validator = construct.Adapter, construct.Validator

Layout = construct.Struct
"""The layout of one body."""


class FieldType(IntEnum):
    """The type of one field's value on the wire."""

    TEXT = 0
    INTEGER = 1
    BOOLEAN = 2
    BYTES = 3


# ---------------------------------------------------------------- what construct has no word for


class Coded(Adapter):
    """A number that stands for one of some members; any other is malformed, both ways."""

    def __init__(self, subcon: Any, members: Iterable[int]) -> None:
        super().__init__(subcon)
        self.members = {int(member): member for member in members}

    def _decode(self, obj: Any, context: Any, path: Any) -> Any:
        if obj not in self.members:
            raise MappingError("unknown enum value", path=path)
        return self.members[obj]

    def _encode(self, obj: Any, context: Any, path: Any) -> Any:
        self._decode(obj, context, path)
        return obj


class Between(Validator):
    """A number with a least and a greatest value."""

    def __init__(self, subcon: Any, least: int, greatest: int) -> None:
        super().__init__(subcon)
        self.least = least
        self.greatest = greatest

    def _validate(self, obj: Any, context: Any, path: Any) -> bool:
        return bool(self.least <= obj <= self.greatest)


class Digits(Validator):
    """Text of nothing but ASCII digits, maybe none."""

    def _validate(self, obj: Any, context: Any, path: Any) -> bool:
        return not obj or (obj.isascii() and obj.isdigit())


class UniqueNames(Validator):
    """A list whose items all have different names."""

    def _validate(self, obj: Any, context: Any, path: Any) -> bool:
        return len({item["name"] for item in obj}) == len(obj)


def _whole(subcon: Any) -> Any:
    """What stands inside a length prefix has to fill it."""
    return FocusedSeq("value", "value" / subcon, Terminated)


# ---------------------------------------------------------------- the types

STATUS = Int16ub
TEXT8 = PascalString(Int8ub, "utf8")
TEXT16 = PascalString(Int16ub, "utf8")
SERIAL = Digits(PascalString(Between(Int8ub, 1, MAX_DIGITS), "ascii"))
SERIAL_OR_EMPTY = Digits(PascalString(Between(Int8ub, 0, MAX_DIGITS), "ascii"))
ROLE = Coded(Int8ub, Role)
CONDITION = Coded(Int8ub, Condition)
SERVICE_CONDITION = Coded(Int8ub, sorted(SERVICE_CONDITIONS))
BOOLEAN = Coded(Int8ub, (False, True))

FIELD = Struct(
    "name" / PascalString(Between(Int8ub, 1, MAX_NAME), "utf8"),
    "type" / Coded(Int8ub, FieldType),
    "value"
    / Switch(
        this.type,
        {
            FieldType.TEXT: TEXT16,
            FieldType.INTEGER: Prefixed(Int16ub, _whole(Int64sb)),
            FieldType.BOOLEAN: Prefixed(Int16ub, _whole(BOOLEAN)),
            FieldType.BYTES: Prefixed(Int16ub, GreedyBytes),
        },
        default=construct.Error,
    ),
)
FIELDS = UniqueNames(PrefixedArray(Int16ub, FIELD))

HEADER = Struct(
    "length" / Int32ub,
    "version" / Int8ub,
    "kind" / Int8ub,
    "flags" / Int16ub,
    "invoke_id" / Int32ub,
)
"""Stands before each body; ``length`` counts the bytes after itself."""


# ---------------------------------------------------------------- the bodies


def _body(**attributes: Any) -> Layout:
    return Struct(*(name / layout for name, layout in attributes.items()), Terminated)


LAYOUTS: dict[type[Message], Layout] = {
    messages.Bind: _body(
        role=ROLE, identity=TEXT8, secret=TEXT8, min_version=Int8ub, max_version=Int8ub, software=TEXT8
    ),
    messages.BindReply: _body(
        status=STATUS,
        version=Int8ub,
        session=TEXT8,
        heartbeat_s=Int16ub,
        max_frame=Int32ub,
        exchange_address=TEXT8,
        detail=TEXT16,
    ),
    messages.Unbind: _body(status=STATUS, detail=TEXT16),
    messages.UnbindReply: _body(),
    messages.Ping: _body(),
    messages.Pong: _body(),
    messages.Error: _body(status=STATUS, detail=TEXT16),
    messages.AgentLogin: _body(agent=TEXT8, resume_after=Int64ub),
    messages.AgentLoginReply: _body(status=STATUS, first_sequence=Int64ub, last_sequence=Int64ub, detail=TEXT16),
    messages.AgentLogout: _body(agent=TEXT8),
    messages.AgentLogoutReply: _body(status=STATUS),
    messages.ConnectRequest: _body(
        serial=SERIAL_OR_EMPTY, agent=TEXT8, service=TEXT8, calling_number=TEXT8, fields=FIELDS
    ),
    # A refusal repeats the serial that was asked for, and a refused ConnectRequest may have had none.
    messages.ConnectReply: _body(status=STATUS, serial=SERIAL_OR_EMPTY, detail=TEXT16),
    messages.CancelRequest: _body(serial=SERIAL),
    messages.CancelReply: _body(status=STATUS, serial=SERIAL_OR_EMPTY, detail=TEXT16),
    messages.AgentEvent: _body(
        sequence=Int64ub, agent=TEXT8, serial=SERIAL, condition=CONDITION, status=STATUS, fields=FIELDS
    ),
    messages.AgentEventAck: _body(agent=TEXT8, sequence=Int64ub),
    messages.Connection: _body(access_code=TEXT8, calling_number=TEXT8, exchange_address=TEXT8),
    messages.ConnectionReply: _body(status=STATUS, detail=TEXT16),
    messages.DataRequest: _body(serial=SERIAL, exchange_address=TEXT8),
    messages.DataResult: _body(status=STATUS, serial=SERIAL_OR_EMPTY, agent=TEXT8, fields=FIELDS),
    messages.ServiceEvent: _body(
        event_id=Int64ub, serial=SERIAL, agent=TEXT8, condition=SERVICE_CONDITION, fields=FIELDS
    ),
    messages.ServiceEventReply: _body(event_id=Int64ub, status=STATUS),
    messages.CallEnded: _body(serial=SERIAL, condition=CONDITION),
    messages.CallEndedReply: _body(),
}
"""The body of each message."""

FIELD_TYPES: dict[type, FieldType] = {
    str: FieldType.TEXT,
    int: FieldType.INTEGER,
    bool: FieldType.BOOLEAN,
    bytes: FieldType.BYTES,
}
"""The type on the wire of each Python type that a field's value may have."""
