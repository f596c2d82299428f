"""``ctiex trace``: the timeline of one hand-off, out of the audit log."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO

from attrs import define, field
from twisted.python.usage import UsageError

from ctiex.app.commands.interspersed_options import InterspersedOptions
from ctiex.app.output import say
from ctiex.config.reading import load
from ctiex.errors import ConfigurationError, SerialError
from ctiex.monitoring.audit_events import IN_WORDS, AuditEvent
from ctiex.monitoring.audit_reader import Reading, Record, opened
from ctiex.monitoring.audit_trail import printable
from ctiex.serials import check_serial

_BESIDE = frozenset({AuditEvent.BOUND.value, AuditEvent.UNBOUND.value})
"""What belongs to a hand-off when it befell one of its sessions meanwhile."""
_OF_AGENT = frozenset(
    {AuditEvent.AGENT_LOGGED_IN.value, AuditEvent.AGENT_TAKEN_OVER.value, AuditEvent.AGENT_LOGGED_OUT.value}
)
"""And what does when it was its agent's number."""


class Options(InterspersedOptions):
    """The options of ``ctiex trace``."""

    synopsis = "SERIAL --audit FILE | --config FILE"
    longdesc = (
        "Prints what the audit log holds about one call serial number, in order of time, refusals marked with !."
        " --audit may be repeated for rotated files, in any order (FILE.gz is read as well, - is the standard input);"
        " --config uses the file that a configuration names. Exit code 1: nothing is known about that serial, or a"
        " file can't be read."
    )
    optFlags = [["json", None, "Print the records as they are in the file."]]
    optParameters = [["config", "c", None, "The configuration of an exchange, whose [audit] file is read."]]

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.serial = ""

    def opt_audit(self, file: str) -> None:
        """A file of the audit log; may be repeated."""
        self.files.append(file)

    def parseArgs(self, *arguments: str) -> None:
        """Take the serial.

        :raise UsageError: no serial is given, or it isn't a call serial number.
        """
        if len(arguments) != 1:
            raise UsageError("give one call serial number")
        try:
            self.serial = check_serial(arguments[0])
        except SerialError as error:
            raise UsageError(str(error)) from None

    def postOptions(self) -> None:
        """See that there is something to read.

        :raise UsageError: there is nothing.
        """
        if not self.files and not self["config"]:
            raise UsageError("give a file of the audit log by --audit, or a configuration that names it by --config")


def run(options: Options, stdout: TextIO, stderr: TextIO, stdin: BinaryIO | None = None) -> int:
    """Print the timeline; 0, or 1 where nothing is known of the serial.

    :param stdin: what ``-`` stands for; the process's own unless given.
    """
    with ExitStack() as files:
        try:
            readings = [
                Reading(files.enter_context(opened(name, stdin or sys.stdin.buffer))) for name in _files(options)
            ]
            story = Story.of(options.serial, readings)
            _print(story, readings, bool(options["json"]), stdout)
        except (OSError, EOFError, zlib.error, ConfigurationError) as error:
            say(f"nothing to trace: {error}", stderr)
            return 1
    torn = sum(reading.torn for reading in readings)
    if torn:
        say(f"lines skipped, not valid records: {torn}", stderr)
    if story.first is None:
        say(f"nothing is known about serial {options.serial}", stderr)
        return 1
    return 0


def _files(options: Options) -> list[str]:
    """The files to read, each once.

    :raise ConfigurationError: the configuration is invalid, or names no audit log.
    """
    named = list(options.files)
    if options["config"]:
        configured = load(options["config"], None, None).audit.file
        if not configured:
            raise ConfigurationError(f"{options['config']}: audit.file is empty, no audit log is written")
        named.append(configured)
    return list({name if name == "-" else str(Path(name).resolve()): name for name in named}.values())


