"""Frames that no codec would write."""

from __future__ import annotations

from ctiex.codecs import encode
from ctiex.codecs.framing import frame_bytes
from ctiex.interfaces import ICodec
from ctiex.messages import KIND_OF, Message

UNKNOWN_KIND = 0x7E
_UNKNOWN_FLAG = 0x4000


def malformed(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """A message with something behind its last attribute."""
    if codec.name == "json":
        return encode(codec, message, invoke_id)[:-2] + b',"left_over":1}\n'
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message) + b"\0")


def of_unknown_kind(codec: ICodec, invoke_id: int) -> bytes:
    """A message of a kind that isn't in this version."""
    if codec.name == "json":
        return b'{"kind":"OfALaterVersion","id":%d}\n' % invoke_id
    return codec.frame(UNKNOWN_KIND, invoke_id, b"")


def with_unknown_flag(codec: ICodec, message: Message, invoke_id: int) -> bytes:
    """A message with a flag that isn't in this version, binary alone."""
    return frame_bytes(KIND_OF[type(message)], invoke_id, codec.encode_body(message), _UNKNOWN_FLAG)
