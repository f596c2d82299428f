"""The binary frames as a Kaitai Struct file: ``python -m ctiex.testing.kaitai docs/ctiex.ksy`` writes it again.

kaitai-struct-compiler makes readers of it in a dozen languages. What it can't say is in its ``doc``: unique names of
fields, serials of digits alone, the writing of decimals.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallChange,
    ConnectionState,
    MonitorSwitch,
    Page,
    PartyRole,
    Recording,
)
from ctiex.codecs.json import shapes_of
from ctiex.codecs.layouts import BODIES, RECORDS
from ctiex.codecs.shapes import BITS, Element, FieldList, Number, RecordList, Text
from ctiex.codecs.wire_types import FieldType
from ctiex.errors import Status
from ctiex.field_values import LEAST_TIME, MOST_TIME
from ctiex.fields import MAX_NAME
from ctiex.messages import KINDS, VERSION, Condition, Message, OpenCallState, Role
from ctiex.serials import MAX_DIGITS
from ctiex.testing.wire.description import elements_of

Tree = dict[str, Any]

_DOC = (
    "Frames of one direction of a CTIEX link, version 2, binary codec. Not checked here: that names of fields are"
    " unique, that serials are ASCII digits, how decimals are written, and the limit on the length of a frame. The"
    " body of an unknown kind is all that is left of its frame: where such a frame has extensions, reading it ends too"
    " early, so look at the kind first."
)
_ENUMS: dict[str, tuple[str, type[IntEnum]]] = {
    "role": ("role", Role),
    "status": ("status", Status),
    "condition": ("condition", Condition),
    "state": ("open_call_state", OpenCallState),
    "action": ("action", Action),
    "party_role": ("party_role", PartyRole),
    "connection_state": ("connection_state", ConnectionState),
    "event": ("call_change", CallChange),
    "recording": ("recording", Recording),
    "agent_state": ("agent_state_code", AgentStateCode),
    "pending_state": ("agent_state_code", AgentStateCode),
    "mode": ("monitor_switch", MonitorSwitch),
    "page": ("page", Page),
}
"""By the name of an attribute: the enum of the file."""
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*(::[a-z0-9_]+)?")
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_NOTHING_LEFT: Tree = {"id": "left_over", "size-eos": True, "valid": {"expr": "_.length == 0"}}


def snake(name: str) -> str:
    """The name of a message as Kaitai writes names: ``connect_request``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def description() -> Tree:
    """The whole file."""
    return {
        "meta": {"id": "ctiex", "title": "CTIEX wire format, version 2", "endian": "be", "encoding": "UTF-8"},
        "doc": _DOC,
        "seq": [{"id": "frames", "type": "frame", "repeat": "eos"}],
        "types": {
            "frame": {"seq": [{"id": "length", "type": "u4"}, {"id": "content", "type": "content", "size": "length"}]},
            "content": {"seq": list(_content())},
            **{snake(message.__name__): _body(message) for message in BODIES},
            **{snake(record.__name__): {"seq": _record(record)} for record in RECORDS},
            **_shared_types(),
        },
        "enums": _enums(),
    }


def _content() -> Iterator[Tree]:
    yield {"id": "version", "type": "u1", "valid": VERSION}
    yield {"id": "kind", "type": "u1", "enum": "kind"}
    yield {"id": "flags", "type": "u2", "valid": {"any-of": [0, 1]}}
    yield {"id": "invoke_id", "type": "u4"}
    cases = {f"kind::{snake(message.__name__)}": snake(message.__name__) for message in KINDS.values()}
    yield {"id": "body", "type": {"switch-on": "kind", "cases": cases | {"_": "unknown"}}}
    yield {"id": "extensions", "type": "extension_list", "if": "flags == 1"}
    yield _NOTHING_LEFT


def _body(message: type[Message]) -> Tree:
    attributes = BODIES[message].values()
    told = zip(shapes_of(message), attributes, strict=True)
    return {"seq": [part for element, attribute in told for part in _element(element, attribute.meaning)]}


def _record(record: type) -> list[Tree]:
    told = zip(elements_of(record), RECORDS[record].values(), strict=True)
    return [part for element, attribute in told for part in _element(element, attribute.meaning)]


def _element(element: Element, meaning: str) -> Iterator[Tree]:
    match element:
        case Number():
            yield {"id": element.name, **_number(element), "doc": meaning}
        case Text():
            yield {"id": element.name, "type": _text_type(element), "doc": meaning}
        case FieldList():
            yield {"id": element.name, "type": "field_list", "doc": meaning}
        case RecordList():
            yield {"id": f"num_{element.name}", "type": f"u{BITS[element.count_code] // 8}"}
            repeated = {"repeat": "expr", "repeat-expr": f"num_{element.name}"}
            yield {"id": element.name, "type": snake(element.record.__name__), **repeated, "doc": meaning}


