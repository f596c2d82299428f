"""Test vectors of the wire format, for clients in other languages.

``python -m ctiex.testing.vectors docs/vectors.json`` writes the file again. ``messages`` has at least one
frame of every kind: its attributes, its bytes in hexadecimal, its line of JSON. ``malformed`` has
frames that break the format: the status that Error answers them with, the invoke id of that answer,
and whether the link ends.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

from ctiex import messages as m
from ctiex.codecs import encode
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import Condition, Message, Role

_SERIAL = "00112345678965432197"
_FIELDS = Fields(
    {
        "account": "6222 0011",
        "vip": True,
        "level": -3,
        "voice print": b"\x00\xff",
        "naïve ☎": "電話",
        "none": "",
    }
)

MESSAGES: list[tuple[str, int, Message]] = [
    ("an agent application binds", 1, m.Bind(Role.AGENT, "platform-1-agents", "demo", software="softphone 2")),
    ("an automatic service binds", 1, m.Bind(Role.SERVICE, "platform-2-ivr", "démo", 1, 3)),
    ("the session is open", 1, m.BindReply(0, 1, "s-17", 30, 65_536, "ctiex-1.example.net:7301")),
    ("credentials are refused", 1, m.BindReply(Status.REFUSED_CREDENTIALS, detail="identity or secret")),
    ("the exchange is shutting down", 0, m.Unbind(Status.GOING_AWAY, "restart")),
    ("unbind is answered", 9, m.UnbindReply()),
    ("a sign of life is asked for", 2, m.Ping()),
    ("a sign of life", 2, m.Pong()),
    ("an agent number was taken over", 0, m.Error(Status.SESSION_TAKEN_OVER, "1001")),
    ("a status of a later version", 0xFFFFFFFF, m.Error(0xFFFF, "")),
    ("an agent logs in", 3, m.AgentLogin("1001")),
    ("an agent resumes", 3, m.AgentLogin("1001", 2**64 - 1)),
    ("the login holds", 3, m.AgentLoginReply(0, 4, 9)),
    ("an agent logs out", 4, m.AgentLogout("1001")),
    ("the logout is answered", 4, m.AgentLogoutReply(0)),
    ("a customer is to be connected", 5, m.ConnectRequest(_SERIAL, "1001", "bill-broadcast", "13800138000", _FIELDS)),
    ("the exchange is to allocate the serial", 5, m.ConnectRequest("", "1001", "number-broadcast", "")),
    ("the call is kept", 5, m.ConnectReply(0, _SERIAL)),
    ("a refusal without a serial", 5, m.ConnectReply(Status.UNKNOWN_SERVICE, "", "no such service")),
    ("the connection is taken back", 6, m.CancelRequest("007")),
    ("the cancel is answered", 6, m.CancelReply(0, "007")),
    ("the service has finished", 0, m.AgentEvent(7, "1001", _SERIAL, Condition.COMPLETED, 0, _FIELDS)),
    ("the service was unreachable", 0, m.AgentEvent(2**64 - 1, "1001", "7", Condition.UNREACHABLE, 31)),
    ("the agent has every event up to 7", 0, m.AgentEventAck("1001", 7)),
    ("a customer is on the way", 8, m.Connection("7000", f"13800138000**{_SERIAL}", "ctiex-1.example.net:7301")),
    ("the service accepts", 8, m.ConnectionReply(0)),
    ("the data is asked for", 10, m.DataRequest(_SERIAL, "ctiex-1.example.net:7301")),
    ("the data", 10, m.DataResult(0, _SERIAL, "1001", _FIELDS)),
    ("no such call", 10, m.DataResult(Status.UNKNOWN_SERIAL, "8")),
    ("progress", 11, m.ServiceEvent(1, _SERIAL, "", Condition.PROGRESS, Fields({"times broadcast": 1}))),
    ("a final result", 12, m.ServiceEvent(2, _SERIAL, "1001", Condition.FAILED, Fields({"highest": 2**63 - 1}))),
    ("the result is kept", 12, m.ServiceEventReply(2, Status.QUEUED_AGENT_AWAY)),
    ("the call is over", 13, m.CallEnded(_SERIAL, Condition.CANCELLED)),
    ("the end is answered", 13, m.CallEndedReply()),
]


def _raw(kind: int, body: str = "", *, invoke_id: int = 5, version: int = 1, flags: int = 0) -> bytes:
    data = bytes.fromhex(body)
    return struct.pack(">IBBHI", 8 + len(data), version, kind, flags, invoke_id) + data


# name, bytes, status, whether the link ends
MALFORMED: list[tuple[str, bytes, Status, bool]] = [
    ("flags other than 0", _raw(0x05, flags=1), Status.MALFORMED, False),
    ("an unknown kind", _raw(0x08), Status.UNKNOWN_KIND, False),
    ("another version in the header", _raw(0x05, version=2), Status.UNSUPPORTED_VERSION, True),
    ("a length over the limit", struct.pack(">I", 65_537), Status.TOO_LONG, True),
    ("a length below 8", struct.pack(">I", 7), Status.MALFORMED, True),
    ("bytes left over", _raw(0x05, "00"), Status.MALFORMED, False),
    ("a body that ends too early", _raw(0x22, "0330303700"[:8]), Status.MALFORMED, False),
    ("bad UTF-8", _raw(0x12, "02c328"), Status.MALFORMED, False),
    ("half a surrogate pair in UTF-8", _raw(0x12, "03eda080"), Status.MALFORMED, False),
    ("a role that there isn't", _raw(0x01, "03 00 00 01 01 00"), Status.MALFORMED, False),
    ("a serial with a letter", _raw(0x16, "03 303061"), Status.MALFORMED, False),
    ("a serial of 21 digits", _raw(0x16, "15" + "30" * 21), Status.MALFORMED, False),
    ("an empty serial", _raw(0x16, "00"), Status.MALFORMED, False),
    ("a condition that there isn't", _raw(0x26, "01 37 04"), Status.MALFORMED, False),
    (
        "a condition of the exchange in a ServiceEvent",
        _raw(0x24, "00" * 8 + "01 37 00 0a 0000"),
        Status.MALFORMED,
        False,
    ),
    ("a doubled field name", _raw(0x23, "0000 01 37 00 0002" + "01 61 02 0001 01" * 2), Status.MALFORMED, False),
    ("an empty field name", _raw(0x23, "0000 01 37 00 0001 00 02 0001 01"), Status.MALFORMED, False),
    (
        "a field name of 65 bytes",
        _raw(0x23, "0000 01 37 00 0001 41" + "61" * 65 + "02 0001 01"),
        Status.MALFORMED,
        False,
    ),
    ("a field of an unknown type", _raw(0x23, "0000 01 37 00 0001 01 61 04 0000"), Status.MALFORMED, False),
    ("a boolean of 2", _raw(0x23, "0000 01 37 00 0001 01 61 02 0001 02"), Status.MALFORMED, False),
    ("an integer of 4 bytes", _raw(0x23, "0000 01 37 00 0001 01 61 01 0004 00000001"), Status.MALFORMED, False),
    (
        "a field value longer than the body",
        _raw(0x23, "0000 01 37 00 0001 01 61 00 0005 6162"),
        Status.MALFORMED,
        False,
    ),
    ("fewer fields than the count", _raw(0x23, "0000 01 37 00 0002 01 61 02 0001 01"), Status.MALFORMED, False),
]


def vectors() -> dict[str, Any]:
    """All of them, as the file has them."""
    return {
        "messages": [_message(*each) for each in MESSAGES],
        "malformed": [_malformed(*each) for each in MALFORMED],
    }


def _message(name: str, invoke_id: int, message: Message) -> dict[str, Any]:
    return {
        "name": name,
        "kind": m.KIND_OF[type(message)],
        "type": type(message).__name__,
        "invoke_id": invoke_id,
        "message": json.loads(JsonCodec().encode_body(message)),
        "hex": encode(BinaryCodec(), message, invoke_id).hex(),
        "json": encode(JsonCodec(), message, invoke_id).decode().rstrip("\n"),
    }


def _malformed(name: str, data: bytes, status: Status, ends_link: bool) -> dict[str, Any]:
    told = {"name": name, "hex": data.hex(), "status": int(status), "ends_link": ends_link}
    return told if ends_link else told | {"invoke_id": int.from_bytes(data[8:12], "big")}


def text() -> str:
    """The file's text."""
    return json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
