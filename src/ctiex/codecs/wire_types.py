"""What the bodies of the wire format are made of, declared in construct. All numbers are big-endian."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
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

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallParty,
    ConnectionState,
    FieldName,
    MonitorSwitch,
    Page,
    PartyRole,
    Recording,
)
from ctiex.field_values import decimal_of, decimal_text, milliseconds, time_of
from ctiex.fields import MAX_NAME
from ctiex.messages import SERVICE_CONDITIONS, Condition, OpenCall, OpenCallState, Role
from ctiex.serials import MAX_DIGITS

if TYPE_CHECKING:
    Adapter = construct.Adapter[Any, Any, Any, Any]
    Validator = construct.Validator[Any, Any]
else:
    Adapter, Validator = construct.Adapter, construct.Validator


class FieldType(IntEnum):
    """The type of one field's value on the wire."""

    TEXT = 0
    INTEGER = 1
    BOOLEAN = 2
    BYTES = 3
    DECIMAL = 4
    TIME = 5


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


class Converted(Adapter):
    """A value that Python has a type of its own for."""

    def __init__(self, subcon: Any, read: Callable[[Any], Any], write: Callable[[Any], Any]) -> None:
        super().__init__(subcon)
        self.read = read
        self.write = write

    def _decode(self, obj: Any, context: Any, path: Any) -> Any:
        return self.read(obj)

    def _encode(self, obj: Any, context: Any, path: Any) -> Any:
        return self.write(obj)


class Listed(Adapter):
    """One of a list: an object of this class, whose attributes are those of the layout."""

    def __init__(self, record: type, subcon: Any) -> None:
        super().__init__(subcon)
        self.record = record
        self.attributes: list[Any] = subcon.subcons

    def _decode(self, obj: Any, context: Any, path: Any) -> Any:
        return self.record(**{name: value for name, value in obj.items() if name != "_io"})

    def _encode(self, obj: Any, context: Any, path: Any) -> Any:
        return {subcon.name: getattr(obj, subcon.name) for subcon in self.attributes}


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
CONDITION = Coded(Int8ub, map(Condition, range(0x100)))
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
            FieldType.DECIMAL: Converted(PascalString(Int16ub, "ascii"), decimal_of, decimal_text),
            FieldType.TIME: Prefixed(Int16ub, _whole(Converted(Int64sb, time_of, milliseconds))),
        },
        default=construct.Error,
    ),
)
FIELDS = UniqueNames(PrefixedArray(Int16ub, FIELD))

OPEN_CALL = Listed(
    OpenCall,
    Struct(
        "serial" / SERIAL,
        "service" / TEXT8,
        "reference" / TEXT8,
        "state" / Coded(Int8ub, OpenCallState),
        "since" / Int64ub,
    ),
)
OPEN_CALLS = PrefixedArray(Int16ub, OPEN_CALL)

ACTION = Coded(Int8ub, Action)
AGENT_STATE = Coded(Int8ub, AgentStateCode)
CALL_CHANGE = Int8ub
"""A reader takes one that it does not know as a change like any other, so that all numbers are good."""
MONITOR_SWITCH = Coded(Int8ub, MonitorSwitch)
PAGE = Coded(Int8ub, Page)
RECORDING = Coded(Int8ub, Recording)
CALL_PARTY = Listed(
    CallParty,
    Struct(
        "id" / TEXT8,
        "party_role" / Coded(Int8ub, PartyRole),
        "number" / TEXT8,
        "agent" / TEXT8,
        "connection_state" / Coded(Int8ub, ConnectionState),
        "actions" / Int32ub,
    ),
)
CALL_PARTIES = PrefixedArray(Int16ub, CALL_PARTY)
FIELD_NAMES = PrefixedArray(
    Int16ub, Listed(FieldName, Struct("name" / PascalString(Between(Int8ub, 1, MAX_NAME), "utf8")))
)

EXTENSION = Struct("type" / Int16ub, "value" / Prefixed(Int16ub, GreedyBytes))
EXTENSIONS = PrefixedArray(Int8ub, EXTENSION)
"""What stands behind the body of a frame whose flags say so; none is assigned yet."""
EXTENDED = 1
"""The one flag that there is: extensions stand behind the body."""

FIELD_TYPES: dict[type, FieldType] = {
    str: FieldType.TEXT,
    int: FieldType.INTEGER,
    bool: FieldType.BOOLEAN,
    bytes: FieldType.BYTES,
    Decimal: FieldType.DECIMAL,
    datetime: FieldType.TIME,
}
"""The type on the wire of each Python type that a field's value may have."""
