"""Harness: any bytes through the JSON codec. Only CodecError leaves it, and what it reads it writes again."""

from __future__ import annotations

from fuzz.invariants import decoded, same_in_any_split


def TestOneInput(data: bytes) -> None:  # noqa: N802 (atheris calls it so)
    """One stream of bytes: every message read is the same one when it was written and read once more.

    :raise AssertionError: a promise of the codec was broken.
    """
    from ctiex.codecs.json import JsonCodec

    codec = JsonCodec()
    same_in_any_split(codec, data)
    for frame, message in decoded(codec, data):
        line = codec.frame(frame.kind, frame.invoke_id, codec.encode_body(message))
        [(again, repeated)] = decoded(codec, line)
        assert (again.kind, again.invoke_id) == (frame.kind, frame.invoke_id)
        assert repeated == message, f"{message} was written as {line!r}"
