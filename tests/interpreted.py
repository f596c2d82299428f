"""The reference codec: construct runs the layouts as they are declared. The tests alone have a use for it.

Slow and plain; it settles what a layout means. :mod:`ctiex.codecs.derived` has to
take and give exactly the same.
"""

from __future__ import annotations

from typing import Any

from construct import ConstructError

from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.values import field_type
from ctiex.errors import MalformedFrame
from ctiex.fields import Fields
from ctiex.messages import Message

BROKEN = (ConstructError, ValueError, LookupError, TypeError, AttributeError, OverflowError)


def decode(message: type[Message], body: bytes) -> Message:
    """The message of a body.

    :raise MalformedFrame: the body breaks the layout.
    """
    try:
        parsed = LAYOUTS[message].parse(body)
        return message(**{name: _from_layout(value) for name, value in parsed.items() if name != "_io"})
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


def _from_layout(value: Any) -> Any:
    if isinstance(value, list):
        return Fields.trusted({item["name"]: item["value"] for item in value})
    return value


def _to_layout(name: str, value: Any) -> Any:
    if name != "fields":
        return value
    if type(value) is not Fields:
        raise TypeError("not a Fields")
    return [{"name": key, "type": field_type(item), "value": item} for key, item in value.items()]
