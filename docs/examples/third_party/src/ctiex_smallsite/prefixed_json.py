"""CTIEX's messages as JSON with a length ahead, for platforms that read by length rather than by line.

A frame is ``length u32`` (big-endian, the bytes after this field) and an array in UTF-8:
``[kind, invoke_id, {attributes}]``. The attributes are those of CTIEX's own JSON codec.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen
from zope.interface import implementer

from ctiex.codecs.json import JsonCodec
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind
from ctiex.interfaces import Frame, ICodec, IDecoder
from ctiex.messages import KINDS, Message

_LENGTH = struct.Struct(">I")
_LONGEST_HEAD = len("[255,4294967295,]")


@implementer(IDecoder)
@define(eq=False)
class PrefixedJsonDecoder:
    """The frames of one direction of one link."""

    max_frame: int
    """The limit on a frame's length, in bytes; the link sets it when it is agreed at Bind."""
    _data: bytearray = field(factory=bytearray, init=False)
    _failure: CodecError | None = field(default=None, init=False)

    def receive(self, data: bytes) -> None:
        """Take more bytes off the wire, in any split."""
        if self._failure is None:
            self._data += data

    def frames(self) -> Iterator[Frame]:
        """The complete frames that have come.

        @raise FrameTooLong: a length over the limit; the bytes behind it mean nothing any more.
        """
        while self._failure is None and len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            end = _LENGTH.size + length
            if length > self.max_frame:
                self._failure = FrameTooLong(f"a frame of {length} bytes: the limit is {self.max_frame}")
                self._data.clear()
            elif len(self._data) < end:
                return
            else:
                content = bytes(self._data[_LENGTH.size : end])
                del self._data[:end]
                yield _frame_of(content)
        if self._failure is not None:
            raise self._failure

    def buffered(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._data)


def _frame_of(content: bytes) -> Frame:
    """The frame of one array. What is wrong with it stands in the frame, and leaves the link open."""
    try:
        kind, invoke_id, attributes = json.loads(content, object_pairs_hook=_object)
    except (ValueError, TypeError, RecursionError):
        return Frame(0, 0, None, MalformedFrame("expected [kind, invoke_id, {attributes}]"))
    if type(invoke_id) is not int or not 0 <= invoke_id < 2**32:
        return Frame(0, 0, None, MalformedFrame("an invoke id is an unsigned integer of 32 bits"))
    if type(kind) is not int or type(attributes) is not dict:
        return Frame(0, invoke_id, None, MalformedFrame("expected [kind, invoke_id, {attributes}]"))
    if kind not in KINDS:
        return Frame(0, invoke_id, None, UnknownKind("a message kind that isn't in this version"))
    return Frame(kind, invoke_id, attributes)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name comes twice")
    return made


@implementer(ICodec)
@frozen
class PrefixedJsonCodec:
    """Messages to arrays with a length ahead and back."""

    name: str = "prefixed-json"
    _attributes: JsonCodec = field(factory=JsonCodec, init=False)

    def decoder(self, max_frame: int) -> IDecoder:
        """A decoder for one link, with its limit on a frame's length, in bytes."""
        return PrefixedJsonDecoder(max_frame)

    def decode_body(self, frame: Frame) -> Message:
        """The message of a frame.

        @raise CodecError: the attributes are not those of its kind.
        """
        return self._attributes.decode_body(frame)

    def encode_body(self, message: Message) -> bytes:
        """The object of the attributes.

        @raise CodecError: an attribute breaks a limit.
        """
        return self._attributes.encode_body(message)

    def frame(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """A whole frame around an encoded body.

        @raise MalformedFrame: there is no such kind, or the invoke id takes more than 32 bits.
        """
        if kind not in KINDS or not 0 <= invoke_id < 2**32:
            raise MalformedFrame("the kind or the invoke id doesn't fit the frame")
        content = b"[%d,%d,%b]" % (kind, invoke_id, body)
        return _LENGTH.pack(len(content)) + content

    def data_responder(self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str) -> None:
        """None: nobody has asked for more speed."""

    def frame_length(self, body: bytes) -> int:
        """The length of the longest frame that this body can give, in bytes."""
        return _LONGEST_HEAD + len(body)
