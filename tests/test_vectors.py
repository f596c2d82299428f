"""docs/vectors.json says what both codecs do, says it of every kind, and can be read by the documents alone."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import CodecError
from ctiex.fields import Fields
from ctiex.interfaces import Frame, ICodec
from ctiex.messages import KINDS, Message
from ctiex.testing.vectors import text

from .layouts_reader import BY_KIND, MESSAGES, binary_body, frames, json_body
from .wire_judge import Judge

FILE = Path(__file__).parent.parent / "docs" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
CODECS: dict[str, ICodec] = {"binary": BinaryCodec(), "json": JsonCodec()}


def frames_of(codec: ICodec, data: bytes, max_frame: int = 65_536) -> list[Frame]:
    decoder = codec.decoder(max_frame)
    decoder.receive(data)
    return list(decoder.frames())


def the_frame(vector: dict[str, Any], codec: str) -> Frame:
    data = bytes.fromhex(vector["hex"]) if codec == "binary" else vector["json"].encode() + b"\n"
    (frame,) = frames_of(CODECS[codec], data)
    return frame


def read(vector: dict[str, Any], codec: str) -> Message:
    return CODECS[codec].decode_body(the_frame(vector, codec))


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


# ---------------------------------------------------------------- the file


def test_the_file_is_what_the_generator_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == text()


def test_every_kind_has_a_message() -> None:
    assert {vector["kind"] for vector in VECTORS["messages"]} == set(KINDS)


def test_names_are_unique_in_each_codec() -> None:
    names = [(vector["name"], vector["codec"], vector["received_by"]) for vector in VECTORS["cases"]]
    assert len(names) == len(set(names))


def test_numbers_that_javascript_would_round_are_strings() -> None:
    def numbers(value: Any) -> Iterator[int]:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from numbers(item)
        elif type(value) is int:
            yield value

    assert max(map(abs, numbers(VECTORS))) < 2**53


def test_every_type_of_field_is_in_one() -> None:
    fields = read(next(each for each in VECTORS["messages"] if each["name"] == "the data"), "binary").fields  # type: ignore[union-attr]
    assert {str, int, bool, bytes, Decimal, datetime} == {
        next(base for base in type(value).__mro__ if base in (str, bool, int, bytes, Decimal, datetime))
        for value in fields.values()
    }


# ---------------------------------------------------------------- good messages


@named(VECTORS["messages"])
def test_the_bytes_and_the_line_mean_the_same_message(vector: dict[str, Any]) -> None:
    extensions = [(number, bytes.fromhex(value)) for number, value in vector["extensions"]]
    for name, codec in CODECS.items():
        frame, message = the_frame(vector, name), read(vector, name)
        assert (frame.kind, frame.invoke_id) == (vector["kind"], vector["invoke_id"])
        assert type(message).__name__ == vector["type"]
        made = codec.frame(frame.kind, frame.invoke_id, codec.encode_body(message), extensions)
        assert made == (bytes.fromhex(vector["hex"]) if name == "binary" else vector["json"].encode() + b"\n")
    assert read(vector, "binary") == read(vector, "json")


@named(VECTORS["messages"])
def test_the_attributes_shown_are_those_of_the_bytes(vector: dict[str, Any]) -> None:
    assert plain(read(vector, "binary")) == {name: shown(name, value) for name, value in vector["message"].items()}


def plain(message: Any) -> dict[str, Any]:
    """A message's attributes, made without the JSON codec."""
    told = {name: getattr(message, name) for name in type(message).__slots__ if name != "__weakref__"}
    for name, value in told.items():
        if isinstance(value, Fields):
            told[name] = {field: str(each) if isinstance(each, Decimal) else each for field, each in value.items()}
        elif isinstance(value, tuple):
            told[name] = [plain(record) for record in value]
    return told


def shown(name: str, value: Any) -> Any:
    if name == "fields":
        return {field: shown_value(each) for field, each in value.items()}
    if name in ("calls", "parties", "drop"):
        return [{key: shown(key, each) for key, each in record.items()} for record in value]
    numeric = name in ("epoch", "resume_after", "sequence", "time", "event_id", "since", "until", "last_sequence")
    return int(value) if numeric else value


