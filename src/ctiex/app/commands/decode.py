"""``ctiex decode``: frames off the wire, for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import attrs
from attrs import define, field
from twisted.python.usage import UsageError

from ctiex.app.commands.masking import MaskingOptions
from ctiex.app.output import say, say_lines
from ctiex.config.plugin_checks import Finder
from ctiex.errors import CodecError, ConfigurationError, Status
from ctiex.fields import MASK, Fields
from ctiex.interfaces import Frame, ICodec, ICodecPlugin
from ctiex.messages import DEFAULT_MAX_FRAME, KINDS, Message
from ctiex.plugins import find_plugin
from ctiex.visible import visible

_BESIDE_HEX = b" \t\r\n:"
_TYPE_NAMES = {str: "text", bool: "boolean", int: "integer", bytes: "bytes"}


class Options(MaskingOptions):
    """The options of ``ctiex decode``."""

    synopsis = "[options] [HEX...]"
    longdesc = (
        "Prints the messages in frames given as hexadecimal (white space and colons don't count) or in a file."
        " The values of fields are masked unless --show-values is given; the secret of a Bind always is."
        " Exit code 1: something wasn't a complete, well-formed frame."
    )
    optParameters = [
        ["file", "f", None, "A file of frames, as they come off the wire or in hexadecimal."],
        ["codec", None, "binary", "The codec of the link: binary, json or a plugin's."],
        ["max-frame", None, DEFAULT_MAX_FRAME, "The limit on the length of a frame.", int],
    ]

    hexadecimal = ""

    def parseArgs(self, *hexadecimal: str) -> None:
        """Take the frames from the command line."""
        self.hexadecimal = "".join(hexadecimal)

    def postOptions(self) -> None:
        """See that there is one source of frames.

        :raise UsageError: there are no frames, or both kinds of input.
        """
        if bool(self.hexadecimal) == bool(self["file"]):
            raise UsageError("give the frames in hexadecimal or by --file, one of the two")


def run(options: Options, stdout: TextIO, stderr: TextIO, find: Finder = find_plugin) -> int:
    """Decode and print; 0, or 1 where something wasn't a complete, well-formed frame.

    :param find: finds the codec's plugin, and those of a configuration's organizers.
    """
    try:
        data = _bytes_to_decode(options)
        codec: ICodec = find(ICodecPlugin, options["codec"]).build()
        secret = options.masked(find)
    except (OSError, ValueError, ConfigurationError) as error:
        say_lines(f"nothing to decode: {error}", stderr)
        return 1
    report = Report(codec, bool(options["show-values"]), secret)
    for line in report.lines(data, options["max-frame"]):
        say(line, stdout)
    return 1 if report.faults else 0


def _bytes_to_decode(options: Options) -> bytes:
    if not options["file"]:
        return _from_hex(options.hexadecimal.encode())
    data = Path(options["file"]).read_bytes()
    try:
        return _from_hex(data)
    except ValueError:
        return data


def _from_hex(text: bytes) -> bytes:
    """:raise ValueError: the text is no hexadecimal."""
    try:
        return bytes.fromhex(text.translate(None, _BESIDE_HEX).decode("ascii"))
    except ValueError:
        raise ValueError("the text isn't a whole number of bytes in hexadecimal") from None


@define
class Report:
    """Turns the bytes of one direction of a link into lines for people."""

    codec: ICodec
    show_values: bool
    """Whether the values of fields are shown."""
    secret: frozenset[str]
    """Fields whose values are masked all the same."""
    faults: int = field(default=0, init=False)
    """What was no whole, well-formed frame so far."""

    def lines(self, data: bytes, max_frame: int) -> Iterator[str]:
        """A few lines for each frame, and for what isn't one."""
        decoder = self.codec.decoder(max_frame)
        decoder.receive(data)
        try:
            for frame in decoder.frames():
                yield from self._frame(frame)
        except CodecError as error:
            yield self._fault(f"the link would end here: {error}")
            return
        if decoder.buffered():
            yield self._fault(f"the last {decoder.buffered()} bytes are an incomplete frame")

    def _fault(self, text: str) -> str:
        self.faults += 1
        return f"! {text}"

    def _frame(self, frame: Frame) -> Iterator[str]:
        message_type = KINDS.get(frame.kind)
        name = message_type.__name__ if message_type else "unknown kind"
        yield f"{name} (kind {frame.kind:02x}), invoke id {frame.invoke_id}"
        if frame.fault is not None:
            yield self._fault(f"{frame.fault.status.text}: {frame.fault}")
            return
        try:
            message = self.codec.decode_body(frame)
        except CodecError as error:
            yield self._fault(f"{error.status.text}: {error}")
            return
        yield from self._message(message)

    def _message(self, message: Message) -> Iterator[str]:
        for attribute in attrs.fields(type(message)):
            value = getattr(message, attribute.name)
            if isinstance(value, Fields):
                yield f"  {attribute.name}: {len(value)}"
                yield from (f"    {self._field(name, value)}" for name in value)
            else:
                yield f"  {attribute.name}: {MASK if not attribute.repr else _worded(attribute.name, value)}"

    def _field(self, name: str, values: Fields) -> str:
        value = values[name]
        label = visible(name)
        text = Fields.trusted({label: value}).describe(() if self.show_values and name not in self.secret else {label})
        return f"{text} ({_TYPE_NAMES[type(value)]})"


def _worded(name: str, value: Any) -> str:
    """A value of a message, a code with its meaning."""
    if name == "status":
        return f"{int(value)} ({Status.of(value).text})"
    if name == "condition":
        return f"{int(value)} ({value.text})"
    if name == "role":
        return f"{int(value)} ({value.name.lower()})"
    return visible(value) if isinstance(value, str) else repr(value)
