"""Codecs: messages to bytes and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import field
from zope.interface import Attribute, Interface

from ctiex.errors import CodecError
from ctiex.frozen import frozen
from ctiex.messages import Message


@frozen
class Frame:
    """One frame off the wire, its body not decoded yet."""

    kind: int
    """As in :data:`ctiex.messages.KINDS`."""
    invoke_id: int
    """Pairs a reply with its request; 0 where nothing is answered."""
    body: Any = field(repr=False)
    """What the codec's own ``decode_body`` takes."""
    fault: CodecError | None = None
    """What is wrong with the header (flags, kind); then only the invoke id and the kind are valid."""
    extended: bool = False
    """Whether extensions stand behind the body; ``decode_body`` checks and skips them."""


Extensions = Sequence[tuple[int, bytes]]
"""What may stand behind any body: types and values. None is assigned, types from 0x8000 on are for private use."""


class IDecoder(Interface):
    """Finds the frames in one direction of one link; holds the bytes of an incomplete frame."""

    max_frame: int = Attribute("The limit on a frame's length, in bytes; it may be set between two frames.")

    def receive(data: bytes) -> None:
        """Take more bytes off the wire, however they are split."""

    def frames() -> Iterator[Frame]:
        """The complete frames that have come, each given once; ends where more bytes are needed.

        :raise CodecError: what ends the link (version, length); raised again by every later call.
        """

    def buffered() -> int:
        """How many bytes wait for the rest of their frame."""


class IDataResponder(Interface):
    """Answers DataRequests without a decoder or messages, from the store's memory only."""

    def answer(data: bytes, output: list[bytes], most: int, full: int) -> tuple[int, int]:
        """Answer the whole, well-formed DataRequests at the start of a read whose data is available.

        It stops at the first frame that is anything else, or is refused: that takes the normal path. It raises nothing.

        :param data: what was read; it begins with a frame.
        :param output: takes the answers as they go on the wire, in any number of pieces.
        :param most: answer no more frames than this; it may be below 0.
        :param full: answer no more once so many bytes are in the answers.

        Returns how many bytes of ``data`` were answered, and how many frames.
        """


def decoded(codec: Any, kind: int, body: bytes) -> Message:
    """The message of a body that this codec has encoded: a codec decodes only what its own decoder found.

    :raise CodecError: it hasn't, or another version of it has.
    """
    decoder = codec.decoder(codec.frame_length(body))
    decoder.receive(codec.frame(kind, 0, body))
    message: Message = codec.decode_body(next(decoder.frames()))
    return message


class ICodec(Interface):
    """Messages to bytes and back. It raises only CodecError, whatever the bytes."""

    name: str = Attribute("What the configuration calls it.")

    def decoder(max_frame: int) -> IDecoder:
        """A decoder for one link, with its limit on the value of a frame's length, in bytes."""

    def decode_body(frame: Frame) -> Message:
        """The message of a frame without fault.

        :raise CodecError: the body breaks the layout of its kind, or the extensions behind it theirs.
        """

    def encode_body(message: Message) -> bytes:
        """The body, which may be used in any number of frames.

        :raise CodecError: the message breaks a limit of its layout.
        """

    def frame(kind: int, invoke_id: int, body: bytes, extensions: Extensions = ()) -> bytes:
        """A whole frame around an encoded body.

        :raise CodecError: a number doesn't fit its place.
        """

    def frame_length(body: bytes) -> int:
        """The length that counts against the limit for a frame with this body, in bytes."""

    def data_responder(
        fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str
    ) -> IDataResponder | None:
        """The data fast path of this identity, which answers DataRequests from the bytes; None: this codec has none.

        :param fetched: :meth:`ctiex.stores.index.CallIndex.fetched`.
        :param exchange_address: the advertised address of the IVR link.
        """


class ICodecPlugin(Interface):
    """Finds a codec by name."""

    name: str = Attribute("What the configuration calls it: ``codec = NAME``.")

    def build() -> ICodec:
        """The codec."""
