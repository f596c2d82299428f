"""Frames of valid sessions, and what is made of them: every kind of damage, each drawn from a seeded random source."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzz.speech import BinarySpeech, JsonSpeech, Speech, kind_name
from tests import wire_client as wire
from tests.wire_client import AGENT_ROLE, SERVICE_ROLE, Kind

Values = dict[str, Any]
_INTERESTING = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFE, 0xFF)
_INVOKE_IDS = (0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF)
_TEXTS = (
    "",
    "0",
    "1001",
    "2000",
    "steady",
    "fuzz",
    "**",
    "138**1",
    "\0",
    "x" * 255,
    "é" * 127,
    "☎",
    "%s{0}\r\n",
    "9" * 20,
)
_SERIALS = ("", "0", "007", "9" * 20, "77" + "0" * 14, "1")
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
"""The first and the last time that a field may have."""
_NUMBERS = {"u8": 2**8, "u16": 2**16, "u32": 2**32, "u64": 2**64}
_JSON_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1.5, 2**64, 10**40, "", "x" * 300, "\ud800", [], [[]], {}, {"bytes": "!"},
    {"bytes": "AP8="}, {"bytes": "AP9="}, {"a": {"b": 1}}, {"": 1}, "7", "-1", "18446744073709551616", {"int": "5"},
    {"a": {"int": "9223372036854775808"}}, {"a": {"decimal": "007.50"}}, {"a": {"decimal": "1."}}, {"a": {"time": "x"}},
    {"a": {"time": "2026-11-26T18:00:00Z"}}, {"a": {"time": "0000-01-01T00:00:00Z"}}, [{"serial": "7"}],
)  # fmt: skip
_JSON_EXTENSIONS: tuple[Any, ...] = (
    [], [[0x8000, "AP8="]], [[1, ""], [1, ""]], [["32768", ""]], {}, "", None, [[]], [[1]], [[1, "A"]], [[1, "AP9="]],
    [[65_536, ""]], [[-1, ""]], [[1, ""]] * 256, {"1": ""}, ["1="], [[1.0, ""]],
)  # fmt: skip
_BINARY_EXTENSIONS: tuple[bytes, ...] = (
    b"", b"\0", wire.extensions((0x8000, b"\0\xff")), wire.extensions((1, b""), (1, b"")), b"\1", b"\2\x80\0\0\0",
    b"\1\x80\0\xff\xff", b"\1\x80\0\0\0\0", wire.extensions(*[(7, b"")] * 255), wire.extensions((2, b"x" * 2_000)),
)  # fmt: skip
"""Good ones and bad ones."""


def valid_values(kind: Kind, rng: random.Random, agents: Sequence[str], serials: Sequence[str]) -> Values:
    """The values of a message that could be good."""
    agent, serial = rng.choice(agents), rng.choice(serials) if serials else "404"
    some = [
        ("account", "6222"), ("level", rng.randrange(-(2**63), 2**63)), ("vip", True), ("print", b"\0\xff"),
        ("bill", wire.Amount(rng.choice(("12.50", "007.5", "-0")))), ("due", wire.Moment(rng.randrange(2**45))),
    ]  # fmt: skip
    fields = some[: rng.randrange(7)]
    match kind:
        case Kind.AGENT_LOGIN:
            epoch = rng.choice((0, 0, 1, rng.randrange(2**64)))
            return {"agent": agent, "epoch": epoch, "resume_after": rng.choice((0, 0, 1, 5, 2**64 - 1))}
        case Kind.AGENT_LOGOUT:
            return {"agent": agent}
        case Kind.CONNECT_REQUEST:
            own = rng.choice(("", f"5{rng.randrange(10**9):09d}", serial))
            return {"serial": own, "agent": agent, "service": "fuzz", "calling_number": "555",
                    "reference": rng.choice(("", "order")), "fields": fields}  # fmt: skip
        case Kind.UPDATE_REQUEST:
            return {"serial": serial, "fields": fields}
        case Kind.CALL_QUERY:
            return {"agent": agent}
        case Kind.CALL_QUERY_REPLY:
            call = {"serial": serial, "service": "fuzz", "reference": "", "state": rng.randrange(5), "since": 1}
            return {"status": 0, "calls": [call] * rng.randrange(3)}
        case Kind.AGENT_EVENT_ACK:
            return {"agent": agent, "sequence": rng.choice((0, 1, 2, rng.randrange(5000), 2**64 - 1))}
        case Kind.AGENT_EVENT:
            return {"sequence": 1, "time": 1, "agent": agent, "serial": serial, "reference": "", "condition": 1,
                    "status": 0, "fields": fields}  # fmt: skip
        case Kind.DATA_RESULT:
            return {"status": 0, "serial": serial, "agent": agent, "reference": "", "fields": fields}
        case Kind.SERVICE_EVENT:
            number = rng.randrange(1000)
            return {"event_id": number, "serial": serial, "agent": "", "condition": rng.randrange(4), "fields": fields}
        case Kind.BIND:
            return {"role": rng.choice((AGENT_ROLE, SERVICE_ROLE)), "identity": rng.choice(("fuzz-agents", "nobody")),
                    "secret": rng.choice(("fuzz-secret", "wrong")), "min_version": 2, "max_version": 2,
                    "software": "fuzz", "features": rng.choice(("", "updates", "calls updates nonsense"))}  # fmt: skip
        case Kind.CALL_CONTROL | Kind.CALL_DATA | Kind.AGENT_STATE | Kind.MONITOR:
            plain = {name: _plain(form, rng, serial) for name, form in wire.parts(kind)}
            few = {"action": rng.randrange(1, 28), "mode": rng.randrange(2), "agent_state": rng.randrange(4)}
            return {**plain, "agent": agent, **{name: value for name, value in few.items() if name in plain}}
    return {name: _plain(form, rng, serial) for name, form in wire.parts(kind)}


def _plain(form: str, rng: random.Random, serial: str) -> Any:
    if form == "fields":
        return [("account", "6222")] * rng.randrange(2)
    if form in wire.LISTS:
        one = {name: _plain(part, rng, serial) for name, part in wire.split(wire.LISTS[form])}
        return [one] * rng.randrange(3)
    if form in _NUMBERS:
        return rng.choice((0, 1, rng.randrange(_NUMBERS[form])))
    return serial if form == "serial" else rng.choice(_TEXTS[:8])


def boundary_value(form: str, rng: random.Random) -> Any:
    """A value at the edge of what its form allows, or beyond what it means."""
    if form in _NUMBERS:
        return rng.choice((0, 1, 2, _NUMBERS[form] - 1, _NUMBERS[form] // 2, rng.randrange(_NUMBERS[form])))
    if form == "serial":
        return rng.choice((*_SERIALS, str(rng.randrange(10**9)), "7" * rng.randrange(1, 40), "0x1", "\u0661"))
    if form == "fields":
        return _odd_fields(rng)
    if form == "calls":
        call = {"serial": "7", "service": "", "reference": "", "state": rng.choice((0, 5, 255)), "since": 2**64 - 1}
        return [call] * rng.choice((0, 1, 300))
    if form in wire.LISTS:
        one = {name: boundary_value(part, rng) for name, part in wire.split(wire.LISTS[form])}
        return [one] * rng.choice((0, 1, 300))
    return rng.choice(_TEXTS)


def _odd_fields(rng: random.Random) -> list[tuple[str, wire.Value]]:
    number = rng.choice((1, 2, 12, 300))
    values: tuple[wire.Value, ...] = (
        "", "x" * rng.randrange(2000), 0, 2**63 - 1, -(2**63), True, b"", b"\xff" * 99, wire.Amount("9" * 18),
        wire.Amount(rng.choice(("", "1.", "+1", "1e5", "9" * 19, "x"))), wire.Moment(rng.choice((0, _FIRST, _LAST))),
    )  # fmt: skip
    doubled = rng.random() < 0.2
    return [("a" if doubled else f"f{at}", rng.choice(values)) for at in range(number)]


# ---------------------------------------------------------------- binary


def _flip(body: bytes, rng: random.Random, least: int = 0) -> bytes:
    """Some bits of some bytes."""
    made = bytearray(body)
    if len(made) > least:
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            made[rng.randrange(least, len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def _overwrite(body: bytes, rng: random.Random) -> bytes:
    """Some bytes by others that mean something: lengths, counts, types."""
    made = bytearray(body)
    for _ in range(rng.choice((1, 1, 2)) if made else 0):
        made[rng.randrange(len(made))] = rng.choice(_INTERESTING)
    return bytes(made)


def _cut(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))] if body else body


def _lengthen(body: bytes, rng: random.Random) -> bytes:
    return body + rng.randbytes(rng.choice((1, 2, 8, 300)))


def _repeat(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + body[at // 2 : at] * rng.choice((1, 3)) + body[at:]


_OF_BODY: tuple[Callable[[bytes, random.Random], bytes], ...] = (_flip, _flip, _overwrite, _cut, _lengthen, _repeat)


class BinaryMutator:
    """Damages frames of the binary codec."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._speech = BinarySpeech()
        self._last = b""

    def mutate(self, kind: Kind, invoke_id: int, values: Values) -> bytes:
        """One damaged frame; now and then two, or a part of one."""
        rng = self._rng
        body = wire.body(kind, **values)
        drawn = rng.random()
        if drawn < 0.50:
            made = wire.frame(kind, rng.choice(_OF_BODY)(body, rng), invoke_id)
        elif drawn < 0.68:
            made = wire.frame(kind, self._odd_body(kind, values), invoke_id)
        elif drawn < 0.76:
            at = rng.randrange(len(body) + 1)
            made = wire.frame(kind, body[:at] + self._last[rng.randrange(len(self._last) + 1) :], invoke_id)
        elif drawn < 0.985:
            made = self._odd_header(kind, body, invoke_id)
        else:
            made = self._odd_frame(wire.frame(kind, body, invoke_id))
        self._last = body
        return made

    def _odd_body(self, kind: Kind, values: Values) -> bytes:
        parts = wire.parts(kind)
        if not parts:
            return b""
        name, form = self._rng.choice(parts)
        return wire.body(kind, **{**values, name: boundary_value(form, self._rng)})

    def _odd_header(self, kind: Kind, body: bytes, invoke_id: int) -> bytes:
        rng = self._rng
        match rng.randrange(5):
            case 0:
                other = rng.choice((rng.choice(list(Kind)), rng.randrange(256), rng.randrange(0x30, 0x40)))
                return wire.frame(other, body, invoke_id)
            case 1:
                return wire.frame(kind, body, rng.choice(_INVOKE_IDS))
            case 2:
                return wire.frame(kind, body, invoke_id, flags=rng.choice((1, 2, 0x8000, rng.randrange(1, 2**16))))
            case 3:
                behind = rng.choice(_BINARY_EXTENSIONS)
                behind = _flip(behind, rng) if rng.random() < 0.2 else behind
                return wire.frame(kind, body + behind, invoke_id, flags=rng.choice((1, 1, 1, 0, 3)))
            case _:
                return wire.frame(kind, body, invoke_id) * 2

    def _odd_frame(self, frame: bytes) -> bytes:
        """What ends the link, or loses its beginning of frames."""
        rng = self._rng
        match rng.randrange(4):
            case 0:
                return _flip(frame, rng)
            case 1:
                return _cut(frame, rng)
            case 2:
                length = rng.choice((0, 7, 8, len(frame) - 5, len(frame) - 3, LIMIT_AND_ONE, rng.randrange(2**32)))
                return length.to_bytes(4, "big") + frame[4:]
            case _:
                return frame[:4] + bytes([rng.choice((0, 1, 3, 255))]) + frame[5:]


