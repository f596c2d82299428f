"""A client of the wire protocol, version 1, that shares no code with the exchange.

It is written from the published description alone and uses sockets and struct only, so that the exchange is measured
by the description and not by its own codec.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .waiting import PATIENCE

Value = str | int | bool | bytes
FieldList = Sequence[tuple[str, Value]]

AGENT_ROLE = 1
SERVICE_ROLE = 2
HEADER = struct.Struct(">IBBHI")


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
    CONNECTION = 0x20
    CONNECTION_REPLY = 0x21
    DATA_REQUEST = 0x22
    DATA_RESULT = 0x23
    SERVICE_EVENT = 0x24
    SERVICE_EVENT_REPLY = 0x25
    CALL_ENDED = 0x26
    CALL_ENDED_REPLY = 0x27


BODIES: dict[Kind, str] = {
    Kind.BIND: "role:u8 identity:text8 secret:text8 min_version:u8 max_version:u8 software:text8",
    Kind.BIND_REPLY: "status:u16 version:u8 session:text8 heartbeat_s:u16 max_frame:u32 exchange_address:text8"
    " detail:text16",
    Kind.UNBIND: "status:u16 detail:text16",
    Kind.UNBIND_REPLY: "",
    Kind.PING: "",
    Kind.PONG: "",
    Kind.ERROR: "status:u16 detail:text16",
    Kind.AGENT_LOGIN: "agent:text8 resume_after:u64",
    Kind.AGENT_LOGIN_REPLY: "status:u16 first_sequence:u64 last_sequence:u64 detail:text16",
    Kind.AGENT_LOGOUT: "agent:text8",
    Kind.AGENT_LOGOUT_REPLY: "status:u16",
    Kind.CONNECT_REQUEST: "serial:serial agent:text8 service:text8 calling_number:text8 fields:fields",
    Kind.CONNECT_REPLY: "status:u16 serial:serial detail:text16",
    Kind.CANCEL_REQUEST: "serial:serial",
    Kind.CANCEL_REPLY: "status:u16 serial:serial detail:text16",
    Kind.AGENT_EVENT: "sequence:u64 agent:text8 serial:serial condition:u8 status:u16 fields:fields",
    Kind.AGENT_EVENT_ACK: "agent:text8 sequence:u64",
    Kind.CONNECTION: "access_code:text8 calling_number:text8 exchange_address:text8",
    Kind.CONNECTION_REPLY: "status:u16 detail:text16",
    Kind.DATA_REQUEST: "serial:serial exchange_address:text8",
    Kind.DATA_RESULT: "status:u16 serial:serial agent:text8 fields:fields",
    Kind.SERVICE_EVENT: "event_id:u64 serial:serial agent:text8 condition:u8 fields:fields",
    Kind.SERVICE_EVENT_REPLY: "event_id:u64 status:u16",
    Kind.CALL_ENDED: "serial:serial condition:u8",
    Kind.CALL_ENDED_REPLY: "",
}
NUMBERS = {"u8": ">B", "u16": ">H", "u32": ">I", "u64": ">Q"}


class Ended(Exception):
    """The exchange closed the link."""


class Silent(Exception):
    """Nothing came within the time-out."""


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


def one_field(name: str, value: Value) -> bytes:
    """A field, its type taken from the value."""
    head = counted("u8", name.encode())
    if isinstance(value, bool):
        return head + b"\x02" + counted("u16", bytes([value]))
    if isinstance(value, int):
        return head + b"\x01" + counted("u16", struct.pack(">q", value))
    if isinstance(value, str):
        return head + b"\x00" + counted("u16", value.encode())
    return head + b"\x03" + counted("u16", value)


def all_fields(values: FieldList) -> bytes:
    """Fields behind their count."""
    return struct.pack(">H", len(values)) + b"".join(one_field(name, value) for name, value in values)


def write_value(form: str, value: Any) -> bytes:
    """One part of a body."""
    if form in NUMBERS:
        return struct.pack(NUMBERS[form], value)
    if form == "fields":
        return value if isinstance(value, bytes) else all_fields(value)
    data = value if isinstance(value, bytes) else value.encode()
    return counted("u16" if form == "text16" else "u8", data)


def parts(kind: Kind) -> list[tuple[str, str]]:
    """Names and forms of a body's parts."""
    return [(name, form) for name, form in (part.split(":") for part in BODIES[kind].split())]


