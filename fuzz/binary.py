"""Harness: any bytes through the binary codec. Only CodecError leaves it, and what it reads it writes again."""

from __future__ import annotations

from fuzz.invariants import decoded, same_in_any_split


def TestOneInput(data: bytes) -> None:  # noqa: N802 (atheris calls it so)
    """One stream of bytes: every message read has exactly the bytes that it was read from.

    :raise AssertionError: a promise of the codec was broken.
    """
    from ctiex.codecs.binary import BinaryCodec

    codec = BinaryCodec()
    same_in_any_split(codec, data)
    for frame, message in decoded(codec, data):
        assert codec.encode_body(message) == frame.body, f"{message} was read from other bytes"
