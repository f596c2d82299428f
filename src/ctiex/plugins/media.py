"""The built-in kinds of media, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue, fail
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import CallerHungUp, ConfigurationError
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.services.media import ScriptedMedia, TerminalMedia


@implementer(IPlugin, IMediaPlugin)
class ScriptedPlugin:
    """``--media scripted``: a customer out of a script."""

    name = "scripted"

    def build(self, settings: Mapping[str, Any], clock: IReactorTime) -> IMedia:
        """A customer who types ``typed`` (a list of texts), and leaves after ``hang_up_after`` actions.

        @raise ConfigurationError: a key is unknown or its value no good.
        """
        _only(settings, "typed", "hang_up_after")
        typed = settings.get("typed", [])
        if not (isinstance(typed, (list, tuple)) and all(isinstance(keys, str) for keys in typed)):
            raise ConfigurationError("typed: expected a list of texts, one for each question")
        after = settings.get("hang_up_after")
        if after is not None and (type(after) is not int or after < 0):
            raise ConfigurationError("hang_up_after: expected how many actions, from 0 on")
        return ScriptedMedia(typed, after)


class _Terminal(LineOnlyReceiver):
    """The lines of this process's standard input, as they come."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self._lines: DeferredQueue[str] = DeferredQueue()
        self._ended = False

    def lineReceived(self, line: bytes) -> None:
        self._lines.put(line.decode(errors="replace").rstrip("\r"))

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._ended = True
        while self._lines.waiting:
            self._lines.waiting.pop(0).errback(Failure(_no_more()))

    def read_line(self) -> Deferred[str]:
        return fail(_no_more()) if self._ended and not self._lines.pending else self._lines.get()

    def write(self, text: str) -> None:
        if self.transport is not None:
            self.transport.write(text.encode())


def _no_more() -> CallerHungUp:
    return CallerHungUp("standard input has ended")


@implementer(IPlugin, IMediaPlugin)
class TerminalPlugin:
    """``--media terminal``: the person at this process's terminal plays every customer."""

    name = "terminal"

    def __init__(self) -> None:
        self._terminal: _Terminal | None = None

    def build(self, settings: Mapping[str, Any], clock: IReactorTime) -> IMedia:
        """The person at the terminal; ``clock`` must be the running reactor.

        @raise ConfigurationError: there are settings; it takes none.
        """
        _only(settings)
        terminal = self._open(clock)
        return TerminalMedia(terminal.read_line, terminal.write, clock)

    def _open(self, reactor: Any) -> _Terminal:
        """Standard input and output; a process has them once, so all customers share them."""
        if self._terminal is None:
            from twisted.internet.stdio import StandardIO  # not before somebody wants a terminal

            self._terminal = _Terminal()
            StandardIO(self._terminal, reactor=reactor)
        return self._terminal


def _only(settings: Mapping[str, Any], *known: str) -> None:
    for key in settings:
        if key not in known:
            raise ConfigurationError(f"unknown key {key!r}: expected {' or '.join(known) or 'no settings'}")


scripted = ScriptedPlugin()
terminal = TerminalPlugin()
