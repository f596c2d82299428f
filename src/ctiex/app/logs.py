"""Logs for an operator: lines for people, or one JSON object a line for machines.

Both go to standard output and are chosen where the exchange is started, not in its configuration::

    twistd -n --logger=ctiex.app.logs.human ctiex
    twistd -n --logger=ctiex.app.logs.json ctiex

``twist`` has formats of its own that work as well: ``twist --log-format=text ctiex`` and
``twist --log-format=json ctiex``. The latter writes Twisted's JSON (RFC 7464, a record
separator before each object), which ``twisted.logger.eventsFromJSONLogFile`` reads.

Channel associated data never stands in a log: the ``repr`` of Fields tells names, types and sizes only.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from json import dumps
from typing import Any, TextIO, TypeAlias, cast

from twisted.logger import FileLogObserver, LogEvent, formatEvent, formatEventAsClassicLogText
from twisted.python.failure import Failure
from twisted.python.reflect import safe_repr

from ctiex.visible import visible

_TWISTED_KEYS = frozenset({"format", "isError", "message", "printed", "system", "time"})
"""What Twisted adds to an event for observers of the old kind."""

Plain: TypeAlias = str | int | float | bool | None
"""What JSON has a type for, of single values."""
_INTEGER_BITS = 1024
"""Python refuses to write longer integers in decimal, sooner or later."""


def human() -> FileLogObserver:
    """For ``twistd --logger=ctiex.app.logs.human``: a line of text for each event, with its traceback if it has one."""
    return in_lines(sys.stdout)


def in_lines(stream: TextIO) -> FileLogObserver:
    """Writes each event as lines of text: what others brought into it is seen, and does nothing to a terminal."""

    def shown(event: LogEvent) -> str | None:
        text = formatEventAsClassicLogText(event)
        return None if text is None else "".join(_shown_lines(text, getattr(stream, "encoding", None)))

    return FileLogObserver(stream, shown)


def _shown_lines(text: str, encoding: str | None) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        further = line.startswith("\t")  # Twisted's indentation of all lines but the first
        yield "\t" * further + visible(line[further:], encoding) + "\n"


def json() -> FileLogObserver:
    """For ``twistd --logger=ctiex.app.logs.json``: a line with a JSON object for each event (:func:`json_line`)."""
    return FileLogObserver(sys.stdout, json_line)


def json_line(event: LogEvent) -> str:
    """One event as a JSON object and a line end.

    ``time`` is UTC in ISO 8601, ``level`` a name such as ``info``, ``namespace`` the module that
    logged, ``text`` the event in words, and ``failure`` its traceback, if it has one. The
    event's own fields follow under their own names, with ``_`` behind a name that is taken;
    what JSON has no type for becomes its ``repr``.
    """
    line: dict[str, Any] = {
        "time": _time(event.get("log_time")),
        "level": getattr(event.get("log_level"), "name", "info"),
        "namespace": str(event.get("log_namespace", "-")),
        "text": formatEvent(event),
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["failure"] = failure.getTraceback()
    for name, value in event.items():
        if isinstance(name, str) and not name.startswith("log_") and name not in _TWISTED_KEYS:
            while name in line:
                name += "_"
            line[name] = _plain(value)
    return f"{dumps(line)}\n"


def _time(seconds: Any) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):  # an invalid time
        return None


def _plain(value: object) -> Plain:
    """The value, where JSON can say it; else its repr."""
    # By type, not by isinstance: a subclass may say what it likes when it is written.
    if value is None or type(value) in (str, bool):
        return cast(Plain, value)
    if (type(value) is int and value.bit_length() <= _INTEGER_BITS) or (type(value) is float and math.isfinite(value)):
        return value
    return str(safe_repr(value))
