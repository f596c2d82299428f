"""docs/vectors.json says what both codecs do, and says it of every kind."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import CodecError
from ctiex.fields import Fields
from ctiex.interfaces import Frame, ICodec
from ctiex.messages import DEFAULT_MAX_FRAME, KINDS
from ctiex.testing.vectors import text

FILE = Path(__file__).parent.parent / "docs" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def frames_of(codec: ICodec, data: bytes) -> list[Frame]:
    decoder = codec.decoder(DEFAULT_MAX_FRAME)
    decoder.receive(data)
    return list(decoder.frames())


def plain(message: object) -> dict[str, Any]:
    """A message's attributes as JSON would show them, made without the JSON codec."""
    told: dict[str, Any] = {}
    for name in type(message).__slots__:  # type: ignore[attr-defined]
        if name != "__weakref__":
            told[name] = getattr(message, name)
    if "fields" in told:
        told["fields"] = dict(told["fields"])
    return told


class TestVectors(SynchronousTestCase):
    def test_the_file_is_what_the_generator_writes(self) -> None:
        self.assertEqual(FILE.read_text(encoding="utf-8"), text())

    def test_every_kind_has_one(self) -> None:
        self.assertEqual({vector["kind"] for vector in VECTORS["messages"]}, set(KINDS))

    def test_the_bytes_and_the_line_mean_the_same_message(self) -> None:
        for vector in VECTORS["messages"]:
            codecs: list[tuple[ICodec, bytes]] = [
                (BinaryCodec(), bytes.fromhex(vector["hex"])),
                (JsonCodec(), vector["json"].encode() + b"\n"),
            ]
            decoded = []
            for codec, data in codecs:
                (frame,) = frames_of(codec, data)
                message = codec.decode_body(frame)
                decoded.append(message)
                self.assertEqual((frame.kind, frame.invoke_id), (vector["kind"], vector["invoke_id"]))
                self.assertEqual(type(message).__name__, vector["type"])
                self.assertEqual(codec.frame(frame.kind, frame.invoke_id, codec.encode_body(message)), data)
            self.assertEqual(decoded[0], decoded[1])

    def test_the_attributes_shown_are_those_of_the_bytes(self) -> None:
        for vector in VECTORS["messages"]:
            (frame,) = frames_of(BinaryCodec(), bytes.fromhex(vector["hex"]))
            shown = dict(vector["message"])
            if "fields" in shown:
                shown["fields"] = {
                    name: b64decode(value["bytes"]) if isinstance(value, dict) else value
                    for name, value in shown["fields"].items()
                }
            self.assertEqual(plain(BinaryCodec().decode_body(frame)), shown, vector["name"])

    def test_every_type_of_field_is_in_one(self) -> None:
        (frame,) = frames_of(
            BinaryCodec(), bytes.fromhex(next(v["hex"] for v in VECTORS["messages"] if v["name"] == "the data"))
        )
        fields = BinaryCodec().decode_body(frame).fields  # type: ignore[union-attr]
        self.assertIsInstance(fields, Fields)
        self.assertEqual({type(value) for value in fields.values()}, {str, int, bool, bytes})

    def test_what_is_malformed_gets_the_status_named(self) -> None:
        for vector in VECTORS["malformed"]:
            data, codec = bytes.fromhex(vector["hex"]), BinaryCodec()
            if vector["ends_link"]:
                error = self.assertRaises(CodecError, frames_of, codec, data)
            else:
                (frame,) = frames_of(codec, data)
                self.assertEqual(frame.invoke_id, vector["invoke_id"])
                error = self.assertRaises(CodecError, codec.decode_body, frame)
            self.assertEqual(error.status, vector["status"], vector["name"])
