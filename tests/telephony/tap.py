"""What goes over the network: every SIP message, and what each telephone hears and types."""

from __future__ import annotations

import ctypes
import math
import socket
import struct
from collections import deque
from typing import Any

from attrs import field, frozen
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from .addresses import Addresses
from .folders import MUSIC, SAMPLE_RATE, linear
from .happenings import Happenings

SIP_PORT = 5060
_OUTGOING = 4
"""PACKET_OUTGOING: on the loopback interface every packet comes twice."""
_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER."""
_DIGITS = "0123456789*#ABCD"
_PCMU, _COMFORT_NOISE = 0, 13
_LINEAR = tuple(linear(code) for code in range(256))
_MARKER = 0x80
"""Of RTP: the last packet of a video frame."""
_PACKETS = 10
"""How many packets of 20 ms make a sound: what is heard is told five times a second at most."""
_PACKETS_OF_A_TURN = 64
"""How many are looked at before anything else has a turn."""
_PAUSE = 0.5
"""Without a packet for so long, in seconds, what was heard before is over."""

SILENCE, MUSIC_ON_HOLD, VOICE = "silence", "music", "voice"


@frozen
class SipMessage:
    """One SIP message on its way."""

    at: float
    """Seconds of the reactor's clock."""
    source: str
    target: str
    text: str = field(repr=False)

    @property
    def start(self) -> str:
        """Its first line."""
        return self.text.partition("\r\n")[0]

    @property
    def method(self) -> str:
        """The method that it asks for or answers to."""
        return self.header("CSeq").partition(" ")[2].strip()

    @property
    def request(self) -> bool:
        """Whether it asks."""
        return not self.start.startswith("SIP/2.0")

    @property
    def status(self) -> int:
        """What it answers; 0 for a request."""
        return 0 if self.request else int(self.start.split()[1])

    @property
    def head(self) -> str:
        """All but the body."""
        return self.text.partition("\r\n\r\n")[0]

    def header(self, name: str) -> str:
        """The value of a header; empty if there is none."""
        for line in self.head.split("\r\n")[1:]:
            said, _, value = line.partition(":")
            if said.strip().lower() == name.lower():
                return value.strip()
        return ""

    @property
    def calling_number(self) -> str:
        """The user part of From."""
        return self.header("From").partition("sip:")[2].partition("@")[0]

    def __str__(self) -> str:
        return f"{self.source} > {self.target} {self.start}"


@frozen
class Sound:
    """What somebody hears from now on."""

    at: float
    listener: str
    what: str
    """``silence``, ``music``, ``voice``, or the tone of a telephone, such as ``400 Hz``."""


@frozen
class Digit:
    """A key that was pressed (RFC 4733), as it came to a host."""

    at: float
    source: str
    target: str
    digit: str


@frozen
class Segment:
    """Bytes of one direction of one TCP connection."""

    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes = field(repr=False)


class _Ear:
    """Tells the sounds apart that come to one host."""

    def __init__(self, tones: tuple[int, ...]) -> None:
        self._tones = (MUSIC, *tones)
        self._heard: deque[str] = deque(maxlen=_PACKETS)
        self.what = ""
        self._last_packet = 0.0
        self._last_heard: float | None = None
        self._longest_silence = 0.0

    def longest_silence(self, now: float) -> float:
        """The longest time without a sound so far, in seconds."""
        going_on = 0.0 if self._last_heard is None else now - self._last_heard
        return max(self._longest_silence, going_on)

    def new_call(self) -> None:
        """What was heard in the call before is over, and how long nothing was."""
        self._anew()
        self._last_heard, self._longest_silence = None, 0.0

    def _anew(self) -> None:
        self._heard.clear()
        self.what = ""

    def hears(self, payload: bytes, now: float) -> bool:
        """Take a packet; whether something else is heard now."""
        sound = self._sound(payload)
        if now - self._last_packet > _PAUSE:
            self._anew()
        self._last_packet = now
        if sound != SILENCE:
            self._longest_silence = self.longest_silence(now)
            self._last_heard = now
        self._heard.append(sound)
        counts = {sound: self._heard.count(sound) for sound in set(self._heard)}
        most = max(counts, key=lambda sound: counts[sound])
        if len(self._heard) == _PACKETS and counts[most] >= 0.7 * _PACKETS and most != self.what:
            self.what = most
            return True
        return False

    def _sound(self, payload: bytes) -> str:
        samples = [_LINEAR[code] for code in payload]
        power = sum(sample * sample for sample in samples) / len(samples)
        if power < 50.0 * 50.0:
            return SILENCE
        for tone in self._tones:
            if self._power_at(tone, samples) > 0.6 * power:
                self._tones = (tone, *(other for other in self._tones if other != tone))  # most likely it goes on
                return MUSIC_ON_HOLD if tone == MUSIC else f"{tone} Hz"
        return VOICE

    @staticmethod
    def _power_at(tone: int, samples: list[int]) -> float:
        """How much of the power is at one frequency (Goertzel)."""
        factor = 2.0 * math.cos(2.0 * math.pi * tone / SAMPLE_RATE)
        before, last = 0.0, 0.0
        for sample in samples:
            before, last = last, sample + factor * last - before
        return 2.0 * (last * last + before * before - factor * last * before) / len(samples) ** 2


