"""A terminal with the line editing, history and completion of GNU readline, where Python has it.

Readline waits for keys, so it has a thread of its own, which reads a line when one is wanted. The history is that of
this run alone: what an agent types may be a customer's, and is written nowhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Semaphore, Thread
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ctiex.clients.terminal import Terminal, open_terminal

PROMPT = "> "
_CLEAR_LINE = "\r\x1b[K"

Complete = Callable[[str], list[str]]
"""Gives what the last word of a line that is begun may be."""


class LineEditor(Terminal):
    """The process's terminal, line by line; what is written meanwhile stands above the line that is typed."""

    def __init__(self, reactor: Any, readline: ModuleType, complete: Complete, encoding: str) -> None:
        super().__init__(encoding)
        self._reactor = reactor
        self._readline = readline
        self._complete = complete
        self._wanted = Semaphore(0)
        self._reading = False
        """Whether the thread reads a line, or is about to."""
        self._prompting = False
        """Whether the prompt stands there."""
        self._modes: list[Any] | None = None

    def start(self) -> None:
        """Have readline ready."""
        import termios

        self._modes = termios.tcgetattr(sys.stdin.fileno())
        self._readline.set_completer_delims(" ")
        self._readline.set_completer(self._completed)
        self._readline.parse_and_bind("tab: complete")
        Thread(target=self._read_lines, name="ctiex-line-editor", daemon=True).start()

    def _completed(self, text: str, place: int) -> str | None:
        line = self._readline.get_line_buffer()[: self._readline.get_endidx()]
        found = self._complete(line)
        return f"{found[place]} " if place < len(found) else None

    def _read_lines(self) -> None:
        """In the thread of its own."""
        while True:
            self._wanted.acquire()
            self._prompting = True
            try:
                line = input(PROMPT)
            except EOFError:
                self._reactor.callFromThread(self.readConnectionLost)
                return
            finally:
                self._prompting = False
            self._reactor.callFromThread(self.lineReceived, line.encode(errors="replace"))

    # ------------------------------------------------------------ as the terminal

    def lineReceived(self, line: bytes) -> None:
        """A line was typed."""
        self._reading = False
        super().lineReceived(line)

    def read_line(self) -> Deferred[str]:
        """The next line; the prompt stands there while one is wanted."""
        line = super().read_line()
        if not line.called and not self._reading:
            self._reading = True
            self._wanted.release()
        return line

    def write(self, text: str) -> None:
        """Write text above the line that is typed."""
        encoding = self._encoding
        if self._prompting:
            typed = f"{PROMPT}{self._readline.get_line_buffer()}"
            text = f"{_CLEAR_LINE}{text}{typed}"
        data = text.encode(encoding, "backslashreplace")
        try:
            while data:
                data = data[os.write(sys.stdout.fileno(), data) :]
        except OSError:  # the terminal is gone
            self.writeConnectionLost()

    def close(self) -> Deferred[None]:
        """Leave the terminal as it was: readline may wait for keys in modes of its own."""
        import termios

        if self._prompting:
            self.write_end()
        if self._modes is not None:
            try:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._modes)
            except (OSError, termios.error):  # the terminal is gone
                pass
        return succeed(None)

    def write_end(self) -> None:
        """End the line with the prompt: another program's comes behind it."""
        self._prompting = False
        self.write("\n")


def open_line_editor(reactor: Any, complete: Complete) -> Terminal:
    """This process's terminal, with readline where Python has it; else without."""
    try:
        import readline
    except ImportError:
        return open_terminal(reactor)
    editor = LineEditor(reactor, readline, complete, getattr(sys.stdout, "encoding", None) or "utf-8")
    editor.start()
    return editor
