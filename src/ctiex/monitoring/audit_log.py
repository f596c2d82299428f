"""The audit log: an append-only file with one JSON object a line.

Records are gathered for one turn of the reactor and go out in one write. Nothing that may
happen to the file hurts a call: records wait while it can't be written, as many as there is
room for, and those that found none are counted in its place.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from errno import EIO
from pathlib import Path
from typing import Unpack

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ctiex.errors import ConfigurationError, Status
from ctiex.file_modes import warn_of_wide_mode
from ctiex.messages import Condition
from ctiex.monitoring.audit_events import About, AuditEvent
from ctiex.monitoring.counters import Counters
from ctiex.outage import Outage

_log = Logger()

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
"""O_NONBLOCK matters if the file is a pipe: without a reader it is an error, not a wait."""
_MODE = 0o600
_MOST_WAITING = 10_000
"""Records that wait while the file can't be written; the oldest are kept."""
_LOOK_EVERY = 1.0
"""How often it is seen whether the file was rotated, at most; and tried again after a failure, in seconds."""


def line_of(event: AuditEvent, moment: float, about: About) -> bytes:
    """One record as it stands in the file, its end of line included.

    :param moment: seconds since the epoch.
    """
    shown: dict[str, object] = {
        "time": datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.value,
    }
    for key in About.__annotations__:
        value = about.get(key)
        if value is None or value == "":
            continue
        shown[key] = value
        if key == "status":
            shown["status_text"] = Status.of(about["status"]).text
        elif key == "condition":
            shown["condition_text"] = Condition(about["condition"]).text
    return json.dumps(shown).encode() + b"\n"


class AuditLog:
    """Appends records to a file; several exchanges may append to the same one."""

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        counters: Counters,
        most_waiting: int = _MOST_WAITING,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """A log that isn't open yet.

        :param clock: to wait by.
        :param most_waiting: how many records may wait while the file can't be written.
        :param wall: tells when something happened, in seconds since the epoch.
        """
        self._wall = wall
        self._path = path
        self._clock = clock
        self._counters = counters
        self._most_waiting = most_waiting
        self._descriptor: int | None = None
        self._waiting: list[bytes] = []
        self._lost = 0
        self._torn = False
        """Whether the file ends within a line, since a write came to its end there."""
        self._outage = Outage(self._tell_of_failing, self._tell_of_being_well)
        """For one line when it stops working, and one when it works again."""
        self._looked_at = 0.0
        """When it was last seen whether the file was rotated."""
        self._flushing: IDelayedCall | None = None

    def open(self) -> None:
        """Open the file, making it where it isn't there; nothing is opened where it has no name.

        :raise ConfigurationError: it can't be opened.
        """
        if not self._path:
            return
        try:
            self._descriptor = self._opened()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(f"audit.file: {self._path} can't be opened to append to it: {why}") from None
        self._looked_at = self._clock.seconds()
        warn_of_wide_mode(self._path)

    def _opened(self) -> int:
        descriptor = os.open(self._path, _FLAGS, _MODE)
        self._torn = _ends_within_a_line(self._path)
        return descriptor

    def close(self) -> None:
        """Write what waits, and close the file; later records are dropped."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._descriptor is None:
            return
        self._write_out()
        left = len(self._waiting) + self._lost
        if left:
            self._counters.audit_records_lost += len(self._waiting)
            _log.error("the audit log {path} was closed without its last {left} records", path=self._path, left=left)
        os.close(self._descriptor)
        self._descriptor = None
        self._waiting.clear()
        self._lost = 0

    # ------------------------------------------------------------ records

    def record(self, event: AuditEvent, **about: Unpack[About]) -> None:
        """Something has happened; it is written at the end of this turn of the reactor."""
        if self._descriptor is None:
            return
        full = self._lost or len(self._waiting) >= self._most_waiting  # one gap, until it is told of
        if full and (self._outage.lasts or not self._write_out()):
            self._lost += 1
            self._counters.audit_records_lost += 1
            return
        self._waiting.append(line_of(event, self._wall(), about))
        if self._flushing is None:
            self._flushing = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if not self._write_out():
            self._flushing = self._clock.callLater(_LOOK_EVERY, self._flush)

    # ------------------------------------------------------------ the file

    def _write_out(self) -> bool:
        """Write all that waits; False when it goes on waiting."""
        trouble: OSError | None = None
        for step in (self._follow_rotation, self._write_waiting):
            try:
                step()
            except OSError as error:  # where no other file can be opened, the one that is open is as good as any
                trouble = error
        if trouble is None:
            self._outage.worked()
        else:
            self._counters.audit_failures += 1
            self._outage.failed(trouble.strerror or str(trouble))
        return not (self._waiting or self._lost)

    def _write_waiting(self) -> None:
        self._write(self._waiting)
        if self._lost:
            # Written at once, so that it stands between the records before and those behind the gap.
            self._write([line_of(AuditEvent.RECORDS_LOST, self._wall(), {"lost": self._lost})])
            self._lost = 0

    def _write(self, lines: list[bytes]) -> None:
        """Write lines in one piece and take those off the list that the file has, whole.

        :raise OSError: some are left.
        """
        if not lines:
            return
        assert self._descriptor is not None
        mend = b"\n" if self._torn else b""
        data = mend + b"".join(lines)
        written = os.write(self._descriptor, data)
        if not written:
            raise OSError(EIO, "nothing was written")
        self._torn = not data.endswith(b"\n", 0, written)
        if data.startswith(b"\n", written):  # the end that this line lacks comes before the next
            written += 1
        del lines[: data.count(b"\n", len(mend), written)]
        if lines:
            # The next write says why, or goes on with the line that was torn.
            self._write(lines)

    def _follow_rotation(self) -> None:
        """Reopen the file when another one, or none, has its name now.

        :raise OSError: it can't be opened.
        """
        now = self._clock.seconds()
        if 0 <= now - self._looked_at < _LOOK_EVERY:
            return
        assert self._descriptor is not None
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            named = None
        if named is None or not os.path.samestat(named, os.fstat(self._descriptor)):
            before, self._descriptor = self._descriptor, self._opened()
            os.close(before)
        self._looked_at = now

    def _tell_of_failing(self, reason: str) -> None:
        _log.error(
            "the audit log {path} can't be written, its records are waiting: {reason}", path=self._path, reason=reason
        )

    def _tell_of_being_well(self, failures: int) -> None:
        _log.warn("the audit log {path} is written again, after {failures} failures",
                  path=self._path, failures=failures)  # fmt: skip


def _ends_within_a_line(path: str) -> bool:
    """Whether a crash, or a full disk, has left a part of a line at the end of a file."""
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
    except OSError:  # one that may be written and not read
        return False