def _number(number: Number) -> Tree:
    width = BITS[number.code] // 8
    told: Tree = {"type": f"u{width}"}
    if number.name in _ENUMS:
        told["enum"] = _ENUMS[number.name][0]
    if number.members is not None and len(number.members) < 2 ** BITS[number.code]:
        members = [_member(number.name, code) for code in number.members]
        told["valid"] = {"any-of": members}
    return told


def _member(name: str, code: int) -> str:
    enum, members = _ENUMS[name]
    return f"{enum}::{members(code).name.lower()}"


def _text_type(text: Text) -> str:
    if text.digits:
        return "serial" if text.least else "serial_or_empty"
    if text.bounded:
        assert (text.least, text.greatest) == (1, MAX_NAME), "no other bounds have a type here"
        return "name_of_field"
    return f"text{BITS[text.code]}"


# ---------------------------------------------------------------- what the bodies share


def _shared_types() -> Tree:
    return {
        "text8": _text("u1"),
        "text16": _text("u2"),
        "name_of_field": _text("u1", {"min": 1, "max": MAX_NAME}),
        "serial": _text("u1", {"min": 1, "max": MAX_DIGITS}, "ASCII"),
        "serial_or_empty": _text("u1", {"max": MAX_DIGITS}, "ASCII"),
        "field_list": _counted("u2", "field"),
        "field": {"seq": list(_field())},
        **{name: {"seq": [part, *rest]} for name, part, *rest in _values()},
        "unknown": {"seq": [{"id": "value", "size-eos": True}]},
        "extension_list": _counted("u1", "extension"),
        "extension": {
            "seq": [
                {"id": "type", "type": "u2"},
                {"id": "len_value", "type": "u2"},
                {"id": "value", "size": "len_value"},
            ]
        },
    }


def _text(length: str, valid: Tree | None = None, encoding: str = "UTF-8") -> Tree:
    counted: Tree = {"id": "len_value", "type": length} | ({"valid": valid} if valid else {})
    return {"seq": [counted, {"id": "value", "type": "str", "size": "len_value", "encoding": encoding}]}


def _counted(count: str, of: str) -> Tree:
    return {
        "seq": [
            {"id": "num_items", "type": count},
            {"id": "items", "type": of, "repeat": "expr", "repeat-expr": "num_items"},
        ]
    }


def _field() -> Iterator[Tree]:
    yield {"id": "len_name", "type": "u1", "valid": {"min": 1, "max": MAX_NAME}}
    yield {"id": "name", "type": "str", "size": "len_name", "encoding": "UTF-8"}
    every = [f"field_type::{each.name.lower()}" for each in FieldType]
    yield {"id": "type", "type": "u1", "enum": "field_type", "valid": {"any-of": every}}
    yield {"id": "len_value", "type": "u2"}
    cases = {
        f"field_type::{each.name.lower()}": f"{each.name.lower()}_value"
        for each in FieldType
        if each is not FieldType.BYTES
    }
    yield {"id": "value", "size": "len_value", "type": {"switch-on": "type", "cases": cases}}


def _values() -> Iterator[tuple[Any, ...]]:
    yield "text_value", {"id": "value", "type": "str", "size-eos": True, "encoding": "UTF-8"}
    yield "integer_value", {"id": "value", "type": "s8"}, _NOTHING_LEFT
    yield "boolean_value", {"id": "value", "type": "u1", "valid": {"max": 1}}, _NOTHING_LEFT
    yield "decimal_value", {"id": "value", "type": "str", "size-eos": True, "encoding": "ASCII"}
    time = {"id": "value", "type": "s8", "valid": {"min": LEAST_TIME, "max": MOST_TIME}}
    yield "time_value", time | {"doc": "milliseconds since 1970-01-01 UTC"}, _NOTHING_LEFT


def _enums() -> Tree:
    codes = {name: {int(member): member.name.lower() for member in members} for name, members in _ENUMS.values()}
    kinds = {kind: snake(message.__name__) for kind, message in KINDS.items()}
    return {"kind": kinds, **codes, "field_type": {int(each): each.name.lower() for each in FieldType}}


# ---------------------------------------------------------------- YAML


def yaml_lines(value: Mapping[Any, Any] | list[Any], indent: str = "") -> Iterator[str]:
    """Mappings and lists as YAML, in blocks; what is in them is written as JSON, which is YAML too."""
    if isinstance(value, list):
        for item in value:
            first, *rest = yaml_lines(item, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        return
    for key, item in value.items():
        if isinstance(item, dict) or (isinstance(item, list) and item and isinstance(item[0], dict)):
            yield f"{indent}{_scalar(key)}:"
            yield from yaml_lines(item, indent + "  ")
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(item)}"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS_OF_YAML
    return value if plain else json.dumps(value, ensure_ascii=False)


def text() -> str:
    """The file's text."""
    return "\n".join(yaml_lines(description())) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
