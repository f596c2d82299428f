"""The binary codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from attrs import frozen
from zope.interface import implementer

from ctiex.codecs.data_fast_path import DataResponder
from ctiex.codecs.derived import DECODERS, ENCODERS, encoder_of
from ctiex.codecs.framing import LEAST_LENGTH, BinaryDecoder, extension_bytes, frame_bytes
from ctiex.codecs.wire_types import EXTENDED
from ctiex.errors import UnknownKind
from ctiex.interfaces import Extensions, Frame, ICodec, IDataResponder, IDecoder
from ctiex.messages import Message


@implementer(ICodec)
@frozen
class BinaryCodec:
    """Messages to the bytes of :mod:`ctiex.codecs.layouts` and back."""

    name: ClassVar[str] = "binary"

    def decoder(self, max_frame: int) -> IDecoder:
        """A decoder for one link, with its limit on the value of a frame's length, in bytes."""
        return BinaryDecoder(max_frame)

    def decode_body(self, frame: Frame) -> Message:
        """The message of a frame.

        :raise MalformedFrame: the body breaks the layout of its kind.
        :raise CodecError: the fault of the frame, if it has one.
        """
        if frame.fault is not None:
            raise frame.fault
        decode = DECODERS.get(frame.kind)
        if decode is None:
            raise UnknownKind("a message kind that isn't in this version")
        return decode(frame.body, frame.extended)

    def encode_body(self, message: Message) -> bytes:
        """The body, which may be used in any number of frames.

        :raise MalformedFrame: an attribute breaks its layout; the text names it.
        """
        encode = ENCODERS.get(type(message)) or encoder_of(message)
        return encode(message)

    def frame(self, kind: int, invoke_id: int, body: bytes, extensions: Extensions = ()) -> bytes:
        """A whole frame around an encoded body.

        :raise MalformedFrame: a number doesn't fit its place.
        """
        if extensions:
            return frame_bytes(kind, invoke_id, body + extension_bytes(extensions), EXTENDED)
        return frame_bytes(kind, invoke_id, body)

    def data_responder(
        self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str
    ) -> IDataResponder:
        """What answers the DataRequests of this identity straight from the bytes."""
        return DataResponder.of(fetched, identity, exchange_address)

    def frame_length(self, body: bytes) -> int:
        """The value of ``length`` in a frame with this body, in bytes."""
        return LEAST_LENGTH + len(body)
