"""Finds the frames of the binary codec in a stream of bytes. Sans-IO, incremental."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import define, field
from zope.interface import implementer

from ctiex.codecs.layouts import HEADER
from ctiex.codecs.shapes import number_codes
from ctiex.codecs.wire_types import EXTENDED
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind, UnsupportedVersion
from ctiex.interfaces import Extensions, Frame, IDecoder
from ctiex.messages import CALL_CONTROL_KINDS, KINDS, VERSION

_HEADER = struct.Struct(number_codes(HEADER))
_LENGTH = struct.Struct(">" + number_codes(HEADER)[1])
_VERSION_AT = _LENGTH.size
LEAST_LENGTH = _HEADER.size - _LENGTH.size
"""The length of a frame with an empty body."""


_EXTENSION = struct.Struct(">HH")


def frame_bytes(kind: int, invoke_id: int, body: bytes, flags: int = 0) -> bytes:
    """A header and the body, with the extensions behind it if the flags say so.

    :raise MalformedFrame: a number doesn't fit the header.
    """
    try:
        return _HEADER.pack(LEAST_LENGTH + len(body), VERSION, kind, flags, invoke_id) + body
    except struct.error:
        raise MalformedFrame("the kind or the invoke id doesn't fit the header") from None


def extension_bytes(extensions: Extensions) -> bytes:
    """What stands behind the body.

    :raise MalformedFrame: they are too many, or too long.
    """
    try:
        parts = [_EXTENSION.pack(number, len(value)) + value for number, value in extensions]
        return b"".join((bytes([len(parts)]), *parts))
    except (struct.error, ValueError, TypeError):
        raise MalformedFrame("at most 255 extensions, each with a type of 16 bits and up to 65,535 bytes") from None


@implementer(IDecoder)
@define(eq=False)
class BinaryDecoder:
    """The frames of one direction of one link.

    A segment is kept as it came, with the offset of what was read; only when a frame goes on in the
    next segment are the two put together, in a buffer that grows at its end. So bytes are moved once
    or twice each, whether they come one by one or many frames at a time. Once all complete frames
    were taken, less than one frame waits.
    """

    max_frame: int
    """The limit on a frame's length, in bytes."""
    _data: bytes | bytearray = field(default=b"", init=False, repr=False)
    _at: int = field(default=0, init=False)
    _failure: CodecError | None = field(default=None, init=False)

    def receive(self, data: bytes) -> None:
        """Take more bytes off the wire, however they are split. After what ended the link they are dropped."""
        if self._failure is not None:
            return
        if self._at == len(self._data):
            self._data = bytes(data)
        elif isinstance(self._data, bytearray):
            del self._data[: self._at]
            self._data += data
        else:
            self._data = bytearray(memoryview(self._data)[self._at :])
            self._data += data
        self._at = 0

    def frames(self) -> Iterator[Frame]:
        """The complete frames that have come, each given once.

        :raise FrameTooLong: a length over the limit.
        :raise MalformedFrame: a length that leaves no room for the header.
        :raise UnsupportedVersion: a header of another version.
        """
        while self._failure is None:
            data, at = self._data, self._at
            there = len(data) - at
            if there < _HEADER.size:
                if there:
                    self._check_start(data, at)
                break
            length, version, kind, flags, invoke_id = _HEADER.unpack_from(data, at)
            if not LEAST_LENGTH <= length <= self.max_frame or version != VERSION:
                self._check_start(data, at)
                break
            end = at + _LENGTH.size + length
            if end > len(data):
                break
            self._at = end
            body = bytes(data[at + _HEADER.size : end])
            if flags or kind not in KINDS:
                yield Frame(kind, invoke_id, body, _fault(flags, kind), flags == EXTENDED)
            else:
                yield Frame(kind, invoke_id, body)
        if self._at == len(self._data):
            self._data, self._at = b"", 0  # an idle link keeps nothing of what was said on it
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    def buffered(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._data) - self._at

    def _check_start(self, data: bytes | bytearray, at: int) -> None:
        """Judge as much of a header as there is: the length first, then the version."""
        there = len(data) - at
        if there < _LENGTH.size:
            return
        (length,) = _LENGTH.unpack_from(data, at)
        if length > self.max_frame:
            self._fail(FrameTooLong(f"a frame of length {length}: the limit is {self.max_frame}"))
        elif length < LEAST_LENGTH:
            self._fail(MalformedFrame(f"a frame of length {length}: the minimum is {LEAST_LENGTH}"))
        elif there > _VERSION_AT and data[at + _VERSION_AT] != VERSION:
            self._fail(UnsupportedVersion(f"version {data[at + _VERSION_AT]}: only {VERSION} is supported"))

    def _fail(self, failure: CodecError) -> None:
        self._failure = failure
        self._data, self._at = b"", 0


def _fault(flags: int, kind: int) -> CodecError | None:
    if flags not in (0, EXTENDED):
        return MalformedFrame(f"flags other than 0 and {EXTENDED}")
    return (
        None
        if kind in KINDS or kind in CALL_CONTROL_KINDS
        else UnknownKind("a message kind that isn't in this version")
    )
