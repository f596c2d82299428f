"""The reference codec: construct runs the layouts as they are declared. The tests alone have a use for it.

Slow and plain; it settles what a layout means. :mod:`ctiex.codecs.derived` has to
take and give exactly the same.
"""

from __future__ import annotations

from typing import Any

from construct import ConstructError, Struct, Terminated

from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.values import field_type
from ctiex.codecs.wire_types import EXTENSIONS
from ctiex.errors import MalformedFrame
from ctiex.fields import Fields
from ctiex.messages import Message

BROKEN = (ConstructError, ValueError, LookupError, TypeError, AttributeError, OverflowError)


def decode(message: type[Message], body: bytes, extended: bool = False) -> Message:
    """The message of a body.

    :param extended: extensions stand behind it, which are skipped.
    :raise MalformedFrame: the body breaks the layout.
    """
    try:
        attributes: list[Any] = [subcon for subcon in LAYOUTS[message].subcons if subcon.name]
        behind = [EXTENSIONS, Terminated] if extended else [Terminated]
        parsed = Struct(*attributes, *behind).parse(body)
        return message(**{subcon.name: _from_layout(subcon.name, parsed[subcon.name]) for subcon in attributes})
    except BROKEN as error:
        # What construct says may show values: only the kind of error is passed on.
        raise MalformedFrame(f"{message.__name__}: {type(error).__name__}") from None


def encode(message: Message) -> bytes:
    """The body of a message.

    :raise MalformedFrame: an attribute breaks the layout.
    """
    return b"".join(_encode_attribute(message, subcon) for subcon in LAYOUTS[type(message)].subcons if subcon.name)


def _encode_attribute(message: Message, subcon: Any) -> bytes:
    try:
        return bytes(subcon.build(_to_layout(subcon.name, getattr(message, subcon.name))))
    except BROKEN as error:
        name = f"{type(message).__name__}.{subcon.name}"
        raise MalformedFrame(f"{name}: {type(error).__name__}") from None


def _from_layout(name: str, value: Any) -> Any:
    if name == "fields":
        return Fields.trusted({item["name"]: item["value"] for item in value})
    return tuple(value) if isinstance(value, list) else value


def _to_layout(name: str, value: Any) -> Any:
    if name != "fields":
        return value
    if type(value) is not Fields:
        raise TypeError("not a Fields")
    return [{"name": key, "type": field_type(item), "value": item} for key, item in value.items()]
