"""The line protocol of Asterisk's manager interface (AMI): bytes to messages and back, no input or output.

A message is a number of ``Key: Value`` lines and an empty line. Keys may come more than once
(``Variable``, and ``Output`` for the text of a command); a line without one is left out. The other
side greets with one line that isn't a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from attrs import field, frozen

from ctiex.errors import CtiexError

MAX_LINE = 16_384
"""The longest line that is taken, in bytes."""
MAX_MESSAGE = 262_144
"""The longest message that is taken, in bytes."""
MAX_SENT_LINE = 1_000
"""The longest line that Asterisk takes: 1,024 bytes with their end. A longer one is dropped there silently."""
BANNER = b"Asterisk Call Manager/"

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FORBIDDEN = re.compile(r"[\r\n\0]")


class AmiError(CtiexError):
    """Bytes that are no AMI, or something that can't be said in it."""


@frozen
class AmiMessage:
    """A response or an event."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Keys and values in their order; what can't be read as UTF-8 is kept by surrogate escapes."""
    _first: dict[str, str] = field(init=False, repr=False, eq=False)

    @_first.default
    def _first_of_each_key(self) -> dict[str, str]:
        return {key.lower(): value for key, value in reversed(self.headers)}

    def __getitem__(self, key: str) -> str:
        """The first value under this key, whatever its case; empty without one."""
        return self._first.get(key.lower(), "")

    @property
    def event(self) -> str:
        """The name of an event; empty for a response."""
        return self["Event"]

    @property
    def action_id(self) -> str:
        """Which action it answers; empty where it answers none."""
        return self["ActionID"]

    @property
    def good(self) -> bool:
        """Whether it is a response that says that all is well."""
        return self["Response"] in ("Success", "Goodbye")

    @property
    def begins_a_list(self) -> bool:
        """Whether events under the same ActionID follow."""
        return self["EventList"].lower() == "start"

    @property
    def ends_a_list(self) -> bool:
        """Whether it is the last event of such a list, complete or given up."""
        return self["EventList"].lower() in ("complete", "cancelled")

    def variables(self) -> dict[str, str]:
        """The channel variables that an event of ``Status`` brings; those that aren't set are left out."""
        pairs = (value.partition("=") for key, value in self.headers if key.lower() == "variable")
        return {name: value for name, _, value in pairs if value != "(null)"}


class AmiDecoder:
    """Finds the messages in what Asterisk sends."""

    def __init__(self) -> None:
        self.banner = ""
        """What the other side has greeted with; empty before."""
        self._unread = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._broken: AmiError | None = None

    def receive(self, data: bytes) -> list[AmiMessage]:
        """The messages that are complete now. What comes in a broken stream is never taken up again.

        :raise AmiError: the other side speaks something else, or a line or a message is too long.
        """
        if self._broken is not None:
            raise self._broken
        try:
            return list(self._messages(data))
        except AmiError as error:
            self._broken = error
            self._unread, self._lines = b"", []
            raise

    def _messages(self, data: bytes) -> Iterator[AmiMessage]:
        unread = self._unread + data
        if not self.banner and not BANNER.startswith(unread[: len(BANNER)]):
            raise AmiError("the peer's greeting isn't that of an Asterisk manager interface")
        *lines, self._unread = unread.split(b"\n")
        for line in lines:
            if len(line) > MAX_LINE:
                raise _too_long()
            if line.endswith(b"\r"):
                line = line[:-1]
            if not self.banner:
                self.banner = _text(line)
            elif line:
                self._add(line)
            elif self._lines:
                yield self._taken()
        if len(self._unread) > MAX_LINE:
            raise _too_long()

    def _add(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > MAX_MESSAGE:
            raise AmiError(f"a message of more than {MAX_MESSAGE} bytes")
        self._lines.append(line)

    def _taken(self) -> AmiMessage:
        lines, self._lines, self._size = self._lines, [], 0
        parts = [line.partition(":") for line in _text(b"\n".join(lines)).split("\n")]
        return AmiMessage(
            tuple([(key, value.removeprefix(" ")) for key, colon, value in parts if colon and _is_key(key)])
        )


@lru_cache(maxsize=256)
def _is_key(key: str) -> bool:
    """The few keys that there are come over and over, in each of thousands of messages."""
    return _KEY.fullmatch(key) is not None


def _too_long() -> AmiError:
    return AmiError(f"a line of more than {MAX_LINE} bytes")


def encode_action(name: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """An action for Asterisk.

    :raise AmiError: a key is invalid, or a value would end its line, or is too long for Asterisk.
    """
    return b"".join(_line(key, value) for key, value in (("Action", name), *headers)) + b"\r\n"


def _line(key: str, value: str) -> bytes:
    if not _is_key(key):
        raise AmiError(f"{key[:40]!r} isn't a valid key of an action")
    if _FORBIDDEN.search(value):
        raise AmiError(f"the value of {key} contains a line break, which would begin another line")
    try:
        line = f"{key}: {value}".encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise AmiError(f"the value of {key} can't be encoded in UTF-8") from None
    if len(line) > MAX_SENT_LINE:
        raise AmiError(f"{key} and its value take {len(line)} bytes: at most {MAX_SENT_LINE} fit in one line")
    return line + b"\r\n"


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