@implementer(IReadDescriptor)
class Tap:
    """Reads the loopback interface, of one run's hosts alone."""

    def __init__(self, reactor: Any, addresses: Addresses, tones: tuple[int, ...] = ()) -> None:
        self.messages: Happenings[SipMessage] = Happenings(reactor, "SIP")
        self.sounds: Happenings[Sound] = Happenings(reactor, "sounds")
        self.digits: Happenings[Digit] = Happenings(reactor, "digits")
        self.keepalives: Happenings[Sound] = Happenings(reactor, "keepalives")
        """Packets that say nothing but that somebody is there, as they came to a host."""
        self.frames: Happenings[Sound] = Happenings(reactor, "video frames")
        """The last packet of each, as it came to a host."""
        self.segments: Happenings[Segment] = Happenings(reactor, "TCP")
        self._reactor = reactor
        self._addresses = addresses
        self._tones = tones
        self._ears: dict[str, _Ear] = {}
        self._typed: dict[tuple[str, str], bytes] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
        attach_filter(self._socket, addresses.network)
        self._socket.bind(("lo", 0x0800))
        self._socket.setblocking(False)

    def start(self) -> None:
        """Listen from now on."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Listen no more."""
        self._reactor.removeReader(self)
        self._socket.close()

    def hears(self, host: str) -> str:
        """What is heard at a host now; empty before anything came."""
        return self._ears[host].what if host in self._ears else ""

    def new_call(self, host: str) -> None:
        """A call begins there: what is heard in it is told also where it was heard in the last one."""
        if host in self._ears:
            self._ears[host].new_call()

    def longest_silence(self, host: str) -> float:
        """The longest time that nothing was heard at a host, in seconds."""
        return self._ears[host].longest_silence(self._reactor.seconds()) if host in self._ears else 0.0

    # ------------------------------------------------------------ IReadDescriptor

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802
        """For Twisted's log."""
        return "tap"

    def connectionLost(self, reason: object) -> None:
        """The reactor stops."""
        self._socket.close()

    def doRead(self) -> None:
        """Take some of what has come, the rest at the next turn: a busy machine may bring more meanwhile, for ever."""
        for _ in range(_PACKETS_OF_A_TURN):
            try:
                packet, where = self._socket.recvfrom(0x40000)
            except BlockingIOError:
                return
            if where[2] != _OUTGOING:
                self._take(packet)

    def _take(self, packet: bytes) -> None:
        begin = (packet[0] & 0x0F) * 4
        source_port, target_port = struct.unpack_from(">HH", packet, begin)
        source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        if packet[9] == socket.IPPROTO_TCP:
            payload = packet[begin + (packet[begin + 12] >> 4) * 4 : int.from_bytes(packet[2:4])]
            if payload:
                now = self._reactor.seconds()
                self.segments.tell(Segment(now, (source, source_port), (target, target_port), payload))
            return
        payload = packet[begin + 8 :]
        if SIP_PORT in (source_port, target_port):
            if payload.strip():
                text = payload.decode(errors="replace")
                self.messages.tell(SipMessage(self._reactor.seconds(), source, target, text))
        elif len(payload) > 12 and payload[0] >> 6 == 2 and not target_port % 2:
            self._take_media(self._addresses.sender(source, source_port), target, payload)

    def _take_media(self, source: str, target: str, payload: bytes) -> None:
        kind, content = payload[1] & 0x7F, payload[12:]
        if kind == _PCMU:
            ear = self._ears.setdefault(target, _Ear(self._tones))
            now = self._reactor.seconds()
            if ear.hears(content, now):
                self.sounds.tell(Sound(now, target, ear.what))
        elif kind >= 96 and len(content) == 4 and content[0] < len(_DIGITS):
            stamp = payload[4:12]  # the packets of one key have one time and source
            if self._typed.get((source, target)) != stamp:
                self._typed[source, target] = stamp
                self.digits.tell(Digit(self._reactor.seconds(), source, target, _DIGITS[content[0]]))
        elif kind == _COMFORT_NOISE:
            self.keepalives.tell(Sound(self._reactor.seconds(), target, "keepalive"))
        elif kind >= 96 and payload[1] & _MARKER:
            self.frames.tell(Sound(self._reactor.seconds(), target, "video"))


def attach_filter(tap: socket.socket, network: int) -> None:
    """Let the kernel pass UDP and TCP of 127.0.NETWORK.0/24 alone: other traffic on this machine is none of ours."""
    load_byte, load_word, keep, equal, give = 0x30, 0x20, 0x54, 0x15, 0x06
    ours = 127 << 24 | network << 8
    program = [
        (load_byte, 0, 0, 9),
        (equal, 1, 0, socket.IPPROTO_UDP),
        (equal, 0, 6, socket.IPPROTO_TCP),
        (load_word, 0, 0, 12),  # where it comes from
        (keep, 0, 0, 0xFFFFFF00),
        (equal, 4, 0, ours),
        (load_word, 0, 0, 16),  # and where it goes: clients of our servers call from 127.0.0.1
        (keep, 0, 0, 0xFFFFFF00),
        (equal, 1, 0, ours),
        (give, 0, 0, 0),
        (give, 0, 0, 0x40000),
    ]
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    described = struct.pack("HL", len(program), ctypes.addressof(instructions))
    tap.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)
