"""Both codecs as a peer speaks them, written from the published description and sharing no code with the exchange.

What the exchange sends is read here and held to the description: whole, well-formed, a message that this side of a
link may get, with a status and a condition that docs/wire-format.rst lists.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from tests import wire_client as wire
from tests.wire_client import Kind, Message
from tests.wire_lines import KIND_BY_NAME, line, name_of, parse_line, to_json

STATUSES = frozenset(
    {0, 1, 2, 3, 4, 5, 10, 11, 13, 14, 15, 20, 21, 22, 24, 25, 26, 30, 31, 32, 33, 34, 35, 36, 40, 41, 42, 43, 50, 51}
    | {60, 61, 62, 63, 64, 65, 66, 67}
)
CONDITIONS = frozenset({0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16})
_ANYWHERE = {Kind.BIND_REPLY, Kind.UNBIND, Kind.UNBIND_REPLY, Kind.PING, Kind.PONG, Kind.ERROR}
TO_AGENT = frozenset(
    _ANYWHERE
    | {Kind.AGENT_LOGIN_REPLY, Kind.AGENT_LOGOUT_REPLY, Kind.CONNECT_REPLY, Kind.CANCEL_REPLY, Kind.AGENT_EVENT}
    | {Kind.CALL_QUERY_REPLY, Kind.UPDATE_REPLY}
    | {Kind.MONITOR_REPLY, Kind.AGENT_STATE_REPLY, Kind.CALL_CONTROL_REPLY, Kind.CALL_DATA_REPLY}
    | {Kind.AGENT_STATE_EVENT, Kind.CALL_EVENT, Kind.SNAPSHOT}
)
NEVER_ANSWERED = frozenset({Kind.AGENT_EVENT, Kind.AGENT_STATE_EVENT, Kind.CALL_EVENT, Kind.SNAPSHOT})
"""They come under invoke id 0."""
TO_SERVICE = frozenset(
    _ANYWHERE | {Kind.CONNECTION, Kind.DATA_RESULT, Kind.SERVICE_EVENT_REPLY, Kind.CALL_ENDED, Kind.DATA_CHANGED}
)
REPLIES = frozenset(kind for kind in Kind if kind.name.endswith("_REPLY") or kind in (Kind.PONG, Kind.DATA_RESULT))
LIMIT = 65_536
_NUMBERS = {"u8": 2**8, "u16": 2**16, "u32": 2**32, "u64": 2**64}
_TEXTS = {"text8": 255, "text16": LIMIT, "serial": 20}
_CACHED = 20_000
_WRONG = (AssertionError, ValueError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What the readers meet when something isn't as the description says."""

kind_name = name_of
KIND_NAMED = KIND_BY_NAME


class Invalid(Exception):
    """What came is not what the description allows."""


def check_values(values: Mapping[str, Any]) -> None:
    """Hold status, condition and serial to what there is.

    :raise Invalid: one of them is something else.
    """
    if values.get("status", 0) not in STATUSES:
        raise Invalid(f"a status that there isn't: {values['status']}")
    if values.get("condition", 0) not in CONDITIONS:
        raise Invalid(f"a condition that there isn't: {values['condition']}")
    for serial in (values.get("serial", ""), *(call["serial"] for call in values.get("calls", ()))):
        if len(serial) > 20 or not (serial == "" or (serial.isascii() and serial.isdigit())):
            raise Invalid(f"no serial: {serial!r}")
    if any(call["state"] > 4 for call in values.get("calls", ())):
        raise Invalid(f"a state that there isn't: {values['calls']}")


class BinarySpeech:
    """The binary codec."""

    name = "binary"

    def __init__(self) -> None:
        self._checked: dict[bytes, Message] = {}

    def write(self, kind: Kind, invoke_id: int, values: Mapping[str, Any]) -> bytes:
        """A whole frame."""
        return wire.frame(kind, wire.body(kind, **values), invoke_id)

    def take(self, data: bytearray) -> list[bytes]:
        """The whole frames at the beginning of a buffer, taken off it."""
        taken, at = [], 0
        while len(data) - at >= 12:
            length = int.from_bytes(data[at : at + 4], "big")
            if not 8 <= length <= LIMIT:
                raise Invalid(f"a frame of length {length}")
            if len(data) - at < 4 + length:
                break
            taken.append(bytes(data[at : at + 4 + length]))
            at += 4 + length
        del data[:at]
        return taken

    def read(self, frame: bytes) -> Message:
        """The message of a frame.

        :raise Invalid: it is not as the description says.
        """
        (invoke_id,) = struct.unpack_from(">I", frame, 8)
        key = frame[:8] + frame[12:]
        known = self._checked.get(key)
        if known is None:
            try:
                known = wire.parse(frame[:12], frame[12:])
            except _WRONG as error:
                raise Invalid(f"{frame[:80].hex()}: {error!r}") from error
            check_values(known.values)
            if len(self._checked) < _CACHED and len(frame) < 200:
                self._checked[key] = known
        return Message(known.kind, invoke_id, known.values, known.length)


class JsonSpeech:
    """The JSON codec, one object a line."""

    name = "json"

    def write(self, kind: Kind, invoke_id: int, values: Mapping[str, Any]) -> bytes:
        """A whole line."""
        said = {name: to_json(form, values[name]) for name, form in wire.parts(kind)}
        return line({"kind": kind_name(kind), "id": invoke_id, **said})

    def take(self, data: bytearray) -> list[bytes]:
        """The whole lines at the beginning of a buffer, taken off it."""
        end = data.rfind(b"\n") + 1
        taken = bytes(data[:end]).splitlines(keepends=True) if end else []
        del data[:end]
        return taken

    def read(self, line: bytes) -> Message:
        """The message of a line.

        :raise Invalid: it is not as the description says.
        """
        try:
            got = parse_line(line)
            for name, form in wire.parts(got.kind):
                _check_form(form, got.values[name])
            if type(json.loads(line)["id"]) is not int or not 0 <= got.invoke_id < 2**32:
                raise Invalid(f"no id: {line[:200]!r}")
        except _WRONG as error:
            raise Invalid(f"{line[:200]!r}: {error!r}") from error
        check_values(got.values)
        return got


def _check_form(form: str, value: Any) -> None:
    """Hold a number or a text to what its binary form has room for."""
    if form in _NUMBERS and not 0 <= value < _NUMBERS[form]:
        raise Invalid(f"no {form}: {value!r}")
    if form in _TEXTS and len(value.encode()) > _TEXTS[form]:
        raise Invalid(f"no {form}: {value!r}")
    if form == "fields" and any(type(one) is int and not -(2**63) <= one < 2**63 for _, one in value):
        raise Invalid(f"no integer of 64 bits in {value!r}")


Speech = BinarySpeech | JsonSpeech


def speech_of(codec: str) -> Speech:
    """How a peer speaks this codec."""
    return BinarySpeech() if codec == "binary" else JsonSpeech()
