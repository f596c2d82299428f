"""The wire format as plain data, read off its declarations: what ``docs/layouts.json`` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from ctiex.codecs.framing import LEAST_LENGTH
from ctiex.codecs.json import DEFAULTS, shapes_of
from ctiex.codecs.layouts import BODIES, HEADER, RECORDS
from ctiex.codecs.shapes import BITS, Element, FieldList, Number, RecordList, Text, number_codes
from ctiex.errors import Status
from ctiex.field_values import LEAST_TIME, MOST_TIME
from ctiex.messages import (
    CALL_CONTROL_KINDS,
    DEFAULT_MAX_FRAME,
    KIND_OF,
    KINDS,
    LEAST_MAX_FRAME,
    MOST_MAX_FRAME,
    REPLY_OF,
    SERVICE_CONDITIONS,
    VERSION,
    Condition,
    Feature,
    Message,
    Role,
)
from ctiex.testing.wire import meanings
from ctiex.testing.wire.routes import BEFORE_BIND, REQUEST_OF, ROUTES, MessageRoute

Described = dict[str, Any]

_TABLES: dict[str, str] = {
    "role": "roles",
    "condition": "conditions",
    "status": "statuses",
    "about": "messages",
    "state": "open_call_states",
    "action": "actions",
    "party_role": "party_roles",
    "connection_state": "connection_states",
    "event": "call_changes",
    "recording": "recordings",
    "agent_state": "agent_states",
    "pending_state": "agent_states",
    "mode": "monitor_switches",
    "page": "pages",
}
"""Where the numbers of an attribute of this name are explained."""
_BITS: dict[str, str] = {"actions": "actions"}
"""Where the bits of an attribute of this name are explained: bit n stands for the number n."""


def description() -> Described:
    """All of it."""
    return {
        "version": VERSION,
        "frame": _frame(),
        "kept_kinds": [
            {"least": CALL_CONTROL_KINDS[0], "greatest": CALL_CONTROL_KINDS[-1], "feature": Feature.CALLS.value,
             "meaning": "call control, agent states and call events; known on every link, those too that aren't"
             " assigned, and not allowed without the feature"}
        ],
        "messages": [message_described(kind, message) for kind, message in KINDS.items()],
        "records": {record.__name__: _record(record) for record in RECORDS},
        "fields": _fields(),
        "roles": _coded(meanings.ROLES),
        "statuses": [_status(status) for status in Status],
        "conditions": [_condition(condition) for condition in Condition],
        "open_call_states": _coded(meanings.OPEN_CALL_STATES),
        **_call_control_tables(),
        "features": [
            {"word": word, "role": int(told.role), "meaning": told.meaning}
            for word, told in meanings.FEATURES.items()
        ],
    }  # fmt: skip


# ---------------------------------------------------------------- frames


def _frame() -> Described:
    return {
        "header": header_described(),
        "length_least": LEAST_LENGTH,
        "length_limit": {"default": DEFAULT_MAX_FRAME, "least": LEAST_MAX_FRAME, "greatest": MOST_MAX_FRAME},
        "flags": [{"flag": 1, "meaning": "extensions stand behind the body"}],
        "extensions": _parts(meanings.EXTENSION),
        "private_extensions_from": 0x8000,
    }


def header_described() -> list[Described]:
    """The fields of a frame's header, in order."""
    names = [str(subcon.name) for subcon in HEADER.subcons]
    codes = number_codes(HEADER)[1:]
    return [
        {"name": name, "type": number_type(code), "meaning": meanings.HEADER[name]}
        for name, code in zip(names, codes, strict=True)
    ]


def number_type(code: str) -> str:
    """The name of a number by its letter in ``struct``: ``u16``."""
    return f"{'i' if code.islower() else 'u'}{BITS[code]}"


def _parts(parts: Mapping[str, tuple[str, str]]) -> list[Described]:
    return [{"name": name, "type": kind or "bytes", "meaning": meaning} for name, (kind, meaning) in parts.items()]


# ---------------------------------------------------------------- messages


def message_described(kind: int, message: type[Message]) -> Described:
    """One message: who sends it where, what answers it, what its body has."""
    route = ROUTES[message]
    return {
        "kind": kind,
        "kind_hex": f"{kind:02X}",
        "name": message.__name__,
        "purpose": purpose(message),
        "from": route.sender.value,
        "links": _links(route),
        "role": None if route.role is None else int(route.role),
        **({"feature": Feature.CALLS.value} if kind in CALL_CONTROL_KINDS else {}),
        "before_bind": message in BEFORE_BIND,
        "invoke_id": route.invoke_id,
        **_pairing(message),
        "attributes": attributes_described(message),
    }


