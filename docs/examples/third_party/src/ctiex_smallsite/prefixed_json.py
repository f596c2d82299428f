"""CTIEX's messages as JSON with a length ahead, for platforms that read by length rather than by line.

A frame is ``length u32`` (big-endian, the bytes after this field) and an array in UTF-8:
``[kind, invoke_id, {attributes}]``, with the extensions behind the attributes if there are any:
``[[type, "<base64>"], ...]``. Attributes and extensions are those of CTIEX's own JSON codec.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen
from zope.interface import implementer

from ctiex.codecs.json import JsonCodec
from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind
from ctiex.interfaces import Extensions, Frame, ICodec, IDecoder
from ctiex.messages import CALL_CONTROL_KINDS, KINDS, Message

_LENGTH = struct.Struct(">I")
_EXPECTED = "expected [kind, invoke_id, {attributes}], and maybe extensions"
_EXTENSIONS = "ext"
"""Under this key the JSON codec looks for them."""
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
        kind, invoke_id, attributes, *behind = json.loads(content, object_pairs_hook=_object)
    except (ValueError, TypeError, RecursionError):
        return Frame(0, 0, None, MalformedFrame(_EXPECTED))
    if type(invoke_id) is not int or not 0 <= invoke_id < 2**32:
        return Frame(0, 0, None, MalformedFrame("an invoke id is an unsigned integer of 32 bits"))
    if type(kind) is not int or type(attributes) is not dict or _EXTENSIONS in attributes or len(behind) > 1:
        return Frame(0, invoke_id, None, MalformedFrame(_EXPECTED))
    if kind not in KINDS:
        known = kind in CALL_CONTROL_KINDS  # but no link has them: that is told by its rules
        return Frame(kind, invoke_id, None, None if known else UnknownKind("a kind that isn't in this version"))
    for extensions in behind:
        attributes[_EXTENSIONS] = extensions
    return Frame(kind, invoke_id, attributes, extended=bool(behind))


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

    def frame(self, kind: int, invoke_id: int, body: bytes, extensions: Extensions = ()) -> bytes:
        """A whole frame around an encoded body.

        @raise MalformedFrame: there is no such kind, the invoke id takes more than 32 bits, or an extension fits none.
        """
        if kind not in KINDS or not 0 <= invoke_id < 2**32:
            raise MalformedFrame("the kind or the invoke id doesn't fit the frame")
        content = b"[%d,%d,%b%b]" % (kind, invoke_id, body, _behind(extensions))
        return _LENGTH.pack(len(content)) + content

    def data_responder(self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str) -> None:
        """None: nobody has asked for more speed."""

    def frame_length(self, body: bytes) -> int:
        """The length of the longest frame that this body can give, in bytes."""
        return _LONGEST_HEAD + len(body)


def _behind(extensions: Extensions) -> bytes:
    if len(extensions) > 255 or any(not 0 <= number < 2**16 or len(value) >= 2**16 for number, value in extensions):
        raise MalformedFrame("at most 255 extensions, each with a type of 16 bits and up to 65,535 bytes")
    listed = [[number, b64encode(value).decode()] for number, value in extensions]
    return b"," + json.dumps(listed).encode() if listed else b""
