"""The line protocol of Asterisk's gateway interface (AGI): bytes to values and commands to bytes, no input or output.

Asterisk begins with lines ``agi_NAME: VALUE`` about the call and an empty line. Then each command gets one answer; a
line ``HANGUP`` may come at any time, also between a command and its answer.

It writes values as they are. One that has line ends goes on in the next lines, and may look like the end of what is
said of the call, or like lines of its own: a customer's name is whatever the customer likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from attrs import field, frozen

from ctiex.errors import CtiexError

MAX_LINE = 16_384
"""The longest line that is taken, in bytes."""
MAX_LINES = 256
"""The most lines about a call, or of one answer."""
MAX_ABOUT_CALL = 8_192
"""The most that is taken about a call in all, in bytes; Asterisk says about one KB."""
MAX_ANSWER = 65_536
"""The most that is taken up to the end of an answer, in bytes."""
MAX_COMMAND = 2_000
"""The longest command, in bytes: Asterisk reads 2,047 with the line's end, and takes the rest for another command."""

_ABOUT_CALL = re.compile(r"(agi_[a-z0-9_]{1,60}): ?(.*)", re.DOTALL)
_ANSWER = re.compile(r"(\d{3})(?:([ -])(.*))?", re.DOTALL)
_RESULT = re.compile(r"result=(-?[0-9*#A-Da-d]*)(?:$| (.*))", re.DOTALL)
_NOTE = re.compile(r"(?:\((.*)\))?(?: ?endpos=\d{1,18})?", re.DOTALL)
_ANYTHING, _NO_MORE = re.compile(".*", re.DOTALL), re.compile("(?!)")
_OPEN = re.compile(r"result=[-0-9*#A-Da-d]* \((?!.*\)(?: ?endpos=\d{1,18})?$)", re.DOTALL)
_CLOSED = re.compile(r"\)(?: ?endpos=\d{1,18})?$")
_NUMBER = re.compile(r"-?\d{1,9}")
_ABOUT = b"agi_"
_SAID_BEFORE_NAMES = frozenset(
    ("network", "network_script", "request", "channel", "language", "type", "uniqueid", "version", "callerid",
     "calleridname")
)  # fmt: skip
"""What Asterisk says before anything that a customer has chosen, and those two: of these the first line counts, of all
others the last, so that nothing in a name takes their place."""
_FIRST_OF_LATER, _LAST = "version", "threadid"
"""An Asterisk that says the one says the other (all since 1.6), with at most the arguments of the script behind it."""
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

    @property
    def number(self) -> int | None:
        """The result as a number; None if it isn't one."""
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
            raise AgiError(f"{words}, argument {position}: found a line break or NUL, expected text of one line")
    text = " ".join((words, *map(_quoted, arguments)))
    try:
        line = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise AgiError(f"{words}: found text that can't be encoded in UTF-8") from None
    if len(line) > MAX_COMMAND:
        raise AgiError(f"{words}: found a command of {len(line)} bytes, expected at most {MAX_COMMAND}")
    return line + b"\n"


