"""Lines that break the rules of the JSON codec, for the test vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ctiex.errors import Status
from ctiex.messages import Role
from ctiex.testing.wire.cases import ID, Case, error, features_for, line

_UPDATE = 0x1C

# What can't be read as far as its id is answered under id 0, about 0.
_UNREADABLE: list[tuple[str, bytes]] = [
    ("an empty line", b""),
    ("spaces alone", b"  "),
    ("no JSON", b"hello"),
    ("an object that doesn't end", b'{"kind":"Ping","id":5'),
    ("two objects on a line", b'{"kind":"Ping","id":5}{"kind":"Ping","id":6}'),
    ("a list", b'[{"kind":"Ping","id":5}]'),
    ("bytes that aren't UTF-8", b'{"kind":"AgentLogout","id":5,"agent":"\xff"}'),
    ("a doubled id", b'{"kind":"Ping","id":5,"id":5}'),
    ("NaN", b'{"kind":"AgentLogin","id":5,"agent":"1001","epoch":NaN}'),
    ("an id below 0", b'{"kind":"Ping","id":-1}'),
    ("an id beyond 32 bits", b'{"kind":"Ping","id":4294967296}'),
    ("an id with a fraction", b'{"kind":"Ping","id":5.0}'),
    ("an id that is true", b'{"kind":"Ping","id":true}'),
]

_ATTRIBUTES: list[tuple[str, dict[str, Any]]] = [
    ("an unknown key", {"colour": "red"}),
    ("a key of version 1", {"version": 2}),
    ("a number as agent", {"agent": 1001}),
    ("null", {"agent": None}),
    ("half a surrogate pair", {"agent": "\\ud800"}),
    ("a number with a fraction", {"agent": "1", "epoch": 1.5}),
    ("a number beyond 64 bits", {"agent": "1", "epoch": 2**64}),
    ("a number of 30 digits", {"agent": "1", "epoch": 10**30}),
    ("a number below 0", {"agent": "1", "epoch": -1}),
    ("true as a number", {"agent": "1", "epoch": True}),
    ("a string that is no number", {"agent": "1", "epoch": "1e3"}),
    ("a number as a string with spaces", {"agent": "1", "epoch": " 1"}),
    ("an agent of 256 bytes", {"agent": "1" * 256}),
]

_VALUES: list[tuple[str, Any]] = [
    ("null as the value of a field", None),
    ("a list as the value of a field", [1]),
    ("a value of an unknown type", {"float": "1.5"}),
    ("a value of two types", {"int": "1", "bytes": "AA=="}),
    ("an integer beyond 64 bits, signed", {"int": "9223372036854775808"}),
    ("a number where its text is expected", {"int": 5}),
    ("bytes without their padding", {"bytes": "AA"}),
    ("bytes with more padding than they need", {"bytes": "AA==="}),
    ("bytes with padding alone behind them", {"bytes": "AAAA===="}),
    ("bytes whose last letter has bits of no byte", {"bytes": "AB=="}),
    ("bytes with a space in them", {"bytes": "AA =="}),
    ("a decimal that ends with its point", {"decimal": "12."}),
    ("a time with an offset", {"time": "2026-11-26T18:00:00+00:00"}),
    ("a time with one digit behind the point", {"time": "2026-11-26T18:00:00.0Z"}),
    ("a time without Z", {"time": "2026-11-26T18:00:00"}),
    ("a day that there isn't", {"time": "2026-02-30T18:00:00Z"}),
    ("an hour that there isn't", {"time": "2026-11-26T24:00:00Z"}),
    ("the year 0", {"time": "0000-01-01T00:00:00Z"}),
]

_CONTROL: dict[str, Any] = {"action": 2, "agent": "1001", "call": "c-17"}
_DATA: dict[str, Any] = {"agent": "1001", "call": "c-17"}
_CALLS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("a Monitor of nobody", 0x30, "Monitor", {}),
    ("a mode that there isn't, in JSON", 0x30, "Monitor", {"agent": "1001", "mode": 2}),
    ("a mode that is true", 0x30, "Monitor", {"agent": "1001", "mode": True}),
    ("a state of an agent that there isn't, in JSON", 0x32, "AgentState", {"agent": "1001", "agent_state": 7}),
    ("a state of an agent as a word", 0x32, "AgentState", {"agent": "1001", "agent_state": "ready"}),
    ("a CallControl without an action", 0x34, "CallControl", {"agent": "1001", "call": "c-17"}),
    ("an action as a word", 0x34, "CallControl", _CONTROL | {"action": "answer"}),
    ("an action that there isn't, in JSON", 0x34, "CallControl", _CONTROL | {"action": 28}),
    ("seconds beyond 16 bits", 0x34, "CallControl", _CONTROL | {"seconds": 65_536}),
    ("data of no call", 0x36, "CallData", {"agent": "1001"}),
    ("a version beyond 32 bits", 0x36, "CallData", _DATA | {"version": 2**32}),
    ("names to drop that aren't objects", 0x36, "CallData", _DATA | {"drop": ["account"]}),
    ("an empty name of a field to drop, in JSON", 0x36, "CallData", _DATA | {"drop": [{"name": ""}]}),
    ("a name to drop with another key", 0x36, "CallData", _DATA | {"drop": [{"name": "a", "value": 1}]}),
]
"""Of call control, on a link that has the feature."""
_PARTY: dict[str, Any] = dict(id="p1", party_role=1, number="201", agent="1001", connection_state=2, actions=0)
_PARTIES: list[tuple[str, Any]] = [
    ("parties that are an object", {"p1": _PARTY}),
    ("a party without a number", [{key: value for key, value in _PARTY.items() if key != "number"}]),
    ("a party whose role there isn't, in JSON", [_PARTY | {"party_role": 5}]),
    ("a party whose actions are a list", [_PARTY | {"actions": [2]}]),
    ("a party whose actions are beyond 32 bits", [_PARTY | {"actions": 2**32}]),
]

_EXTENSIONS: list[tuple[str, Any]] = [
    ("extensions that are no list", {"32768": "AA=="}),
    ("extensions that are an empty object", {}),
    ("extensions that are an empty text", ""),
    ("extensions that are null", None),
    ("an extension that is an object", [{"32768": "", "1": ""}]),
    ("an extension without a value", [[32_768]]),
    ("an extension of a type beyond 16 bits", [[65_536, "AA=="]]),
    ("an extension that isn't base64", [[32_768, "?"]]),
    ("an extension with more padding than it needs", [[32_768, "AA==="]]),
    ("an extension whose last letter has bits of no byte", [[32_768, "AB=="]]),
    ("an extension of a fraction", [[1.0, "AA=="]]),
]


def bad_lines() -> Iterator[Case]:
    """All of them, on a bound link: as an exchange gets them, but for what the exchange alone says."""
    for name, data in _UNREADABLE:
        yield _case(name, data + b"\n", 0, 0)
    for name, attributes in _ATTRIBUTES:
        written = line("AgentLogin", **({"agent": "1001"} | attributes)).replace(b"\\\\ud800", b"\\ud800")
        yield _case(name, written, 0x10)
    yield _case("a number with an exponent", b'{"kind":"AgentLogin","id":5,"agent":"1","epoch":1e3}\n', 0x10)
    yield _case("an agent that is missing", line("AgentLogin"), 0x10)
    yield from _fields()
    for name, given in _EXTENSIONS:
        yield _case(name, line("Ping", ext=given), 0x05)
    yield from _kinds()
    yield from _calls()


def _fields() -> Iterator[Case]:
    for name, value in _VALUES:
        yield _case(name, line("UpdateRequest", serial="7", fields={"a": value}), _UPDATE)
    doubled = b'{"kind":"UpdateRequest","id":5,"serial":"7","fields":{"a":1,"a":1}}\n'
    yield _case("a doubled name of a field", doubled, _UPDATE)
    yield _case("an empty name of a field", line("UpdateRequest", serial="7", fields={"": 1}), _UPDATE)
    yield _case("fields that are a list", line("UpdateRequest", serial="7", fields=[]), _UPDATE)
    empty = line("CancelRequest", serial="")
    yield _case("an empty serial, in JSON", empty, 0x16)
    condition = line("ServiceEvent", event_id=1, serial="7", condition=10)
    yield _case("a condition of the exchange, in JSON", condition, 0x24, role=Role.SERVICE)


def _kinds() -> Iterator[Case]:
    yield _case("an unknown kind, in JSON", line("Pang"), 0, status=Status.UNKNOWN_KIND)
    yield _case("a kind in other letters", line("ping"), 0, status=Status.UNKNOWN_KIND)
    yield _case("a kind that is missing", b'{"id":5}\n', 0)
    yield _case("a kind as a number", b'{"kind":5,"id":5}\n', 0)
    long = line("Ping", x="y" * 1_100)[:1_025]
    told = error(Status.TOO_LONG, invoke_id=0)
    yield Case("a line over the limit", long, told, codec="json", ends_link=True, max_frame=1_024)


def _calls() -> Iterator[Case]:
    for name, about, kind, attributes in _CALLS:
        yield _case(name, line(kind, **attributes), about)
    for name, parties in _PARTIES:
        data, told = line("CallEvent", parties=parties).replace(b'"id":5', b'"id":0'), error(Status.MALFORMED, 0x3A, 0)
        yield Case(name, data, told, codec="json", side="client", features=features_for(0x3A))
    # It is no name of JSON, so there is no number to tell of.
    yield _case("a kind of call control that isn't assigned, in JSON", line("Kind39"), 0, status=Status.UNKNOWN_KIND)


def _case(
    name: str,
    data: bytes,
    about: int,
    invoke_id: int = ID,
    status: Status = Status.MALFORMED,
    role: Role = Role.AGENT,
) -> Case:
    told = error(status, about, invoke_id)
    return Case(name, data, told, codec="json", role=role, features=features_for(about))
