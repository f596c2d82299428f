"""Markers that stand in secret places, and a search for them in whatever form they may have leaked."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from string import ascii_letters, digits

from attrs import field, frozen

from ctiex.fields import Value

_LETTERS = ascii_letters + digits


@frozen
class Marker:
    """A value that nobody else would write, and what of it is looked for."""

    place: str
    """Where it was put, for people."""
    value: Value = field(repr=False)
    core: bytes = field(repr=False)
    """The part of its bytes that no escape changes; of an integer, its eight bytes."""

    @property
    def forms(self) -> Iterator[bytes]:
        """What betrays it, wherever it stands in something longer."""
        yield self.core
        yield from {self.core.hex().encode(), self.core.hex().upper().encode(), self.core.hex(" ").encode()}
        for encoded in _in_base64(self.core):
            yield from {encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")}
        if isinstance(self.value, str):
            yield self.core.decode().encode("utf-16-le")
            yield self.core.decode().encode("utf-16-be")
        elif isinstance(self.value, bytes):
            escaped = repr(self.value)[2:-1]
            yield from (escaped.encode(), escaped.replace("\\", "\\\\").encode())
            yield "".join(f"\\u{byte:04x}" for byte in self.value).encode()
        else:
            yield str(self.value).encode()
            yield self.core[::-1]

    @property
    def encoded(self) -> list[bytes]:
        """How the binary and the JSON codec write it."""
        if isinstance(self.value, bytes):
            return [self.core, *_in_base64(self.core)]
        return [self.core] if isinstance(self.value, str) else [self.core, str(self.value).encode()]


def _in_base64(core: bytes) -> Iterator[bytes]:
    """The letters of base64 that stand for nothing but the core, whatever is before and behind it."""
    for before in range(3):
        encoded = b64encode(bytes(before) + core + bytes(3))
        yield encoded[-(-before * 8 // 6) : (before + len(core)) * 8 // 6]


class Markers:
    """Makes markers, and remembers them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.made: list[Marker] = []

    def text(self, place: str) -> str:
        """A text with a quote, a backslash and more than ASCII around its core."""
        core = "".join(self._random.choices(_LETTERS, k=24))
        value = f'é"{core}\\ü'
        self.made.append(Marker(place, value, core.encode()))
        return value

    def integer(self, place: str) -> int:
        """An integer of 18 digits."""
        value = self._random.randrange(10**17, 10**18)
        self.made.append(Marker(place, value, value.to_bytes(8, "big")))
        return value

    def data(self, place: str) -> bytes:
        """Bytes beyond ASCII, which is no text in any encoding of several bytes."""
        value = bytes(self._random.choices(range(0x80, 0x100), k=20))
        self.made.append(Marker(place, value, value))
        return value


def found_in(texts: Mapping[str, bytes], markers: Iterable[Marker]) -> list[str]:
    """Which markers stand in which of these texts, a sentence each."""
    return [
        f"the {marker.place} stands in {name}"
        for marker in markers
        for name, text in texts.items()
        if any(re.search(re.escape(form), text) for form in marker.forms)
    ]
