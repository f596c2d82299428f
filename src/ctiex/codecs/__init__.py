"""Messages to bytes and back: the binary codec and the JSON codec."""

from __future__ import annotations

from ctiex.interfaces import ICodec
from ctiex.messages import KIND_OF, Message


def encode(codec: ICodec, message: Message, invoke_id: int = 0) -> bytes:
    """A message as one whole frame.

    :raise CodecError: the message breaks a limit of its layout.
    """
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message))