def _quoted(argument: str) -> str:
    if _BARE.fullmatch(argument):
        return argument
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class AgiReader:
    """Finds the values in what Asterisk sends; holds the unfinished line and the unfinished value."""

    def __init__(self) -> None:
        self._unfinished = b""
        self._read: Callable[[str], Iterator[AgiValue]] = self._call_line
        """Takes the next line, as what has come before it wants."""
        self._call: dict[str, str] = {}
        self._name = ""
        """The variable that an incomplete line continues."""
        self._empty_lines = 0
        """That came since, and belong to it if more of it comes."""
        self._goes_on = _ABOUT_CALL
        """Which lines may belong to what came last, though it seemed complete."""
        self._lines: list[str] = []
        """Of an answer that isn't complete."""
        self._count = self._size = 0
        """Lines and bytes that came since the last value."""
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
                yield from self._line(line)
            self._check_size(self._unfinished, len(self._unfinished))
        except AgiError as error:
            self._fault = error
            raise

    def _line(self, line: bytes) -> Iterator[AgiValue]:
        self._check_size(line, len(line) + 1)
        self._size += len(line) + 1
        self._count += 1
        for value in self._read(line.removesuffix(b"\r").decode("utf-8", "surrogateescape")):
            self._count = self._size = 0
            yield value

    def _check_size(self, line: bytes, size: int) -> None:
        """Look at a line, maybe an unfinished one, before it is taken.

        :param size: of it, with its end where that has come.
        :raise AgiError: it is no AGI, or too much.
        """
        if self._read == self._call_line:
            if not self._call and line and line[: len(_ABOUT)] != _ABOUT[: len(line)]:
                raise AgiError("found an invalid line about the call, expected agi_NAME: VALUE")
            if self._size + size > MAX_ABOUT_CALL:
                raise AgiError(f"found too much text about the call, expected at most {MAX_ABOUT_CALL} bytes")
        elif len(line) > MAX_LINE:
            raise AgiError(f"found a line that is too long, expected at most {MAX_LINE} bytes")
        elif self._size + size > MAX_ANSWER:
            raise AgiError(f"found too much text without an answer, expected at most {MAX_ANSWER} bytes")

    def _check_count(self, what: str) -> None:
        if self._count > MAX_LINES:
            raise AgiError(f"found too many lines {what}, expected at most {MAX_LINES}")

    # ------------------------------------------------------------ about the call

    def _call_line(self, line: str) -> Iterator[AgiValue]:
        said = _ABOUT_CALL.fullmatch(line)
        if not line and self._is_last():
            self._read = self._answer_line
            yield AgiCall(self._call)
            return
        self._check_count("about the call")
        if said is not None:
            self._say(said[1].removeprefix("agi_"), said[2])
        elif not self._call:
            raise AgiError("found an invalid line about the call, expected agi_NAME: VALUE")
        elif not line:
            self._empty_lines += 1
        else:
            self._go_on(line)

    def _is_last(self) -> bool:
        """Whether an empty line is the end, and not within a name."""
        return _FIRST_OF_LATER not in self._call or _LAST in self._call

    def _say(self, name: str, value: str) -> None:
        self._empty_lines = 0
        if name in self._call and name in _SAID_BEFORE_NAMES:
            self._name = ""
        else:
            self._name = name
            self._call[name] = value

    def _go_on(self, line: str) -> None:
        """One more line of the last value."""
        if self._name:
            self._call[self._name] += "\n" * (1 + self._empty_lines) + line
        self._empty_lines = 0

    # ------------------------------------------------------------ answers

    def _answer_line(self, line: str) -> Iterator[AgiValue]:
        if line == "HANGUP":
            yield AgiHangup()
            return
        self._check_count("without an answer")
        found = _ANSWER.fullmatch(line)
        if found is None:
            self._skip(line)
            return
        self._goes_on = _NO_MORE
        code, kind, rest = int(found[1]), found[2], found[3] or ""
        if kind == "-":  # 520-..., then lines about the right usage, then a line that begins with 520
            self._read, self._lines = self._usage_line, [line[:3]]
        elif code == 200 and _OPEN.match(rest):
            self._read, self._lines = self._value_line, [rest]
        elif code == 200:
            self._goes_on = _ANYTHING if "(" in rest else _NO_MORE
            yield _result(rest)
        elif code >= 200:  # 100 Trying is no answer yet
            yield AgiAnswer(code, note=rest)

    def _skip(self, line: str) -> None:
        """An empty line is nothing; another may go on with what seemed complete.

        :raise AgiError: it doesn't.
        """
        if line and not self._goes_on.fullmatch(line):
            raise AgiError("found an unexpected line, expected an answer such as 200 result=0")

    def _value_line(self, line: str) -> Iterator[AgiValue]:
        """One more line of the value of a variable: it ends with the line that closes the parenthesis."""
        self._lines.append(line)
        self._check_count("of an answer")
        if _CLOSED.search(line):
            self._read, self._goes_on = self._answer_line, _ANYTHING
            yield _result("\n".join(self._lines))

    def _usage_line(self, line: str) -> Iterator[AgiValue]:
        code, *lines = self._lines
        if line == code or line.startswith(f"{code} "):
            self._read = self._answer_line
            yield AgiAnswer(int(code), note="\n".join(lines))
            return
        self._check_count("of an answer")
        self._lines.append(line)


def _result(rest: str) -> AgiAnswer:
    found = _RESULT.fullmatch(rest)
    if found is None:
        raise AgiError("found an unexpected answer, expected result= after 200")
    rest = found[2] or ""
    note = _NOTE.fullmatch(rest)
    return AgiAnswer(200, found[1], rest if note is None else note[1] or "")
