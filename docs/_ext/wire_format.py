"""Sphinx directives that write the wire format out of what the code declares.

``.. wire-layouts::`` gives the header and, for every kind, a table of its body, read off the layouts;
``.. wire-vectors::`` the test vectors of ``vectors.json``, which stands beside the page's sources.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ctiex.codecs.layouts import HEADER, LAYOUTS
from ctiex.codecs.shapes import BITS, Element, FieldList, Number, Text, number_codes, shape_of
from ctiex.errors import Status
from ctiex.fields import MAX_NAME
from ctiex.messages import KINDS, Message


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], widths: str) -> Iterator[str]:
    """A list-table in reStructuredText."""
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in [headings, *rows]:
        for index, cell in enumerate(row):
            yield f"   {'* -' if index == 0 else '  -'} {cell}"
    yield ""


def number_type(code: str) -> str:
    return f"{'i' if code.islower() else 'u'}{BITS[code]}"


def described(element: Element) -> tuple[str, str, str]:
    """Name, type and meaning of one element."""
    if isinstance(element, FieldList):
        return f"``{element.name}``", "fields", "channel associated data, see below"
    if isinstance(element, Text):
        return f"``{element.name}``", *_described_text(element)
    return f"``{element.name}``", number_type(element.code), _meaning(element)


def _described_text(text: Text) -> tuple[str, str]:
    if text.digits:
        return "serial", f"{text.least} to {text.greatest} ASCII digits behind their number (u8)"
    return f"text{BITS[text.code]}", f"UTF-8, up to {text.greatest} bytes"


def _meaning(number: Number) -> str:
    if number.members is None:
        return "a status" if number.name == "status" else ""
    return ", ".join(f"{code} {member.name.lower().replace('_', ' ')}" for code, member in number.members.items())


def body_lines(kind: int, message: type[Message]) -> Iterator[str]:
    """One kind: its name, what it is for, the table of its body."""
    yield from (f".. rubric:: {kind:02X} {message.__name__}", "", (message.__doc__ or "").strip().split("\n")[0], "")
    elements = shape_of(LAYOUTS[message])
    if elements:
        yield from table(("attribute", "type", "meaning"), map(described, elements), "25 15 60")
    else:
        yield from ("The body is empty.", "")


def header_lines() -> Iterator[str]:
    names = [subcon.name for subcon in HEADER.subcons]
    meanings = {
        "length": "bytes after this field",
        "version": "1",
        "kind": "see below",
        "flags": "0",
        "invoke_id": "pairs a reply with its request",
    }
    rows = [
        (f"``{name}``", number_type(code), meanings[name])
        for name, code in zip(names, number_codes(HEADER)[1:], strict=True)
    ]
    yield from (".. rubric:: The header of a frame", "", *table(("name", "type", "meaning"), rows, "25 15 60"))


def field_lines() -> Iterator[str]:
    """The layout of ``fields``, read off one message that has them."""
    shape = next(each for layout in LAYOUTS.values() for each in shape_of(layout) if isinstance(each, FieldList))
    rows = [
        ("count", number_type(shape.count_code), "how many fields follow"),
        ("name", "text8", f"of each field: 1 to {MAX_NAME} bytes, unique within the message"),
        ("type", number_type(shape.type_code), "see the next table"),
        ("size", number_type(shape.size_code), "of the value, in bytes"),
        ("value", "", "so many bytes"),
    ]
    values = [(str(int(case)), case.name.lower(), _value(inner)) for case, inner in shape.values.items()]
    yield from (".. rubric:: Fields", "", *table(("part", "type", "meaning"), rows, "25 15 60"))
    yield from table(("type", "name", "value"), values, "25 15 60")


def _value(inner: Number | Text | None) -> str:
    if inner is None:
        return "any bytes"
    if isinstance(inner, Text):
        return "UTF-8"
    width = struct.calcsize(">" + inner.code)
    return f"one byte, {' or '.join(map(str, inner.members))}" if inner.members else f"{width} bytes, signed"


def message_vector_lines(vector: dict[str, Any]) -> Iterator[str]:
    title = f"{vector['kind']:02X} {vector['type']}: {vector['name']}"
    data = vector["hex"]
    yield from (f".. rubric:: {title}", "", ".. code-block:: text", "")
    yield from (f"   {data[at : at + 64]}" for at in range(0, len(data), 64))
    yield from ("", ".. code-block:: json", "", f"   {vector['json']}", "")


def malformed_lines(vectors: Iterable[dict[str, Any]]) -> Iterator[str]:
    rows = [
        (
            vector["name"],
            f"``{vector['hex']}``",
            f"{vector['status']} {Status(vector['status']).text}",
            "ends" if vector["ends_link"] else "stays open",
        )
        for vector in vectors
    ]
    yield from (".. rubric:: What is malformed", "")
    yield from table(("what is wrong", "bytes", "status", "the link"), rows, "25 45 18 12")


class Generated(SphinxDirective):
    """Parses generated reStructuredText in place of itself."""

    has_content: ClassVar[bool] = False

    def lines(self) -> Iterator[str]:
        raise NotImplementedError("each directive gives its own lines")

    def run(self) -> list[nodes.Node]:
        parent = nodes.container()
        self.state.nested_parse(StringList(list(self.lines()), source=self.name), self.content_offset, parent)
        return parent.children


class WireLayouts(Generated):
    """The header, every body, and the fields."""

    def lines(self) -> Iterator[str]:
        yield from header_lines()
        for kind, message in KINDS.items():
            yield from body_lines(kind, message)
        yield from field_lines()


class WireVectors(Generated):
    """The test vectors."""

    def lines(self) -> Iterator[str]:
        file = Path(self.env.srcdir) / "vectors.json"
        self.env.note_dependency(str(file))
        vectors = json.loads(file.read_text(encoding="utf-8"))
        for vector in vectors["messages"]:
            yield from message_vector_lines(vector)
        yield from malformed_lines(vectors["malformed"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("wire-layouts", WireLayouts)
    app.add_directive("wire-vectors", WireVectors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
