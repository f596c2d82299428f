"""The line protocol of Asterisk's gateway interface (AGI): bytes to values and commands to bytes, no input or output.

Asterisk begins with lines ``agi_NAME: VALUE`` about the call and an empty line. Then each command gets one answer; a
line ``HANGUP`` may come at any time, also between a command and its answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ctiex.errors import CtiexError

MAX_LINE = 16_384
"""The longest line that is taken, in bytes."""
MAX_LINES = 256
"""The most lines about a call, or of one answer."""
MAX_COMMAND = 2_000
"""The longest command, in bytes: Asterisk reads 2,047 with the line's end, and takes the rest for another command."""

_ABOUT_CALL = re.compile(r"(agi_[a-z0-9_]{1,60}): ?(.*)", re.DOTALL)
_ANSWER = re.compile(r"(\d{3})(?:([ -])(.*))?", re.DOTALL)
_RESULT = re.compile(r"result=(-?[0-9*#A-Da-d]*)(?:$| (.*))", re.DOTALL)
_NOTE = re.compile(r"(?:\((.*)\))?(?: ?endpos=(\d{1,18}))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,9}")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_WORD = re.compile(r"[A-Z]+(?: [A-Z]+)*")
_BARE = re.compile(r"[A-Za-z0-9_.-]+")


class AgiError(CtiexError):
    """Bytes that are no AGI, something that can't be said in it, or a command that Asterisk doesn't take."""


@frozen
class AgiCall:
    """What Asterisk says of a call before anything is asked."""

    variables: Mapping[str, str] = field(repr=False)
    """By name, without the ``agi_`` in front. It tells who calls: it has no place in a log."""

    def __getitem__(self, name: str) -> str:
        """What stands under this name; empty where there is nothing, or ``unknown``."""
        value = self.variables.get(name, "")
        return "" if value == "unknown" else value

    @property
    def path(self) -> str:
        """What was asked for: ``password`` of ``agi://127.0.0.1:4573/password``, without what stands behind a ``?``."""
        return self["network_script"].partition("?")[0].strip("/")


@frozen
class AgiAnswer:
    """The answer to a command."""

    code: int
    """200 where Asterisk took it; 510 no such command, 511 the channel is gone, 520 no such arguments."""
    result: str = field(default="", repr=False)
    """What stands behind ``result=``; the keys that were typed are among it, so it has no place in a log."""
    note: str = field(default="", repr=False)
    """What stands in parentheses: the value of a variable, ``timeout``; else the rest of the line."""
    end_position: int | None = None
    """How far a file was played, in samples."""

    @property
    def number(self) -> int | None:
        """The result as a number; None where it is none."""
        return int(self.result) if _NUMBER.fullmatch(self.result) else None


@frozen
class AgiHangup:
    """The channel was hung up."""


AgiValue = AgiCall | AgiAnswer | AgiHangup


def write_command(words: str, *arguments: str) -> bytes:
    """A command as a line.

    :param words: the command's own, as ``STREAM FILE``.
    :param arguments: each is quoted where it has to be, and comes out at the other side as it is.
    :raise AgiError: a line's end or a NUL is in it, or it is too long.
    """
    if not _WORD.fullmatch(words):
        raise AgiError("expected the words of a command in capital letters")
    for position, argument in enumerate(arguments, 1):
        if _FORBIDDEN.search(argument):
            raise AgiError(f"{words}, argument {position}: found a line's end or NUL, expected text of one line")
    text = " ".join((words, *map(_quoted, arguments)))
    try:
        line = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise AgiError(f"{words}: found text that can't be written in UTF-8") from None
    if len(line) > MAX_COMMAND:
        raise AgiError(f"{words}: found a command of {len(line)} bytes, expected at most {MAX_COMMAND}")
    return line + b"\n"


def _quoted(argument: str) -> str:
    if _BARE.fullmatch(argument):
        return argument
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class AgiReader:
    """Finds the values in what Asterisk sends; holds the unfinished line and the unfinished answer."""

    def __init__(self) -> None:
        self._unfinished = b""
        self._call: dict[str, str] | None = {}
        self._usage: list[str] | None = None
        self._fault: AgiError | None = None

    def receive(self, data: bytes) -> Iterator[AgiValue]:
        """The values that are complete with these bytes, in any split.

        :raise AgiError: they are no AGI; raised again by every later call.
        """
        if self._fault is not None:
            raise self._fault
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        try:
            for line in lines:
                yield from self._line(_text(line))
            if len(self._unfinished) > MAX_LINE:
                raise _too_long()
        except AgiError as error:
            self._fault = error
            raise

    def _line(self, line: str) -> Iterator[AgiValue]:
        if self._usage is not None:
            yield from self._usage_line(line)
        elif line == "HANGUP":
            yield AgiHangup()
        elif self._call is not None:
            yield from self._call_line(self._call, line)
        else:
            yield from self._answer_line(line)

    def _call_line(self, call: dict[str, str], line: str) -> Iterator[AgiValue]:
        if not line:
            self._call = None
            yield AgiCall(call)
            return
        said = _ABOUT_CALL.fullmatch(line)
        if said is None:
            raise AgiError("found another line about the call, expected agi_NAME: VALUE")
        if len(call) >= MAX_LINES:
            raise AgiError(f"found more lines about the call, expected at most {MAX_LINES}")
        call.setdefault(said[1].removeprefix("agi_"), said[2])

    def _answer_line(self, line: str) -> Iterator[AgiValue]:
        found = _ANSWER.fullmatch(line)
        if found is None:
            raise AgiError("found another line, expected an answer such as 200 result=0")
        code, kind, rest = int(found[1]), found[2], found[3] or ""
        if kind == "-":  # 520-..., then lines about the right usage, then a line that begins with 520
            self._usage = [line[:3]]
        elif code == 200:
            yield _result(rest)
        elif code >= 200:  # 100 Trying is no answer yet
            yield AgiAnswer(code, note=rest)

    def _usage_line(self, line: str) -> Iterator[AgiValue]:
        assert self._usage is not None
        code, *lines = self._usage
        if line == code or line.startswith(f"{code} "):
            self._usage = None
            yield AgiAnswer(int(code), note="\n".join(lines))
            return
        if len(self._usage) > MAX_LINES:
            raise AgiError(f"found more lines of an answer, expected at most {MAX_LINES}")
        self._usage.append(line)


def _result(rest: str) -> AgiAnswer:
    found = _RESULT.fullmatch(rest)
    if found is None:
        raise AgiError("found another answer, expected result= behind 200")
    rest = found[2] or ""
    note = _NOTE.fullmatch(rest)
    if note is None:
        return AgiAnswer(200, found[1], rest)
    return AgiAnswer(200, found[1], note[1] or "", int(note[2]) if note[2] else None)


def _text(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise _too_long()
    return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


def _too_long() -> AgiError:
    return AgiError(f"found a longer line, expected at most {MAX_LINE} bytes")