LIMIT_AND_ONE = 65_537


# ---------------------------------------------------------------- JSON


class JsonMutator:
    """Damages lines of the JSON codec."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._speech = JsonSpeech()
        self._last = b"{}"

    def mutate(self, kind: Kind, invoke_id: int, values: Values) -> bytes:
        """One damaged line; now and then two."""
        rng = self._rng
        line = self._speech.write(kind, invoke_id, values)[:-1]
        drawn = rng.random()
        if drawn < 0.35:
            made = rng.choice((_flip, _flip, _overwrite, _cut, _lengthen, _repeat))(line, rng)
        elif drawn < 0.75:
            made = self._odd_object(json.loads(line), kind)
        elif drawn < 0.85:
            made = line[: rng.randrange(len(line))] + self._last[rng.randrange(len(self._last)) :]
        elif drawn < 0.93:
            name, form = rng.choice(wire.parts(kind) or [("", "u8")])
            made = line if not name else self._boundary(kind, invoke_id, {**values, name: boundary_value(form, rng)})
        else:
            made = self._odd_text(line)
        self._last = line
        return made + b"\n"

    def _boundary(self, kind: Kind, invoke_id: int, values: Values) -> bytes:
        return self._speech.write(kind, invoke_id, values)[:-1]

    def _odd_object(self, said: dict[str, Any], kind: Kind) -> bytes:
        rng = self._rng
        name = rng.choice(list(said))
        match rng.randrange(6):
            case 0:
                del said[name]
            case 1:
                said[rng.choice(("flags", "version", "invoke_id", "more"))] = rng.choice((0, 1, 2, "x"))
            case 2:
                said["kind"] = rng.choice((kind_name(rng.choice(list(Kind))), "Nothing", "bind"))
            case 3:
                said["id"] = rng.choice((0, -1, 2**32, 2**32 - 1, "1", "4294967296", "", 1.0, None))
            case 4:
                said["ext"] = rng.choice(_JSON_EXTENSIONS)
            case _:
                said[name] = rng.choice(_JSON_VALUES)
        return json.dumps(said).encode()

    def _odd_text(self, line: bytes) -> bytes:
        rng = self._rng
        match rng.randrange(6):
            case 0:
                return b"[" * rng.choice((1, 50, 5000)) + line
            case 1:
                return line.replace(b":1", b":NaN").replace(b":0", b":1e999")
            case 2:
                return line[:-1] + b"," + line[1:]
            case 3:
                return line + b"\n" + line
            case 4:
                return line.replace(b'"', b"'")
            case _:
                return line.decode(errors="replace").encode(rng.choice(("utf-16", "latin-1")), "replace")


Mutator = BinaryMutator | JsonMutator


def mutator_of(speech: Speech, rng: random.Random) -> Mutator:
    """What damages frames of this codec."""
    return BinaryMutator(rng) if isinstance(speech, BinarySpeech) else JsonMutator(rng)