def body(kind: Kind, **values: Any) -> bytes:
    """The body of a message. Text and fields may be given as bytes, to be wrong on purpose."""
    return b"".join(write_value(form, values[name]) for name, form in parts(kind))


def frame(kind: int, content: bytes = b"", invoke_id: int = 1, version: int = 1, flags: int = 0) -> bytes:
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
        data = self.take(self.number("u16"))
        assert form in range(4), f"field type {form}"
        if form == 0:
            return name, data.decode()
        if form == 1:
            return name, int(struct.unpack(">q", data)[0])
        if form == 2:
            return name, {b"\x00": False, b"\x01": True}[data]
        return name, data

    def value(self, form: str) -> Any:
        if form in NUMBERS:
            return self.number(form)
        if form == "fields":
            return [self.one_field() for _ in range(self.number("u16"))]
        return self.take(self.number("u16" if form == "text16" else "u8")).decode()


def parse(header: bytes, content: bytes) -> Message:
    """A message out of a frame, held to the description."""
    length, version, kind, flags, invoke_id = HEADER.unpack(header)
    assert (version, flags) == (1, 0), f"version {version}, flags {flags}"
    cursor = Cursor(content)
    values = {name: cursor.value(form) for name, form in parts(Kind(kind))}
    assert cursor.at == len(content), "bytes left over"
    return Message(Kind(kind), invoke_id, values, length)


# Links


