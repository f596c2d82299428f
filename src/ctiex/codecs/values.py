"""Reads and writes channel associated data, derived from its layout as :mod:`ctiex.codecs.derived` is.

The functions raise whatever they meet; the caller turns it into MalformedFrame.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ctiex.codecs.layouts import FIELD_TYPES, FieldType
from ctiex.codecs.shapes import FieldList, Number, Text
from ctiex.fields import Fields, Value


def field_type(value: Value) -> FieldType:
    """The type on the wire of a value; an enum of integers is an integer, and so on.

    :raise TypeError: no such value can travel.
    """
    for base in type(value).__mro__:
        if base in FIELD_TYPES:
            return FIELD_TYPES[base]
    raise TypeError("not text, an integer, a boolean or bytes")


def derive_fields_reader(shape: FieldList) -> Callable[[bytes, int], tuple[Fields, int]]:
    """Reads fields from an offset; gives them and the offset after them."""
    count_of = struct.Struct(">" + shape.count_code)
    before_name = struct.Struct(">" + shape.field_name.code)
    before_value = struct.Struct(">" + shape.type_code + shape.size_code)
    least, greatest = shape.field_name.least, shape.field_name.greatest
    readers = {int(case): _value_reader(inner) for case, inner in shape.values.items()}
    unpack_count, unpack_name, unpack_value = (
        count_of.unpack_from, before_name.unpack_from, before_value.unpack_from
    )  # fmt: skip
    count_width, name_width, value_width = count_of.size, before_name.size, before_value.size

    def read_fields(body: bytes, end: int) -> tuple[Fields, int]:
        (count,) = unpack_count(body, end)
        end += count_width
        values: dict[str, Value] = {}
        for _ in range(count):
            (size,) = unpack_name(body, end)
            if not least <= size <= greatest:
                raise ValueError(f"a field name takes {least} to {greatest} bytes")
            start = end + name_width
            end = start + size
            name = body[start:end].decode()
            code, size = unpack_value(body, end)
            start = end + value_width
            end = start + size
            values[name] = readers[code](body[start:end])
        if len(values) != count:
            raise ValueError("a duplicate field name")
        return Fields.trusted(values), end

    return read_fields


def _value_reader(inner: Number | Text | None) -> Callable[[bytes], Value]:
    if inner is None:
        return bytes
    if isinstance(inner, Text):
        return bytes.decode
    unpack, members = struct.Struct(">" + inner.code).unpack, inner.members
    if members is None:
        return lambda data: unpack(data)[0]
    return lambda data: members[unpack(data)[0]]


def derive_fields_writer(shape: FieldList) -> Callable[[Fields], bytes]:
    """Writes fields, count and all."""
    pack_count = struct.Struct(">" + shape.count_code).pack
    pack_name = struct.Struct(">" + shape.field_name.code).pack
    pack_value = struct.Struct(">" + shape.type_code + shape.size_code).pack
    least, greatest = shape.field_name.least, shape.field_name.greatest
    writers = {case: _value_writer(inner) for case, inner in shape.values.items()}
    exact = {python: (case, writers[case]) for python, case in FIELD_TYPES.items()}

    def write_fields(fields: Fields) -> bytes:
        if type(fields) is not Fields:
            raise TypeError("not a Fields")
        parts = [pack_count(len(fields))]
        for name, value in fields.items():
            if type(value) in exact:
                case, write = exact[type(value)]
            else:
                case = field_type(value)
                write = writers[case]
            head, data = name.encode(), write(value)
            if not least <= len(head) <= greatest:
                raise ValueError(f"a field name takes {least} to {greatest} bytes")
            parts += (pack_name(len(head)), head, pack_value(case, len(data)), data)
        return b"".join(parts)

    return write_fields


def _value_writer(inner: Number | Text | None) -> Callable[[Any], bytes]:
    if inner is None:
        return bytes
    if isinstance(inner, Text):
        return str.encode
    return struct.Struct(">" + inner.code).pack
