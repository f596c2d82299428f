"""Runs a Kaitai Struct file on bytes: as much of the language as docs/ctiex.ksy uses."""

from __future__ import annotations

import struct
from typing import Any

_NUMBERS = {"u1": ">B", "u2": ">H", "u4": ">I", "u8": ">Q", "s8": ">q"}
Tree = dict[str, Any]


class NotValid(Exception):
    """The bytes don't fit the file."""


class Stream:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise NotValid("too short")
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> int:
        return len(self._data) - self._at


class Kaitai:
    """A file that reads bytes."""

    def __init__(self, file: Tree) -> None:
        self._file = file

    def read(self, data: bytes) -> Tree:
        """Everything that the file finds in the bytes.

        :raise NotValid: they don't fit it.
        """
        return self._sequence(self._file["seq"], Stream(data))

    def _sequence(self, parts: list[Tree], stream: Stream) -> Tree:
        found: Tree = {}
        for part in parts:
            if "if" in part and not self._flagged(part["if"], found):
                continue
            found[part["id"]] = self._repeated(part, stream, found)
        return found

    def _flagged(self, expression: str, found: Tree) -> bool:
        name, equal, number = expression.split()
        assert equal == "=="
        return bool(found[name] == int(number))

    def _repeated(self, part: Tree, stream: Stream, found: Tree) -> Any:
        if part.get("repeat") == "expr":
            return [self._one(part, stream, found) for _ in range(found[part["repeat-expr"]])]
        if part.get("repeat") == "eos":
            items = []
            while stream.rest():
                items.append(self._one(part, stream, found))
            return items
        return self._one(part, stream, found)

    def _one(self, part: Tree, stream: Stream, found: Tree) -> Any:
        kind = self._kind(part, found)
        if "size" in part or part.get("size-eos"):
            data = stream.take(found[part["size"]] if "size" in part else stream.rest())
            value = self._sized(kind, part, data)
        elif kind in _NUMBERS:
            (value,) = struct.unpack(_NUMBERS[kind], stream.take(struct.calcsize(_NUMBERS[kind])))
        else:
            assert kind is not None, part
            value = self._sequence(self._file["types"][kind]["seq"], stream)
        self._check(part.get("valid"), value)
        return value

    def _kind(self, part: Tree, found: Tree) -> Any:
        kind = part.get("type")
        if not isinstance(kind, dict):
            return kind
        cases = {self._code(case): name for case, name in kind["cases"].items() if case != "_"}
        return cases.get(found[kind["switch-on"]], kind["cases"].get("_"))

    def _code(self, member: str | int) -> int:
        if isinstance(member, int):
            return member
        enum, _, name = member.partition("::")
        return next(int(code) for code, told in self._file["enums"][enum].items() if told == name)

    def _sized(self, kind: str | None, part: Tree, data: bytes) -> Any:
        if kind is None:
            return data
        if kind != "str":
            return self._sequence(self._file["types"][kind]["seq"], Stream(data))
        try:
            return data.decode(part["encoding"])
        except UnicodeDecodeError:
            raise NotValid("bad text") from None

    def _check(self, valid: Any, value: Any) -> None:
        match valid:
            case None:
                good = True
            case int():
                good = value == valid
            case {"any-of": members}:
                good = value in map(self._code, members)
            case {"expr": "_.length == 0"}:
                good = len(value) == 0
            case _:
                good = valid.get("min", value) <= value <= valid.get("max", value)
        if not good:
            raise NotValid(f"{value!r} isn't {valid}")