class Wire:
    """A link of bytes and frames over a blocking socket."""

    def __init__(self, port: int, byte_by_byte: bool = False, timeout: float = PATIENCE) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.byte_by_byte = byte_by_byte
        self.answers_pings = True
        self.inbox: list[Message] = []
        self.buffer = b""
        self.last_invoke_id = 0

    def next_id(self) -> int:
        self.last_invoke_id += 1
        return self.last_invoke_id

    def send(self, *frames: bytes) -> None:
        """All frames in one segment, or every byte alone."""
        data = b"".join(frames)
        if not self.byte_by_byte:
            self.socket.sendall(data)
            return
        for number in data:
            self.socket.sendall(bytes([number]))
            time.sleep(0.0002)

    def _fill(self, count: int, deadline: float) -> None:
        while len(self.buffer) < count:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                raise Silent from None
            except ConnectionError:
                data = b""
            finally:
                self.socket.settimeout(self.timeout)
            if not data:
                raise Ended
            self.buffer += data

    def _next(self, deadline: float) -> Message:
        self._fill(HEADER.size, deadline)
        length = int.from_bytes(self.buffer[:4], "big")
        self._fill(4 + length, deadline)
        header, content = self.buffer[: HEADER.size], self.buffer[HEADER.size : 4 + length]
        self.buffer = self.buffer[4 + length :]
        return parse(header, content)

    def read(self, timeout: float | None = None) -> Message:
        """The next message off the socket."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            got = self._next(deadline)
            if got.kind is not Kind.PING or not self.answers_pings:
                return got
            self.send(frame(Kind.PONG, b"", got.invoke_id))

    def wait(self, *kinds: Kind, invoke_id: int | None = None, timeout: float | None = None) -> Message:
        """The first message of these kinds (and this invoke id); what comes before stays for later."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        seen = 0
        while True:
            while seen == len(self.inbox):
                self.inbox.append(self.read(deadline - time.monotonic()))
            got = self.inbox[seen]
            if got.kind in kinds and invoke_id in (None, got.invoke_id):
                return self.inbox.pop(seen)
            seen += 1

    def ask_raw(self, kind: int, content: bytes = b"", flags: int = 0) -> Message:
        """Send any body under a new invoke id and wait for its reply or its Error."""
        invoke_id = self.next_id()
        self.send(frame(kind, content, invoke_id, flags=flags))
        kinds = [Kind.ERROR] + ([Kind(kind + 1)] if kind + 1 in set(Kind) else [])
        return self.wait(*kinds, invoke_id=invoke_id)

    def ask(self, kind: Kind, **values: Any) -> Message:
        return self.ask_raw(kind, body(kind, **values))

    def own_reply(self, kind: Kind, **values: Any) -> Message:
        """Ask, and hold the exchange to answering with the request's own reply."""
        got = self.ask(kind, **values)
        assert got.kind == kind + 1, got
        return got

    def is_open(self) -> bool:
        """Whether a Ping still gets its Pong."""
        try:
            return self.ask_raw(Kind.PING).kind is Kind.PONG
        except (Ended, ConnectionError):
            return False

    def unread(self, wait: float = 0.0) -> list[Message]:
        """Everything that came so far and nobody waited for."""
        time.sleep(wait)
        assert self.is_open()
        taken, self.inbox = self.inbox, []
        return taken

    def until_end(self, timeout: float | None = None) -> list[Message]:
        """Everything up to the end of the link."""
        got, self.inbox = self.inbox, []
        try:
            while True:
                got.append(self.read(timeout))
        except Ended:
            return got

    def close(self) -> None:
        """Close, and wait until the exchange has closed too."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(1.0)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.close()


class Peer(Wire):
    """A link that speaks for an agent desk or for an automatic service."""

    def bind(self, role: int, identity: str, secret: str, low: int = 1, high: int = 1) -> Message:
        return self.own_reply(
            Kind.BIND, role=role, identity=identity, secret=secret, min_version=low, max_version=high, software="test"
        )

    def login(self, agent: str, resume_after: int = 0) -> Message:
        return self.own_reply(Kind.AGENT_LOGIN, agent=agent, resume_after=resume_after)

    def logout(self, agent: str) -> int:
        return int(self.own_reply(Kind.AGENT_LOGOUT, agent=agent)["status"])

    def connect(
        self, agent: str, serial: str, service: str = "alpha", number: str = "555", fields: FieldList = ()
    ) -> Message:
        return self.own_reply(
            Kind.CONNECT_REQUEST, serial=serial, agent=agent, service=service, calling_number=number, fields=fields
        )

    def cancel(self, serial: str) -> int:
        return int(self.own_reply(Kind.CANCEL_REQUEST, serial=serial)["status"])

    def event(self, timeout: float | None = None) -> Message:
        return self.wait(Kind.AGENT_EVENT, timeout=timeout)

    def conditions(self, count: int) -> list[int]:
        """The conditions of the next events."""
        return [self.event()["condition"] for _ in range(count)]

    def acknowledge(self, agent: str, sequence: int) -> None:
        self.send(message(Kind.AGENT_EVENT_ACK, 0, agent=agent, sequence=sequence))

    def answer_connection(self, status: int = 0) -> Message:
        """Take the next Connection and answer it."""
        got = self.wait(Kind.CONNECTION)
        self.send(message(Kind.CONNECTION_REPLY, got.invoke_id, status=status, detail=""))
        return got

    def data(self, serial: str, address: str = "") -> Message:
        return self.own_reply(Kind.DATA_REQUEST, serial=serial, exchange_address=address)

    def report(self, serial: str, event_id: int, condition: int = 1, fields: FieldList = (), agent: str = "") -> int:
        got = self.own_reply(
            Kind.SERVICE_EVENT, event_id=event_id, serial=serial, agent=agent, condition=condition, fields=fields
        )
        assert got["event_id"] == event_id
        return int(got["status"])
