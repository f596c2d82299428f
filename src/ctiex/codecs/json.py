"""The JSON codec: the same messages for people and for web pages, one object a line.

``{"kind":"DataRequest","invoke_id":5,"serial":"007","exchange_address":""}`` in UTF-8, ended by a line
feed. The attributes have the names of :mod:`ctiex.messages`; those with a default there may be left
out. Codes (role, condition, status) are numbers. Fields are an object: text a string, integer a number,
boolean true or false, bytes ``{"bytes": "<base64>"}``. Whatever the layouts of the binary codec
forbid is forbidden here: every message read is checked by the binary encoder.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from operator import index
from typing import Any, TypeVar

from attrs import NOTHING, frozen
from attrs import fields as attributes_of
from zope.interface import implementer

from ctiex.codecs.derived import encoder_of
from ctiex.codecs.json_lines import JsonDecoder
from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.shapes import Element, Number, Text, shape_of
from ctiex.errors import MalformedFrame, UnknownKind
from ctiex.fields import Fields, Value
from ctiex.interfaces import Frame, ICodec, IDecoder
from ctiex.messages import KINDS, Message

_HEADS = {kind: f'{{"kind":"{message.__name__}","invoke_id":' for kind, message in KINDS.items()}
_LONGEST_HEAD = max(map(len, _HEADS.values())) + len(str(2**32 - 1))

Exact = TypeVar("Exact")


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
        message = message_type(**_attributes(message_type, frame.body))
        encoder_of(message)(message)
        return message

    def encode_body(self, message: Message) -> bytes:
        """The object of the attributes alone, which stays good for any number of frames.

        :raise MalformedFrame: an attribute breaks its layout; the text names it.
        """
        encoder_of(message)(message)
        attributes = {
            name: index(getattr(message, name)) if isinstance(element, Number) else _to_json(getattr(message, name))
            for name, element in _ELEMENTS[type(message)].items()
        }
        return json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()

    def frame(self, kind: int, invoke_id: int, body: bytes) -> bytes:
        """A whole line around an encoded body.

        :raise MalformedFrame: there is no such kind, or the invoke id takes more than 32 bits.
        """
        if kind not in _HEADS or not 0 <= invoke_id < 2**32:
            raise MalformedFrame("the kind or the invoke id doesn't fit the header")
        head = f"{_HEADS[kind]}{invoke_id:d}".encode()
        return b"%b}\n" % head if body == b"{}" else b"%b,%b\n" % (head, body[1:])

    def data_responder(self, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str) -> None:
        """None: this codec is for people."""

    def frame_length(self, body: bytes) -> int:
        """The length of the longest line that this body can give, the line feed not counted, in bytes."""
        return _LONGEST_HEAD + len(body)


# ---------------------------------------------------------------- reading


def _attributes(message: type[Message], given: Mapping[str, Any]) -> dict[str, Any]:
    readers = _READERS[message]
    if not given.keys() <= readers.keys():
        raise MalformedFrame(f"{message.__name__}: an unknown attribute")
    if not _NEEDED[message] <= given.keys():
        missing = ", ".join(sorted(_NEEDED[message] - given.keys()))
        raise MalformedFrame(f"{message.__name__}: missing {missing}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = readers[name](value)
        except (TypeError, ValueError, LookupError):
            raise MalformedFrame(f"{message.__name__}.{name}: invalid value") from None
    return values


def _reader(element: Element) -> Callable[[Any], Any]:
    if isinstance(element, Text):
        return partial(_exactly, str)
    if isinstance(element, Number):
        members = element.members
        return partial(_exactly, int) if members is None else lambda value: members[_exactly(int, value)]
    return _read_fields


def _exactly(kind: type[Exact], value: Any) -> Exact:
    """The value, if it is of this very type: true is no integer."""
    if type(value) is not kind:
        raise TypeError
    return value


def _read_fields(value: Any) -> Fields:
    return Fields.trusted({name: _read_value(item) for name, item in _exactly(dict, value).items()})


def _read_value(value: Any) -> Value:
    match value:
        case str() | bool() | int():
            return value
        case {"bytes": str(text), **others} if not others:
            return b64decode(text, validate=True)
    raise TypeError


# ---------------------------------------------------------------- writing


def _to_json(value: Any) -> Any:
    if isinstance(value, Fields):
        return {name: _to_json(item) for name, item in value.items()}
    return {"bytes": b64encode(value).decode()} if isinstance(value, bytes) else value


_ELEMENTS: dict[type[Message], dict[str, Element]] = {
    message: {element.name: element for element in shape_of(layout)} for message, layout in LAYOUTS.items()
}
_READERS = {
    message: {name: _reader(element) for name, element in elements.items()} for message, elements in _ELEMENTS.items()
}
_NEEDED = {message: frozenset(a.name for a in attributes_of(message) if a.default is NOTHING) for message in LAYOUTS}
