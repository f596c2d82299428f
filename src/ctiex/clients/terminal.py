"""The process's terminal as a source of lines: for an interactive agent, or a customer played by a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue, fail, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ctiex.errors import CallerHungUp
from ctiex.links.waiters import Waiters
from ctiex.visible import visible


@implementer(IHalfCloseableProtocol)
class Terminal(LineOnlyReceiver):
    """Lines of text in, text out; unread lines wait."""

    delimiter = b"\n"

    def __init__(self, encoding: str = "utf-8") -> None:
        """:param encoding: what is written is written in this."""
        self._encoding = encoding
        self._lines: DeferredQueue[str] = DeferredQueue()
        self._ended = False
        self._closed = False
        self._closing: Waiters[None] = Waiters()
        self._unread = False
        """Whether the reader of the output is gone."""
        self._unread_hears: Waiters[None] = Waiters()

    def lineReceived(self, line: bytes) -> None:
        """A line was typed."""
        self._lines.put(line.decode(errors="replace").rstrip("\r"))

    def readConnectionLost(self) -> None:
        """The input has ended; the output goes on."""
        self._ended = True
        while self._lines.waiting:
            self._lines.waiting.pop(0).errback(Failure(_no_more()))

    def writeConnectionLost(self) -> None:
        """The reader is gone, or the output can't be written."""
        self._unread = True
        self._unread_hears.fire(None)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Both have ended."""
        self.readConnectionLost()
        self._closed = True
        self._closing.fire(None)

    def close(self) -> Deferred[None]:
        """Fires once everything that was written is out, or can't be."""
        if self._closed or self.transport is None:
            return succeed(None)
        closing = self._closing.add()
        self.transport.loseConnection()
        if self._unread:  # the transport waits for its output to be closed, which it is
            self.connectionLost()
        return closing

    def unread_output(self) -> Deferred[None]:
        """Fires once the reader of the output is gone."""
        return succeed(None) if self._unread else self._unread_hears.add()

    def read_line(self) -> Deferred[str]:
        """The next line, without its end; fails with CallerHungUp once there are no more."""
        return fail(_no_more()) if self._ended and not self._lines.pending else self._lines.get()

    def unread(self, lines: Sequence[str]) -> None:
        """Put lines back, to be read before all others; no read is pending at this moment."""
        self._lines.pending[:0] = lines

    def say(self, text: str) -> None:
        """Write one line; its parts may come from a peer."""
        self.write(visible(text, self._encoding) + "\n")

    def write(self, text: str) -> None:
        """Write text that is known to be harmless, without a line end of its own."""
        if self.transport is not None:
            self.transport.write(text.encode(self._encoding, "backslashreplace"))


def _no_more() -> CallerHungUp:
    return CallerHungUp("standard input has ended")


def open_terminal(reactor: Any) -> Terminal:
    """This process's standard input and output. A reactor has them once: all who ask share them."""
    opened: Terminal | None = getattr(reactor, _OPENED, None)
    if opened is None:
        from twisted.internet.stdio import StandardIO  # not before somebody wants a terminal

        opened = Terminal(getattr(sys.stdout, "encoding", None) or "utf-8")
        StandardIO(opened, reactor=reactor)
        setattr(reactor, _OPENED, opened)
    return opened


_OPENED = "_ctiex_terminal"
