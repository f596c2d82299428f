"""The JSON codec: the same messages for people and for web pages, one object a line.

``{"kind":"DataRequest","id":5,"serial":"007"}`` in UTF-8, ended by a line feed. The attributes have the names of
:mod:`ctiex.messages`; those with a default (:data:`DEFAULTS`) may be left out. Codes (role, condition, status) are
numbers. Whatever the layouts of the binary codec forbid is forbidden here: every message read is checked by the binary
encoder.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from attrs import NOTHING, frozen
from attrs import fields as attributes_of
from zope.interface import implementer

from ctiex.codecs.derived import encoder_of
from ctiex.codecs.framing import extension_bytes
from ctiex.codecs.json_lines import EXTENSIONS, JsonDecoder, integer_of
from ctiex.codecs.json_values import bytes_of, read_text, reader_of, to_json
from ctiex.codecs.layouts import BODIES, LAYOUTS
from ctiex.codecs.shapes import Element, Number, Text, shape_of
from ctiex.errors import MalformedFrame, UnknownKind
from ctiex.interfaces import Extensions, Frame, ICodec, IDecoder
from ctiex.messages import KINDS, Message

_HEADS = {kind: f'{{"kind":"{message.__name__}","id":' for kind, message in KINDS.items()}
_LONGEST_HEAD = max(map(len, _HEADS.values())) + len(str(2**32 - 1))


@implementer(ICodec)
@frozen
class JsonCodec:
    """Messages to lines of JSON and back."""

    name: str = "json"

    def decoder(self, max_frame: int) -> IDecoder:
        """A decoder for one link, with its limit on a line, the line feed not counted, in bytes."""
        return JsonDecoder(max_frame)

    def decode_body(self, frame: Frame) -> Message:
        """The message of a frame, whose body is a dictionary of its attributes.

        :raise MalformedFrame: an attribute is unknown, missing, of the wrong type or out of its limits.
        :raise CodecError: the fault of the frame, if it has one.
        """
        if frame.fault is not None:
            raise frame.fault
        if frame.kind not in KINDS:
            raise UnknownKind("a message kind that isn't in this version")
        message_type = KINDS[frame.kind]
        given = {name: value for name, value in frame.body.items() if name != EXTENSIONS}
        message = message_type(**_attributes(message_type, given))
        encoder_of(message)(message)
        if frame.extended:
            _check_extensions(frame.body[EXTENSIONS])
        return message

    def encode_body(self, message: Message) -> bytes:
        """The object of the attributes alone, which stays good for any number of frames.

        :raise MalformedFrame: an attribute breaks its layout; the text names it.
        """
        encoder_of(message)(message)
        elements = shapes_of(type(message))
        return _dumped({element.name: to_json(element, getattr(message, element.name)) for element in elements})

    def frame(self, kind: int, invoke_id: int, body: bytes, extensions: Extensions = ()) -> bytes:
        """A whole line around an encoded body.

        :raise MalformedFrame: there is no such kind, or a number doesn't fit its place.
        """
        if kind not in _HEADS or not 0 <= invoke_id < 2**32:
            raise MalformedFrame("the kind or the invoke id doesn't fit the header")
        head = f"{_HEADS[kind]}{invoke_id:d}".encode()
        if extensions:
            extension_bytes(extensions)
            listed = [[number, b64encode(value).decode()] for number, value in extensions]
            head += f',"{EXTENSIONS}":'.encode() + _dumped(listed)
        return b"%b}\n" % head if body == b"{}" else b"%b,%b\n" % (head, body[1:])

    def data_responder(self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str) -> None:
        """None: this codec is for people."""

    def frame_length(self, body: bytes) -> int:
        """The length of the longest line that this body can give, the line feed not counted, in bytes."""
        return _LONGEST_HEAD + len(body)


# ---------------------------------------------------------------- reading


def _attributes(message: type[Message], given: Mapping[str, Any]) -> dict[str, Any]:
    readers, defaults = _READERS[message], DEFAULTS[message]
    if not given.keys() <= readers.keys():
        raise MalformedFrame(f"{message.__name__}: an unknown attribute")
    missing = readers.keys() - given.keys() - defaults.keys()
    if missing:
        raise MalformedFrame(f"{message.__name__}: missing {', '.join(sorted(missing))}")
    values = {}
    for name, reader in readers.items():
        try:
            values[name] = reader(given[name] if name in given else defaults[name])
        except (TypeError, ValueError, LookupError):
            raise MalformedFrame(f"{message.__name__}.{name}: invalid value") from None
    return values


def _check_extensions(given: Any) -> None:
    """Check what stands behind ``ext``; no type is known, so each is skipped.

    :raise MalformedFrame: it is no list of types and base64.
    """
    try:
        extension_bytes([_extension(pair) for pair in _listed(given)])
    except (TypeError, ValueError):
        raise MalformedFrame("extensions are a list of types and base64") from None


def _extension(pair: Any) -> tuple[int, bytes]:
    number, value = _listed(pair)
    return integer_of(number), bytes_of(read_text(value))


def _listed(value: Any) -> list[Any]:
    """A list, and nothing else that Python could go through."""
    if type(value) is not list:
        raise TypeError
    return value


# ---------------------------------------------------------------- what a body has


def shapes_of(message: type[Message]) -> tuple[Element, ...]:
    """The elements of a message's body, in order."""
    return _SHAPES[message]


def _default(message: type[Message], name: str, element: Element, of_python: Any) -> Any:
    """What stands for an attribute that was left out, as JSON; NOTHING where it is never left out."""
    if of_python is not NOTHING:
        return to_json(element, of_python)
    if BODIES[message][name].needed:
        return NOTHING
    if isinstance(element, Number):
        return 0 if element.members is None or 0 in element.members else NOTHING
    if isinstance(element, Text):
        return "" if not element.least else NOTHING
    return {} if name == "fields" else []


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_SHAPES = {message: shape_of(layout) for message, layout in LAYOUTS.items()}
_READERS = {
    message: {element.name: reader_of(element) for element in elements} for message, elements in _SHAPES.items()
}
_OF_PYTHON = {message: {one.name: one.default for one in attributes_of(message)} for message in LAYOUTS}
DEFAULTS: Mapping[type[Message], Mapping[str, Any]] = {
    message: {
        element.name: default
        for element in elements
        if (default := _default(message, element.name, element, _OF_PYTHON[message][element.name])) is not NOTHING
    }
    for message, elements in _SHAPES.items()
}
"""Of each message, what stands for the attributes that may be left out, as JSON."""
