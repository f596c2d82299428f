"""Who sent what to whom, read off the network: SIP, CTIEX, the manager interface, FastAGI, keys, sounds; no secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

import attrs

from ctiex.codecs.binary import BinaryCodec
from ctiex.fields import Fields
from ctiex.interfaces import Frame
from ctiex.messages import DEFAULT_MAX_FRAME, Message, Ping, Pong

from .addresses import Addresses
from .cable import PORT as MANAGER
from .tap import Digit, Segment, SipMessage, Sound, Tap

AGENT_LINK, IVR_LINK = 7300, 7301
AGI_PORT = 4573
_SHOWN_EVENTS = ("UserEvent", "BridgeEnter", "BridgeLeave", "Hangup")
_SHOWN_VARIABLES = ("CTIEX_SERIAL", "CTIEX_CARRIED", "CTIEX_DIAL")
_SHOWN_KEYS = ("Channel", "Channel1", "Channel2", "Context", "Exten", "ExtraChannel", "ExtraContext", "Variable",
               "Value", "UserEvent", "Phase", "Serial", "Result", "Cause", "BridgeType", "Username")  # fmt: skip


class _Reader(Protocol):
    """Makes lines of one direction of one TCP connection."""

    def lines(self, data: bytes) -> Iterator[str]:
        """What the bytes complete."""


class _CtiexReader:
    """A link of the exchange."""

    def __init__(self, secret: Collection[str]) -> None:
        self._codec = BinaryCodec()
        self._decoder = self._codec.decoder(DEFAULT_MAX_FRAME)
        self._secret = secret

    def lines(self, data: bytes) -> Iterator[str]:
        """A line for each message but Ping and Pong."""
        self._decoder.receive(data)
        for frame in self._decoder.frames():
            yield from self._told(frame)

    def _told(self, frame: Frame) -> Iterator[str]:
        message = self._codec.decode_body(frame)
        if not isinstance(message, (Ping, Pong)):
            about = ", ".join(self._attributes(message))
            yield f"CTIEX  {type(message).__name__}: {about}"

    def _attributes(self, message: Message) -> Iterator[str]:
        for attribute in attrs.fields(type(message)):
            value: Any = getattr(message, attribute.name)
            if isinstance(value, Fields):
                yield f"fields ({value.describe(self._secret)})"
            elif attribute.name in ("calling_number", "serial") or attribute.repr:
                shown = getattr(value, "text", value)
                if shown not in ("", 0):
                    yield f"{attribute.name}={shown}"


class _ManagerReader:
    """The manager interface."""

    def __init__(self) -> None:
        self._unread = ""

    def lines(self, data: bytes) -> Iterator[str]:
        """A line for each action, and for each event that a reader wants."""
        *blocks, self._unread = (self._unread + data.decode(errors="replace")).split("\r\n\r\n")
        for block in blocks:
            said = dict(line.partition(": ")[::2] for line in block.split("\r\n") if ": " in line)
            told = said.get("Event") in _SHOWN_EVENTS or said.get("Action", "Setvar") != "Setvar"
            if told or said.get("Variable") in _SHOWN_VARIABLES:
                about = ", ".join(f"{key}={said[key]}" for key in _SHOWN_KEYS if said.get(key))
                yield f"AMI    {said.get('Action') or said['Event']}: {about}"


class _AgiReader:
    """FastAGI, either way."""

    def __init__(self) -> None:
        self._unread = ""

    def lines(self, data: bytes) -> Iterator[str]:
        """A line for each command and each answer, of the request only who calls."""
        *lines, self._unread = (self._unread + data.decode(errors="replace")).split("\n")
        for line in lines:
            if line.startswith("agi_") and not line.startswith(("agi_request", "agi_callerid:", "agi_extension")):
                continue
            if line.strip():
                yield "AGI    " + re.sub(r"(result=)(?!-?[01]\b)\S+", r"\1***", line.strip())


class Ladder:
    """Writes a line for everything that passes, as it passes."""

    def __init__(self, tap: Tap, addresses: Addresses, secret: Collection[str], write: Callable[[str], object]) -> None:
        self._addresses = addresses
        self._secret = secret
        self._write = write
        self._began: float | None = None
        self._readers: dict[tuple[object, object], _Reader | None] = {}
        tap.messages.listeners.append(self._sip)
        tap.segments.listeners.append(self._segment)
        tap.digits.listeners.append(self._digit)
        tap.sounds.listeners.append(self._sound)

    def note(self, words: str) -> None:
        """A line that isn't of the network."""
        self._write(f"\n{words}")

    def _line(self, at: float, source: str, target: str, words: str) -> None:
        if self._began is None:
            self._began = at
        self._write(f"{at - self._began:+9.3f} s  {source:>10} > {target:<10}  {words}")

    def _sip(self, message: SipMessage) -> None:
        name = self._addresses.name_of
        words = message.start.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0")
        if not message.request:
            words += f" ({message.method})"
        elif message.method == "INVITE":
            words += f"   From: {message.calling_number}"
        self._line(message.at, name(message.source), name(message.target), f"SIP    {words}")

    def _digit(self, digit: Digit) -> None:
        name = self._addresses.name_of
        self._line(digit.at, name(digit.source), name(digit.target), "RTP    a key (RFC 4733): *")

    def _sound(self, sound: Sound) -> None:
        if not sound.listener.endswith((".10", ".11", ".12")):
            self._line(sound.at, "", self._addresses.name_of(sound.listener), f"RTP    hears {sound.what}")

    def _segment(self, segment: Segment) -> None:
        parties = self._parties(segment)
        if parties is None:
            return
        direction = (segment.source, segment.target)
        if direction not in self._readers:
            self._readers[direction] = self._reader(segment)
        reader = self._readers[direction]
        for line in () if reader is None else reader.lines(segment.data):
            self._line(segment.at, *parties, line)

    def _parties(self, segment: Segment) -> tuple[str, str] | None:
        for far, port in ((False, segment.target[1]), (True, segment.source[1])):
            client, server = self._ends(port)
            if client:
                return (server, client) if far else (client, server)
        return None

    @staticmethod
    def _ends(port: int) -> tuple[str, str]:
        if port == AGENT_LINK:
            return "agent app", "exchange"
        if port == IVR_LINK:
            return "service", "exchange"
        if port == MANAGER:
            return "exchange", "platform 1"
        if port == AGI_PORT:
            return "platform 2", "service"
        return "", ""

    def _reader(self, segment: Segment) -> _Reader | None:
        ports = (segment.source[1], segment.target[1])
        if AGENT_LINK in ports or IVR_LINK in ports:
            return _CtiexReader(self._secret)
        return _ManagerReader() if MANAGER in ports else _AgiReader()
