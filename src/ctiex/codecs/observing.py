"""Watches what a client says and hears, without changing a byte of it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import Frame, ICodec, IDataResponder, IDecoder
from ctiex.messages import Message

_CODEC = BinaryCodec()


@implementer(ICodec)
@frozen(eq=False)
class ObservingCodec:
    """The binary codec, with somebody who hears of every message of one client."""

    said: Callable[[Message], None]
    heard: Callable[[Message], None]
    name: str = "binary"

    def decoder(self, max_frame: int) -> IDecoder:
        """A decoder for one link."""
        return _CODEC.decoder(max_frame)

    def decode_body(self, frame: Frame) -> Message:
        """The message of a frame, told to ``heard``."""
        message = _CODEC.decode_body(frame)
        self.heard(message)
        return message

    def encode_body(self, message: Message) -> bytes:
        """The body of a message, told to ``said``."""
        self.said(message)
        return _CODEC.encode_body(message)

    def frame(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """A whole frame."""
        return _CODEC.frame(kind, invoke_id, body)

    def data_responder(
        self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str
    ) -> IDataResponder | None:
        """What answers DataRequests straight from the bytes."""
        return _CODEC.data_responder(fetched, identity, exchange_address)

    def frame_length(self, body: bytes) -> int:
        """What counts against the limit."""
        return _CODEC.frame_length(body)
