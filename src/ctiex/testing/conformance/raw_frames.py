"""Frames that no codec would write."""

from __future__ import annotations

from ctiex.codecs import encode
from ctiex.codecs.framing import frame_bytes
from ctiex.interfaces import ICodec
from ctiex.messages import KIND_OF, VERSION, Message, Ping

UNKNOWN_KIND = 0x7E
_UNKNOWN_FLAG = 0x4000
_LENGTH_BYTES = _VERSION_AT = 4
"""How long the length in a header is, with the version behind it."""
_PRIVATE = 0x9000
"""A type of extensions for private use, which every reader skips."""
_EXTENSIONS, _LONGEST_EXTENSION = 4, 65_535


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


def of_kind(kind: int, invoke_id: int) -> bytes:
    """A message of a kind that has no name yet, binary alone; its body is anything."""
    return frame_bytes(kind, invoke_id, b"anything")


def of_another_version(invoke_id: int) -> bytes:
    """A header of the next version, binary alone."""
    frame = bytearray(frame_bytes(KIND_OF[Ping], invoke_id, b""))
    frame[_VERSION_AT] = VERSION + 1
    return bytes(frame)


def of_length(codec: ICodec, length: int, invoke_id: int) -> bytes:
    """A Ping of a frame of exactly this length; in JSON a line of so many bytes, without its line feed."""
    if codec.name == "json":
        bare = encode(codec, Ping(), invoke_id).rstrip(b"\n")
        return bare[:-1] + b" " * (length - len(bare)) + b"}\n"
    values = [b""] * _EXTENSIONS
    left = length - len(_extended(codec, values, invoke_id)) + _LENGTH_BYTES
    for at in range(_EXTENSIONS):
        values[at] = bytes(min(left, _LONGEST_EXTENSION))
        left -= len(values[at])
    return _extended(codec, values, invoke_id)


def _extended(codec: ICodec, values: list[bytes], invoke_id: int) -> bytes:
    return codec.frame(KIND_OF[Ping], invoke_id, b"", tuple((_PRIVATE, value) for value in values))


def too_short(invoke_id: int) -> bytes:
    """A header whose length has no room for the header itself, binary alone."""
    return (7).to_bytes(_LENGTH_BYTES, "big") + frame_bytes(KIND_OF[Ping], invoke_id, b"")[_LENGTH_BYTES:-1]
