"""Runs a command under the reactor, until it has ended or the reader of its output is gone."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import react
from twisted.logger import FilteringLogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from zope.interface import implementer

from ctiex.app.logs import in_lines
from ctiex.app.output import OutputLost, end_unread, say, write
from ctiex.app.signals import answer_signals
from ctiex.steady_time import make_steady


def run_with_reactor(command: ModuleType, options: Any) -> None:
    """Run it, and exit with its code."""
    _log_warnings()

    def begin(reactor: Any) -> Deferred[None]:
        make_steady(reactor)
        answer_signals(reactor)
        return ensureDeferred(_run(command, options, reactor))

    react(begin)


async def _run(command: ModuleType, options: Any, reactor: Any) -> None:
    """Run a command until it has ended, or until the reader of its output is gone.

    Whatever it does then, the end of the reactor ends it as a signal would.
    """
    ended: Deferred[int] = Deferred()

    def end(outcome: int | Failure) -> None:
        if not ended.called:
            ended.callback(outcome)

    def lost(error: OutputLost) -> None:
        end(Failure(error))

    stdout, stderr = Heard(sys.stdout, lost), Heard(sys.stderr, lambda error: None)
    PipeWatch(reactor, sys.stdout.fileno(), lambda: lost(OutputLost(BrokenPipeError())))
    ensureDeferred(command.run(options, reactor, stdout, stderr)).addBoth(end)
    try:
        code = await ended
    except UsageError as error:
        say(f"ctiex: {error}", stderr)
        code = 2
    except OutputLost as error:
        code = end_unread(error)
    raise SystemExit(code)


def _log_warnings() -> None:
    """Warnings go to standard error; a command's own output says the rest."""
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(in_lines(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])], redirectStandardIO=False
    )


class Heard:
    """A stream whose end doesn't reach those who write to it: the first write that fails tells ``lost``."""

    def __init__(self, stream: Any, lost: Callable[[OutputLost], object]) -> None:
        self._stream = stream
        self._lost: Callable[[OutputLost], object] | None = lost

    @property
    def encoding(self) -> str | None:
        """What the text is written in."""
        encoding: str | None = getattr(self._stream, "encoding", None)
        return encoding

    def isatty(self) -> bool:
        """Whether somebody sits there."""
        return bool(self._stream.isatty())

    def write(self, text: str) -> None:
        """Write at once, as long as it can be written."""
        if self._lost is None:
            return
        try:
            write(text, self._stream)
        except OutputLost as error:
            lost, self._lost = self._lost, None
            lost(error)

    def flush(self) -> None:
        """Everything is out already."""


@implementer(IReadDescriptor)
class PipeWatch:
    """Tells when the reader of a pipe is gone, also while nothing is written."""

    def __init__(self, reactor: Any, descriptor: int, gone: Callable[[], object]) -> None:
        """:param descriptor: of this process's end, which isn't touched; one that isn't a pipe is left as it is."""
        self._descriptor = -1
        self._gone = gone
        self._reactor = reactor
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            self._descriptor = os.dup(descriptor)  # the reactor may watch the other one already
            reactor.addReader(self)

    def fileno(self) -> int:
        """What the reactor watches."""
        return self._descriptor

    def doRead(self) -> Any:
        """Nothing is ever read from this end: either its reader is gone, or it was a mistake."""
        return CONNECTION_LOST if self._reader_is_gone() else None

    def _reader_is_gone(self) -> bool:
        polled = select.poll()
        polled.register(self._descriptor, 0)
        return bool(polled.poll(0))

    def connectionLost(self, reason: Failure) -> None:
        """The reader is gone; or the reactor releases everything at its end, which is no news of the reader."""
        if self._descriptor < 0:
            return
        reader_is_gone = self._reader_is_gone()
        self._reactor.removeReader(self)
        os.close(self._descriptor)
        self._descriptor = -1
        if reader_is_gone:
            self._gone()

    def logPrefix(self) -> str:  # noqa: N802
        """How the reactor calls it."""
        return "output"
