"""Watches what a client says and hears, without changing a byte of it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import Frame
from ctiex.messages import Message


@frozen
class ObservingCodec(BinaryCodec):
    """The binary codec, with somebody who hears of every message of one client."""

    said: Callable[[Message], None]
    heard: Callable[[Message], None]

    def decode_body(self, frame: Frame) -> Message:
        """The message of a frame, told to ``heard``."""
        message = super().decode_body(frame)
        self.heard(message)
        return message

    def encode_body(self, message: Message) -> bytes:
        """The body of a message, told to ``said``."""
        self.said(message)
        return super().encode_body(message)