@define
class Story:
    """What belongs to one hand-off: found in a first reading, so that the second can print as it goes."""

    serial: str
    sessions: set[str] = field(factory=set)
    agents: set[str] = field(factory=set)
    first: float | None = None
    """The time of its first record, in seconds since the epoch; None: nothing is known of it."""
    begins: str = ""
    """The same as it stands there."""
    last: float = 0.0

    @classmethod
    def of(cls, serial: str, readings: list[Reading]) -> Story:
        """The story of a serial."""
        story = cls(serial)
        for record in chain.from_iterable(reading.records(first_time=True) for reading in readings):
            if record.text("serial") == serial:
                story._add(record)
        return story

    def _add(self, record: Record) -> None:
        if self.first is None or record.moment < self.first:
            self.first, self.begins = record.moment, record.text("time")
        self.last = max(self.last, record.moment)
        self.sessions.update(filter(None, [record.text("session")]))
        self.agents.update(filter(None, [record.text("agent")]))

    def has(self, record: Record) -> bool:
        """Whether a record belongs to it: by its serial, or since it befell one of its sessions meanwhile."""
        if record.text("serial"):
            return record.text("serial") == self.serial
        if self.first is None or not self.first <= record.moment <= self.last:
            return False
        beside = record.event in _BESIDE or (record.event in _OF_AGENT and record.text("agent") in self.agents)
        return beside and record.text("session") in self.sessions


def _print(story: Story, readings: list[Reading], as_json: bool, stdout: TextIO) -> None:
    if story.first is None:
        return
    if not as_json:
        say(f"call serial number {story.serial}, from {printable(story.begins)} on", stdout)
    shown = refused = 0
    for record in _told(story, readings):
        shown += 1
        refused += record.refusal
        if as_json:
            say(record.line, stdout)
        else:
            mark = "!" if record.refusal else " "
            say(f"{mark} {record.moment - story.first:+10.3f} s  {sentence(record)}", stdout)
    if not as_json:
        say(f"records: {shown}, refusals: {refused}", stdout)


def _told(story: Story, readings: list[Reading]) -> Iterator[Record]:
    in_order = sorted(readings, key=lambda reading: reading.begins)
    return filter(story.has, chain.from_iterable(reading.records() for reading in in_order))


# ---------------------------------------------------------------- in words


def sentence(record: Record) -> str:
    """A record in words; one of a kind that isn't known here with all it holds."""
    known = IN_WORDS.get(record.event)
    if known is None:
        rest = (f"{key}={_shown(str(value))}" for key, value in record.values.items() if key not in ("time", "event"))
        return " ".join((_shown(record.event), *rest))
    return known.format(**{name: make(record) for name, make in _WORDS.items() if f"{{{name}}}" in known})


def _shown(text: str) -> str:
    return printable(text, 255)


def _named(key: str) -> Callable[[Record], str]:
    return lambda record: _shown(record.text(key)) or "?"


def _at(record: Record, *keys: str) -> str:
    """Where somebody stands: the session, the address."""
    places = [("session " if key == "session" else "") + _shown(record.text(key)) for key in keys if record.text(key)]
    return f" ({', '.join(places)})" if places else ""


def _who(record: Record) -> str:
    return (_shown(record.text("identity")) or "somebody") + _at(record, "session", "peer")


def _owner(record: Record) -> str:
    owner = record.text("owner")
    named = "any identity that serves it" if owner in ("", "*") else _shown(owner)
    return named + _at(record, "session")


def _why(record: Record) -> str:
    status = " ".join(filter(None, (_shown(record.text(key)) for key in ("status", "status_text")))) or "?"
    reason = _shown(record.text("reason"))
    return f"{status} ({reason})" if reason else status


_WORDS: dict[str, Callable[[Record], str]] = {
    "who": _who,
    "agent": _named("agent"),
    "service": _named("service"),
    "owner": _owner,
    "call_id": _named("call_id"),
    "action": _named("action"),
    "condition": _named("condition_text"),
    "reason": _named("reason"),
    "why": _why,
}
