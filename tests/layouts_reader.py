"""Reads both codecs by docs/layouts.json and the rules of the page alone; shares no code with the exchange.

It measures whether the documents are enough: what it reads, and what it answers, is held against docs/vectors.json.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LAYOUTS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "docs" / "layouts.json").read_text("utf-8"))
MESSAGES: dict[str, dict[str, Any]] = {message["name"]: message for message in LAYOUTS["messages"]}
BY_KIND: dict[int, dict[str, Any]] = {message["kind"]: message for message in LAYOUTS["messages"]}
TYPES: dict[int, str] = {each["type"]: each["name"] for each in LAYOUTS["fields"]["types"]}
NUMBERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d{3})?Z", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Body = dict[str, Any]


class Malformed(Exception):
    """Breaks a rule of the documents."""


def hold(truth: bool) -> None:
    if not truth:
        raise Malformed


# ---------------------------------------------------------------- binary


class Bytes:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        hold(self.at + size <= len(self.data))
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, code: str) -> int:
        (number,) = struct.unpack(">" + code, self.take(struct.calcsize(">" + code)))
        return int(number)

    def text(self, code: str, encoding: str = "utf-8") -> str:
        try:
            return self.take(self.number(code)).decode(encoding)
        except UnicodeDecodeError:
            raise Malformed from None

    def end(self) -> None:
        hold(self.at == len(self.data))


def binary_body(message: dict[str, Any], data: bytes, extended: bool) -> Body:
    """The attributes of a binary body, fields as pairs of type and value."""
    rest = Bytes(data)
    body = _attributes(message["attributes"], rest)
    if extended:
        for _ in range(rest.number("B")):
            rest.number("H")
            rest.take(rest.number("H"))
    rest.end()
    return body


def _attributes(attributes: list[dict[str, Any]], rest: Bytes) -> Body:
    return {attribute["name"]: _attribute(attribute, rest) for attribute in attributes}


def _attribute(attribute: dict[str, Any], rest: Bytes) -> Any:
    kind = attribute["type"]
    if kind in NUMBERS:
        return checked(attribute, rest.number(NUMBERS[kind]))
    if kind == "fields":
        return _fields(rest)
    if kind == "list":
        count = rest.number(NUMBERS[attribute["count"]])
        return [_attributes(LAYOUTS["records"][attribute["of"]], rest) for _ in range(count)]
    return checked(attribute, rest.text("H" if kind == "text16" else "B"))


def checked(attribute: dict[str, Any], value: Any) -> Any:
    """A number or a text within its limits."""
    if "values" in attribute:
        hold(value in attribute["values"])
    elif isinstance(value, int):
        hold(attribute["least"] <= value <= int(attribute["greatest"]))
    else:
        hold(attribute["least"] <= len(value.encode()) <= attribute["greatest"])
    if attribute["type"] == "serial":
        hold(not value or (value.isascii() and value.isdigit()))
    return value


def _fields(rest: Bytes) -> Body:
    fields: Body = {}
    for _ in range(rest.number("H")):
        name = rest.text("B")
        kind = rest.number("B")
        hold(1 <= len(name.encode()) <= 64 and name not in fields and kind in TYPES)
        fields[name] = (TYPES[kind], _value(TYPES[kind], rest.take(rest.number("H"))))
    return fields


def _value(kind: str, data: bytes) -> Any:
    if kind in ("INTEGER", "TIME"):
        hold(len(data) == 8)
        (number,) = struct.unpack(">q", data)
        return number if kind == "INTEGER" else in_time(number)
    if kind == "BOOLEAN":
        hold(data in (b"\0", b"\1"))
        return data == b"\1"
    if kind == "BYTES":
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Malformed from None
    hold(kind == "TEXT" or bool(DECIMAL.fullmatch(text)))
    return text


def in_time(number: int) -> int:
    hold(LAYOUTS["fields"]["time_least"] <= number <= LAYOUTS["fields"]["time_greatest"])
    return number


# ---------------------------------------------------------------- JSON


def json_body(message: dict[str, Any], given: Body) -> Body:
    """The attributes of a line, with its defaults."""
    known = {attribute["name"]: attribute for attribute in message["attributes"]}
    hold(given.keys() - {"ext"} <= known.keys())
    if "ext" in given:
        _check_extensions(given["ext"])
    needed = {name for name, attribute in known.items() if "default" not in attribute}
    hold(needed <= given.keys())
    return {name: _json_attribute(each, given.get(name, each.get("default"))) for name, each in known.items()}


def _check_extensions(given: Any) -> None:
    hold(isinstance(given, list))
    for each in given:
        hold(isinstance(each, list) and len(each) == 2 and 0 <= integer(each[0]) < 2**16)
        _base64(each[1])


def _json_attribute(attribute: dict[str, Any], value: Any) -> Any:
    kind = attribute["type"]
    if kind in NUMBERS:
        return checked(attribute, integer(value))
    if kind == "fields":
        hold(isinstance(value, dict))
        hold(all(1 <= len(encoded(name)) <= 64 for name in value))
        return {name: _json_value(item) for name, item in value.items()}
    if kind == "list":
        hold(isinstance(value, list))
        return [_json_record(LAYOUTS["records"][attribute["of"]], item) for item in value]
    hold(isinstance(value, str))
    encoded(value)
    return checked(attribute, value)


def _json_record(attributes: list[dict[str, Any]], value: Any) -> Body:
    hold(isinstance(value, dict) and value.keys() == {attribute["name"] for attribute in attributes})
    return {attribute["name"]: _json_attribute(attribute, value[attribute["name"]]) for attribute in attributes}


def integer(value: Any) -> int:
    """A number, or the text of one."""
    if isinstance(value, str):
        hold(bool(re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII)))
        return int(value)
    hold(type(value) is int)
    return int(value)


def encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Malformed from None


def _json_value(value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        encoded(value)
        return "TEXT", value
    if isinstance(value, bool):
        return "BOOLEAN", value
    if isinstance(value, int):
        return "INTEGER", _of_64_bits(value)
    hold(isinstance(value, dict) and len(value) == 1)
    ((key, text),) = value.items()
    hold(key in _OBJECTS and isinstance(text, str))
    kind, read = _OBJECTS[key]
    return kind, read(text)


def _of_64_bits(value: int) -> int:
    hold(-(2**63) <= value < 2**63)
    return value


def _base64(text: Any) -> bytes:
    hold(isinstance(text, str))
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed from None
    hold(base64.b64encode(data).decode() == text)
    return data


def _time(text: str) -> int:
    hold(bool(TIME.fullmatch(text)))
    try:
        return in_time((datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1))
    except ValueError:
        raise Malformed from None


def _decimal(text: str) -> str:
    hold(bool(DECIMAL.fullmatch(text)))
    return text


_OBJECTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "int": ("INTEGER", lambda text: _of_64_bits(integer(text))),
    "bytes": ("BYTES", _base64),
    "decimal": ("DECIMAL", _decimal),
    "time": ("TIME", _time),
}


def parsed(line: bytes) -> Body:
    """The object of a line."""

    def whole(pairs: list[tuple[str, Any]]) -> Any:
        made = dict(pairs)
        return made if len(made) == len(pairs) else _Broken()

    def broken(text: str) -> Any:
        return _Broken()

    def constant(text: str) -> Any:
        raise Malformed

    try:
        given = json.loads(line.decode(), object_pairs_hook=whole, parse_float=broken, parse_constant=constant)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise Malformed from None
    hold(isinstance(given, dict))
    return dict(given)


class _Broken:
    """A fraction, or an object with a doubled key: no reader of an attribute takes it."""


def frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, invoke id and the rest of each whole binary frame."""
    while data:
        length, version, kind, flags, invoke_id = struct.unpack_from(">IBBHI", data)
        hold(version == LAYOUTS["version"] and len(data) >= 4 + length)
        yield kind, flags, invoke_id, data[12 : 4 + length]
        data = data[4 + length :]