def shown_value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((key, told),) = value.items()
    if key == "time":
        return datetime.strptime(told, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    readers: dict[str, Callable[[str], Any]] = {
        "int": int,
        "bytes": b64decode,
        "decimal": lambda text: str(Decimal(text)),
    }
    return readers[key](told)


@named(VECTORS["messages"])
def test_a_reader_of_the_documents_alone_reads_the_same_from_both(vector: dict[str, Any]) -> None:
    ((kind, flags, invoke_id, data),) = frames(bytes.fromhex(vector["hex"]))
    given = json.loads(vector["json"])
    assert (BY_KIND[kind]["name"], invoke_id) == (given.pop("kind"), given.pop("id"))
    message = BY_KIND[kind]
    of_binary, of_json = binary_body(message, data, flags == 1), json_body(message, given)
    assert of_binary == of_json
    assert list(of_binary) == [attribute["name"] for attribute in message["attributes"]]


@named(VECTORS["json_variants"])
def test_a_variant_means_the_same_as_the_line_of_the_exchange(vector: dict[str, Any]) -> None:
    codec = CODECS["json"]
    (first,) = frames_of(codec, vector["json"].encode() + b"\n")
    (second,) = frames_of(codec, vector["same_as"].encode() + b"\n")
    message = codec.decode_body(first)
    assert message == codec.decode_body(second)
    assert (first.kind, first.invoke_id) == (second.kind, second.invoke_id)
    assert codec.frame(second.kind, second.invoke_id, codec.encode_body(message)).decode() == vector["same_as"] + "\n"
    bodies = [{key: each for key, each in json.loads(vector[name]).items() if key not in ("kind", "id")}
              for name in ("json", "same_as")]  # fmt: skip
    described = MESSAGES[type(message).__name__]
    assert json_body(described, bodies[0]) == json_body(described, bodies[1])


# ---------------------------------------------------------------- cases


@named(VECTORS["cases"])
def test_what_follows_a_case_is_what_the_page_and_the_layouts_say(vector: dict[str, Any]) -> None:
    judge = Judge(vector)
    data = bytes.fromhex(vector["hex"])
    answers, ends_link, ends_request = judge.binary(data) if vector["codec"] == "binary" else judge.json(data)
    assert answers == vector["answers"]
    assert ends_link == vector["ends_link"]
    assert ends_request == vector.get("pending", {}).get("ends")


@named(VECTORS["cases"])
def test_the_codecs_find_what_breaks_a_frame(vector: dict[str, Any]) -> None:
    """Whatever the codec refuses has the status that the case names, unless the state of the link comes first."""
    codec = CODECS[vector["codec"]]
    status, invoke_id = 0, 0
    try:
        (frame,) = frames_of(codec, bytes.fromhex(vector["hex"]), vector.get("max_frame", 65_536))
        invoke_id = frame.invoke_id
        codec.decode_body(frame)
    except CodecError as error:
        status = error.status
    told = [answer for answer in vector["answers"] if answer["kind"] == "Error"]
    if told and told[0]["status"] in (2, 3, 4):
        assert (status, invoke_id) == (told[0]["status"], told[0]["id"])
    elif told and told[0]["status"] == 1 and told[0]["id"]:
        under_a_forbidden_id = vector["name"].endswith(" under an id")
        assert (status, invoke_id) == (0 if under_a_forbidden_id else 1, told[0]["id"])
    elif not told:
        assert status == 0 or "malformed Error" in vector["name"]


def test_cases_are_of_both_codecs_sides_and_states() -> None:
    sides = {(vector["codec"], vector["received_by"], vector["state"]) for vector in VECTORS["cases"]}
    assert sides == {
        (codec, *state)
        for codec in CODECS
        for state in (("exchange", "before Bind"), ("exchange", "bound"), ("client", "bound"))
    }


# ---------------------------------------------------------------- dialogues


@named(VECTORS["dialogues"])
def test_every_step_goes_where_the_layouts_say(vector: dict[str, Any]) -> None:
    for step in vector["steps"]:
        message = read(step, "binary")
        assert message == read(step, "json")
        told = MESSAGES[type(message).__name__]
        assert step["link"] in told["links"]
        assert told["from"] in (step["from"], "either")


@named(VECTORS["dialogues"])
def test_every_request_has_its_reply_under_its_id(vector: dict[str, Any]) -> None:
    waiting: dict[tuple[str, str, int], str] = {}
    lost = 0
    for step in vector["steps"]:
        frame = the_frame(step, "binary")
        told = BY_KIND[frame.kind]
        other = {"client": "exchange", "exchange": "client"}[step["from"]]
        if "reply" in told:
            waiting[step["link"], step["from"], frame.invoke_id] = told["reply"]
        elif "answers" in told:
            assert waiting.pop((step["link"], other, frame.invoke_id)) == told["name"]
        if told["name"] == "Bind":
            lost += sum(1 for link, _, _ in waiting if link == step["link"]) - 1
    assert not waiting
    assert lost == ("lost" in vector["name"])
