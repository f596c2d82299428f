"""The fast path of the binary codec, derived from the layouts when this is imported.

For each message two functions are written as source and executed: what stands
between two texts becomes one ``struct.Struct``, each text a slice. They take
and give what construct does when it runs the layouts (``tests/interpreted.py``); a differential test holds the two
together. Nothing but MalformedFrame leaves them, and no error shows a value.

A text that is cut off gives a shorter slice, not an error: the end of the body is
compared once, with the end that the last element reached.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.shapes import Element, FieldList, Number, RecordList, Text, shape_of
from ctiex.codecs.values import derive_fields_reader, derive_fields_writer
from ctiex.errors import MalformedFrame
from ctiex.messages import KIND_OF, Message

BROKEN = (ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error)
"""What the functions meet inside themselves when the layout is broken."""

_EXTENSION_HEAD = struct.Struct(">HH")
"""The type of an extension and its length, as :data:`ctiex.codecs.wire_types.EXTENSIONS` declares them."""


# ---------------------------------------------------------------- reading


def _decoder_source(message: type[Message], elements: Sequence[Element]) -> tuple[str, dict[str, Any]]:
    names: dict[str, Any] = {"Message": message, "BROKEN": BROKEN, "malformed": _malformed_body}
    names["behind_extensions"] = _behind_extensions
    lines = ["def decode(body, extended=False):", " end = 0", " try:"]
    lines += [f"  {line}" for line in _reading_all(elements, names)]
    lines += [
        f"  message = Message({', '.join(element.name for element in elements)})",
        "  if extended: end = behind_extensions(body, end)",
        " except BROKEN as error: raise malformed(Message, error) from None",
        " if end != len(body): raise malformed(Message, end - len(body))",
        " return message",
    ]
    return "\n".join(lines), names


def _record_reader(shape: RecordList) -> Callable[[bytes, int], tuple[tuple[Any, ...], int]]:
    """Reads a list of records from an offset; gives them and the offset after them."""
    names: dict[str, Any] = {"Record": shape.record}
    lines = ["def read(body, end):", *(f" {line}" for line in _reading_all(shape.elements, names))]
    lines.append(f" return Record({', '.join(element.name for element in shape.elements)}), end")
    read: Callable[..., Any] = _made("\n".join(lines), names, "read")
    count_of = struct.Struct(">" + shape.count_code)

    def read_records(body: bytes, end: int) -> tuple[tuple[Any, ...], int]:
        (count,) = count_of.unpack_from(body, end)
        end += count_of.size
        records = []
        for _ in range(count):
            record, end = read(body, end)
            records.append(record)
        return tuple(records), end

    return read_records


def _reading_all(elements: Sequence[Element], names: dict[str, Any]) -> Iterable[str]:
    for index, (numbers, other) in enumerate(_runs(elements)):
        yield from _reading(index, numbers, other, names)


def _reading(
    index: int, numbers: Sequence[Number], other: Text | FieldList | RecordList | None, names: dict[str, Any]
) -> Iterable[str]:
    targets = [number.name for number in numbers]
    codes = "".join(number.code for number in numbers)
    if isinstance(other, Text):
        targets.append("size")
        codes += other.code
    if codes:
        packed = struct.Struct(">" + codes)
        names[f"unpack_{index}"] = packed.unpack_from
        yield f"{', '.join(targets)}, = unpack_{index}(body, end)"
        yield f"end += {packed.size}"
    for number in numbers:
        if number.members is not None:
            names[f"members_of_{number.name}"] = number.members
            yield f"{number.name} = members_of_{number.name}[{number.name}]"
    if isinstance(other, Text):
        yield from _reading_text(other)
    elif other is not None:
        read = derive_fields_reader(other) if isinstance(other, FieldList) else _record_reader(other)
        names[f"read_{other.name}"] = read
        yield f"{other.name}, end = read_{other.name}(body, end)"


def _reading_text(text: Text) -> Iterable[str]:
    yield "start = end"
    yield "end += size"
    yield f"{text.name} = body[start:end].decode({text.encoding!r})"
    yield from _checking(text, "size", text.name)


# ---------------------------------------------------------------- writing


_MANY_PARTS = 4
"""From so many on, joining is faster than adding one to the other."""


def _encoder_source(elements: Sequence[Element]) -> tuple[str, dict[str, Any]]:
    names: dict[str, Any] = {}
    lines = ["def encode(message):"]
    parts: list[str] = []
    for index, (numbers, other) in enumerate(_runs(elements)):
        lines += [f" {line}" for line in _writing(index, numbers, other, names, parts)]
    joined = " + ".join(parts) if len(parts) < _MANY_PARTS else f"b''.join(({', '.join(parts)}))"
    lines.append(f" return {joined or repr(b'')}")
    return "\n".join(lines), names


def _writing(
    index: int,
    numbers: Sequence[Number],
    other: Text | FieldList | RecordList | None,
    names: dict[str, Any],
    parts: list[str],
) -> Iterable[str]:
    sources = [f"message.{number.name}" for number in numbers]
    codes = "".join(number.code for number in numbers)
    for number in numbers:
        if number.members is not None:
            names[f"members_of_{number.name}"] = number.members
            yield f"members_of_{number.name}[message.{number.name}]"
    if isinstance(other, Text):
        sources.append(f"len({other.name})")
        codes += other.code
        yield f"{other.name} = message.{other.name}.encode({other.encoding!r})"
        yield from _checking(other, f"len({other.name})", other.name)
    if codes:
        names[f"pack_{index}"] = struct.Struct(">" + codes).pack
        parts.append(f"pack_{index}({', '.join(sources)})")
    if isinstance(other, Text):
        parts.append(other.name)
    elif other is not None:
        write = derive_fields_writer(other) if isinstance(other, FieldList) else _record_writer(other)
        names[f"write_{other.name}"] = write
        parts.append(f"write_{other.name}(message.{other.name})")


def _record_writer(shape: RecordList) -> Callable[[Sequence[Any]], bytes]:
    """Writes a list of records, count and all."""
    write = _made(*_encoder_source(shape.elements), "encode")
    pack_count = struct.Struct(">" + shape.count_code).pack
    return lambda records: b"".join((pack_count(len(records)), *map(write, records)))


def _checking(text: Text, size: str, name: str) -> Iterable[str]:
    """The limits of a text beyond those of its length; ``bytes`` and ``str`` both have isdigit."""
    if text.bounded:
        told = f"{text.least} to {text.greatest} bytes are allowed"
        yield f"if not {text.least} <= {size} <= {text.greatest}: raise ValueError({told!r})"
    if text.digits:
        yield f"if {name} and not {name}.isdigit(): raise ValueError('only decimal digits are allowed')"


# ---------------------------------------------------------------- both


def _behind_extensions(body: bytes, at: int) -> int:
    """The offset behind the extensions that stand at this one: no type is known, so each is skipped."""
    count = body[at]
    at += 1
    for _ in range(count):
        _, size = _EXTENSION_HEAD.unpack_from(body, at)
        at += _EXTENSION_HEAD.size + size
    return at


def _runs(elements: Sequence[Element]) -> Iterable[tuple[list[Number], Text | FieldList | RecordList | None]]:
    """Numbers that stand side by side, with what follows them."""
    numbers: list[Number] = []
    for element in elements:
        if isinstance(element, Number):
            numbers.append(element)
        else:
            yield numbers, element
            numbers = []
    if numbers:
        yield numbers, None


def _made(source: str, names: dict[str, Any], which: str) -> Callable[[Any], Any]:
    # The source comes from the layouts alone: no byte of a message is ever in it.
    exec(compile(source, f"<{which} derived from its layout>", "exec"), names)
    made: Callable[[Any], Any] = names[which]
    return made


def _derive_encoder(message: type[Message]) -> Callable[[Message], bytes]:
    elements = shape_of(LAYOUTS[message])
    alone = {element.name: _made(*_encoder_source([element]), "encode") for element in elements}
    source, names = _encoder_source(elements)
    head, *lines = source.splitlines()
    names |= {"BROKEN": BROKEN, "malformed": _malformed_message, "alone": alone}
    # In one function: it is called for every message that goes out.
    refusing = " except BROKEN: raise malformed(message, alone) from None"
    return _made("\n".join([head, " try:", *(f" {line}" for line in lines), refusing]), names, "encode")


def _malformed_message(message: Message, alone: dict[str, Callable[[Any], Any]]) -> MalformedFrame:
    """Names the attribute at fault: each one is encoded again, alone."""
    for name, encode in alone.items():
        try:
            encode(message)
        except BROKEN as error:
            return MalformedFrame(f"{type(message).__name__}.{name}: {_reason(error)}")
    return MalformedFrame(f"{type(message).__name__}: it can't be encoded")


def _malformed_body(message: type[Message], found: Exception | int) -> MalformedFrame:
    if isinstance(found, Exception):
        told = "it ends too early" if isinstance(found, (struct.error, IndexError)) else _reason(found)
    else:
        told = "it ends too early" if found > 0 else f"{-found} bytes are left over"
    return MalformedFrame(f"{message.__name__}: {told}")


def _reason(error: Exception) -> str:
    """In words, and never with the value: what such an error says itself often shows it."""
    if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError)):
        return f"text that isn't {error.encoding.upper()}"
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, LookupError):
        return "unknown enum value"
    if isinstance(error, (TypeError, AttributeError)):
        return "a value of the wrong type"
    return "too long, or out of range"


DECODERS: dict[int, Callable[..., Message]] = {
    kind: _made(*_decoder_source(message, shape_of(LAYOUTS[message])), "decode") for message, kind in KIND_OF.items()
}
"""By kind: the message of a body, and True where extensions stand behind it.

:raise MalformedFrame: the body or the extensions break the layout.
"""

ENCODERS: dict[type[Message], Callable[[Message], bytes]] = {message: _derive_encoder(message) for message in KIND_OF}
"""By message: the body of a message.

:raise MalformedFrame: an attribute breaks the layout.
"""


def encoder_of(message: Message) -> Callable[[Message], bytes]:
    """The encoder for this kind of message.

    :raise MalformedFrame: it is no message at all.
    """
    encoder = ENCODERS.get(type(message))
    if encoder is None:
        raise MalformedFrame(f"a {type(message).__name__} isn't a message")
    return encoder
