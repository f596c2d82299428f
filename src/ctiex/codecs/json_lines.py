"""Finds the frames of the JSON codec, one a line, in a stream of bytes. Sans-IO, incremental."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field
from zope.interface import implementer

from ctiex.errors import CodecError, FrameTooLong, MalformedFrame, UnknownKind
from ctiex.frozen import frozen
from ctiex.interfaces import Frame, IDecoder
from ctiex.messages import KIND_OF

NOT_ALLOWED = object()
"""Stands for what JSON has and the messages don't: fractions and huge numbers. No reader of
an attribute takes it, so the line still can be answered under its invoke id."""

EXTENSIONS = "ext"
"""The key of the extensions: a list of ``[type, "<base64>"]``."""

_LONGEST_INTEGER = len(str(-(2**63)))
_INTEGER = re.compile(rf"-?[0-9]{{1,{_LONGEST_INTEGER}}}", re.ASCII)
_KINDS = {message.__name__: kind for message, kind in KIND_OF.items()}


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else NOT_ALLOWED


@frozen
class _Doubled:
    """An object with keys that stand in it more than once: no value for those that read it."""

    once: dict[str, Any]
    """What stands in it once."""


def _object(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    counts = Counter(key for key, _ in pairs)
    return _Doubled({key: value for key, value in pairs if counts[key] == 1})


def _fraction(digits: str) -> Any:
    return NOT_ALLOWED


def _constant(name: str) -> Any:
    raise ValueError("NaN and Infinity aren't JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant)


@implementer(IDecoder)
@define(eq=False)
class JsonDecoder:
    """The lines of one direction of one link.

    The limit counts every byte before the line feed. How far the search for one has come is
    remembered, so that a long line in many segments is searched once.
    """

    max_frame: int
    """The limit on a frame's length, in bytes."""
    _data: bytearray = field(factory=bytearray, init=False, repr=False)
    _at: int = field(default=0, init=False)
    _searched: int = field(default=0, init=False)
    _failure: CodecError | None = field(default=None, init=False)

    def receive(self, data: bytes) -> None:
        """Take more bytes off the wire, however they are split. After what ended the link they are dropped."""
        if self._failure is not None:
            return
        del self._data[: self._at]
        self._searched -= self._at
        self._at = 0
        self._data += data

    def frames(self) -> Iterator[Frame]:
        """The complete lines that have come, each given once; the body is a dictionary of the attributes.

        :raise FrameTooLong: a line over the limit.
        """
        while self._failure is None:
            line = self._line()
            if line is None:
                break
            yield frame_of(line)
        if self._at == len(self._data):
            self._data.clear()  # an idle link keeps nothing of what was said on it
            self._at = self._searched = 0
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    def buffered(self) -> int:
        """How many bytes wait for the rest of their line."""
        return len(self._data) - self._at

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n", self._searched)
        length = (len(self._data) if end < 0 else end) - self._at
        if length > self.max_frame:
            self._fail(FrameTooLong(f"a line over {self.max_frame} bytes"))
            return None
        if end < 0:
            self._searched = len(self._data)
            return None
        line = bytes(self._data[self._at : end])
        self._at = self._searched = end + 1
        return line

    def _fail(self, failure: CodecError) -> None:
        self._failure = failure
        self._data.clear()
        self._at = self._searched = 0


def frame_of(line: bytes) -> Frame:
    """The frame of one line. What is wrong with it is its fault, under its id if that is there."""
    try:
        attributes = _JSON.decode(line.decode())
    except (ValueError, RecursionError):
        attributes = NOT_ALLOWED
    doubled = type(attributes) is _Doubled
    if doubled:
        attributes = attributes.once
    if type(attributes) is not dict:
        return Frame(0, 0, {}, MalformedFrame("a line that isn't a JSON object"))
    try:
        invoke_id = integer_of(attributes.pop("id", 0))
    except TypeError:
        invoke_id = -1
    if not 0 <= invoke_id < 2**32:
        return Frame(0, 0, {}, MalformedFrame("an id is an unsigned integer of 32 bits"))
    judged = _judged(attributes, invoke_id)
    if doubled:
        told = MalformedFrame("a key that stands in a line twice")
        return Frame(judged.kind if invoke_id else 0, invoke_id, {}, told)
    return judged


def _judged(attributes: dict[str, Any], invoke_id: int) -> Frame:
    name = attributes.pop("kind", None)
    if not isinstance(name, str):
        return Frame(0, invoke_id, {}, MalformedFrame("a line needs a kind, as text"))
    kind = _KINDS.get(name)
    if kind is None:
        return Frame(0, invoke_id, {}, UnknownKind("a message kind that isn't in this version"))
    return Frame(kind, invoke_id, attributes, None, EXTENSIONS in attributes)


def integer_of(value: Any) -> int:
    """An integer, written as a number or as text, since JavaScript rounds those beyond 2^53 - 1.

    :raise TypeError: it is neither.
    """
    if type(value) is int:
        return value
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise TypeError