def _links(route: MessageRoute) -> list[str]:
    roles = Role if route.role is None else [route.role]
    return [role.name.lower() for role in roles]


def _pairing(message: type[Message]) -> Described:
    if message in REPLY_OF:
        return {"reply": REPLY_OF[message].__name__, "reply_kind": KIND_OF[REPLY_OF[message]]}
    return {"answers": REQUEST_OF[message].__name__} if message in REQUEST_OF else {}


def purpose(message: type[Message]) -> str:
    """The first paragraph of what the code says about a message, without the paragraph numbers of the seed."""
    first, *_ = (message.__doc__ or "").split("\n\n")
    words = " ".join(first.split()).replace("``", "`")
    before, bracket, rest = words.partition(" [0")
    return before + rest.partition("]")[2] if bracket else words


def attributes_described(message: type[Message]) -> list[Described]:
    """The attributes of a body, in order."""
    return [_attribute(message, element) for element in shapes_of(message)]


def _attribute(message: type[Message], element: Element) -> Described:
    told = BODIES[message][element.name]
    described = {"name": element.name, **_typed(element)}
    if element.name in DEFAULTS[message]:
        described["default"] = DEFAULTS[message][element.name]
    return described | _explained(told.meaning, told.unit)


def _explained(meaning: str, unit: str) -> Described:
    return {"unit": unit, "meaning": meaning} if unit else {"meaning": meaning}


def _typed(element: Element) -> Described:
    match element:
        case Number():
            return _number(element)
        case Text():
            return _text(element)
        case FieldList():
            return {"type": "fields"}
        case RecordList():
            return {"type": "list", "count": number_type(element.count_code), "of": element.record.__name__}


def _text(text: Text) -> Described:
    kind = "serial" if text.digits else f"text{BITS[text.code]}"
    return {"type": kind, "least": text.least, "greatest": text.greatest}


def _number(number: Number) -> Described:
    described: Described = {"type": number_type(number.code)}
    if number.members is not None and len(number.members) < 2 ** BITS[number.code]:
        described["values"] = [int(member) for member in number.members]
    else:
        described |= {"least": 0, "greatest": exact(2 ** BITS[number.code] - 1)}
    table, bits = _TABLES.get(number.name), _BITS.get(number.name)
    return described | ({"table": table} if table else {}) | ({"bits": bits} if bits else {})


def exact(number: int) -> int | str:
    """A number, as text where a reader of JSON may round it."""
    return number if abs(number) < 2**53 else str(number)


def _record(record: type) -> list[Described]:
    return [
        {"name": element.name, **_typed(element)} | _explained(told.meaning, told.unit)
        for element, told in zip(elements_of(record), RECORDS[record].values(), strict=True)
    ]


def elements_of(record: type) -> Iterable[Element]:
    """What a record of some list is made of, in order."""
    lists = (element for message in BODIES for element in shapes_of(message) if isinstance(element, RecordList))
    return next(each.elements for each in lists if each.record is record)


# ---------------------------------------------------------------- fields and tables


def _fields() -> Described:
    types = [
        {"type": int(kind), "name": kind.name, "binary": told.binary, "json": told.json, "meaning": told.meaning}
        for kind, told in meanings.FIELD_TYPES.items()
    ]
    limits = {"time_least": LEAST_TIME, "time_greatest": MOST_TIME}
    return {"parts": _parts(meanings.FIELD), "types": types, **limits}


def _call_control_tables() -> Described:
    return {
        "actions": _coded(meanings.ACTIONS),
        "party_roles": _coded(meanings.PARTY_ROLES),
        "connection_states": _coded(meanings.CONNECTION_STATES),
        "call_changes": _coded(meanings.CALL_CHANGES),
        "recordings": _coded(meanings.RECORDINGS),
        "agent_states": _coded(meanings.AGENT_STATES),
        "monitor_switches": _coded(meanings.MONITOR_SWITCHES),
        "pages": _coded(meanings.PAGES),
    }


def _coded(table: Mapping[Any, str]) -> list[Described]:
    return [_code(member) | {"meaning": meaning} for member, meaning in table.items()]


def _code(member: IntEnum) -> Described:
    return {"code": int(member), "name": member.name}


def _status(status: Status) -> Described:
    return _code(status) | {"repeat": status.repeat.value, "meaning": meanings.STATUSES[status]}


def _condition(condition: Condition) -> Described:
    sender = "service" if condition in SERVICE_CONDITIONS else "exchange"
    told = {"from": sender, "final": condition.final, "meaning": meanings.CONDITIONS[condition]}
    return _code(condition) | told
