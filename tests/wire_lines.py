"""The same messages as lines of JSON, by the published description alone, and both ways to put a message into bytes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from .wire_frames import (
    HEADER,
    LISTS,
    NUMBERS,
    Amount,
    FieldList,
    Kind,
    Message,
    Moment,
    Value,
    message,
    parse,
    parts,
    split,
)

MOST_NUMBER = 2**53 - 1
"""Numbers beyond are written as strings."""
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Form(Protocol):
    """How messages become bytes."""

    def message(self, kind: Kind, invoke_id: int, values: Mapping[str, Any]) -> bytes:
        """The bytes of a message."""

    def first(self, data: bytes) -> tuple[Message, bytes] | None:
        """The first message of what came, and what stands behind it; None while there is no whole one."""


class Frames:
    """Binary frames."""

    def message(self, kind: Kind, invoke_id: int, values: Mapping[str, Any]) -> bytes:
        return message(kind, invoke_id, **values)

    def first(self, data: bytes) -> tuple[Message, bytes] | None:
        end = 4 + int.from_bytes(data[:4], "big")
        if len(data) < HEADER.size or len(data) < end:
            return None
        return parse(data[: HEADER.size], data[HEADER.size : end]), data[end:]


class Lines:
    """JSON, one object a line."""

    def message(self, kind: Kind, invoke_id: int, values: Mapping[str, Any]) -> bytes:
        content = {name: to_json(form, values[name]) for name, form in parts(kind)}
        return line({"kind": name_of(kind), "id": invoke_id, **content})

    def first(self, data: bytes) -> tuple[Message, bytes] | None:
        one, end, rest = data.partition(b"\n")
        return (parse_line(one), rest) if end else None


FORMS: dict[str, Form] = {"binary": Frames(), "json": Lines()}


def line(content: Mapping[str, Any]) -> bytes:
    """A line of JSON."""
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def name_of(kind: Kind) -> str:
    """The name of a message in JSON."""
    return "".join(word.capitalize() for word in kind.name.split("_"))


KIND_BY_NAME = {name_of(kind): kind for kind in Kind}


def to_json(form: str, value: Any) -> Any:
    """One attribute."""
    if form in NUMBERS:
        return value if abs(value) <= MOST_NUMBER else str(value)
    if form == "fields":
        return {name: field_to_json(one) for name, one in value}
    if form in LISTS:
        return [{name: to_json(each, one[name]) for name, each in split(LISTS[form])} for one in value]
    return value


def field_to_json(value: Value) -> Any:
    """The value of a field."""
    match value:
        case bool() | str():
            return value
        case int():
            return value if abs(value) <= MOST_NUMBER else {"int": str(value)}
        case bytes():
            return {"bytes": b64encode(value).decode()}
        case Amount():
            return {"decimal": value.text}
        case Moment():
            at = _1970 + timedelta(milliseconds=value.milliseconds)
            return {"time": at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"}


def parse_line(data: bytes) -> Message:
    """A message out of a line, held to the description: every attribute is there, and nothing else."""
    content = json.loads(data)
    kind = KIND_BY_NAME[content.pop("kind")]
    invoke_id = content.pop("id")
    assert list(content) == [name for name, _ in parts(kind)], content
    return Message(kind, invoke_id, {name: from_json(form, content[name]) for name, form in parts(kind)}, len(data))


def from_json(form: str, value: Any) -> Any:
    """One attribute."""
    if form in NUMBERS:
        assert (type(value) is int and value <= MOST_NUMBER) or (type(value) is str and int(value) > MOST_NUMBER), value
        return int(value)
    if form == "fields":
        return fields_of(value)
    if form in LISTS:
        for one in value:
            assert list(one) == [name for name, _ in split(LISTS[form])], one
        return [{name: from_json(each, one[name]) for name, each in split(LISTS[form])} for one in value]
    assert type(value) is str, value
    return value


def fields_of(content: Mapping[str, Any]) -> FieldList:
    """Fields, in order."""
    return [(name, field_of(value)) for name, value in content.items()]


def field_of(value: Any) -> Value:
    """The value of a field."""
    if type(value) is int:
        assert abs(value) <= MOST_NUMBER, value
    if not isinstance(value, dict):
        assert isinstance(value, str | int), value
        return value
    ((form, text),) = value.items()
    match form:
        case "int":
            assert abs(int(text)) > MOST_NUMBER, text
            return int(text)
        case "bytes":
            return b64decode(text, validate=True)
        case "decimal":
            return Amount(text)
        case "time":
            at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
            return Moment((at - _1970) // timedelta(milliseconds=1))
    raise AssertionError(f"a field of the form {form}")
